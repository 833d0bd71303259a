"""Fills disocclusions on the CPU, compiled by Numba: the background grows into a hole, the foreground doesn't.

All kernels treat a view as the right one (see `cpu`) and touch only holes and their neighbours.
"""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit, jit_turned

MARGIN = np.float32(1.01)  # px: a smaller step of the shift is within a surface

SPREAD = np.float32(0.8)  # reach of the blur at the frame's side, per pixel of distance, for isotropic structure
SLOPE = np.float32(0.5)  # share of the picture's slope at the frame's side with which a strip starts
FADE = np.float32(2)  # px over which that slope fades
SMOOTH = np.float32(8)  # px: smooths the slope along the side
SPOILT = np.float32(3)  # an outermost column that differs this many times more than the next ones is skipped
ANCHOR = np.float32(1)  # weight of a background colour that is hidden in the new view
APART = np.int16(12)  # 1/8 px: a neighbour nearer than a hole's background by more than this is foreground


def list_holes(holes: Any, xs: Any, starts: Any) -> Any:
    """Lists the holes of uint8 [H, W] in raster order; W is a multiple of 8 and rows are contiguous.

    Writes their columns to xs int32 [<= H * W] and the start of each row in it to starts int32 [H + 1]. Returns their
    number.
    """
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
    """Writes for each hole the indices of the holes above and below it, -1 where there is none."""
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
    """Whether a nearer surface adjoins this source pixel, so that its colour is blended."""
    height, width = disparity.shape
    here = disparity[y, column] + MARGIN / gain
    for v in range(max(y - 1, 0), min(y + 2, height)):
        for u in range(max(column - 1, 0), min(column + 2, width)):
            if disparity[v, u] > here:
                return True
    return False


@jit
def _pure_column(disparity: Any, gain: Any, y: Any, at: Any, step: Any) -> Any:
    """The first source column from `at` (1/8 px) in direction `step` whose colour contains no foreground."""
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
    """The column where the source shows background between two foregrounds that hide it in the new view, or -1.

    `at` (1/8 px) is the last column of the left foreground.
    """
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
def _ends(source: Any, y: Any, column: Any, step: Any, p: Any, out: Any) -> None:
    """Copies three pixels of a source row, from `column` in direction `step`, to out[:, y] (float32 [3, H])."""
    last = source.shape[2] - 1
    for i in range(3):
        out[i, y] = np.float32(source[p, y, min(max(column + i * step, 0), last)])


@jit
def _prepare(ends: Any, length: Any) -> Any:
    """Turns the three columns next to a strip, float32 [3, P, H], into what continues there, in place.

    [0]: colours; [1]: their slopes, per column outwards; [2, :, 0] and [2, :, -1]: bounds of the colours. Returns the reach
    of the blur per pixel of distance: short where structure crosses the frame's side, long where it runs along it.
    In many films the outermost column is dark or blended; if it stands out, the next one replaces it.
    """
    planes, height = ends.shape[1:]
    step, across, along = np.float32(0), np.float32(0), np.float32(0)
    for p in range(planes):
        for y in range(height):
            if length[y] > 0:
                step += abs(ends[0, p, y] - ends[1, p, y])
                across += abs(ends[1, p, y] - ends[2, p, y]) + np.float32(0.5)
                above = y - 1 if y > 0 and length[y - 1] > 0 else y
                along += abs(ends[1, p, y] - ends[1, p, above]) + np.float32(0.5)
    trust = min(max(np.float32(2) * (np.float32(1) - step / (SPOILT * across)), np.float32(0)), np.float32(1))
    keep = np.exp(np.float32(-1) / SMOOTH)
    share = np.float32(1) - keep
    for p in range(planes):
        low, high = np.float32(65535), np.float32(0)
        state, run = np.float32(0), False
        for y in range(height):
            if length[y] > 0:
                first, second, third = ends[0, p, y], ends[1, p, y], ends[2, p, y]
                colour = trust * first + (np.float32(1) - trust) * second
                slope = trust * (first - second) + (np.float32(1) - trust) * (second - third)
                state = share * slope + keep * state if run else slope
                low, high = min(low, colour, second, third), max(high, colour, second, third)
                ends[0, p, y], ends[1, p, y], ends[2, p, y] = colour, slope, state
            run = length[y] > 0
        run = False
        for n in range(height):
            y = height - 1 - n
            if length[y] > 0:
                slope = ends[1, p, y]
                state = share * slope + keep * state if run else slope
                ends[1, p, y] = (ends[2, p, y] + state - share * slope) / (np.float32(1) + keep)
            run = length[y] > 0
        ends[2, p, 0], ends[2, p, height - 1] = low, high
    return SPREAD * min(max(across / along, np.float32(0.25)), np.float32(3))


@jit
def _spread(values: Any, first: Any, length: Any, direction: Any, ends: Any, lean: Any, buffers: Any) -> None:
    """Fills strips at the frame's side: row y has the strip values[p, first[y] + direction * i], i < length[y].

    It continues ends[0, p, y] (see `_prepare`), leaning by lean[y] rows per column, and blurs it along the edge, more with
    distance from the picture. The slope across the edge continues for about FADE px.

    It continues colour[p, y], leaning by lean[y] rows per column, and blurs it along the edge, more with distance from
    the picture. This approximates the harmonic continuation, whose kernel at distance d is d / (d^2 + y^2), by a
    recursive exponential filter. Overwrites `buffers` float32 [2, H].
    """
    height = length.size
    buffer, column = buffers[0], buffers[1]
    longest = 0
    for y in range(height):
        longest = max(longest, length[y])
    if longest == 0:
        return
    reach = _prepare(ends, length)
    for i in range(longest):
        keep = np.exp(-np.float32(1) / (reach * np.float32(i + 1)))
        share = np.float32(1) - keep
        grown = SLOPE * FADE * (np.float32(1) - np.exp(-np.float32(i + 1) / FADE))
        for p in range(values.shape[0]):
            low, high = ends[2, p, 0], ends[2, p, height - 1]
            run = False
            state = np.float32(0)
            for y in range(height):
                if length[y] > i:
                    colour = min(max(ends[0, p, y] + grown * ends[1, p, y], low), high)
                    state = share * colour + keep * state if run else colour
                    buffer[y] = state
                run = length[y] > i
            run = False
            for n in range(height):
                y = height - 1 - n
                if length[y] > i:
                    colour = min(max(ends[0, p, y] + grown * ends[1, p, y], low), high)
                    state = share * colour + keep * state if run else colour
                    column[y] = (buffer[y] + state - share * colour) / (np.float32(1) + keep)
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
    sweeps: Any,
    values: Any,
) -> None:
    """Fills the holes of all planes [P, H, W] in place with a function that is harmonic where nothing pulls.

    It equals the background at its border; nothing flows across the foreground's outline. pull float32 [N] draws a
    pixel towards want float32 [P, N]. At the frame's side the outermost column continues along leans float32 [2, H],
    rows per column at the left and right side. values float32 [P, N] receives the unrounded result. Each row is solved
    exactly, in alternating sweeps from top and bottom.
    """
    count_planes, height, _ = planes.shape
    total = xs.size
    bytes_of, sides = np.zeros((2, total), np.uint8), np.zeros((2, 2, height), np.int64)
    floats = np.zeros((2, total), np.float32)
    _harmonic(
        source, planes, disparity, gain, shifts, xs, starts, up, down, pull, want, leans, sweeps, values,
        floats, bytes_of, np.zeros((count_planes, total), np.float32), sides,
        np.zeros((2, 3, count_planes, height), np.float32), np.empty((2, height), np.float32),
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
    sweeps: Any,
    values: Any,
    floats: Any,
    bytes_of: Any,
    fixed: Any,
    sides: Any,
    ends: Any,
    buffers: Any,
) -> None:
    """`harmonic` with its buffers, zeroed: allocating them here would take longer to compile than all the rest."""
    count_planes, height, width = planes.shape
    total = xs.size
    count, inverse = floats[0], floats[1]  # diagonal; its inverse after elimination along the run
    vertical, beside = bytes_of[0], bytes_of[1]  # bits: 1 coupled to the hole above, 2 below; flag: to the left one
    side_first, side_length = sides[0], sides[1]
    rightwards, leftwards = np.int64(1), np.int64(-1)  # two literals would compile their callee twice
    for y in range(height):
        k = starts[y]
        while k < starts[y + 1]:
            e = k
            while e + 1 < starts[y + 1] and xs[e + 1] == xs[e] + 1:
                e += 1
            a, b = xs[k], xs[e]
            side = a == 0 or b == width - 1
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
                left = np.float32(source[p, y, at_left]) if a > 0 else np.float32(0)
                right = np.float32(source[p, y, at_right]) if b < width - 1 else np.float32(0)
                if side and a > 0:
                    side_first[1, y], side_length[1, y] = k, e - k + 1
                    _ends(source, y, at_left, leftwards, p, ends[1, :, p])
                elif side and b < width - 1:
                    side_first[0, y], side_length[0, y] = e, e - k + 1
                    _ends(source, y, at_right, rightwards, p, ends[0, :, p])
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
    _spread(values, side_first[0], side_length[0], leftwards, ends[0], leans[0], buffers)
    _spread(values, side_first[1], side_length[1], rightwards, ends[1], leans[1], buffers)
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
