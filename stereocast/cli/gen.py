"""`stereocast gen`."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import settled, with_settings
from stereocast.cli.plain import say
from stereocast.settings import (
    DepthSettings,
    DiffusionOptions,
    FileSettings,
    GenerateOptions,
    GenSettings,
    NetworkSettings,
    OutputSettings,
    ScreenSettings,
    SizeSettings,
    WeightSettings,
    ZeroOptions,
)


@with_settings(
    ("Generate", GenerateOptions),
    ("Output", OutputSettings),
    ("Output", SizeSettings),
    ("Stereo", ScreenSettings),
    ("Depth", DepthSettings),
    ("Depth", WeightSettings),
    ("StereoCrafter-Zero", ZeroOptions),
    ("Run", FileSettings),
    ("Run", NetworkSettings),
    ("Diffusion", DiffusionOptions),
    retired=("depth_out", "ray_address", "zero_levels"),
)
def gen(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="First picture of the clip.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="File, folder, or '-' for standard output (default: the picture's folder)."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print no progress and no summary.")] = False,
    *,
    flags: dict[str, Any],
) -> None:
    """Turn one picture into a stereo clip, with or without a prompt.

    [bold]stereocast gen street.png[/]  a gentle camera move in stereo, no weights needed\n
    [bold]stereocast gen street.png --prompt "slow dolly in"[/]\n
    [bold]stereocast gen street.png --prompt "a boat drifts by" --model 1024[/]  DynamiCrafter + StereoCrafter-Zero\n
    [bold]stereocast gen a.png --end-image b.png --model 512-interp[/]  from one picture to another
    """
    from stereocast import api
    from stereocast.cli.progress import Phases

    settings = settled(GenSettings, flags)
    begun = time.monotonic()
    with Phases(quiet=quiet or as_json) as phases:
        made = api.generate(image, output, settings, progress=phases)
    seconds = time.monotonic() - begun
    if as_json:
        print(json.dumps({**made.plan.summary(), "frames": made.frames, "model": made.model, "seconds": seconds}))
    elif not quiet:
        where = ", ".join(str(path) for path in made.plan.outputs) or "standard output"
        say(f"{where}: {made.frames} frames, {made.model}, {seconds:.1f} s", file=sys.stderr)
        for note in made.notes:
            say(f"note: {note}", file=sys.stderr)
