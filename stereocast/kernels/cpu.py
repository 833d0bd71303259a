"""Kernels for the CPU, compiled by Numba: the row work of the production warp, and its fill.

Every kernel releases the interpreter's lock, so that threads may work on different frames, eyes or rows at once. All of
them see a view as the right one: it is made by moving pixels to the left by `gain` times their disparity. A left view
is the mirror image of that: `warp_rows` has a flag, the others are given arrays whose columns are reversed.
"""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit

REACH = np.float32(1.01)  # neighbours whose shifts differ by at most this many pixels are one surface
UNITS = np.float32(8)  # a shift map counts in 1/8 pixel
BARE = -1  # for `distrust`: outlines travel with the foreground, but no hole is widened
_FAR = np.int32(-(1 << 30))
_HOLE = np.float32(-1)


@jit
def _plan_row(
    line: Any, gain: Any, columns: Any, landing: Any, fraction: Any, shift: Any, odd: Any, packs: Any, events: Any
) -> Any:
    """Where the columns of a row land; for the step from column i to i + 1 how far along it the
    last whole column it reaches lies, and the shift of that column against i (_FAR for a jump or a fold); and, as a
    list, the steps that don't just reach the column after the former step's. `packs` are the bytes of `odd`, eight in
    one. Returns the list's length."""
    width = landing.size
    low, high = np.float32(1) - REACH, np.float32(1) + REACH
    for i in range(width):
        landing[i] = columns[i] - gain * line[i]
    for i in range(width - 1):
        a = landing[i]
        step = landing[i + 1] - a
        reached = np.floor(landing[i + 1])
        fraction[i] = (reached - a) / step
        usual = (step >= low) & (step <= high) & (step > 0)
        shift[i] = np.int32(reached - columns[i]) if usual else _FAR
    for i in range(1, width - 1):
        odd[i] = np.uint8((shift[i] != shift[i - 1]) | (shift[i] == _FAR))
    odd[0] = 0
    count = np.uint32(1)
    events[0] = 0
    for k in range(packs.size):
        if packs[k] != 0:
            for i in range(8 * k, 8 * k + 8):
                events[count] = np.uint32(i)
                count += np.uint32(odd[i])
    events[count] = np.uint32(width - 1)
    return count


@jit
def _cubic(before: Any, left: Any, right: Any, after: Any, f: Any) -> Any:
    """Catmull-Rom between `left` and `right` at 0 <= f <= 1."""
    half = np.float32(0.5)
    c1 = right - before
    c2 = np.float32(2) * before - np.float32(5) * left + np.float32(4) * right - after
    c3 = np.float32(3) * (left - right) + after - before
    return left + half * f * (c1 + f * (c2 + f * c3))


@jit
def _put(seen: Any, texts: Any, row: Any, at: Any, column: Any) -> None:
    """Column `column` lands at `at`: the nearest whole one."""
    t = np.int64(np.floor(at + np.float32(0.5)))
    if 0 <= t < row.size:
        row[t] = np.float32(column)
        for p in range(seen.shape[0]):
            seen[p, t] = texts[p, column + 2]


@jit
def _run(seen: Any, text: Any, fraction: Any) -> None:
    """Samples one plane along steps that each reach the next column: no gather is needed."""
    for j in range(seen.size):
        i = np.uint64(j)
        one = np.uint64(1)
        seen[i] = _cubic(text[i], text[i + one], text[i + one + one], text[i + one + one + one], fraction[i])


@jit
def _load(line: Any, stored: Any, mirror: Any) -> None:
    """Copies a row, reversed if `mirror`."""
    width = line.size
    if mirror:
        for x in range(width):
            line[x] = stored[np.uint64(width - 1) - np.uint64(x)]
    else:
        for x in range(width):
            line[x] = stored[x]


@jit
def _store(stored: Any, line: Any, mirror: Any) -> None:
    """Copies a row back, reversed if `mirror`; the line may be longer."""
    width = stored.size
    if mirror:
        for x in range(width):
            stored[np.uint64(width - 1) - np.uint64(x)] = line[x]
    else:
        for x in range(width):
            stored[x] = line[x]


@jit
def _clear(line: Any, value: Any) -> None:
    """Sets all of a row; several times faster than a slice assignment, which isn't vectorised."""
    for x in range(line.size):
        line[x] = value


@jit
def _mark(row: Any, shifts: Any, holes: Any, begin: Any, end: Any, behind: Any, distrust: Any) -> None:
    """Marks the holes of a row between two columns, with the shift of the background, which is at most `behind`, and `distrust`
    columns of that background: the first pixel beside a silhouette is mixed with it."""
    width = row.size
    t = max(begin, 0)
    end = min(end, width)
    while t < end:
        if row[t] != _HOLE:
            t += 1
            continue
        a = t
        while a > 0 and row[a - 1] == _HOLE:
            a -= 1
        b = t + 1
        while b < width and row[b] == _HOLE:
            b += 1
        t = b
        left = row[a - 1] - np.float32(a - 1) if a > 0 else np.float32(1e9)
        right = row[b] - np.float32(b) if b < width else np.float32(1e9)
        low = min(min(left, right), behind)
        if low > np.float32(1e8):
            low = np.float32(0)
        first, last = a, b
        if distrust > 0 and a > 0 and b < width and right <= low + np.float32(1):
            last = min(b + distrust, width)
        if distrust > 0 and a > 0 and b < width and left <= low + np.float32(1):
            first = max(a - distrust, 0)
        code = np.int16(min(max(np.rint(low * UNITS), np.float32(-32000)), np.float32(32000)))
        for k in range(first, last):
            holes[k] = 1
            shifts[k] = code
        for k in range(a, b):
            row[k] = np.float32(-2)


def warp_rows(
    planes: Any,
    disparity: Any,
    gain: float,
    mirror: bool,
    out: Any,
    shifts: Any,
    holes: Any,
    mask: Any,
    top: int,
    bottom: int,
    distrust: int,
    peak: int,
) -> None:
    """Warps rows `top` to `bottom` of all planes. Near hides far, surfaces have no cracks, rest are holes.

    planes, out uint8 or uint16 [P, H, W]; disparity float32 [H, W], finite; shifts int16 [H, W] (written: source column
    minus column in 1/8 px, in holes that of the background); holes uint8 [H, >= W] (written). These two are reversed if
    `mirror`; mask uint8 [H, W] or [0, 0] gets the holes at their place in the picture. Walking from left to right,
    of two pixels that meet the later one is the nearer, so the last assignment wins without a depth test.
    """
    count, _, width = planes.shape
    floats = np.empty((5, width), np.float32)
    floats[0] = np.arange(width)
    odd = np.zeros((width + 7) // 8 * 8, np.uint8)
    _warp_rows(
        planes, disparity, gain, mirror, out, shifts, holes, mask, top, bottom, distrust, peak,
        floats, np.empty((2, width), np.int32), odd, odd.view(np.uint64), np.empty(width + 1, np.uint32),
        np.empty((count, width + 4), np.float32), np.empty((count, width), np.float32),
    )  # fmt: skip


@jit
def _warp_rows(
    planes: Any,
    disparity: Any,
    gain: Any,
    mirror: Any,
    out: Any,
    shifts: Any,
    holes: Any,
    mask: Any,
    top: Any,
    bottom: Any,
    distrust: Any,
    peak: Any,
    floats: Any,
    integers: Any,
    odd: Any,
    packs: Any,
    events: Any,
    texts: Any,
    seen: Any,
) -> None:
    """`warp_rows` with its buffers: making them in here would take longer to compile than the rest. `floats` [5, W]
    begins with the columns' numbers."""
    count_planes, _, width = planes.shape
    gain = np.float32(gain)
    columns, landing, fraction, row, line = floats[0], floats[1], floats[2], floats[3], floats[4]
    shift, whole = integers[0], integers[1]
    nothing = np.int64(0)  # a literal would have its own type, and compile the called function a second time
    top_value = np.float32(peak)
    beyond = np.float32(1e9)
    for y in range(top, bottom):
        codes, hidden = shifts[y], holes[y]
        _load(line, disparity[y], mirror)
        for p in range(count_planes):
            _load(texts[p, 2 : width + 2], planes[p, y], mirror)
            texts[p, 0] = texts[p, 1] = texts[p, 2]
            texts[p, width + 2] = texts[p, width + 3] = texts[p, width + 1]
        count = _plan_row(line, gain, columns, landing, fraction, shift, odd, packs, events)
        _clear(row, _HOLE)
        for p in range(count_planes):
            _clear(seen[p], np.float32(0))
        _put(seen, texts, row, landing[0], nothing)
        for n in range(count):
            i = np.int64(events[n])
            a = landing[i]
            b = landing[i + 1]
            step = b - a
            if step < np.float32(1) - REACH or step > np.float32(1) + REACH:
                _put(seen, texts, row, a, i)
                if step > 3 and distrust:  # the background's first pixel is mixed: it belongs to the outline
                    _put(seen, texts, row, a + np.float32(1), i + 1)
                _put(seen, texts, row, b, i + 1)
            elif step > 0:
                begin: Any = max(np.int64(np.ceil(a)), 0)
                for t in range(begin, min(np.int64(np.floor(b)) + 1, width)):
                    f = (np.float32(t) - a) / step
                    row[t] = columns[i] + f
                    for p in range(count_planes):
                        seen[p, t] = _cubic(texts[p, i + 1], texts[p, i + 2], texts[p, i + 3], texts[p, i + 4], f)
            if events[n + 1] == i + 1:
                continue
            by = np.int64(shift[i + 1])
            first = max(i + 1, -by)
            last = min(np.int64(events[n + 1]), width - by)
            if last > first:
                here = row[first + by : last + by]
                there = fraction[first:last]
                from_ = columns[first:last]
                for j in range(last - first):
                    here[j] = from_[j] + there[j]
                for p in range(count_planes):
                    _run(seen[p, first + by : last + by], texts[p, first + 1 : last + 5], there)
        _put(seen, texts, row, landing[width - 1], width - 1)
        for x in range(width):
            codes[x] = np.int16((row[x] - columns[x]) * UNITS)
            hidden[x] = np.uint8(0)
        for n in range(count):
            i = np.int64(events[n])
            if landing[i + 1] - landing[i] > np.float32(1) + REACH:
                opens, closes = np.int64(np.floor(landing[i])), np.int64(np.ceil(landing[i + 1]))
                _mark(row, codes, hidden, opens, closes + 1, columns[i + 1] - landing[i + 1], distrust)
        _mark(row, codes, hidden, nothing, min(np.int64(landing[0]) + 2, width), beyond, distrust)
        _mark(row, codes, hidden, max(np.int64(landing[width - 1]) - 1, 0), width, beyond, distrust)
        if mask.size:
            _store(mask[y], hidden, mirror)
        for p in range(count_planes):
            for x in range(width):
                whole[x] = np.int32(min(max(seen[p, x] + np.float32(0.5), np.float32(0)), top_value))
            _store(out[p, y], whole, mirror)


@jit
def halve_disparity(disparity: Any, out: Any) -> None:
    """Disparity [H, W] at the places of 4:2:0 chroma, in chroma pixels [H/2, W/2]: the nearest of two by two."""
    half = np.float32(0.5)
    for y in range(out.shape[0]):
        upper, lower, line = disparity[2 * y], disparity[2 * y + 1], out[y]
        for x in range(line.size):
            a = np.uint64(2) * np.uint64(x)
            b = a + np.uint64(1)
            line[np.uint64(x)] = half * max(max(upper[a], upper[b]), max(lower[a], lower[b]))


def warp_subpixel(planes: Any, disparity: Any, gain: float = 1.0, mirror: bool = False) -> tuple[Any, Any, Any]:
    """As `reference.warp_subpixel`, within one code value."""
    height, width = disparity.shape
    source = np.ascontiguousarray(planes)
    out = np.empty_like(source)
    shifts = np.empty((height, width), np.int16)
    holes, mask = np.empty((height, width), np.uint8), np.empty((height, width), np.uint8)
    peak = np.iinfo(source.dtype).max
    values = np.ascontiguousarray(disparity, np.float32)
    warp_rows(source, values, gain, mirror, out, shifts, holes, mask, 0, height, BARE, peak)
    empty = mask.astype(bool)
    seen = (shifts[:, ::-1] if mirror else shifts) / (UNITS * np.float32(gain or 1))
    seen[empty] = np.nan
    return out, seen, empty
