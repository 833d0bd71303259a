"""The priority of this program's threads, which an encoder may raise.

Run by root, as in most containers, SVT-AV1 gives the highest real-time priority (SCHED_FIFO 99) to its threads and to
the one that opens it. Every thread and process started later inherits it, and the rest of the machine stands still.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def kept() -> Iterator[None]:
    """Undoes a rise to real-time priority that happens within, for all threads of this process. Linux only."""
    earlier, before = _scheduling(), set(real_time())
    try:
        yield
    finally:
        for thread in set(real_time()) - before:
            with suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, *earlier)


def real_time() -> list[int]:
    """Threads of this process with real-time priority; none where the system can't tell."""
    found = []
    with suppress(OSError):  # no /proc
        for entry in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # it has ended, or the C library can't ask (musl)
                if os.sched_getscheduler(int(entry.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                    found.append(int(entry.name))
    return found


def _scheduling() -> tuple[int, Any]:
    """The calling thread's policy and its parameters."""
    try:
        return os.sched_getscheduler(0), os.sched_getparam(0)
    except (AttributeError, OSError):
        return 0, None
