"""Depth edges before the warp: small maps are brought to the picture's size and soft steps become sharp.

A network draws a step over several pixels. Warped as it is, it becomes a ramp of torn pixels; snapped, it is a
foreground, a background and a hole.
"""

import cv2
import numpy as np

from stereocast.kernels import cpu_edges
from stereocast.types import Array

STEP = 1.5  # px: a smaller change of disparity is a slope


def enlarge(disparity: Array, height: int, width: int, out: Array | None = None) -> Array:
    """Disparity float32 [h, w] in pixels of the large width, at [height, width], with its steps snapped."""
    low = np.ascontiguousarray(disparity, np.float32)
    if low.shape == (height, width):
        result = low.copy() if out is None else out
        if out is not None:
            np.copyto(out, low)
        return result
    if out is None:
        out = np.empty((height, width), np.float32)
    cv2.resize(low, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
    kernel = np.ones((3, 3), np.uint8)
    cpu_edges.snap_cells(low, cv2.dilate(low, kernel), cv2.erode(low, kernel), np.float32(STEP), out)
    return out


def fill_unknown(disparity: Array) -> Array:
    """Exact disparity float32 [H, W] with nan filled from the background side of its row (the smaller known end);
    rows without any known value copy the nearest row that has some. All nan becomes 0."""
    known = np.isfinite(disparity)
    if known.all():
        return np.ascontiguousarray(disparity, np.float32)
    if not known.any():
        return np.zeros(disparity.shape, np.float32)
    height, width = disparity.shape
    columns = np.arange(width)[None]
    rows = np.arange(height)[:, None]
    left = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, columns, width)[:, ::-1], axis=1)[:, ::-1]
    at_left = np.where(left >= 0, disparity[rows, np.maximum(left, 0)], np.inf)
    at_right = np.where(right < width, disparity[rows, np.minimum(right, width - 1)], np.inf)
    filled = np.where(known, disparity, np.minimum(at_left, at_right)).astype(np.float32)
    good = np.flatnonzero(known.any(axis=1))
    for y in np.flatnonzero(~known.any(axis=1)):
        filled[y] = filled[good[np.argmin(np.abs(good - y))]]
    return filled
