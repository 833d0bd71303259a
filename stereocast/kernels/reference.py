"""The kernels in plain NumPy: what the faster ones must agree with, bit for bit unless a function says otherwise."""

import numpy as np

from stereocast.types import Array


def exact_offsets(depth: Array, scale_percent: float, exponent: float = 1.0) -> Array:
    """Whole columns by which each pixel moves, float32 of depth's shape [..., W], truncated toward zero.

    float32(depth^exponent) times float32(-(s/100) W), the product rounded to float32 (StereoCrafter-Zero, Eq. 11 and
    Appendix B). An exponent of 1 takes no power; others are taken in float64, so that every device gets the same bits.
    """
    depth = np.asarray(depth, np.float32)
    if exponent != 1.0:
        with np.errstate(invalid="ignore", divide="ignore"):
            depth = np.power(depth.astype(np.float64), float(exponent)).astype(np.float32)
    return np.trunc(depth * np.float32(-(scale_percent / 100.0) * depth.shape[-1]))


def warp_exact(source: Array, depth: Array, scale_percent: float, exponent: float = 1.0) -> tuple[Array, Array]:
    """The paper's integer warp (Appendix B): the last assignment wins.

    source [C, ..., W] of any dtype, depth float32 [..., W] (1 = near; taken literally outside 0..1). Returns the warped
    source, 0 where blank, and the blanks, bool [..., W]: pixels without a source. A positive scale moves pixels to the
    left and walks the columns from left to right, a negative one the other way round.
    """
    source = np.asarray(source)
    width = source.shape[-1]
    offsets = exact_offsets(depth, scale_percent, exponent).reshape(-1, width)
    flat = source.reshape(source.shape[0], -1, width)
    out = np.zeros_like(flat)
    blank = np.ones(offsets.shape, bool)
    for column in range(width) if scale_percent >= 0 else range(width - 1, -1, -1):
        landing = column + offsets[:, column]
        rows = np.flatnonzero((landing >= 0) & (landing < width))
        targets = landing[rows].astype(np.int64)
        out[:, rows, targets] = flat[:, rows, column]
        blank[rows, targets] = False
    return out.reshape(source.shape), blank.reshape(np.asarray(depth).shape)
