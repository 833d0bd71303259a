"""`stereocast push`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from stereocast.cli.options import fail, guarded
from stereocast.cli.plain import say
from stereocast.errors import StereocastError
from stereocast.pipeline.progress import Progress


@guarded
def push(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE|DIR", help="Films to copy, or folders with all films below them.")
    ],
    folder: Annotated[str, typer.Option("--folder", help="Folder on the headset.")] = "/sdcard/Movies",
    serial: Annotated[str, typer.Option("--serial", help="Which device, if several are connected.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a film of the same name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Copy films to the headset over adb. Space and hash are checked, and the media library is updated.

    [bold]stereocast push film_LRF_Full_SBS.mp4[/]\n
    [bold]stereocast push films/[/]  all films in the folder and below it
    """
    from stereocast.serve import push as pushing

    headset = pushing.Adb.find(serial)
    done, failed = [], []

    def show(at: Progress) -> None:
        if sys.stderr.isatty():
            print(f"\r{at.phase}: {100 * at.done // (at.total or 1)} %", end="", file=sys.stderr, flush=True)

    for path, below in pushing.collected(files):
        try:
            target = pushing.push(path, headset, pushing.inside(folder, below), overwrite=overwrite, progress=show)
        except StereocastError as error:
            failed.append({"source": str(path), "error": str(error)})
            say(f"stereocast: {error}", file=sys.stderr)
            if isinstance(error, pushing.PushError):
                pushing.Adb.find(serial)  # a headset that is gone ends it
            continue
        finally:
            if sys.stderr.isatty():
                print(file=sys.stderr)
        done.append({"source": str(path), "target": target})
        if not as_json:
            say(f"{path} is on the headset: {target}")
    if as_json:
        print(json.dumps([*done, *failed], indent=2))
    if failed:
        fail(f"{len(failed)} of {len(done) + len(failed)} films weren't copied", 1)
