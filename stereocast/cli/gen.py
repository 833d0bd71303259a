"""`stereocast gen`."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import make, with_settings
from stereocast.errors import UsageError
from stereocast.settings import (
    DepthSettings,
    DiffusionOptions,
    GenerateOptions,
    GenSettings,
    OutputSettings,
    RunSettings,
    StereoSettings,
    ZeroOptions,
)

_NOT_HERE = (
    "crop start end duration audio subs tonemap synth disparity full_view smooth engine workers resume window_guard"
    " fov sei edge_dilation fill border zero_window zero_overlap"
)


@with_settings(
    ("Generate", GenerateOptions),
    ("Output", OutputSettings),
    ("Stereo", StereoSettings),
    ("Depth", DepthSettings),
    ("StereoCrafter-Zero", ZeroOptions),
    ("Run", RunSettings),
    ("Diffusion", DiffusionOptions),
    leave_out=_NOT_HERE.split(),
)
def gen(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The picture the clip begins with.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File, folder, or '-' (default: beside the picture).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")] = False,
    *,
    flags: dict[str, Any],
) -> None:
    """Make a stereo clip from a picture and a prompt.

    [bold]stereocast gen street.png[/]  a gentle camera move in stereo, no weights needed\n
    [bold]stereocast gen street.png --prompt "slow dolly in"[/]\n
    [bold]stereocast gen street.png --prompt "a boat drifts by" --model 1024[/]  DynamiCrafter + StereoCrafter-Zero\n
    [bold]stereocast gen a.png --end-image b.png --model 512-interp[/]  from one picture to another
    """
    from stereocast import catalog
    from stereocast.cli.progress import Phases
    from stereocast.jobs.generate.job import generate

    settings = make(GenSettings, flags)
    preset = catalog.preset(settings.preset)
    if "format" not in flags and preset.format is not None:
        settings = settings.model_copy(update={"format": preset.format})
    if not Path(image).exists():
        raise UsageError(f"no such picture: {image}")
    begun = time.monotonic()
    with Phases(quiet=quiet or as_json) as phases:
        made = generate(image, "-" if str(output) == "-" else output, settings, phases)
    seconds = time.monotonic() - begun
    if as_json:
        print(json.dumps({**made.plan.summary(), "frames": made.frames, "model": made.model, "seconds": seconds}))
    elif not quiet:
        where = ", ".join(str(path) for path in made.plan.outputs) or "standard output"
        print(f"{where}: {made.frames} frames, {made.model}, {seconds:.1f} s", file=sys.stderr)
        for note in made.notes:
            print(f"note: {note}", file=sys.stderr)
