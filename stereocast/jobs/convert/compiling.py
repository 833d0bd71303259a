"""Compiles the kernels on the first run on a machine, in several processes and before the first frame.

Numba compiles in a single thread, but processes share the results through the folder of kept code (`kernels.kept`). A
stamp file there records what has been compiled, so later runs only check that the stamp exists. Without such a folder,
each kernel is compiled when it is first called.
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


GROUPS: Mapping[str, Callable[[PixelFormat], None]] = {  # ordered so that two processes get about the same work
    "warp": _warp, "fill": _fill, "edges": _edges, "motion": _motion,
}  # fmt: skip


def _stamps(form: PixelFormat) -> dict[str, Path]:
    """The stamp file of each group; empty where no code can be kept."""
    from stereocast.kernels import jit, kept

    folder = kept.folder()
    if folder is None or jit.disabled():
        return {}
    return {group: folder / f"{group}-{form.dtype}-{kept.fingerprint()}.compiled" for group in GROUPS}


def missing(form: PixelFormat) -> list[str]:
    """The groups not yet compiled for films in this pixel format."""
    return [group for group, stamp in _stamps(form).items() if form.planar and not stamp.exists()]


def ahead(form: PixelFormat) -> None:
    """Compiles the missing groups: one part in this process, the others in helper processes."""
    left = missing(form)
    if not left:
        return
    parts = dealt(left, os.cpu_count() or 1)
    helpers = [helper for part in parts[1:] if (helper := _spawn(part, form)) is not None]
    try:
        compile_groups(parts[0], form)
        for helper in helpers:
            helper.wait()
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def dealt(groups: list[str], processes: int) -> list[list[str]]:
    """Deals the groups out to at most `processes` processes."""
    return [part for n in range(processes) if (part := groups[n::processes])]


def _spawn(groups: list[str], form: PixelFormat) -> "subprocess.Popen[bytes] | None":
    """Starts a process that compiles `groups`; None where this isn't a Python interpreter that can be started again."""
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
        log.info("compiling kernels in a single process: %s", error)
        return None


def compile_groups(groups: list[str], form: PixelFormat) -> None:
    """Compiles groups in this process and writes their stamps."""
    stamps = _stamps(form)
    for group in groups:
        GROUPS[group](form)
        with suppress(OSError):
            stamps[group].touch()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and stops this process
    compile_groups(sys.argv[2:], PixelFormat(sys.argv[1]))
