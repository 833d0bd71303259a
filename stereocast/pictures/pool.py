"""Reused memory for the pictures of a stage, so that the system need not clear new pages for each.

An array of a pool belongs to its holder: its memory returns to the pool when the last view of it is gone,
in whichever thread, queue, encoder or tensor that was. Memory in use is never overwritten.
"""

from collections import deque
from math import prod
from typing import Any

import numpy as np

from stereocast.types import Array


class _Lease:
    """Memory on loan: arrays made of it keep it alive, and its end gives the memory back."""

    __slots__ = ("__array_interface__", "_free", "_memory")

    def __init__(self, memory: Array, size: int, free: "deque[Array]") -> None:
        self._memory, self._free = memory, free
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "shape": (size,),
            "typestr": "|u1",
            "data": (memory.ctypes.data, False),
        }

    def __del__(self) -> None:
        self._free.append(self._memory)


class Pool:
    """Lends arrays of about one size. It never holds more memory than was on loan at one time."""

    def __init__(self) -> None:
        self._free: deque[Array] = deque()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An uninitialised array, like `np.empty`. May be called by several threads."""
        kind = np.dtype(dtype)
        size = prod(shape) * kind.itemsize
        memory = None
        while memory is None or memory.size < size:  # one that is too small is given up: sizes only grow within a film
            try:
                memory = self._free.pop()
            except IndexError:
                memory = np.empty(max(size, 1), np.uint8)
        return np.asarray(_Lease(memory, size, self._free)).view(kind).reshape(shape)

    def stacked(self, pictures: list[Array]) -> Array:
        """`np.stack` of pictures of one size."""
        out = self.empty((len(pictures), *pictures[0].shape), pictures[0].dtype)
        for target, picture in zip(out, pictures, strict=True):
            target[...] = picture
        return out
