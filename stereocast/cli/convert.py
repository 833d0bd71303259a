"""`stereocast convert`."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import fail, make, with_settings
from stereocast.cli.progress import Bar
from stereocast.errors import StereocastError, UsageError
from stereocast.settings import ConvertSettings, DepthSettings, OutputSettings, RunSettings, StereoSettings


@with_settings(
    ("Output", OutputSettings),
    ("Stereo", StereoSettings),
    ("Depth", DepthSettings),
    ("Run", RunSettings),
)
def convert(
    sources: Annotated[
        list[str], typer.Argument(metavar="IN...", help="Videos, images, folders, globs, http(s) URLs, or '-'.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File, folder, or '-' (default: beside the source).")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders with all their subfolders.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, its memory bill and an estimate; do nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")] = False,
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
    from stereocast.inputs import expand

    settings = settings_for(flags)
    names = expand(sources, recursive=recursive)
    several = len(names) > 1
    if several and output is not None and str(output) != "-" and not output.is_dir() and output.suffix:
        raise UsageError(f"-o {output}: several inputs need a folder")
    results, failures = [], 0
    for name in names:
        try:
            results.append(_one(name, output, settings, dry_run=dry_run, quiet=quiet or as_json))
        except StereocastError as error:
            if not several:
                if as_json:
                    print(json.dumps({"source": name, "error": str(error)}))
                raise
            failures += 1
            results.append({"source": name, "error": str(error)})
            print(f"stereocast: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps(results if several else results[0], indent=2))
    if several and not quiet and not as_json:
        print(f"{len(results) - failures} of {len(results)} converted", file=sys.stderr)
    if failures:
        raise typer.Exit(1)


def settings_for(flags: dict[str, Any]) -> ConvertSettings:
    """Default < preset < flags. Raises UsageError."""
    from stereocast import catalog

    chosen = make(ConvertSettings, flags)
    preset = catalog.preset(chosen.preset)
    if "format" not in flags and preset.format is not None:
        chosen = chosen.model_copy(update={"format": preset.format})
    return chosen


def _one(name: str, output: Path | None, settings: ConvertSettings, *, dry_run: bool, quiet: bool) -> dict[str, Any]:
    from stereocast import recipes

    made, source = recipes.prepare(name, "-" if str(output) == "-" else output, settings)
    if dry_run:
        source.close()
        summary = made.summary()
        if not quiet:
            _show_plan(summary)
        return {**summary, "dry_run": True}
    begun = time.monotonic()
    try:
        with Bar(Path(name).name, made.info.frames, quiet=quiet) as bar:
            result = recipes.convert(made, source, bar)
    except KeyboardInterrupt:
        kept = ", ".join(str(recipes.part_path(path)) for path in made.outputs)
        fail(
            f"interrupted; what is done is kept in {kept or 'the output'} (playable); run again with --resume to go on",
            130,
        )
    seconds = time.monotonic() - begun
    if not quiet:
        where = ", ".join(str(path) for path in made.outputs) or "standard output"
        damage = f", {result.damaged} damaged packets skipped" if result.damaged else ""
        print(
            f"{where}: {result.frames} frames in {seconds:.1f} s ({result.frames / max(seconds, 1e-9):.1f} fps){damage}",
            file=sys.stderr,
        )
        if result.comfort is not None:
            print(result.comfort.line(), file=sys.stderr)
    return {
        **made.summary(),
        "frames": result.frames,
        "damaged_packets": result.damaged,
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
            print(f"{key.replace('_', ' '):>18}  {value}")
