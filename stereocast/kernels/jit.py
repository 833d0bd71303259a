"""How CPU kernels are compiled: when first called, without the interpreter's lock, kept for later runs (see `kept`).

Numba is imported only where something has to be compiled. Where its code can't be kept in our way, Numba keeps it.
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
    """Compiles `kernel` when it is first called. Division by zero gives inf or nan, as in NumPy."""
    return cast(Function, kernel if _off() else Kernel(kernel))


def jit_turned(*pictures: str) -> Callable[[Function], Function]:
    """As `jit`, for a kernel that is given its arguments `pictures` as they lie and reversed: one compilation serves both.

    Their rows are read with a stride, which costs nothing in a kernel that visits single pixels.
    """

    def decorated(kernel: Function) -> Function:
        return cast(Function, kernel if _off() else Kernel(kernel, pictures))

    return decorated


def _off() -> bool:
    """Whether kernels are to run as plain Python."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


class Kernel:
    """A function that is compiled for each kind of arguments it is given. Others that call it include it."""

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
        """Code for arguments of these kinds: kept, or compiled."""
        name = kept.name_of(self.py_func)
        if not kept.possible():
            return self._numbas(kinds)
        return kept.load(name, kinds) or kept.keep(name, kinds, self._compiled(kinds)) or self._numbas(kinds)

    def _compiled(self, kinds: tuple[Any, ...]) -> Any:
        """Numba's result for arguments of these kinds."""
        wanted = _types(kinds)
        self.inner.compile(wanted)
        return self.inner.overloads[wanted]

    @cached_property
    def inner(self) -> Any:
        """Numba's own kernel, for others to call: nothing is compiled that Python could call."""
        return _numba().njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
            self.py_func
        )

    def _numbas(self, kinds: tuple[Any, ...]) -> Callable[..., Any]:
        """As Numba runs it, and keeps it if it can."""
        made: Any = numbas(self.py_func)
        return cast(Callable[..., Any], made.compile(_types(kinds)))


def numbas(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's kernel, kept by Numba wherever something can be written."""
    numba = _numba()

    def compiled(*, cache: bool) -> Callable[..., Any]:
        return cast(Callable[..., Any], numba.njit(cache=cache, nogil=True, error_model="numpy")(kernel))

    try:
        return compiled(cache=True)
    except RuntimeError:  # Numba found no folder that it can write to
        place = kept.temporary_folder()
        if place is None:
            log.info("compiled kernels can't be kept: no folder can be written to")
            return compiled(cache=False)
        numba.config.CACHE_DIR = str(place)
        try:
            return compiled(cache=True)
        except RuntimeError as error:
            log.info("compiled kernels aren't kept: %s", error)
            return compiled(cache=False)


def _kind(value: Any, turned: bool) -> Any:
    """What an argument is compiled for: samples, dimensions and order of an array, or a scalar's kind."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.ndim, "A" if turned or not value.flags.c_contiguous else "C"
    return kept.scalar(value)


def _types(kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Kinds as Numba's types."""
    numba = _numba()
    plain = {"b": numba.types.boolean}
    return tuple(
        plain.get(kind) or getattr(numba.types, kind)
        if isinstance(kind, str)
        else numba.types.Array(numba.from_dtype(np.dtype(kind[0])), kind[1], kind[2])
        for kind in kinds
    )


def _numba() -> Any:
    """The package, that knows what a Kernel is."""
    import numba
    from numba.extending import typeof_impl

    def known(kernel: Kernel, context: Any) -> Any:
        return numba.types.Dispatcher(kernel.inner)

    if Kernel not in typeof_impl.registry:
        typeof_impl.register(Kernel)(known)
    return numba
