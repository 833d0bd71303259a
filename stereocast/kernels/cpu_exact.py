"""The exact warp on the CPU, compiled by Numba."""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit
from stereocast.types import Array


@jit
def _columns(depth: Any, factor: Any, rightwards: Any, seen: Any, blank: Any) -> None:
    """Writes for each pixel of the new view the last source column that lands on it, int32 [N, W], 0 where blank.

    depth float32 [N, W], after its power.
    """
    rows, width = depth.shape
    edge = np.float32(width)
    for n in range(rows):
        line, found, empty = depth[n], seen[n], blank[n]
        for x in range(width):
            found[x] = 0
            empty[x] = True
        for i in range(width):
            column = width - 1 - i if rightwards else i
            landing = np.float32(column) + np.trunc(line[column] * factor)
            if landing >= 0 and landing < edge:
                t = np.uint32(landing)
                found[t] = column
                empty[t] = False


@jit
def _gather(source: Any, seen: Any, blank: Any, out: Any) -> None:
    """out[c, n, x] = source[c, n, seen[n, x]], 0 where blank."""
    channels, rows, width = source.shape
    zero = source.dtype.type(0)
    for c in range(channels):
        for n in range(rows):
            line, found, empty, made = source[c, n], seen[n], blank[n], out[c, n]
            for x in range(width):
                value = line[np.uint32(found[x])]
                made[x] = zero if empty[x] else value


def warp_exact(source: Array, depth: Array, scale_percent: float, exponent: float = 1.0) -> tuple[Array, Array]:
    """As `reference.warp_exact`, bit for bit."""
    source = np.asarray(source)
    depth = np.asarray(depth, np.float32)
    width = source.shape[-1]
    factor = np.float32(-(scale_percent / 100.0) * width)
    if exponent != 1.0:
        with np.errstate(invalid="ignore", divide="ignore"):
            powers = np.power(depth.astype(np.float64), float(exponent)).astype(np.float32)
    else:
        powers = depth
    flat = np.ascontiguousarray(source.reshape(source.shape[0], -1, width))
    rows = np.ascontiguousarray(powers.reshape(-1, width))
    seen = np.empty(rows.shape, np.int32)
    blank = np.empty(rows.shape, np.bool_)
    _columns(rows, factor, scale_percent < 0, seen, blank)
    out = np.empty_like(flat)
    kind = flat.dtype
    bits = flat.view(f"u{kind.itemsize}") if kind.itemsize in (1, 2, 4, 8) else flat  # half floats and bools as bits
    _gather(bits, seen, blank, out.view(bits.dtype))
    return out.reshape(source.shape), blank.reshape(depth.shape)
