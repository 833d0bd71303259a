"""A process that converts what it is told, case after case, and says how each ended. Begun by `crowd.Worker`."""

import contextlib
import os
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av

from stereocast import registry
from stereocast.errors import StereocastError
from stereocast.jobs.convert import job, whole  # noqa: F401 (so that forks of a process have it)
from stereocast.settings import ConvertSettings
from tests import fakes  # noqa: F401

LIMIT_BYTES = 6 << 30  # of address space: a damaged size must not take the machine with it


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def settled_threads(at_most: int) -> int:
    """Threads that are left a moment after the work."""
    for _ in range(400):
        if threading.active_count() <= at_most:
            break
        time.sleep(0.005)
    return threading.active_count()


def work(cases: Connection, temporary: str, real: bool) -> None:
    """Takes (source, output, flags) and answers {ended, message, frames, threads, files}, for as long as it is asked.

    `real` uses the real depth and warp in place of small stand-ins.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system has such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    with open(os.devnull, "wb") as nowhere:
        for stream in (1, 2):  # what damaged films make the encoders say
            os.dup2(nowhere.fileno(), stream)
    os.environ["TMPDIR"], tempfile.tempdir = temporary, None
    av.logging.set_level(None)
    if not real:
        registry.DEPTH = {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")}
        registry.SYNTH = {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")}
    threads = threading.active_count()
    while True:
        try:
            source, output, flags = cases.recv()
        except EOFError:
            return
        cases.send(ended(source, Path(output), flags, threads))


def ended(source: str, output: Path, flags: dict[str, Any], threads: int) -> dict[str, Any]:
    """How a case ended; `threads` were there before the first."""
    before, message, frames = open_files(), "", 0
    try:
        made, opened = job.prepare(source, output, ConvertSettings(**flags))
        frames = job.convert(made, opened).frames
        how = "done"
    except StereocastError as error:
        how, message = "refused", str(error)
    except BaseException as error:
        how, message = "crashed", f"{type(error).__name__}: {error}"
    return {
        "ended": how, "message": message, "frames": frames, "threads": settled_threads(threads) - threads,
        "files": open_files() - before,
    }  # fmt: skip
