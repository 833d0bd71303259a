"""How CPU kernels are compiled: cached beside the package (or in NUMBA_CACHE_DIR), without the interpreter's lock."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def jit(kernel: Kernel) -> Kernel:
    """Compiles `kernel` when it is first called. Division by zero gives inf or nan, as in NumPy."""
    return cast(Kernel, njit(cache=True, nogil=True, error_model="numpy")(kernel))
