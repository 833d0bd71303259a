"""Row work of depth edges on the CPU, compiled by Numba: soft steps of a small map become sharp ones of a large map."""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit, jit_turned

NEARNESS = np.float32(0.8)  # a value within a step belongs to the near side if it is so many times closer to far
STEP = np.int16(8)  # 1/8 px: a larger change of the shift is an outline


@jit
def toggle(values: Any, near: Any, far: Any, threshold: Any, rounds: Any) -> None:
    """Sharpens the steps of `values` float32 [H, W] in place: a morphological shock filter.

    near, far [H, W]: the largest and smallest value around each pixel. Where they differ by more than `threshold` a
    pixel belongs to one side for good, and takes the largest (smallest) of its four neighbours, `rounds` times.
    """
    height, width = values.shape
    total = 0
    for y in range(height):
        for x in range(width):
            total += 1 if near[y, x] - far[y, x] > threshold else 0
    ys, xs = np.empty(total, np.int32), np.empty(total, np.int32)
    sides = np.empty(total, np.bool_)
    fresh = np.empty(total, np.float32)
    n = 0
    for y in range(height):
        for x in range(width):
            top, bottom = near[y, x], far[y, x]
            if top - bottom > threshold:
                ys[n], xs[n] = y, x
                sides[n] = values[y, x] - bottom > NEARNESS * (top - values[y, x])
                n += 1
    for _ in range(rounds):
        for k in range(total):
            y, x = ys[k], xs[k]
            here = values[y, x]
            left, right = values[y, max(x - 1, 0)], values[y, min(x + 1, width - 1)]
            up, down = values[max(y - 1, 0), x], values[min(y + 1, height - 1), x]
            if sides[k]:
                fresh[k] = max(here, max(max(left, right), max(up, down)))
            else:
                fresh[k] = min(here, min(min(left, right), min(up, down)))
        for k in range(total):
            values[ys[k], xs[k]] = fresh[k]


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
                        out[y, x] = a if out[y, x] - b > NEARNESS * (a - out[y, x]) else b


@jit
def _steps(here: Any, after: Any, steps: Any) -> None:
    """Where two rows of shifts, int16, differ by more than STEP. In 16 bits throughout: Numba widens otherwise."""
    for x in range(steps.size):
        apart = np.uint16(after[x] - here[x] + STEP)
        steps[x] = np.uint8(apart > np.uint16(2 * STEP))


@jit
def _flag(here: Any, above: Any, below: Any, steps: Any, flags: Any) -> None:
    """Marks the columns of a row beside a step: `above` and `below` uint8 mark those against the neighbouring rows."""
    width = here.size
    inner = steps[: width - 1]
    _steps(here[: width - 1], here[1:], inner)
    flags[0] = above[0] | below[0] | inner[0]
    for x in range(1, width - 1):
        flags[x] = above[x] | below[x] | inner[x - 1] | inner[x]
    flags[width - 1] = above[width - 1] | below[width - 1] | inner[width - 2]


@jit_turned("planes")
def soften(planes: Any, shifts: Any) -> None:
    """Puts a Gaussian (sigma 0.6) over the two pixels at every step of the shift, in place: a lens draws an outline
    over two pixels, a warp cuts it along one.

    planes uint8 or uint16 [P, H, W]; shifts int16 [H, W] in 1/8 px, contiguous.
    """
    count_planes, height, width = planes.shape
    flags = np.zeros((width + 7) // 8 * 8, np.uint8)
    steps = np.empty(width, np.uint8)
    upright = np.zeros((2, width), np.uint8)  # steps between a row and the one before, and the one after
    packs = flags.view(np.uint64)
    columns = np.empty((2, width), np.int64)
    values = np.empty((2, count_planes, width), np.float32)
    counts = np.zeros(2, np.int64)
    side = np.float32(0.1664)
    middle = np.float32(1) - side - side
    for y in range(height + 1):
        now, before = y % 2, (y + 1) % 2
        counts[now] = 0
        if y < height:
            up, down = max(y - 1, 0), min(y + 1, height - 1)
            _steps(shifts[y], shifts[down], upright[now])
            _flag(shifts[y], upright[before], upright[now], steps, flags)
            n = 0
            for k in range(packs.size):
                if packs[k] != 0:
                    for x in range(8 * k, 8 * k + 8):
                        if flags[x]:
                            left, right = max(x - 1, 0), min(x + 1, width - 1)
                            columns[now, n] = x
                            for p in range(count_planes):
                                a = np.float32(planes[p, up, left]) + np.float32(planes[p, down, left])
                                b = np.float32(planes[p, up, x]) + np.float32(planes[p, down, x])
                                c = np.float32(planes[p, up, right]) + np.float32(planes[p, down, right])
                                a = side * a + middle * np.float32(planes[p, y, left])
                                b = side * b + middle * np.float32(planes[p, y, x])
                                c = side * c + middle * np.float32(planes[p, y, right])
                                values[now, p, n] = side * (a + c) + middle * b
                            n += 1
            counts[now] = n
        for n in range(counts[before]):  # the row above, now that nobody needs it as it was
            for p in range(count_planes):
                planes[p, y - 1, columns[before, n]] = np.int32(values[before, p, n] + np.float32(0.5))
