"""Many films with one command: what is to be done, what came of it, nothing twice.

Knows names, outcomes and the report; how one film is converted is handed in.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from stereocast.errors import StereocastError
from stereocast.jobs import plan
from stereocast.jobs.convert.inputs import expand
from stereocast.media import probe
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
    """What came of a job."""

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
    taken: set[Path] = set()
    for name in names:
        root = Path(name) if Path(name).is_dir() else None
        for source in expand([name], recursive=recursive):
            identity = _identity(source)
            if identity in seen:
                log.info("%s is in the list already", source)
                continue
            seen.add(identity)
            folder = output
            if output is not None and root is not None:
                folder = output / Path(source).parent.relative_to(root)
            target = _target(source, folder, settings)
            if target in taken:
                target = target.with_name(
                    f"{Path(source).stem}_{Path(source).suffix[1:]}{target.name[len(Path(source).stem) :]}"
                )
            taken.add(target)
            found.append(Job(source, target))
    return found


def _identity(source: str) -> Any:
    path = Path(source)
    if not path.is_file():
        return source
    status = path.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _target(source: str, folder: Path | None, settings: ConvertSettings) -> Path:
    still = probe.is_image(source)
    suffix = plan.default_suffix(settings.out_format or "mp4", source, still=still)
    form = plan.stereo_format(settings)
    if folder is not None:
        return folder / plan.output_name(source, form, suffix)
    return plan.output_path(source, None, form, suffix)


def run(
    todo: Iterable[Job], work: Callable[[Job], dict[str, Any]], *, overwrite: bool = False, stop_on_error: bool = False
) -> Iterator[Outcome]:
    """Does one job after the other. What is there already is skipped; an error ends its own film only, unless
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


def totals(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many of each status."""
    counts = {"converted": 0, "skipped": 0, "failed": 0}
    for outcome in outcomes:
        counts[outcome.status] += 1
    return counts


def write_report(path: Path, outcomes: list[Outcome], planned: int) -> None:
    """The outcomes so far as JSON, replaced as a whole."""
    table = {"planned": planned, **totals(outcomes), "films": [asdict(outcome) for outcome in outcomes]}
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(table, indent=2) + "\n", "utf-8")
    os.replace(beside, path)
