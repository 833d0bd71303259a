"""Many films with one command: a list of jobs, their outcomes, and nothing converted twice.

It handles names, outcomes and the report. The function that converts one film is passed in.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from stereocast.errors import SinkError, StereocastError, UsageError
from stereocast.jobs import plan, written
from stereocast.jobs.convert.inputs import expand
from stereocast.media import faults, owned, probe
from stereocast.settings import ConvertSettings

log = logging.getLogger(__name__)

Status = Literal["converted", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Job:
    """One source and the file it becomes (None: by the usual rules)."""

    source: str
    output: Path | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a job."""

    source: str
    status: Status
    output: str | None
    reason: str = ""  # why it was skipped or failed
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)


def jobs(names: list[str], output: Path | None, settings: ConvertSettings, *, recursive: bool = False) -> list[Job]:
    """The work that `names` (files, folders, globs, URLs) mean. `output` is a folder or None: beside the sources.

    A folder's subfolders are kept below `output`; a file that is reached twice is done once; two sources whose results
    would have the same name get different ones. Raises SourceError.
    """
    found: list[Job] = []
    seen: set[Any] = set()
    taken: set[str] = set()
    for name in names:
        root = Path(name) if Path(name).is_dir() else None
        for source in expand([name], recursive=recursive, tell=False):
            identity = _identity(source)
            if identity in seen:
                log.info("%s is already in the list", source)
                continue
            seen.add(identity)
            folder = output
            if output is not None and root is not None:
                folder = output / Path(source).parent.relative_to(root)
            target = _target(source, folder, settings)
            if str(target).casefold() in taken:  # some file systems don't tell case apart
                target = _target(source, folder, settings, also=f"_{Path(source).suffix[1:]}")
            taken.add(str(target).casefold())
            found.append(Job(source, target))
    return found


def _identity(source: str) -> Any:
    path = Path(source)
    if not path.is_file():
        return source
    status = path.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _target(source: str, folder: Path | None, settings: ConvertSettings, *, also: str = "") -> Path:
    still = probe.is_image(source)
    suffix = plan.default_suffix(settings.out_format or "mp4", source, still=still)
    beside = plan.output_path(source, None, plan.stereo_format(settings), suffix, also=also)
    return beside if folder is None else folder / beside.name


def run(
    todo: Iterable[Job], work: Callable[[Job], dict[str, Any]], *, overwrite: bool = False, stop_on_error: bool = False
) -> Iterator[Outcome]:
    """Runs one job after another. Existing results are skipped; an error ends only its own film, unless
    `stop_on_error`. KeyboardInterrupt passes through."""
    for job in todo:
        if job.output is not None and job.output.exists() and not job.output.is_dir() and not overwrite:
            yield Outcome(job.source, "skipped", str(job.output), "converted before")
            continue
        begun = time.monotonic()
        try:
            details = work(job)
        except StereocastError as error:
            outcome = Outcome(job.source, "failed", None, str(error), round(time.monotonic() - begun, 3))
        except (OSError, MemoryError) as error:
            outcome = Outcome(job.source, "failed", None, faults.line(error), round(time.monotonic() - begun, 3))
        except Exception as error:  # a defect of ours must not end the other films
            log.debug("%s", job.source, exc_info=True)
            reason = f"internal error: {type(error).__name__}: {error}"
            outcome = Outcome(job.source, "failed", None, reason, round(time.monotonic() - begun, 3))
        else:
            seconds = round(time.monotonic() - begun, 3)
            outcome = Outcome(job.source, "converted", str(job.output), "", seconds, details)
        yield outcome
        if outcome.status == "failed" and stop_on_error:
            return


def check(todo: list[Job], report: Path | None, settings: ConvertSettings) -> None:
    """Refuses a list whose results, parts or report would take the place of a file that is read, or of a foreign one.

    Raises UsageError, SinkError."""
    if settings.depth_out is not None and len(todo) > 1:
        raise UsageError(f"--depth-out {settings.depth_out}: holds the depth of one film; convert the films one by one")
    read = written.inputs([job.source for job in todo], settings)
    if report is not None:
        written.check(written.of_report(report), read, overwrite=settings.overwrite)
    for job in todo:
        if job.output is not None and (settings.overwrite or not job.output.exists()):
            written.check_apart(written.of_film(job.output), read)


def totals(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many of each status."""
    counts = {"converted": 0, "skipped": 0, "failed": 0}
    for outcome in outcomes:
        counts[outcome.status] += 1
    return counts


def write_report(path: Path, outcomes: list[Outcome], planned: int) -> None:
    """The outcomes so far as JSON, replaced as a whole."""
    films = [asdict(outcome) for outcome in outcomes]
    table = {"stereocast": "report", "planned": planned, **totals(outcomes), "films": films}
    try:
        owned.write(path, f"{json.dumps(table, indent=2)}\n".encode(), beside=path.with_name(path.name + ".new"))
    except OSError as error:
        raise SinkError(f"--report {path} can't be written: {owned.reason(error)}") from error
