"""Fills a view's holes with the background that another frame's view shows there. Compiled by Numba.

Every kernel treats a view as the right one (see `cpu`).
"""

from typing import Any

import numpy as np

from stereocast.kernels.cpu_fill import APART
from stereocast.kernels.jit import jit, jit_turned

SEEN = np.float32(6)  # weight of a colour that the camera saw; each neighbour counts 1
LIMIT = np.float32(10)  # nothing is carried if the background next to the hole differs by more than this on average
SHOWN = np.float32(3)  # weight of a colour that was itself filled: a fill, once shown, stays


@jit
def _difference(planes: Any, former: Any, shifts: Any, code: Any, y: Any, begin: Any, step: Any, u: Any, v: Any) -> Any:
    """Mean absolute difference between the background next to a hole and the former view moved by (u, v)."""
    count_planes, height, width = planes.shape
    total, count = np.float32(0), 0
    for line in range(max(y - 1, 0), min(y + 2, height)):
        for i in range(12):
            x = begin + step * i
            if x < 0 or x >= width or abs(shifts[line, x] - code) > APART:
                break
            at_x = np.int64(np.floor(np.float32(x) + u + np.float32(0.5)))
            at_y = np.int64(np.floor(np.float32(line) + v + np.float32(0.5)))
            if at_x < 0 or at_y < 0 or at_x >= width or at_y >= height:
                break
            for p in range(count_planes):
                total += abs(np.float32(planes[p, line, x]) - np.float32(former[p, at_y, at_x]))
            count += count_planes
    return total / np.float32(count) if count >= 6 * count_planes else np.float32(1e9)


@jit_turned("planes", "former")
def carry(
    planes: Any,
    former: Any,
    former_shifts: Any,
    former_holes: Any,
    flow: Any,
    shifts: Any,
    xs: Any,
    starts: Any,
    shown: Any,
    pull: Any,
    want: Any,
) -> None:
    """Adds the other view's colour to pull float32 [N] and want float32 [P, N] where that view shows the background.

    planes uint8 or uint16 [P, H, W]: this view; former, former_shifts and former_holes [H, W]: the other frame's.
    shown: the weight of colours that were filled there (0: its holes hold nothing). flow float32 [2, h, w], any size:
    motion (x, y) of the source from this frame to the other, in this view's pixels. A hole moves like the background
    next to it.
    """
    count_planes, height, width = former.shape
    rows, columns = flow.shape[1:]
    for y in range(height):
        k = starts[y]
        while k < starts[y + 1]:
            e = k
            while e + 1 < starts[y + 1] and xs[e + 1] == xs[e] + 1:
                e += 1
            a, b = xs[k], xs[e]
            code = shifts[y, a]
            begin, step = -1, 1
            if b < width - 1 and shifts[y, b + 1] <= code + APART:
                begin = b + 2
            elif a > 0 and shifts[y, a - 1] <= code + APART:
                begin, step = a - 2, -1
            if begin >= 0:
                u, v, miss = np.float32(0), np.float32(0), LIMIT
                for candidate in range(6):  # next to a moving outline the flow is often the outline's: try further off
                    fu, fv = np.float32(0), np.float32(0)
                    if candidate:
                        at = min(max(begin + step * (4 << candidate), 0), width - 1)
                        i, j = y * rows // height, at * columns // width
                        fu, fv = flow[0, i, j], flow[1, i, j]
                    found = _difference(planes, former, shifts, code, y, begin, step, fu, fv)
                    if found < miss:
                        u, v, miss = fu, fv, found
                if miss >= LIMIT:
                    k = e + 1
                    continue
                for n in range(k, e + 1):
                    at_x, at_y = np.float32(xs[n]) + u, np.float32(y) + v
                    if at_x < 0 or at_y < 0 or at_x > width - 1 or at_y > height - 1:
                        continue
                    x0, y0 = np.int64(at_x), np.int64(at_y)
                    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
                    near_x, near_y = np.int64(at_x + np.float32(0.5)), np.int64(at_y + np.float32(0.5))
                    if abs(former_shifts[near_y, near_x] - code) > APART + 4:
                        continue
                    f, g = at_x - np.float32(x0), at_y - np.float32(y0)
                    weight = shown if former_holes[near_y, near_x] else SEEN
                    if weight <= 0:
                        continue
                    total = pull[n] + weight
                    for p in range(count_planes):
                        upper = (1 - f) * np.float32(former[p, y0, x0]) + f * np.float32(former[p, y0, x1])
                        lower = (1 - f) * np.float32(former[p, y1, x0]) + f * np.float32(former[p, y1, x1])
                        colour = (1 - g) * upper + g * lower
                        want[p, n] = (pull[n] * want[p, n] + weight * colour) / total
                    pull[n] = total
            k = e + 1
