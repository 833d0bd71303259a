"""How CPU kernels are compiled: on first call, without the GIL, and kept for later runs (see `kept`).

Numba is imported only when something must be compiled. Code that `kept` can't keep goes to Numba's own cache.
"""

import logging
import os
import threading
from collections.abc import Callable
from functools import cached_property, update_wrapper
from inspect import signature
from typing import Any, TypeVar, cast

import numpy as np

from stereocast.kernels import kept

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])
_compiling = threading.RLock()


def jit(kernel: Function) -> Function:
    """Compiles `kernel` on its first call. Division by zero gives inf or nan, as in NumPy."""
    return cast(Function, kernel if disabled() else Kernel(kernel))


def jit_turned(*pictures: str) -> Callable[[Function], Function]:
    """As `jit`, for a kernel whose arguments `pictures` may be reversed views: one compilation serves both.

    Their rows are read with a stride, which costs nothing in a kernel that visits single pixels.
    """

    def decorated(kernel: Function) -> Function:
        return cast(Function, kernel if disabled() else Kernel(kernel, pictures))

    return decorated


def disabled() -> bool:
    """Whether kernels run as plain Python."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


class Kernel:
    """A function that is compiled once for each kind of arguments. Kernels may call each other."""

    def __init__(self, kernel: Callable[..., Any], pictures: tuple[str, ...] = ()) -> None:
        update_wrapper(self, kernel)
        self.py_func = kernel
        self._turned = tuple(name in pictures for name in signature(kernel).parameters)
        self.known: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, *given: Any) -> Any:
        kinds = tuple(map(_kind, given, self._turned))
        code = self.known.get(kinds)
        if code is None:
            with _compiling:
                code = self.known.get(kinds) or self._made(kinds)
                self.known[kinds] = code
        return code(*given)

    def _made(self, kinds: tuple[Any, ...]) -> Callable[..., Any]:
        """The code for arguments of these kinds, kept or newly compiled."""
        name = kept.name_of(self.py_func)
        if not all(map(kept.is_plain, kinds)):
            return numbas(self.py_func)  # picks the code by the types of each call
        if not kept.possible():
            return self._numbas(kinds)
        return kept.load(name, kinds) or kept.keep(name, kinds, self._compiled(kinds)) or self._numbas(kinds)

    def _compiled(self, kinds: tuple[Any, ...]) -> Any:
        """Numba's compile result for arguments of these kinds."""
        wanted = _types(kinds)
        self.inner.compile(wanted)
        return self.inner.overloads[wanted]

    @cached_property
    def inner(self) -> Any:
        """Numba's dispatcher, for calls from other kernels; without wrappers for Python."""
        return _numba().njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
            self.py_func
        )

    def _numbas(self, kinds: tuple[Any, ...]) -> Callable[..., Any]:
        """The code as Numba runs it, in Numba's cache where possible."""
        made: Any = numbas(self.py_func)
        return cast(Callable[..., Any], made.compile(_types(kinds)))


def numbas(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's dispatcher, cached by Numba where a folder is writable."""
    numba = _numba()

    def compiled(*, cache: bool) -> Callable[..., Any]:
        return cast(Callable[..., Any], numba.njit(cache=cache, nogil=True, error_model="numpy")(kernel))

    try:
        return compiled(cache=True)
    except RuntimeError:  # Numba found no writable folder
        place = kept.temporary_folder()
        if place is None:
            log.info("compiled kernels can't be kept: no folder is writable")
            return compiled(cache=False)
        numba.config.CACHE_DIR = str(place)
        try:
            return compiled(cache=True)
        except RuntimeError as error:
            log.info("compiled kernels aren't kept: %s", error)
            return compiled(cache=False)


def _kind(value: Any, turned: bool) -> Any:
    """What an argument is compiled for: an array's dtype, dimensions and order, or a scalar's kind."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.ndim, "A" if turned or not value.flags.c_contiguous else "C"
    return kept.scalar(value)


def _types(kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numba's types of these kinds."""
    numba = _numba()
    plain = {"b": numba.types.boolean}
    return tuple(
        plain.get(kind) or getattr(numba.types, kind)
        if isinstance(kind, str)
        else numba.types.Array(numba.from_dtype(np.dtype(kind[0])), kind[1], kind[2])
        for kind in kinds
    )


def _numba() -> Any:
    """The numba package, taught to call a Kernel from another kernel."""
    import numba
    from numba.extending import typeof_impl

    def known(kernel: Kernel, context: Any) -> Any:
        return numba.types.Dispatcher(kernel.inner)

    if Kernel not in typeof_impl.registry:
        typeof_impl.register(Kernel)(known)
    return numba
