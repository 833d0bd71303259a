"""The first run on a machine: kernels are compiled in several processes at once, before the first frame.

Numba compiles in one thread, whoever asks; processes share what they made through the folder where code is kept. What is
compiled already is known by a stamp there, so a later run pays for looking at one name. Without such a folder kernels are
compiled when they are first called.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import stereocast
from stereocast.types import PixelFormat

log = logging.getLogger(__name__)


def _warp(form: PixelFormat) -> None:
    from stereocast.stereo import warp

    warp.compile_warp(form)


def _fill(form: PixelFormat) -> None:
    from stereocast.stereo import warp

    warp.compile_fill(form)


def _edges(form: PixelFormat) -> None:
    from stereocast.stereo import edges

    edges.compile_edges()


def _motion(form: PixelFormat) -> None:
    from stereocast.depth import motion

    motion.compile_motion()


GROUPS: Mapping[str, Callable[[PixelFormat], None]] = {  # so that each half of them takes about as long
    "warp": _warp, "fill": _fill, "edges": _edges, "motion": _motion,
}  # fmt: skip


def _stamps(form: PixelFormat) -> dict[str, Path]:
    """Where it is noted that a group is compiled; empty where nothing can be kept."""
    from stereocast.kernels import kept

    folder = kept.folder()
    if folder is None or os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return {}
    return {group: folder / f"{group}-{form.dtype}-{kept.fingerprint()}.compiled" for group in GROUPS}


def missing(form: PixelFormat) -> list[str]:
    """The groups that have to be compiled for films of that format."""
    return [group for group, stamp in _stamps(form).items() if form.planar and not stamp.exists()]


def ahead(form: PixelFormat) -> None:
    """Compiles what is missing: a part here, the others in processes of their own."""
    left = missing(form)
    if not left:
        return
    parts = dealt(left, os.cpu_count() or 1)
    helpers = [helper for part in parts[1:] if (helper := _begun(part, form)) is not None]
    try:
        compile_groups(parts[0], form)
        for helper in helpers:
            helper.wait()
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def dealt(groups: list[str], processes: int) -> list[list[str]]:
    """Groups dealt out to at most so many processes."""
    return [part for n in range(processes) if (part := groups[n::processes])]


def _begun(groups: list[str], form: PixelFormat) -> "subprocess.Popen[bytes] | None":
    """A process that compiles; None where this isn't an interpreter that can be begun again."""
    if getattr(sys, "frozen", False) or "python" not in Path(sys.executable or "").name.lower():
        return None
    root = str(Path(stereocast.__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    try:
        return subprocess.Popen(
            [sys.executable, "-m", __name__, form.value, *groups], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
    except OSError as error:
        log.info("kernels are compiled in one process: %s", error)
        return None


def compile_groups(groups: list[str], form: PixelFormat) -> None:
    """Compiles groups here and notes it."""
    stamps = _stamps(form)
    for group in groups:
        GROUPS[group](form)
        with suppress(OSError):
            stamps[group].touch()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who began us
    compile_groups(sys.argv[2:], PixelFormat(sys.argv[1]))
