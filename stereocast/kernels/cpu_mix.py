"""Mixes two planar 4:2:0 pictures into one as an anaglyph does, without the float pictures in between. Numba."""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit


@jit
def _wide(chroma: Any, y: Any, to_even: Any, line: Any) -> None:
    """Row `y` of a chroma plane [H/2, W/2] at twice its size into `line` [W]: linear, in whole code values, halves up or
    `to_even`, as OpenCV has it for 8 bits and for more."""
    rows, columns = chroma.shape
    near = y >> 1
    other = min(max(near + 2 * (y & 1) - 1, 0), rows - 1)
    a, b = chroma[near], chroma[other]
    most, least = np.float32(0.75), np.float32(0.25)
    before = most * np.float32(a[0]) + least * np.float32(b[0])
    here = before
    for x in range(columns):
        k = min(x + 1, columns - 1)
        after = most * np.float32(a[k]) + least * np.float32(b[k])
        line[2 * x] = most * here + least * before
        line[2 * x + 1] = most * here + least * after
        before, here = here, after
    if to_even:
        for x in range(line.size):
            line[x] = np.rint(line[x])
    else:
        for x in range(line.size):
            line[x] = np.floor(line[x] + np.float32(0.5))


@jit
def mix(
    left: Any,
    right: Any,
    weights: Any,
    exponent: Any,
    to_rgb: Any,
    to_yuv: Any,
    levels: Any,
    luma_out: Any,
    chroma_out: Any,
) -> None:
    """Reads left and right: the luma [H, W] and both chroma planes [2, H/2, W/2] of each view, uint8 or uint16.

    weights float32 [3, 6]: output RGB of the left RGB and the right RGB, all 0..1; exponent: of red. to_rgb float32
    [4]: red of V, green of U and V, blue of U; to_yuv float32 [5]: luma of RGB, then U of (B - Y) and V of (R - Y);
    levels float32 [5]: black, luma span, chroma zero, chroma span, peak. Writes luma_out and chroma_out, the mean of
    two by two.
    """
    height, width = luma_out.shape
    black, span, zero, chroma_span, peak = levels[0], levels[1], levels[2], levels[3], levels[4]
    half, none, one = np.float32(0.5), np.float32(0), np.float32(1)
    wide = np.empty((2, 2, width), np.float32)
    rgb = np.empty((2, 3, width), np.float32)
    sums = np.empty((2, width), np.float32)
    by_luma, by_chroma = one / span, one / chroma_span
    for y in range(height):
        for eye in range(2):
            luma, chroma = left if eye == 0 else right
            for c in range(2):
                _wide(chroma[c], y, peak > np.float32(255), wide[eye, c])
            red, green, blue = rgb[eye, 0], rgb[eye, 1], rgb[eye, 2]
            us, vs, source = wide[eye, 0], wide[eye, 1], luma[y]
            for x in range(width):
                light = (np.float32(source[x]) - black) * by_luma
                u = (us[x] - zero) * by_chroma
                v = (vs[x] - zero) * by_chroma
                red[x] = min(max(light + to_rgb[0] * v, none), one)
                green[x] = min(max(light + to_rgb[1] * u + to_rgb[2] * v, none), one)
                blue[x] = min(max(light + to_rgb[3] * u, none), one)
        for c in range(3):  # into the left view's rows, which nobody needs after
            w = weights[c]
            target = wide[0, 0] if c == 0 else wide[0, 1] if c == 1 else wide[1, 0]
            a, b, d, e, f, g = rgb[0, 0], rgb[0, 1], rgb[0, 2], rgb[1, 0], rgb[1, 1], rgb[1, 2]
            for x in range(width):
                value = w[0] * a[x] + w[1] * b[x] + w[2] * d[x] + w[3] * e[x] + w[4] * f[x] + w[5] * g[x]
                target[x] = min(max(value, none), one)
        red, green, blue = wide[0, 0], wide[0, 1], wide[1, 0]
        if exponent != one:
            for x in range(width):
                red[x] = red[x] ** exponent
        line = luma_out[y]
        us, vs = sums[0], sums[1]
        first = y % 2 == 0
        for x in range(width):
            light = to_yuv[0] * red[x] + to_yuv[1] * green[x] + to_yuv[2] * blue[x]
            u, v = to_yuv[3] * (blue[x] - light), to_yuv[4] * (red[x] - light)
            us[x] = u if first else us[x] + u
            vs[x] = v if first else vs[x] + v
            line[x] = np.int32(min(max(light * span + black + half, none), peak))
        if not first:
            for c in range(2):
                narrow, total = chroma_out[c, y >> 1], sums[c]
                for x in range(narrow.size):
                    mean = np.float32(0.25) * (total[2 * x] + total[2 * x + 1])
                    narrow[x] = np.int32(min(max(mean * chroma_span + zero + half, none), peak))
