"""The fill of disocclusions on the CPU, compiled by Numba: background grows into a hole, foreground doesn't.

All kernels see a view as the right one (see `cpu`) and touch nothing but holes and their neighbours.
"""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit, jit_turned

MARGIN = np.float32(1.01)  # px: a smaller step of the shift is within a surface

SPREAD = np.float32(0.5)  # reach of the blur at the frame's side per pixel of distance
ANCHOR = np.float32(1)  # weight of a background colour that is hidden in the new view
APART = np.int16(12)  # 1/8 px: a neighbour that is nearer than the background of a hole by more is foreground


def list_holes(holes: Any, xs: Any, starts: Any) -> Any:
    """Columns of the holes of uint8 [H, W], W a multiple of 8 and rows contiguous, in raster order, int32 [H * W] or
    shorter, and where each row's part begins, int32 [H + 1]. Returns how many there are."""
    return _list_holes(holes, holes.view(np.uint64), xs, starts)


@jit
def _list_holes(holes: Any, packs: Any, xs: Any, starts: Any) -> Any:
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
    return k


@jit
def link_rows(xs: Any, starts: Any, up: Any, down: Any) -> None:
    """For each hole the index of the hole above and below it, -1 where there is none."""
    for k in range(xs.size):
        up[k] = -1
        down[k] = -1
    for y in range(1, starts.size - 1):
        j = starts[y - 1]
        for k in range(starts[y], starts[y + 1]):
            while j < starts[y] and xs[j] < xs[k]:
                j += 1
            if j < starts[y] and xs[j] == xs[k]:
                up[k] = j
                down[j] = k


@jit
def _mixed(disparity: Any, gain: Any, y: Any, column: Any) -> Any:
    """Whether a nearer surface is beside that source pixel, so that its colour is a mixture."""
    height, width = disparity.shape
    here = disparity[y, column] + MARGIN / gain
    for v in range(max(y - 1, 0), min(y + 2, height)):
        for u in range(max(column - 1, 0), min(column + 2, width)):
            if disparity[v, u] > here:
                return True
    return False


@jit
def _pure_column(disparity: Any, gain: Any, y: Any, at: Any, step: Any) -> Any:
    """The first source column from `at` (in 1/8 px) on, in direction `step`, whose colour holds no foreground."""
    width = disparity.shape[1]
    column = (at + 6) >> 3 if step > 0 else (at + 1) >> 3
    column = min(max(column, 0), width - 1)
    for _ in range(2):
        if not _mixed(disparity, gain, y, column):
            break
        column = min(max(column + step, 0), width - 1)
    return column


@jit
def _gap_column(disparity: Any, gain: Any, y: Any, at: Any, code: Any) -> Any:
    """Where the source shows the background between two foregrounds that hide it in the new view, or -1. `at` (in
    1/8 px) is the last column of the left one."""
    width = disparity.shape[1]
    limit = np.float32(code + APART) / np.float32(8)
    first = (at + 4) >> 3
    found = -1
    for column in range(max(first - 2, 0), min(first + 5, width)):
        if gain * disparity[y, column] <= limit:
            if not _mixed(disparity, gain, y, column):
                return column
            if found < 0:
                found = min(column + 1, width - 1)
    return found


@jit
def _end_colour(source: Any, y: Any, column: Any, step: Any, depth: Any, p: Any) -> Any:
    """Mean of `depth` pixels of a row of the source from `column` on, in direction `step`."""
    total = np.float32(0)
    n = 0
    for i in range(depth):
        c = column + i * step
        if 0 <= c < source.shape[2]:
            total += np.float32(source[p, y, c])
            n += 1
    return total / np.float32(max(n, 1))


@jit
def _spread(values: Any, first: Any, length: Any, direction: Any, colour: Any, lean: Any, buffers: Any) -> None:
    """Fills strips at the frame's side: row y has the strip values[p, first[y] + direction * i], i < length[y], and
    continues colour[p, y] into it, leaning by lean[y] rows per column and blurred along the edge the more the further it is from the picture.

    This is close to the harmonic continuation, whose kernel at a distance d is d / (d^2 + y^2); here it is exponential,
    and recursive. `buffers` float32 [2, H] are written.
    """
    height = length.size
    buffer, column = buffers[0], buffers[1]
    longest = 0
    for y in range(height):
        longest = max(longest, length[y])
    for i in range(longest):
        keep = np.exp(-np.float32(1) / (SPREAD * np.float32(i + 1)))
        share = np.float32(1) - keep
        for p in range(values.shape[0]):
            run = False
            state = np.float32(0)
            for y in range(height):
                if length[y] > i:
                    state = share * colour[p, y] + keep * state if run else colour[p, y]
                    buffer[y] = state
                run = length[y] > i
            run = False
            for n in range(height):
                y = height - 1 - n
                if length[y] > i:
                    state = share * colour[p, y] + keep * state if run else colour[p, y]
                    column[y] = (buffer[y] + state - share * colour[p, y]) / (np.float32(1) + keep)
                run = length[y] > i
            for y in range(height):
                if length[y] > i:
                    at = np.float32(y) - np.float32(direction * (i + 1)) * lean[y]
                    at = min(max(at, np.float32(0)), np.float32(height - 1))
                    y0: Any = np.int64(at)
                    y1 = min(y0 + 1, height - 1)
                    f = at - np.float32(y0)
                    if length[y0] <= i or length[y1] <= i:
                        y0, y1, f = y, y, np.float32(0)
                    values[p, first[y] + direction * i] = (np.float32(1) - f) * column[y0] + f * column[y1]


def harmonic(
    source: Any,
    planes: Any,
    disparity: Any,
    gain: Any,
    shifts: Any,
    xs: Any,
    starts: Any,
    up: Any,
    down: Any,
    pull: Any,
    want: Any,
    leans: Any,
    strip: Any,
    sweeps: Any,
    values: Any,
) -> None:
    """Fills the holes of all planes [P, H, W] in place with a function that is harmonic where nothing pulls.

    At the background it takes that colour, across the foreground's outline nothing flows. `pull` float32 [N] draws a
    pixel towards `want` float32 [P, N]. At the frame's side the colour is the mean of `strip`
    columns, continued along `leans` float32 [2, H] (rows per column at the left and the right side). `values`
    float32 [P, N] takes the unrounded result. Solved row by row (exactly) in alternating sweeps from top and bottom.
    """
    count_planes, height, _ = planes.shape
    total = xs.size
    bytes_of, sides = np.zeros((2, total), np.uint8), np.zeros((2, 2, height), np.int64)
    floats = np.zeros((2, total), np.float32)
    _harmonic(
        source, planes, disparity, gain, shifts, xs, starts, up, down, pull, want, leans, strip, sweeps, values,
        floats, bytes_of, np.zeros((count_planes, total), np.float32), sides,
        np.zeros((2, count_planes, height), np.float32), np.empty((2, height), np.float32),
    )  # fmt: skip


@jit_turned("source", "planes", "disparity")
def _harmonic(
    source: Any,
    planes: Any,
    disparity: Any,
    gain: Any,
    shifts: Any,
    xs: Any,
    starts: Any,
    up: Any,
    down: Any,
    pull: Any,
    want: Any,
    leans: Any,
    strip: Any,
    sweeps: Any,
    values: Any,
    floats: Any,
    bytes_of: Any,
    fixed: Any,
    sides: Any,
    side_colour: Any,
    buffers: Any,
) -> None:
    """`harmonic` with its buffers, all 0: making them in here would take longer to compile than the rest."""
    count_planes, height, width = planes.shape
    total = xs.size
    count, inverse = floats[0], floats[1]  # inverse of the diagonal, after elimination along the run
    vertical, beside = bytes_of[0], bytes_of[1]  # 1: coupled to the hole above, 2: below; to the hole at the left
    side_first, side_length = sides[0], sides[1]
    rightwards, leftwards = np.int64(1), np.int64(-1)  # literals would compile what they are given to once each
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
            at_left = _pure_column(disparity, gain, y, 8 * (a - 1) + shifts[y, a - 1], leftwards) if a > 0 else 0
            at_right = (
                _pure_column(disparity, gain, y, 8 * (b + 1) + shifts[y, b + 1], rightwards) if b < width - 1 else 0
            )
            gap = -1
            if a > 0 and not open_left and not open_right:
                gap = _gap_column(disparity, gain, y, 8 * (a - 1) + shifts[y, a - 1], shifts[y, a])
                if gap >= 0:
                    for j in range(k, e + 1):
                        count[j] += ANCHOR
            for p in range(count_planes):
                left = _end_colour(source, y, at_left, leftwards, depth, p) if a > 0 else np.float32(0)
                right = _end_colour(source, y, at_right, rightwards, depth, p) if b < width - 1 else np.float32(0)
                if side and a > 0:
                    side_first[1, y], side_length[1, y], side_colour[1, p, y] = k, e - k + 1, left
                elif side and b < width - 1:
                    side_first[0, y], side_length[0, y], side_colour[0, p, y] = e, e - k + 1, right
                if open_left and not side:
                    fixed[p, k] += left
                if open_right and not side:
                    fixed[p, e] += right
                if open_left and open_right:
                    for j in range(k, e + 1):
                        f = np.float32(j - k + 1) / np.float32(e - k + 2)
                        values[p, j] = left + f * (right - left)
                elif open_left or open_right:
                    for j in range(k, e + 1):
                        values[p, j] = left if open_left else right
                elif gap >= 0:
                    start = np.float32(source[p, y, gap])
                    for j in range(k, e + 1):
                        values[p, j] = start
                        fixed[p, j] += ANCHOR * start
                else:
                    start = left if a > 0 else right
                    if a > 0 and b < width - 1 and shifts[y, b + 1] < shifts[y, a - 1]:
                        start = right
                    for j in range(k, e + 1):
                        values[p, j] = start
            if open_left and not side:
                count[k] += 1
            if open_right and not side:
                count[e] += 1
            for j in range(k, e + 1):
                x = xs[j]
                code = shifts[y, x]
                if side:
                    continue
                if j > k:
                    beside[j] = 1
                    count[j] += 1
                    count[j - 1] += 1
                if y > 0:
                    if up[j] >= 0:
                        if abs(shifts[y - 1, x] - code) <= APART:
                            vertical[j] |= 1
                            count[j] += 1
                    elif abs(shifts[y - 1, x] - code) <= APART and not _mixed(
                        disparity, gain, y - 1, min(max(x + ((shifts[y - 1, x] + 4) >> 3), 0), width - 1)
                    ):
                        count[j] += 1
                        for p in range(count_planes):
                            fixed[p, j] += np.float32(planes[p, y - 1, x])
                if y < height - 1:
                    if down[j] >= 0:
                        if abs(shifts[y + 1, x] - code) <= APART:
                            vertical[j] |= 2
                            count[j] += 1
                    elif abs(shifts[y + 1, x] - code) <= APART and not _mixed(
                        disparity, gain, y + 1, min(max(x + ((shifts[y + 1, x] + 4) >> 3), 0), width - 1)
                    ):
                        count[j] += 1
                        for p in range(count_planes):
                            fixed[p, j] += np.float32(planes[p, y + 1, x])
            k = e + 1
    _spread(values, side_first[0], side_length[0], leftwards, side_colour[0], leans[0], buffers)
    _spread(values, side_first[1], side_length[1], rightwards, side_colour[1], leans[1], buffers)
    small = np.float32(1e-3)
    for k in range(total):
        diagonal = count[k] + pull[k] + small
        if beside[k]:
            diagonal -= inverse[k - 1]
        inverse[k] = np.float32(1) / diagonal
    for p in range(count_planes):
        value = values[p]
        constant = fixed[p]
        for k in range(total):
            constant[k] += pull[k] * want[p, k]
        for sweep in range(sweeps):
            for n in range(height):
                y = n if sweep % 2 == 0 else height - 1 - n
                if starts[y] == starts[y + 1]:
                    continue
                carry = np.float32(0)
                for k in range(starts[y], starts[y + 1]):
                    right = constant[k] + small * value[k]
                    if vertical[k] & 1:
                        right += value[up[k]]
                    if vertical[k] & 2:
                        right += value[down[k]]
                    if beside[k]:
                        right += carry
                    carry = right * inverse[k]
                    value[k] = carry
                for k in range(starts[y + 1] - 2, starts[y] - 1, -1):
                    if beside[k + 1]:
                        value[k] += inverse[k] * value[k + 1]
        for y in range(height):
            for k in range(starts[y], starts[y + 1]):
                planes[p, y, xs[k]] = np.int32(max(value[k] + np.float32(0.5), np.float32(0)))
