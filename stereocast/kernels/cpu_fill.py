"""The fill of disocclusions on the CPU, compiled by Numba: background grows into a hole, foreground doesn't.

All kernels see a view as the right one (see `cpu`) and touch nothing but holes and their neighbours.
"""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit

APART = np.int16(12)  # 1/8 px: a neighbour that is nearer than the background of a hole by more is foreground


@jit
def count_holes(holes: Any) -> Any:
    """How many pixels of uint8 [H, W] are set; W is a multiple of 8 and rows are contiguous."""
    packs = holes.view(np.uint64)
    total = 0
    for y in range(packs.shape[0]):
        for n in range(packs.shape[1]):
            if packs[y, n] != 0:
                for x in range(8 * n, 8 * n + 8):
                    total += 1 if holes[y, x] != 0 else 0
    return total


@jit
def list_holes(holes: Any, xs: Any, starts: Any) -> None:
    """Columns of the holes int32 [N] in raster order, and where each row's part begins, int32 [H + 1]."""
    packs = holes.view(np.uint64)
    k = 0
    for y in range(packs.shape[0]):
        starts[y] = k
        for n in range(packs.shape[1]):
            if packs[y, n] != 0:
                for x in range(8 * n, 8 * n + 8):
                    if holes[y, x]:
                        xs[k] = x
                        k += 1
    starts[packs.shape[0]] = k


@jit
def link_rows(xs: Any, starts: Any, up: Any, down: Any) -> None:
    """For each hole the index of the hole above and below it, -1 where there is none."""
    up[:] = -1
    down[:] = -1
    for y in range(1, starts.size - 1):
        j = starts[y - 1]
        for k in range(starts[y], starts[y + 1]):
            while j < starts[y] and xs[j] < xs[k]:
                j += 1
            if j < starts[y] and xs[j] == xs[k]:
                up[k] = j
                down[j] = k


@jit
def _end_colour(planes: Any, y: Any, x: Any, step: Any, depth: Any, holes: Any, p: Any) -> Any:
    """Mean of `depth` pixels of a row from column x on, in direction `step`."""
    total = np.float32(0)
    n = 0
    for i in range(depth):
        c = x + i * step
        if c < 0 or c >= planes.shape[2] or holes[y, c]:
            break
        total += np.float32(planes[p, y, c])
        n += 1
    return total / np.float32(max(n, 1))


@jit
def harmonic(
    planes: Any,
    shifts: Any,
    holes: Any,
    xs: Any,
    starts: Any,
    up: Any,
    down: Any,
    pull: Any,
    want: Any,
    strip: Any,
    sweeps: Any,
    values: Any,
) -> None:
    """Fills the holes of all planes [P, H, W] in place with a function that is harmonic where nothing pulls.

    At the background it takes that colour, across the foreground's outline nothing flows. `pull` float32 [N] draws a
    pixel towards `want` float32 [P, N]. At the frame's side the colour is the mean of `strip` columns. `values`
    float32 [P, N] takes the unrounded result. Solved row by row (exactly) in alternating sweeps from top and bottom.
    """
    count_planes, height, width = planes.shape
    total = xs.size
    count = np.zeros(total, np.float32)
    vertical = np.zeros(total, np.uint8)  # 1: coupled to the hole above, 2: below
    beside = np.zeros(total, np.uint8)  # coupled to the hole at the left
    fixed = np.zeros((count_planes, total), np.float32)
    for y in range(height):
        k = starts[y]
        while k < starts[y + 1]:
            e = k
            while e + 1 < starts[y + 1] and xs[e + 1] == xs[e] + 1:
                e += 1
            a, b = xs[k], xs[e]
            side = a == 0 or b == width - 1
            depth = strip if side else 1
            open_left = a > 0 and shifts[y, a - 1] <= shifts[y, a] + APART
            open_right = b < width - 1 and shifts[y, b + 1] <= shifts[y, b] + APART
            for p in range(count_planes):
                left = _end_colour(planes, y, a - 1, -1, depth, holes, p) if a > 0 else np.float32(0)
                right = _end_colour(planes, y, b + 1, 1, depth, holes, p) if b < width - 1 else np.float32(0)
                if open_left:
                    fixed[p, k] += left
                if open_right:
                    fixed[p, e] += right
                if open_left and open_right:
                    for j in range(k, e + 1):
                        f = np.float32(j - k + 1) / np.float32(e - k + 2)
                        values[p, j] = left + f * (right - left)
                elif open_left or open_right:
                    for j in range(k, e + 1):
                        values[p, j] = left if open_left else right
                else:
                    start = left if a > 0 else right
                    if a > 0 and b < width - 1 and shifts[y, b + 1] < shifts[y, a - 1]:
                        start = right
                    for j in range(k, e + 1):
                        values[p, j] = start
            if open_left:
                count[k] += 1
            if open_right:
                count[e] += 1
            for j in range(k, e + 1):
                x = xs[j]
                code = shifts[y, x]
                if j > k:
                    beside[j] = 1
                    count[j] += 1
                    count[j - 1] += 1
                if y > 0:
                    if up[j] >= 0:
                        if abs(shifts[y - 1, x] - code) <= APART:
                            vertical[j] |= 1
                            count[j] += 1
                    elif abs(shifts[y - 1, x] - code) <= APART:
                        count[j] += 1
                        for p in range(count_planes):
                            fixed[p, j] += np.float32(planes[p, y - 1, x])
                if y < height - 1:
                    if down[j] >= 0:
                        if abs(shifts[y + 1, x] - code) <= APART:
                            vertical[j] |= 2
                            count[j] += 1
                    elif abs(shifts[y + 1, x] - code) <= APART:
                        count[j] += 1
                        for p in range(count_planes):
                            fixed[p, j] += np.float32(planes[p, y + 1, x])
            k = e + 1
    upper = np.empty(width, np.float32)
    small = np.float32(1e-3)
    for p in range(count_planes):
        value = values[p]
        for sweep in range(sweeps):
            for n in range(height):
                y = n if sweep % 2 == 0 else height - 1 - n
                k = starts[y]
                while k < starts[y + 1]:
                    e = k
                    while e + 1 < starts[y + 1] and beside[e + 1]:
                        e += 1
                    before, carry = np.float32(0), np.float32(0)  # forward elimination of this run
                    for j in range(k, e + 1):
                        diagonal = count[j] + pull[j] + small
                        right = fixed[p, j] + pull[j] * want[p, j] + small * value[j]
                        if vertical[j] & 1:
                            right += value[up[j]]
                        if vertical[j] & 2:
                            right += value[down[j]]
                        if j > k:
                            diagonal -= before
                            right += carry
                        inverse = np.float32(1) / diagonal
                        before = inverse
                        carry = right * inverse
                        upper[j - k] = inverse
                        value[j] = carry
                    for j in range(e - 1, k - 1, -1):
                        value[j] += upper[j - k] * value[j + 1]
                    k = e + 1
        for y in range(height):
            for k in range(starts[y], starts[y + 1]):
                planes[p, y, xs[k]] = np.int32(max(value[k] + np.float32(0.5), np.float32(0)))
