"""Depth edges before the warp: small maps are enlarged to the picture's size and soft steps sharpened.

A network blurs a step over several pixels. Warped like that, it becomes a ramp of torn pixels; snapped, it is a
foreground, a background and a hole.
"""

import cv2
import numpy as np

from stereocast.kernels import cpu_edges
from stereocast.types import Array

STEP = 2.0  # px: a smaller change of disparity within a few pixels is a slope
CRISP = 1.25  # columns over which a step of an exact map is drawn, at most, in three of four places
WORK_WIDTH = 800  # small maps are snapped at about this width, then once more on the way to the picture


def _box(radius: int) -> Array:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def softness(disparity: Array, step: float = STEP) -> float:
    """Over how many pixels the steps of a map [H, W] are drawn: 1 for an exact one, 3 to 4 after a threefold
    enlargement. 1 if there are no steps."""
    values = np.ascontiguousarray(disparity, np.float32)
    box = _box(4)
    spread = cv2.dilate(values, box) - cv2.erode(values, box)
    edges = spread > step
    if np.count_nonzero(edges) < 16:
        return 1.0
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    steepest = cv2.dilate(np.maximum(cv2.dilate(values, cross) - values, values - cv2.erode(values, cross)), box)
    low, middle = np.percentile(spread[edges] / np.maximum(steepest[edges], 1e-6), (25, 50))
    return float(middle) if low > CRISP else 1.0


def snap(disparity: Array, width_px: float | None = None, step: float = STEP) -> Array:
    """Soft steps of a map float32 [H, W] made sharp; `width_px` is its `softness` (None: measured here).

    An exact map comes back as it is. Every pixel of a soft step joins the side it is closer to, by a few rounds of a
    shock filter, so that slopes and plateaus keep their values.
    """
    values: Array = np.ascontiguousarray(disparity, np.float32)
    width_px = softness(values, step) if width_px is None else width_px
    if width_px <= CRISP:
        return values
    rounds = int(np.clip(round(0.85 * width_px), 1, 8))
    box = _box(rounds + 1)
    values = cv2.medianBlur(values, 5)  # takes off the overshoot of cubic enlargements
    near, far = cv2.dilate(values, box), cv2.erode(values, box)
    cpu_edges.toggle(values, near, far, np.float32(step), rounds)
    return values


def enlarge(
    disparity: Array, height: int, width: int, out: Array | None = None, width_px: float | None = None
) -> Array:
    """Disparity float32 [h, w] in pixels of the large width, at [height, width], with its steps snapped.

    `width_px`: softness at the size of `working_size`, None: measured here.
    """
    rows, columns = working_size(disparity.shape[0], disparity.shape[1], height, width)
    low: Array = np.ascontiguousarray(disparity, np.float32)
    if low.shape != (rows, columns):
        low = cv2.resize(low, (columns, rows), interpolation=cv2.INTER_LINEAR)
    low = snap(low, width_px)
    if (rows, columns) == (height, width):
        if out is None:
            return low.copy() if low is disparity else low
        np.copyto(out, low)
        return out
    if out is None:
        out = np.empty((height, width), np.float32)
    cv2.resize(low, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
    cpu_edges.snap_cells(low, cv2.dilate(low, _box(1)), cv2.erode(low, _box(1)), np.float32(STEP), out)
    return out


def compile_edges() -> None:
    """Compiles what `enlarge` needs, by a map of a few pixels."""
    enlarge(np.zeros((9, 16), np.float32), 108, 192, None, 3.0)


def working_softness(disparity: Array, height: int, width: int) -> float:
    """`softness` of a map [h, w] at the size at which `enlarge` snaps it: measured once per shot, so that it doesn't
    change from frame to frame."""
    rows, columns = working_size(disparity.shape[0], disparity.shape[1], height, width)
    return softness(cv2.resize(np.ascontiguousarray(disparity, np.float32), (columns, rows)))


def working_size(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """The size at which a map [rows, columns] is snapped before it is brought to [height, width]."""
    factor = max(1, min(3, WORK_WIDTH // max(columns, 1)))
    if factor * columns >= width or factor * rows >= height:
        return height, width
    return factor * rows, factor * columns


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
