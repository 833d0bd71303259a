"""StereoCrafter's forward splat, for comparison with other warps.

Zhao et al., "StereoCrafter", 2024, with Forward-Warp's bilinear splatting. A source pixel counts only where all four of
its bilinear targets are inside, so the bottom row comes out empty, as in the published program.
"""

import numpy as np

from stereocast.types import Array

BASE = 1.414


def _splat(values: Array, x: Array, y: Array, shape: tuple[int, int]) -> Array:
    """values [C, N] at positions x, y [N] -> [C, H, W], bilinear."""
    rows, columns = shape
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (left >= 0) & (left + 1 < columns) & (top >= 0) & (top + 1 < rows)
    left, top, values = left[inside], top[inside], values[:, inside]
    right_share, low_share = x[inside] - left, y[inside] - top
    out = np.zeros((len(values), rows * columns))
    for down in (0, 1):
        for across in (0, 1):
            weight = (low_share if down else 1 - low_share) * (right_share if across else 1 - right_share)
            target = (top + down) * columns + left + across
            for channel, row in enumerate(values):
                out[channel] += np.bincount(target, row * weight, rows * columns)
    return out.reshape(-1, rows, columns)


def warp_soft(left: Array, disparity: Array) -> tuple[Array, Array]:
    """The right view by soft splatting.

    left float [N, C, H, W]; disparity float [N, 1, H, W], pixels by which a pixel moves to the left. Near pixels win by
    the weight 1.414^(disparity - least disparity). Returns right [N, C, H, W], 0 where nothing arrives, and the
    occlusion mask [N, 1, H, W], 1 = hole, soft at edges; both float32.
    """
    left, disparity = np.asarray(left, np.float64), np.asarray(disparity, np.float64)
    count, channels, rows, columns = left.shape
    weight = BASE ** (disparity - disparity.min())
    y, x = (grid.ravel().astype(np.float64) for grid in np.mgrid[0:rows, 0:columns])
    right = np.empty((count, channels, rows, columns), np.float32)
    holes = np.empty((count, 1, rows, columns), np.float32)
    for n in range(count):
        w = weight[n].reshape(1, -1)
        stack = np.concatenate([left[n].reshape(channels, -1) * w, w, np.ones_like(w)])
        out = _splat(stack, x - disparity[n].ravel(), y, (rows, columns))
        right[n] = out[:channels] / np.maximum(out[channels], 1e-6)
        holes[n] = 1 - np.clip(out[channels + 1], 0, 1)
    return right, holes
