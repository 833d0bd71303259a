"""How CPU kernels are compiled: cached beside the package (or in NUMBA_CACHE_DIR), without the interpreter's lock."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

log = logging.getLogger(__name__)

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def jit(kernel: Kernel) -> Kernel:
    """Compiles `kernel` when it is first called. Division by zero gives inf or nan, as in NumPy.

    Where no folder can be written for the cache (a read-only installation, no home), it is compiled in each run.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return cast(Kernel, njit(cache=True, **options)(kernel))
    except RuntimeError as error:
        log.info("compiled code isn't kept: %s", error)
        return cast(Kernel, njit(**options)(kernel))
