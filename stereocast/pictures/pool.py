"""Reused memory for pictures that a stage makes repeatedly, so the system needn't clear fresh pages for each.

An array's memory returns to the pool when the last array that shares any part of it is gone, in whichever thread,
queue, encoder or tensor. So nothing is overwritten while it can still be seen.
"""

from collections import deque
from math import prod
from typing import Any

import numpy as np

from stereocast.types import Array


class _Lease:
    """Memory on loan. Arrays made from it keep it alive; its destruction returns the memory."""

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
    """Lends arrays of similar size. It never holds more memory than was on loan at one time."""

    def __init__(self) -> None:
        self._free: deque[Array] = deque()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An uninitialised array, like `np.empty`. Thread-safe."""
        kind = np.dtype(dtype)
        size = prod(shape) * kind.itemsize
        memory = None
        while memory is None or memory.size < size:  # too small a block is dropped: sizes only grow within a film
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
