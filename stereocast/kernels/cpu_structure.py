"""Follows the background's structure into holes: colours along the edges that run into a hole. Compiled by Numba.

Every kernel treats a view as the right one (see `cpu`). No colour comes from the foreground.
"""

from typing import Any

import numpy as np

from stereocast.kernels.cpu_fill import APART
from stereocast.kernels.jit import jit, jit_turned

_ANY = 1 << 16  # more than any two int16 shifts differ


@jit_turned("planes")
def gradients(planes: Any, shifts: Any, holes: Any, xs: Any, starts: Any, reach: Any, tensor: Any, known: Any) -> None:
    """Writes the structure tensor (xx, xy, yy), summed over planes, of the visible pixels within `reach` of a hole.

    tensor float32 [3, H, W]. known uint8 [H, W], zeroed by the caller: 0 = not visited, 1 = no gradient (next to a
    hole or an outline), 2 = in `tensor`.
    """
    count_planes, height, width = planes.shape
    half = np.float32(0.5)
    for y0 in range(height):
        for k in range(starts[y0], starts[y0 + 1]):
            x0 = xs[k]
            if k + 1 < starts[y0 + 1] and xs[k + 1] == x0 + 1 and (x0 & 3):
                continue  # every fourth pixel of a run and its end are enough to cover the neighbourhood
            for y in range(max(y0 - reach, 1), min(y0 + reach + 1, height - 1)):
                for x in range(max(x0 - reach - 3, 1), min(x0 + reach + 4, width - 1)):
                    if known[y, x]:
                        continue
                    known[y, x] = 1
                    if holes[y, x] or holes[y, x - 1] or holes[y, x + 1] or holes[y - 1, x] or holes[y + 1, x]:
                        continue
                    code = shifts[y, x]
                    if (
                        abs(shifts[y, x - 1] - code) > APART
                        or abs(shifts[y, x + 1] - code) > APART
                        or abs(shifts[y - 1, x] - code) > APART
                        or abs(shifts[y + 1, x] - code) > APART
                    ):
                        continue
                    a, b, c = np.float32(0), np.float32(0), np.float32(0)
                    for p in range(count_planes):
                        gx = half * (np.float32(planes[p, y, x + 1]) - np.float32(planes[p, y, x - 1]))
                        gy = half * (np.float32(planes[p, y + 1, x]) - np.float32(planes[p, y - 1, x]))
                        a += gx * gx
                        b += gx * gy
                        c += gy * gy
                    tensor[0, y, x], tensor[1, y, x], tensor[2, y, x] = a, b, c
                    known[y, x] = 2


@jit
def _march(planes: Any, shifts: Any, holes: Any, y: Any, x: Any, dy: Any, dx: Any, code: Any, cap: Any) -> Any:
    """The first background pixel from (y, x) in a direction, as y * W + x, and its distance.

    -1 if the foreground, the frame's border or `cap` comes first.
    """
    _, height, width = planes.shape
    for n in range(1, cap + 1):
        v = np.int64(np.floor(np.float32(y) + dy * np.float32(n) + np.float32(0.5)))
        u = np.int64(np.floor(np.float32(x) + dx * np.float32(n) + np.float32(0.5)))
        if v < 0 or v >= height or u < 0 or u >= width:
            return -1, n
        if holes[v, u]:
            continue
        if abs(shifts[v, u] - code) <= APART:
            return v * width + u, n
        return -1, n
    return -1, cap


@jit
def _mean_tensor(tensor: Any, known: Any, shifts: Any, window: Any, reach: Any, y: Any, x: Any, apart: Any) -> Any:
    """The weighted mean of the tensors within `reach` of (y, x) whose shift differs by at most `apart` from its own.

    Also the sum of the weights, 0 if no tensor is known.
    """
    height, width = shifts.shape
    code = shifts[y, x]
    a, b, c, weight = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for v in range(max(y - reach, 0), min(y + reach + 1, height)):
        for u in range(max(x - reach, 0), min(x + reach + 1, width)):
            if known[v, u] == 2 and abs(shifts[v, u] - code) <= apart:
                w = window[v - y + reach, u - x + reach]
                a += w * tensor[0, v, u]
                b += w * tensor[1, v, u]
                c += w * tensor[2, v, u]
                weight += w
    if weight > 0:
        a, b, c = a / weight, b / weight, c / weight
    return a, b, c, weight


@jit_turned("planes")
def follow(
    planes: Any,
    shifts: Any,
    holes: Any,
    xs: Any,
    starts: Any,
    side: Any,
    tensor: Any,
    known: Any,
    window: Any,
    reach: Any,
    cap: Any,
    strength: Any,
    pull: Any,
    want: Any,
) -> None:
    """Writes for every hole the colour met along the background's structure, want float32 [P, N], and its weight.

    The weight, pull float32 [N], is `strength` times coherence squared. side bool [N]: holes at the frame's side,
    which are skipped. window float32 [2 reach + 1, 2 reach + 1] weighs the tensors around a hole.
    """
    count_planes, height, width = planes.shape
    floor = np.float32(4 * count_planes)
    for y in range(height):
        for k in range(starts[y], starts[y + 1]):
            x = xs[k]
            code = shifts[y, x]
            if side[k]:
                continue
            a, b, c, weight = _mean_tensor(tensor, known, shifts, window, reach, y, x, APART)
            if weight <= 0:
                continue
            root = np.sqrt((a - c) * (a - c) + np.float32(4) * b * b)
            coherence = root / (a + c + floor)
            if coherence < np.float32(0.05):
                continue
            # the eigenvector of the smaller eigenvalue: along the edge
            ex, ey = np.float32(2) * b, c - a - root
            if abs(ex) + abs(ey) < np.float32(1e-6):
                ex, ey = (np.float32(0), np.float32(1)) if a > c else (np.float32(1), np.float32(0))
            length = np.sqrt(ex * ex + ey * ey)
            ex, ey = ex / length, ey / length
            near, near_steps = _march(planes, shifts, holes, y, x, ey, ex, code, cap)
            far, far_steps = _march(planes, shifts, holes, y, x, -ey, -ex, code, cap)
            if near < 0 and far < 0:
                continue
            f = np.float32(1)
            if near < 0:
                f = np.float32(0)
            elif far >= 0:
                f = np.float32(far_steps) / np.float32(near_steps + far_steps)
            pull[k] = strength * coherence * coherence
            for p in range(count_planes):
                first = np.float32(planes[p, near // width, near % width]) if near >= 0 else np.float32(0)
                second = np.float32(planes[p, far // width, far % width]) if far >= 0 else np.float32(0)
                want[p, k] = f * first + (np.float32(1) - f) * second


@jit
def mark_sides(xs: Any, starts: Any, width: Any, side: Any) -> None:
    """Writes to bool [N] which holes belong to a run that touches the left or right side of the frame."""
    for y in range(starts.size - 1):
        begin, end = starts[y], starts[y + 1]
        k = begin
        while k < end:
            e = k
            while e + 1 < end and xs[e + 1] == xs[e] + 1:
                e += 1
            touches = xs[k] == 0 or xs[e] == width - 1
            for j in range(k, e + 1):
                side[j] = touches
            k = e + 1


@jit
def lean(
    shifts: Any, xs: Any, starts: Any, tensor: Any, known: Any, window: Any, reach: Any, steepest: Any, leans: Any
) -> None:
    """Writes the slope of the structure at the left and right side of the picture, rows per column, float32 [2, H].

    0 where there is no strip to fill or the structure is unclear.
    """
    height, width = shifts.shape
    leans[:] = 0
    for y in range(height):
        begin, end = starts[y], starts[y + 1]
        if begin == end:
            continue
        for side in range(2):
            if side == 0:
                if xs[begin] != 0:
                    continue
                k = begin
                while k + 1 < end and xs[k + 1] == xs[k] + 1:
                    k += 1
            else:
                if xs[end - 1] != width - 1:
                    continue
                k = end - 1
                while k > begin and xs[k - 1] == xs[k] - 1:
                    k -= 1
            x = xs[k]
            a, b, c, weight = _mean_tensor(tensor, known, shifts, window, reach, y, x, _ANY)
            if weight <= 0:
                continue
            root = np.sqrt((a - c) * (a - c) + np.float32(4) * b * b)
            coherence = root / (a + c + np.float32(12))
            ex, ey = np.float32(2) * b, c - a - root
            if abs(ex) > np.float32(1e-6) and abs(ey) <= steepest * abs(ex):
                leans[side, y] = coherence * ey / ex
