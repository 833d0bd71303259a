"""Row work of depth edges on the CPU, compiled by Numba: soft steps of a small map become sharp ones of a large map."""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit, jit_turned

NEARNESS = np.float32(0.8)  # a value in a step is near if its distance to far exceeds this times its distance to near
_KEPT, _FAR, _NEAR = np.uint8(0), np.uint8(1), np.uint8(2)
STEP = np.int16(8)  # 1/8 px: a larger change of the shift is an outline


def toggle(values: Any, near: Any, far: Any, threshold: Any, rounds: int) -> None:
    """Sharpens the steps of `values` float32 [H, W] in place: a morphological shock filter.

    near, far [H, W]: the largest and smallest value around each pixel. Where they differ by more than `threshold` a
    pixel belongs to one side for good, and takes the largest (smallest) of its four neighbours, `rounds` times.
    """
    _toggle(values, near, far, threshold, rounds, np.empty(values.shape, np.uint8), np.empty_like(values))


@jit
def _toggle(values: Any, near: Any, far: Any, threshold: Any, rounds: Any, sides: Any, spare: Any) -> None:
    """`toggle` with its buffers. Every pixel is gone through, as that can be done for eight of them at once."""
    height, width = values.shape
    for y in range(height):
        top, bottom, here, side = near[y], far[y], values[y], sides[y]
        for x in range(width):
            nearer = here[x] - bottom[x] > NEARNESS * (top[x] - here[x])
            side[x] = (_NEAR if nearer else _FAR) if top[x] - bottom[x] > threshold else _KEPT
    for turn in range(rounds):
        given, made = (values, spare) if turn % 2 == 0 else (spare, values)
        for y in range(height):
            _toggle_row(given[max(y - 1, 0)], given[y], given[min(y + 1, height - 1)], sides[y], made[y])
    if rounds % 2:
        for y in range(height):
            here, there = values[y], spare[y]
            for x in range(width):
                here[x] = there[x]


@jit
def _toggled(here: Any, left: Any, right: Any, up: Any, down: Any, side: Any) -> Any:
    most = max(here, max(max(left, right), max(up, down)))
    least = min(here, min(min(left, right), min(up, down)))
    return most if side == _NEAR else (least if side == _FAR else here)


@jit
def _toggle_row(above: Any, here: Any, below: Any, side: Any, out: Any) -> None:
    last = here.size - 1
    if last == 0:
        out[0] = _toggled(here[0], here[0], here[0], above[0], below[0], side[0])
        return
    out[0] = _toggled(here[0], here[0], here[1], above[0], below[0], side[0])
    out[last] = _toggled(here[last], here[last - 1], here[last], above[last], below[last], side[last])
    middle, right, up, down, sides, inner = here[1:last], here[2:], above[1:last], below[1:last], side[1:last], out[1:]
    for j in range(last - 1):
        inner[j] = _toggled(middle[j], here[j], right[j], up[j], down[j], sides[j])


def snap_cells(low: Any, near: Any, far: Any, threshold: Any, out: Any) -> None:
    """Sharpens `out` [H, W], the bilinear enlargement of `low` [h, w], where the map has steps.

    near, far float32 [h, w]: the largest and smallest value around each sample. Where they differ by more than
    `threshold` a pixel takes the one it is closer to; both are interpolated, so slopes stay slopes.
    """
    width = low.shape[1]
    flags = np.zeros((width + 8) // 8 * 8, np.uint8)
    ends, across = np.empty((2, width), np.float32), np.empty(out.shape[1], np.float32)
    _snap_cells(near, far, threshold, out, flags, flags.view(np.uint64), ends, across)


@jit
def _flag_cells(
    above: Any, below: Any, under: Any, beneath: Any, threshold: Any, most: Any, least: Any, flags: Any
) -> None:
    """Marks the cells between two rows of samples, w + 1 of them, whose values differ by more than `threshold`."""
    width = most.size
    for x in range(width):
        most[x] = max(above[x], below[x])
        least[x] = min(under[x], beneath[x])
    flags[0] = np.uint8(most[0] - least[0] > threshold)
    flags[width] = np.uint8(most[width - 1] - least[width - 1] > threshold)
    right, lower, inner = most[1:], least[1:], flags[1:]
    for x in range(width - 1):
        inner[x] = np.uint8(max(most[x], right[x]) - min(least[x], lower[x]) > threshold)


@jit
def _columns_of(j: Any, sx: Any, width: Any) -> Any:
    """The columns of the large map between samples j and j + 1: first, and one past the last."""
    half = np.float32(0.5)
    begin: Any = max(np.int64(np.ceil((np.float32(j) + half) * sx - half)), 0)
    return begin, min(np.int64(np.ceil((np.float32(j) + half + 1) * sx - half)), width)


@jit
def _snap_cells(near: Any, far: Any, threshold: Any, out: Any, flags: Any, packs: Any, ends: Any, across: Any) -> None:
    """`snap_cells` with its buffers; `packs` are the bytes of `flags`, eight in one."""
    h, w = near.shape
    height, width = out.shape
    sy, sx = np.float32(height) / np.float32(h), np.float32(width) / np.float32(w)
    half, zero = np.float32(0.5), np.float32(0)
    for j in range(-1, w):
        x0, x1 = _columns_of(j, sx, width)
        for x in range(x0, x1):
            across[x] = max((np.float32(x) + half) / sx - half - np.float32(j), zero)
    for i in range(-1, h):
        i0, i1 = max(i, 0), min(i + 1, h - 1)
        y0, y1 = _columns_of(i, sy, height)
        _flag_cells(near[i0], near[i1], far[i0], far[i1], threshold, ends[0], ends[1], flags)
        for k in range(packs.size):
            if packs[k] == 0:
                continue
            for j in range(8 * k - 1, min(8 * k + 7, w)):
                if flags[j + 1] == 0:
                    continue
                j0, j1 = max(j, 0), min(j + 1, w - 1)
                x0, x1 = _columns_of(j, sx, width)
                for y in range(y0, y1):
                    v = max((np.float32(y) + half) / sy - half - np.float32(i), zero)
                    nl = near[i0, j0] + v * (near[i1, j0] - near[i0, j0])
                    nr = near[i0, j1] + v * (near[i1, j1] - near[i0, j1])
                    fl = far[i0, j0] + v * (far[i1, j0] - far[i0, j0])
                    fr = far[i0, j1] + v * (far[i1, j1] - far[i0, j1])
                    for x in range(x0, x1):
                        a = nl + across[x] * (nr - nl)
                        b = fl + across[x] * (fr - fl)
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


def soften(planes: Any, shifts: Any) -> None:
    """Puts a Gaussian (sigma 0.6) over the two pixels at every step of the shift, in place: a lens draws an outline
    over two pixels, a warp cuts it along one.

    planes uint8 or uint16 [P, H, W]; shifts int16 [H, W] in 1/8 px, contiguous.
    """
    count, _, width = planes.shape
    flags = np.zeros((width + 7) // 8 * 8, np.uint8)
    _soften(
        planes, shifts, flags, flags.view(np.uint64), np.empty(width, np.uint8), np.zeros((2, width), np.uint8),
        np.empty((2, width), np.int64), np.empty((2, count, width), np.float32), np.zeros(2, np.int64),
    )  # fmt: skip


@jit_turned("planes")
def _soften(
    planes: Any, shifts: Any, flags: Any, packs: Any, steps: Any, upright: Any, columns: Any, values: Any, counts: Any
) -> None:
    """`soften` with its buffers; `upright` takes the steps between a row and the one before, and the one after."""
    count_planes, height, width = planes.shape
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
