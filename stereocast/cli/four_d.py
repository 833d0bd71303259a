"""`stereocast 4d`."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from stereocast.cli.options import settled, with_settings
from stereocast.cli.plain import say
from stereocast.settings import FourDSettings


@with_settings(("Options", FourDSettings))
def four_d(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[IN]", help="A picture, a film of an object, a folder of RGBA frames, or a 3D object (ply, glb)."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder (default: NAME_4d in the source's folder).")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="diffusion2: generate the object from this text.")
    ] = None,
    ring: Annotated[
        Path | None,
        typer.Option(
            "--views-dir",
            help="diffusion2: folder with the reference ring, front view last. Without IN, the static object is animated.",
        ),
    ] = None,
    scene: Annotated[Path | None, typer.Option("--render", help="Render films of this existing scene.4dgs.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the plan with weights, memory and hours on this machine; write nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print no progress and no summary.")] = False,
    *,
    flags: dict[str, Any],
) -> None:
    """Turn a picture or video of an object into a moving 3D scene of Gaussians, and film it in stereo.

    [bold]stereocast 4d figure.png[/]  turntable, stereo turntable, stereo view, scene.ply, scene.4dgs\n
    [bold]stereocast 4d frames/ --format half-sbs --sequence splat[/]\n
    [bold]stereocast 4d figure.png --model diffusion2 --ranks 4 --dry-run[/]  weights, memory and hours on this machine\n
    [bold]stereocast 4d --render figure_4d/scene.4dgs --size 1024 -o again/[/]
    """
    from stereocast import api
    from stereocast.cli.progress import Phases
    from stereocast.pictures.pages import TENSORS, keep_pages

    keep_pages(TENSORS)
    settings = settled(FourDSettings, flags)
    if dry_run:
        row = api.reconstruction_cost(source, output, settings, prompt=prompt, views_dir=ring, scene=scene)
        if row:  # only the first process of torchrun has it
            print(json.dumps(row, indent=2) if as_json else "\n".join(_bill(row)))
        return
    begun = time.monotonic()
    with Phases(quiet=quiet or as_json) as phases:
        result = api.reconstruct(source, output, settings, prompt=prompt, views_dir=ring, scene=scene, progress=phases)
    seconds = time.monotonic() - begun
    if result.helped:
        return
    if as_json:
        files = [str(path) for path in result.files]
        print(json.dumps({"folder": str(result.folder), "files": files, "gaussians": result.gaussians,
                          "method": result.method, "note": result.note, "seconds": round(seconds, 1)}, indent=2))  # fmt: skip
    elif not quiet:
        names = ", ".join(path.name for path in result.files)
        say(f"{result.folder}: {names}; {result.gaussians} Gaussians in {seconds:.0f} s", file=sys.stderr)
        if result.note:
            say(result.note, file=sys.stderr)


def _bill(row: dict[str, Any]) -> list[str]:
    """The bill as readable lines."""
    first = f"{row['model']} on {row['device']}: {row['views']} views x {row['frames']} frames at {row['matrix_size']}²"
    if row["model"] != "diffusion2":
        return [first]
    memory = row["memory_gb"]
    weights = ", ".join(
        f"{n} {w['gb']} GB {'' if w['there'] else '(missing)'}".strip() for n, w in row["weights"].items()
    )
    return [
        first,
        f"weights: {weights}",
        f"work: {row['evaluations']} evaluations of the matrix, {row['pflop']} PFLOP, {row['ranks']} process(es)",
        f"memory: {memory['least']} GB with one UNet at a time, {memory['both_unets']} GB with both; {memory['free']} GB free",
        f"time: about {row['hours']} h at {row['tflop_per_s']} TFLOP/s ({row['reached']:.0%} of this machine's measured speed)",
    ]
