"""`stereocast convert`."""

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import leave, settled, with_settings
from stereocast.cli.plain import say
from stereocast.cli.progress import Bar, Lines
from stereocast.errors import StereocastError, UsageError
from stereocast.settings import (
    ConvertSettings,
    DepthFileSettings,
    DepthSettings,
    DiffusionOptions,
    EngineSettings,
    FileSettings,
    FilmSettings,
    NetworkSettings,
    OutputSettings,
    SourceSettings,
    StereoSettings,
    TrackSettings,
    WeightSettings,
    ZeroFilmOptions,
    ZeroOptions,
)
from stereocast.types import PixelFormat


class OnError(StrEnum):
    """What to do with the other films when one fails."""

    CONTINUE = "continue"
    STOP = "stop"


class Shown(StrEnum):
    """How progress is shown."""

    BAR = "bar"
    JSON = "json"
    NONE = "none"


@with_settings(
    ("Source", FilmSettings),
    ("Output", OutputSettings),
    ("Output", SourceSettings),
    ("Output", TrackSettings),
    ("Stereo", StereoSettings),
    ("Depth", DepthSettings),
    ("Depth", DepthFileSettings),
    ("Depth", WeightSettings),
    ("Run", FileSettings),
    ("Run", EngineSettings),
    ("Run", NetworkSettings),
    ("StereoCrafter-Zero", ZeroOptions),
    ("StereoCrafter-Zero", ZeroFilmOptions),
    ("Diffusion", DiffusionOptions),
)
def convert(
    sources: Annotated[
        list[str], typer.Argument(metavar="IN", help="Videos, images, folders, globs, http(s) URLs, or '-'.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File, folder, or '-' for standard output (default: the source's folder)."),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan with memory and file size estimates; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print no progress and no summary.")] = False,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="Several films: what to do when one fails.")
    ] = OnError.CONTINUE,
    shown: Annotated[
        Shown,
        typer.Option("--progress", help="Progress as a bar, as json (one line per second on standard error), or none."),
    ] = Shown.BAR,
    report: Annotated[
        Path | None, typer.Option("--report", help="Several films: write the results to this JSON file as they arrive.")
    ] = None,
    *,
    flags: dict[str, Any],
) -> None:
    """Turn 2D video into stereo video.

    [bold]stereocast convert film.mp4[/]  full side by side for a Quest 3, sound copied\n
    [bold]stereocast convert film.mkv --format half-ou --encoder x265[/]\n
    [bold]stereocast convert holiday/ -o vr/ --recursive[/]  a whole folder\n
    [bold]stereocast convert film.mp4 --start 1:00 --duration 10 --format anaglyph[/]  a quick look\n
    [bold]stereocast convert photo.jpg[/]  a still\n
    [bold]ffmpeg ... | stereocast convert - -o - | mpv -[/]
    """
    from stereocast.jobs.convert.inputs import expand

    settings = settled(ConvertSettings, flags)
    names = expand(sources, recursive=recursive)
    folder = any(Path(name).is_dir() for name in sources)
    if len(names) == 1 and not folder and report is None:
        try:
            result = _one(names[0], output, settings, dry_run=dry_run, quiet=quiet or as_json, shown=shown)
        except StereocastError as error:
            if as_json:
                print(json.dumps({"source": names[0], "error": str(error)}))
            raise
        if as_json:
            print(json.dumps(result, indent=2))
        return
    if output is not None and (str(output) == "-" or (not output.is_dir() and output.suffix)):
        raise UsageError(f"-o {output}: several inputs need a folder as output")
    _several(
        sources, output, settings, recursive, report,
        stop=on_error is OnError.STOP, dry_run=dry_run, as_json=as_json, quiet=quiet, shown=shown,
    )  # fmt: skip


def _several(
    sources: list[str], output: Path | None, settings: ConvertSettings, recursive: bool, report: Path | None,
    *, stop: bool, dry_run: bool, as_json: bool, quiet: bool, shown: Shown,
) -> None:  # fmt: skip

    from stereocast.jobs.convert import batch

    todo = batch.jobs(sources, output, settings, recursive=recursive)
    batch.check(todo, report, settings)
    outcomes: list[batch.Outcome] = []

    def work(job: batch.Job) -> dict[str, Any]:
        return _one(job.source, job.output, settings, dry_run=dry_run, quiet=quiet or as_json, shown=shown)

    for outcome in batch.run(todo, work, overwrite=settings.overwrite, stop_on_error=stop):
        outcomes.append(outcome)
        if outcome.status != "converted":
            say(f"stereocast: {outcome.source}: {outcome.status}: {outcome.reason}", file=sys.stderr)
        if report is not None:
            batch.write_report(report, outcomes, len(todo))
    counts = batch.totals(outcomes)
    if as_json:
        films = [
            {"source": o.source, "status": o.status, **o.details, **({"error": o.reason} if o.reason else {})}
            for o in outcomes
        ]
        print(json.dumps({"planned": len(todo), **counts, "films": films}, indent=2))
    elif not quiet:
        from stereocast.cli.progress import summary

        summary([(o.source, o.status, o.output or o.reason, o.seconds) for o in outcomes])
        left = len(todo) - len(outcomes)
        say(", ".join(f"{n} {name}" for name, n in {**counts, "not started": left}.items() if n), file=sys.stderr)
    if counts["failed"]:
        raise typer.Exit(1)


def say_if_first(form: PixelFormat = PixelFormat.YUV420P) -> None:
    """Explains why the first run on a machine starts slowly."""
    from stereocast.jobs.convert import compiling

    if compiling.missing(form):
        say("first run: compiling for this machine, about ten seconds", file=sys.stderr)


def _bar(name: str, total: int | None, *, quiet: bool, shown: Shown) -> Any:
    if shown is Shown.JSON:
        return Lines(name, total)
    return Bar(Path(name).name, total, quiet=quiet or shown is Shown.NONE)


def _one(
    name: str, output: Path | None, settings: ConvertSettings, *, dry_run: bool, quiet: bool, shown: Shown = Shown.BAR
) -> dict[str, Any]:
    from stereocast import api
    from stereocast.media import probe
    from stereocast.pipeline.patience import interruptible

    try:
        waits = probe.flows(name)
        opened = (
            interruptible(lambda: api.prepare(name, output, settings)) if waits else api.prepare(name, output, settings)
        )
    except KeyboardInterrupt:
        leave("interrupted before any work was done")
    with opened as ready:
        plan = ready.plan
        if dry_run:
            if not quiet:
                _show_plan(plan.summary())
            return {**plan.summary(), "dry_run": True}
        if not quiet:
            for note in plan.notes:
                say(f"stereocast: {note}", file=sys.stderr)
            say_if_first(plan.info.pixel_format)
        begun = time.monotonic()
        try:
            with _bar(name, plan.info.frames, quiet=quiet, shown=shown) as bar:
                result = ready.run(bar)
        except KeyboardInterrupt:
            kept = ", ".join(map(str, ready.parts)) or "the output"
            leave(f"interrupted; finished work is kept in {kept} (playable); run again with --resume to continue")
    seconds = time.monotonic() - begun
    if not quiet:
        where = ", ".join(str(path) for path in plan.outputs) or "standard output"
        pace = f"{seconds:.1f} s ({result.frames / max(seconds, 1e-9):.1f} fps)"
        done = f"written in {seconds:.1f} s" if plan.still else f"{result.frames} frames in {pace}"
        damage = f", {result.damaged} damaged packets in the source" if result.damaged else ""
        say(f"{where}: {done}{damage}", file=sys.stderr)
        if result.comfort is not None:
            say(result.comfort.line(), file=sys.stderr)
    return {
        **plan.summary(),
        "frames": result.frames,
        "damaged_packets": result.damaged,
        "missing_s": round(result.missing_s, 3),
        "seconds": round(seconds, 3),
        "fps": round(result.frames / max(seconds, 1e-9), 2),
        "comfort": result.comfort.table() if result.comfort else None,
        "stage_ms_per_frame": {k: round(v / max(result.frames, 1) * 1000, 2) for k, v in result.seconds.items()},
    }


def _show_plan(summary: dict[str, Any]) -> None:
    for key, value in summary.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {number}" for name, number in value.items())
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        if value not in (None, ""):
            say(f"{key.replace('_', ' '):>18}  {value}")
