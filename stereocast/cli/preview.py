"""`stereocast preview`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import settled, with_settings
from stereocast.cli.plain import say
from stereocast.settings import DepthSettings, FilmSettings, PreviewSettings, StereoSettings, WeightSettings


@with_settings(
    ("Source", FilmSettings),
    ("Stereo", StereoSettings),
    ("Depth", DepthSettings),
    ("Depth", WeightSettings),
)
def preview(
    source: Annotated[str, typer.Argument(metavar="IN", help="A video or image.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="PNG (default: NAME_preview.png beside it).")
    ] = None,
    moments: Annotated[int, typer.Option("--moments", min=1, max=24, help="How many moments of the film.")] = 4,
    width: Annotated[
        int, typer.Option("--width", min=64, max=1920, help="Width of each small picture in pixels.")
    ] = 320,
    preset: Annotated[
        str, typer.Option("--preset", help="Headset whose screen the comfort figures are for.")
    ] = "quest3",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing picture.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    *,
    flags: dict[str, Any],
) -> None:
    """Show what convert would produce on one sheet: source, depth, both views, filled areas, anaglyph, and comfort figures.

    [bold]stereocast preview film.mp4[/]\n
    [bold]stereocast preview film.mp4 --strength 3 --moments 6 -o look.png[/]
    """
    from stereocast import api
    from stereocast.cli.convert import say_if_first

    own = {"moments": moments, "width": width, "preset": preset, "overwrite": overwrite}
    settings = settled(PreviewSettings, {**flags, **own})
    if not as_json:
        say_if_first()
    made = api.preview(source, output, settings)
    if as_json:
        print(json.dumps({"source": source, "output": str(made.path), "moments": made.moments}, indent=2))
        return
    for figure in made.moments:
        say(_line(figure))
    say(f"{made.path}", file=sys.stderr)


def _line(figure: dict[str, Any]) -> str:
    """One moment's figures as text."""
    if "verdict" not in figure:
        return f"{figure['time_s']:>8} s"
    percent, degrees = figure["percent"], figure["degrees"]
    values = f"{percent['p1']:.2f} .. {percent['p99']:.2f} % of the width ({degrees['p1']:.2f} .. {degrees['p99']:.2f} degrees)"
    line = f"{figure['time_s']:>8} s  {figure['verdict']}: disparity {values}"
    return "; ".join([line, *figure["reasons"]])
