"""Fills disocclusions of one warped view: they are background, so background grows in and foreground doesn't."""

import numpy as np

from stereocast.kernels import cpu_fill
from stereocast.types import Array


def fill(
    source: Array, planes: Array, disparity: Array, gain: float, shifts: Array, holes: Array, sweeps: int = 4
) -> None:
    """Fills the holes of all planes [P, H, W] in place; the view is a right one or reversed (see `kernels.cpu`).

    shifts int16 [H, W] and holes uint8 [H, W rounded up to 8] are what the warp wrote.
    """
    total = cpu_fill.count_holes(holes)
    if total == 0:
        return
    xs = np.empty(total, np.int32)
    starts = np.empty(holes.shape[0] + 1, np.int32)
    up, down = np.empty(total, np.int32), np.empty(total, np.int32)
    cpu_fill.list_holes(holes, xs, starts)
    cpu_fill.link_rows(xs, starts, up, down)
    pull = np.zeros(total, np.float32)
    want = np.zeros((planes.shape[0], total), np.float32)
    values = np.zeros((planes.shape[0], total), np.float32)
    cpu_fill.harmonic(
        source, planes, disparity, np.float32(gain), shifts, xs, starts, up, down, pull, want, 2, sweeps, values
    )
