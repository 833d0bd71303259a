"""Row work of depth edges on the CPU, compiled by Numba: soft steps of a small map become sharp ones of a large map."""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit


@jit
def snap_cells(low: Any, near: Any, far: Any, threshold: Any, out: Any) -> None:
    """Sharpens `out` [H, W], the bilinear enlargement of `low` [h, w], where the map has steps.

    near, far float32 [h, w]: the largest and smallest value around each sample. Where they differ by more than
    `threshold` a pixel takes the one it is closer to; both are interpolated, so slopes stay slopes.
    """
    h, w = low.shape
    height, width = out.shape
    sy, sx = np.float32(height) / np.float32(h), np.float32(width) / np.float32(w)
    half, zero = np.float32(0.5), np.float32(0)
    for i in range(-1, h):
        i0, i1 = max(i, 0), min(i + 1, h - 1)
        y0: Any = max(np.int64(np.ceil((np.float32(i) + half) * sy - half)), 0)
        y1: Any = min(np.int64(np.ceil((np.float32(i) + half + 1) * sy - half)), height)
        for j in range(-1, w):
            j0, j1 = max(j, 0), min(j + 1, w - 1)
            top = max(max(near[i0, j0], near[i0, j1]), max(near[i1, j0], near[i1, j1]))
            low_end = min(min(far[i0, j0], far[i0, j1]), min(far[i1, j0], far[i1, j1]))
            if top - low_end <= threshold:
                continue
            x0: Any = max(np.int64(np.ceil((np.float32(j) + half) * sx - half)), 0)
            x1: Any = min(np.int64(np.ceil((np.float32(j) + half + 1) * sx - half)), width)
            for y in range(y0, y1):
                v = max((np.float32(y) + half) / sy - half - np.float32(i), zero)
                nl = near[i0, j0] + v * (near[i1, j0] - near[i0, j0])
                nr = near[i0, j1] + v * (near[i1, j1] - near[i0, j1])
                fl = far[i0, j0] + v * (far[i1, j0] - far[i0, j0])
                fr = far[i0, j1] + v * (far[i1, j1] - far[i0, j1])
                for x in range(x0, x1):
                    u = max((np.float32(x) + half) / sx - half - np.float32(j), zero)
                    a = nl + u * (nr - nl)
                    b = fl + u * (fr - fl)
                    if a - b > threshold:
                        out[y, x] = a if out[y, x] > half * (a + b) else b
