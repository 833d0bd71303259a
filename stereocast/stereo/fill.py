"""Fills disocclusions of one warped view. They are background, so the background grows in and the foreground doesn't.

fast: harmonic. best: harmonic, pulled towards colours along the background's structure.
"""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from stereocast.kernels import cpu_carry, cpu_fill, cpu_structure
from stereocast.stereo.plates import Other
from stereocast.types import Array

Effort = Literal["fast", "best"]
SWEEPS = {"fast": 4, "best": 12}
REACH, SIGMA = 14, 6.0  # px: radius around a hole in which structure is measured
CAP = 40  # px: distance along the structure from which a colour may come
PULL = 2.0  # weight of that colour, times coherence squared; each neighbour counts 1
STEEPEST = 4.0  # rows per column: the steepest lean of a strip at the side
LEAN = 0.9  # share of the structure's slope that a strip follows (tuned on 44 pictures with strips of 1, 2 and 4 %)
LEAN_SIGMA = 8.0  # rows: smooths the lean, so that neighbouring rows of a strip agree


def _window() -> Array:
    line = np.exp(-(np.arange(-REACH, REACH + 1) ** 2) / (2 * SIGMA**2))
    return (line[:, None] * line[None]).astype(np.float32)


def fill(
    source: Array,
    planes: Array,
    disparity: Array,
    gain: float,
    shifts: Array,
    holes: Array,
    effort: Effort = "fast",
    others: Sequence[Other] = (),
) -> None:
    """Fills the holes of all planes [P, H, W] in place. The view is a right one, or reversed (see `kernels.cpu`).

    source [P, H, W], disparity float32 [H, W] and gain: the warp's input; shifts int16 [H, W] and holes uint8
    [H, W rounded up to 8]: its output. others: this layer in other frames, with the flow in this layer's pixels as the
    kernels see them; background seen or shown there is reused.
    """
    count, height = planes.shape[:2]
    starts = np.empty(height + 1, np.int32)
    total = int(np.count_nonzero(holes.view(np.bool_)))
    if total == 0:
        return
    xs = np.empty(total, np.int32)
    cpu_fill.list_holes(holes, xs, starts)
    up, down = np.empty(total, np.int32), np.empty(total, np.int32)
    cpu_fill.link_rows(xs, starts, up, down)
    pull = np.zeros(total, np.float32)
    want = np.zeros((count, total), np.float32)
    leans = np.zeros((2, height), np.float32)
    if effort == "best":
        _structure(planes, shifts, holes, xs, starts, pull, want, leans)
    for other in others:
        there = other.layer
        shown = cpu_carry.SHOWN if other.filled else np.float32(0)
        cpu_carry.carry(
            planes, there.planes, there.shifts, there.holes, other.flow, shifts, xs, starts, shown, pull, want
        )
    values = np.zeros((count, total), np.float32)
    cpu_fill.harmonic(
        source,
        planes,
        disparity,
        np.float32(gain),
        shifts,
        xs,
        starts,
        up,
        down,
        pull,
        want,
        leans,
        SWEEPS[effort],
        values,
    )


def _structure(
    planes: Array, shifts: Array, holes: Array, xs: Array, starts: Array, pull: Array, want: Array, leans: Array
) -> None:
    """Writes pull, want and leans: see `kernels.cpu_structure`."""
    _, height, width = planes.shape
    side = np.empty(xs.size, np.bool_)
    cpu_structure.mark_sides(xs, starts, width, side)
    tensor = np.empty((3, height, width), np.float32)
    known = np.zeros((height, width), np.uint8)
    cpu_structure.gradients(planes, shifts, holes, xs, starts, REACH, tensor, known)
    window = _window()
    cpu_structure.follow(
        planes, shifts, holes, xs, starts, side, tensor, known, window, REACH, CAP, np.float32(PULL), pull, want
    )
    cpu_structure.lean(shifts, xs, starts, tensor, known, window, REACH, np.float32(STEEPEST), leans)
    for line in leans:
        line[:] = LEAN * cv2.GaussianBlur(line[None], (0, 0), LEAN_SIGMA)[0]
