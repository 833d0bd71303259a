"""`stereocast preview`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import with_settings
from stereocast.settings import DepthSettings, StereoSettings


@with_settings(("Stereo", StereoSettings), ("Depth", DepthSettings), leave_out=("depth_out",))
def preview(
    source: Annotated[str, typer.Argument(metavar="IN", help="A video or image.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="PNG (default: NAME_preview.png beside it).")
    ] = None,
    moments: Annotated[int, typer.Option("--moments", min=1, max=24, help="How many moments of the film.")] = 4,
    width: Annotated[int, typer.Option("--width", min=64, max=1920, help="Width of each small picture.")] = 320,
    preset: Annotated[
        str, typer.Option("--preset", help="Headset whose screen the comfort figures are for.")
    ] = "quest3",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing picture.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    *,
    flags: dict[str, Any],
) -> None:
    """One picture of what convert would make: source, depth, both views, what is filled, anaglyph; and comfort figures.

    [bold]stereocast preview film.mp4[/]\n
    [bold]stereocast preview film.mp4 --strength 3 --moments 6 -o look.png[/]
    """
    from stereocast.cli.convert import say_if_first, settings_for
    from stereocast.jobs.preview.job import figure_line
    from stereocast.jobs.preview.job import preview as make_sheet

    settings = settings_for({**flags, "preset": preset, "overwrite": overwrite})
    if not as_json:
        say_if_first()
    path, figures = make_sheet(source, output, settings, moments=moments, width=width)
    if as_json:
        print(json.dumps({"source": source, "output": str(path), "moments": figures}, indent=2))
        return
    for figure in figures:
        print(figure_line(figure))
    print(f"{path}", file=sys.stderr)
