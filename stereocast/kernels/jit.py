"""How CPU kernels are compiled: on first use, without the interpreter's lock, cached for later runs.

The machine code is cached beside the package; if that isn't writable, in the user's cache folder; otherwise in a
private temporary folder. NUMBA_CACHE_DIR names another place.
"""

import logging
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config, njit, typeof

log = logging.getLogger(__name__)

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def jit(kernel: Kernel) -> Kernel:
    """Compiles `kernel` when it is first called. Division by zero gives inf or nan, as in NumPy."""
    try:
        return _compiled(kernel, cache=True)
    except RuntimeError:  # Numba found no folder that it can write to
        place = temporary_folder()
        if place is None:
            log.info("compiled kernels can't be cached: no folder is writable")
            return _compiled(kernel, cache=False)
        config.CACHE_DIR = str(place)
        try:
            return _compiled(kernel, cache=True)
        except RuntimeError as error:
            log.info("compiled kernels aren't cached: %s", error)
            return _compiled(kernel, cache=False)


def _compiled(kernel: Kernel, *, cache: bool) -> Kernel:
    return cast(Kernel, njit(cache=cache, nogil=True, error_model="numpy")(kernel))


def temporary_folder() -> Path | None:
    """A folder in the system's temporary one that this user alone can write to; None where that can't be had. Machine
    code is run from it, so one that somebody else has made is not taken."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    place = Path(tempfile.gettempdir()) / f"stereocast-kernels-{user}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (found.st_uid != user or stat.S_IMODE(found.st_mode) & 0o022):
        return None
    return place if stat.S_ISDIR(found.st_mode) and os.access(place, os.W_OK) else None


def jit_turned(*pictures: str) -> Callable[[Kernel], Kernel]:
    """As `jit`, for a kernel whose arguments `pictures` are given both as stored and reversed: one compilation serves both.

    Rows of these are read with a stride, which costs nothing where a kernel visits single pixels of them.
    """

    def decorated(kernel: Kernel) -> Kernel:
        compiled: Any = jit(kernel)
        if not hasattr(compiled, "compile"):  # NUMBA_DISABLE_JIT
            return kernel
        turned = tuple(name in pictures for name in signature(kernel).parameters)
        known: dict[tuple[Any, ...], Callable[..., Any]] = {}
        lock = threading.Lock()

        @wraps(kernel)
        def call(*given: Any) -> Any:
            kinds = tuple(_kind(value, either) for value, either in zip(given, turned, strict=True))
            code = known.get(kinds)
            if code is None:
                with lock:
                    code = known[kinds] = known.get(kinds) or compiled.compile(kinds)
            return code(*given)

        return cast(Kernel, call)

    return decorated


def _kind(value: Any, either: bool) -> Any:
    kind = typeof(value)
    return kind.copy(layout="A") if either else kind
