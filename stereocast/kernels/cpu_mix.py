"""Mixes two planar 4:2:0 pictures into an anaglyph without intermediate float pictures. Compiled by Numba."""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit


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
    """Mixes left and right into luma_out [H, W] and chroma_out [2, H/2, W/2], the mean of each 2 x 2 block.

    left, right: Y, U and V of each view at full size [H, W], uint8 or uint16. weights float32 [3, 6]: output RGB from
    the left and right RGB, all 0..1; exponent: of the output's red. to_rgb float32 [4]: red from V, green from U and V,
    blue from U. to_yuv float32 [5]: luma from R, G, B, then U from (B - Y), V from (R - Y). levels float32 [5]: black,
    luma span, chroma zero, chroma span, peak.
    """
    height, width = luma_out.shape
    black, span, zero, chroma_span, peak = levels[0], levels[1], levels[2], levels[3], levels[4]
    half, none, one = np.float32(0.5), np.float32(0), np.float32(1)
    mixed = np.empty((3, width), np.float32)
    rgb = np.empty((2, 3, width), np.float32)
    sums = np.empty((2, width), np.float32)
    by_luma, by_chroma = one / span, one / chroma_span
    for y in range(height):
        for eye in range(2):
            luma, first_chroma, second_chroma = left if eye == 0 else right
            red, green, blue = rgb[eye, 0], rgb[eye, 1], rgb[eye, 2]
            source, us_of, vs_of = luma[y], first_chroma[y], second_chroma[y]
            for x in range(width):
                light = (np.float32(source[x]) - black) * by_luma
                u = (np.float32(us_of[x]) - zero) * by_chroma
                v = (np.float32(vs_of[x]) - zero) * by_chroma
                red[x] = min(max(light + to_rgb[0] * v, none), one)
                green[x] = min(max(light + to_rgb[1] * u + to_rgb[2] * v, none), one)
                blue[x] = min(max(light + to_rgb[3] * u, none), one)
        for c in range(3):
            w, target = weights[c], mixed[c]
            a, b, d, e, f, g = rgb[0, 0], rgb[0, 1], rgb[0, 2], rgb[1, 0], rgb[1, 1], rgb[1, 2]
            for x in range(width):
                value = w[0] * a[x] + w[1] * b[x] + w[2] * d[x] + w[3] * e[x] + w[4] * f[x] + w[5] * g[x]
                target[x] = min(max(value, none), one)
        red, green, blue = mixed[0], mixed[1], mixed[2]
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
