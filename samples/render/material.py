"""Procedural materials and skies: a colour for a place on a surface, with detail fading out where a pixel is larger."""

from __future__ import annotations

import numba
import numpy as np

(
    MATTE,
    BRICK,
    PLASTER,
    ROAD,
    PAVING,
    TILES,
    GLASS,
    IRON,
    LEAF,
    BARK,
    CLOTH,
    PAINT,
    WOOD,
    GLAZE,
    PAPER,
    STRIPES,
    GLOW,
    STONE,
) = range(18)


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def hashed(x, y, z):
    """A fixed pseudo-random number in 0..1 for whole numbers."""
    n = (x * 374761393 + y * 668265263 + z * 2147483647 + 974711) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    n = ((n ^ (n >> 16)) * 2246822519) & 0xFFFFFFFF
    return ((n ^ (n >> 15)) & 0xFFFFFF) / 16777216.0


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def noise(x, y, seed):
    """Smooth value noise, 0..1."""
    xi, yi = int(np.floor(x)), int(np.floor(y))
    u, v = x - xi, y - yi
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    a, b = hashed(xi, yi, seed), hashed(xi + 1, yi, seed)
    c, d = hashed(xi, yi + 1, seed), hashed(xi + 1, yi + 1, seed)
    return (a + (b - a) * u) * (1 - v) + (c + (d - c) * u) * v


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def cloudy(x, y, seed, octaves, pixel):
    """Fractal noise around 0.5; octaves finer than `pixel` (in units of x) fade to their mean."""
    total, weight, size = 0.0, 0.5, 1.0
    for k in range(octaves):
        keep = min(1.0, max(0.0, 1.5 - 2.0 * pixel / size))
        if keep <= 0.0:
            break
        total += weight * keep * (noise(x / size, y / size, seed + k) - 0.5)
        weight *= 0.55
        size *= 0.5
    return 0.5 + total


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _line(x, width, pixel):
    """How much of a pixel at `x` in 0..1 is covered by the joint of `width` at 0 and 1."""
    edge = min(x, 1.0 - x)
    return min(1.0, max(0.0, (width * 0.5 - edge) / max(pixel, 1e-6) + 0.5)) * min(1.0, 2.0 * width / max(pixel, width))


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def sky(dx, dy, dz, indoors):
    """Light from direction d: clouds over a low sun, or a dim room with one bright window."""
    if indoors:
        r, g, b = 0.34 + 0.1 * dy, 0.29 + 0.09 * dy, 0.24 + 0.08 * dy
        if dx < -0.2:
            u, v = dz / -dx, dy / -dx
            if -0.75 < u < 0.55 and 0.2 < v < 1.3 and abs(u + 0.1) > 0.05 and abs(v - 0.75) > 0.04:
                r, g, b = 5.5, 5.2, 4.8
        return r, g, b
    up = max(dy, 0.0)
    r = 0.52 - 0.44 * up**0.5
    g = 0.60 - 0.38 * up**0.55
    b = 0.72 - 0.18 * up**0.7
    if dy > 0.02:
        x, y = dx / (dy + 0.15) * 1.6, dz / (dy + 0.15) * 1.6
        cover = cloudy(x, y, 71, 5, 0.02)
        bright = cloudy(x + 0.25, y - 0.1, 71, 4, 0.02)
        amount = min(1.0, max(0.0, (cover - 0.47) * 4.0)) * min(1.0, dy * 5.0)
        lit = 0.78 + 1.2 * (cover - bright)
        r, g, b = r + (lit * 1.04 - r) * amount, g + (lit - g) * amount, b + (lit * 0.99 - b) * amount
    return r, g, b


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def surface(kind, tr, tg, tb, u, v, x, y, z, pixel):
    """(red, green, blue, gloss, mirror) of a material with tint t at texture place (u, v) and world place (x, y, z)."""
    gloss, mirror = 0.0, 0.0
    if kind == BRICK:
        row = np.floor(v / 0.085)
        shift = 0.5 * (row % 2)
        column = np.floor(u / 0.24 + shift)
        joint = max(_line(v / 0.085 - row, 0.16, pixel / 0.085), _line(u / 0.24 + shift - column, 0.06, pixel / 0.24))
        fade = min(1.0, max(0.0, 1.6 - pixel / 0.12))
        tone = (
            1
            + fade * 0.5 * (hashed(int(column), int(row), 5) - 0.5)
            + 0.5 * (cloudy(u * 0.7, v * 0.7, 3, 5, pixel) - 0.5)
        )
        tr, tg, tb = tr * tone, tg * tone, tb * tone
        tr, tg, tb = tr + (0.50 - tr) * joint * 0.7, tg + (0.46 - tg) * joint * 0.7, tb + (0.40 - tb) * joint * 0.7
    elif kind == PLASTER:
        tone = (
            1
            + 0.28 * (cloudy(u * 0.8, v * 0.8, 11, 7, pixel) - 0.5)
            + 0.12 * (cloudy(u * 12, v * 1.2, 12, 3, pixel * 12) - 0.5)
        )
        tone *= 1 - 0.25 * max(0.0, 1 - v / 0.9)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
    elif kind == ROAD:
        tone = (
            1
            + 0.55 * (cloudy(x * 9, z * 9, 21, 4, pixel * 9) - 0.5)
            + 0.5 * (cloudy(x * 0.5, z * 0.25, 22, 4, pixel) - 0.5)
        )
        crack = abs(cloudy(x * 0.45 + 7, z * 0.45, 23, 5, pixel) - 0.5)
        tone *= 1 - 0.45 * max(0.0, 1 - crack / (0.006 + pixel * 0.2)) * min(1.0, 0.02 / max(pixel, 1e-6))
        tr, tg, tb = tr * tone, tg * tone, tb * tone
        dash = z / 4.5 - np.floor(z / 4.5)
        worn = min(1.0, max(0.0, 2.4 * cloudy(x * 6, z * 6, 24, 4, pixel * 6) - 0.45))
        white = 0.0
        if abs(x) < 0.07 and dash < 0.5:
            white = worn
        elif abs(abs(x) - 3.15) < 0.05:
            white = 0.8 * worn
        tr, tg, tb = tr + (0.62 - tr) * white, tg + (0.62 - tg) * white, tb + (0.58 - tb) * white
        gloss = 0.08
    elif kind == PAVING:
        row = np.floor(z / 0.75)
        shift = 0.5 * (row % 2)
        column = np.floor(x / 0.6 + shift)
        joint = max(_line(z / 0.75 - row, 0.022, pixel / 0.75), _line(x / 0.6 + shift - column, 0.028, pixel / 0.6))
        tone = (
            1 + 0.3 * (hashed(int(column), int(row), 31) - 0.5) + 0.5 * (cloudy(x * 3, z * 3, 32, 6, pixel * 3) - 0.5)
        )
        tone *= 1 - 0.6 * joint
        tr, tg, tb = tr * tone, tg * tone, tb * tone
        gloss = 0.06
    elif kind == TILES:
        row = np.floor(v / 0.22)
        column = np.floor(u / 0.2 + 0.5 * (row % 2))
        fade = min(1.0, max(0.0, 1.6 - pixel / 0.1))
        tone = (
            1 + fade * 0.5 * (hashed(int(column), int(row), 41) - 0.5) - 0.5 * fade * max(0.0, 1 - (v / 0.22 - row) * 4)
        )
        tr, tg, tb = tr * tone, tg * tone, tb * tone
    elif kind == GLASS:
        seed = int(tr * 1000)
        width = 0.22 + 0.2 * hashed(seed, 1, 51)
        edge = min(u, 1 - u) + 0.03 * np.sin(v * 5 + seed)
        fold = 0.75 + 0.25 * np.sin(edge * 110)
        tr = tg = tb = 0.012
        if edge < width * (0.6 + 0.4 * v):
            warm = hashed(seed, 2, 51)
            tr, tg, tb = 0.42 * fold, (0.36 + 0.05 * warm) * fold, (0.26 + 0.12 * warm) * fold
        elif hashed(seed, 3, 51) > 0.6 and v > 0.55:
            tr, tg, tb = 0.4, 0.37, 0.3
        gloss, mirror = 0.6, 1.0
    elif kind == IRON:
        tone = 1 + 0.3 * (cloudy((x + z) * 14, y * 14, 61, 3, pixel * 14) - 0.5)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
        gloss = 0.35
    elif kind == BARK:
        tone = 0.55 + 0.9 * cloudy(u * 18, v * 2.5, 81, 4, pixel * 6)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
    elif kind == CLOTH:
        weave = cloudy(u * 40, v * 60, 91, 2, pixel * 60) - 0.5
        tone = 1 + 0.2 * weave + 0.35 * (cloudy(u * 5, v * 2.4, 92, 3, pixel * 3) - 0.5)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
    elif kind == PAINT:
        gloss, mirror = 0.8, 0.55
    elif kind == WOOD:
        plank = np.floor(z / 0.16)
        px = x + 1.7 * hashed(int(plank), 0, 101)
        joint = _line(z / 0.16 - plank, 0.018, pixel / 0.16)
        bend = z + 0.05 * cloudy(px * 2.2, z * 5, 102, 3, pixel * 5)
        ring = cloudy(px * 1.6, bend * 34, 103, 5, pixel * 34)
        tone = (0.62 + 0.7 * ring) * (0.85 + 0.3 * hashed(int(plank), 1, 101)) * (1 - 0.75 * joint)
        fibre = 1 + 0.14 * (cloudy(px * 14, z * 320, 104, 2, pixel * 320) - 0.5)
        tr, tg, tb = tr * tone * fibre, tg * tone**1.15 * fibre, tb * tone**1.3 * fibre
        gloss, mirror = 0.16, 0.12
    elif kind == GLAZE:
        tr, tg, tb = _glaze(tr, tg, tb, u, v, pixel)
        gloss, mirror = 0.9, 0.8
    elif kind == PAPER:
        stripe = np.floor(u / 0.11)
        tone = 1.0 if stripe % 2 else 0.9
        du, dv = u / 0.22 - np.floor(u / 0.22) - 0.25, v / 0.22 - np.floor(v / 0.22) - 0.5
        angle, far = np.arctan2(dv, du), np.sqrt(du * du + dv * dv)
        petal = 0.14 + 0.05 * np.cos(5 * angle)
        inside = min(1.0, max(0.0, (petal - far) / max(pixel / 0.22, 0.006) + 0.5))
        tone *= 1 + 0.12 * (cloudy(u * 9, v * 9, 111, 4, pixel * 9) - 0.5)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
        tr, tg, tb = tr + (0.42 - tr) * inside * 0.7, tg + (0.28 - tg) * inside * 0.7, tb + (0.22 - tb) * inside * 0.7
    elif kind == STRIPES:
        if np.floor(u / 0.28) % 2:
            tr, tg, tb = 0.8, 0.76, 0.66
        tone = 1 + 0.1 * (cloudy(u * 30, v * 30, 121, 2, pixel * 30) - 0.5)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
    elif kind == STONE:
        tone = 1 + 0.35 * (cloudy((x + z) * 4, y * 4, 131, 6, pixel * 4) - 0.5)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
    elif kind == MATTE:
        tone = 1 + 0.12 * (cloudy((x + z) * 20, (y + 0.3 * x) * 20, 141, 3, pixel * 20) - 0.5)
        tr, tg, tb = tr * tone, tg * tone, tb * tone
        gloss = 0.1
    return max(tr, 0.0), max(tg, 0.0), max(tb, 0.0), gloss, mirror


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _glaze(tr, tg, tb, u, v, pixel):
    """A painted pot: bands, a zigzag, a row of flowers; u is the angle 0..1, v the way down the profile in metres."""
    blue_r, blue_g, blue_b = 0.025, 0.07, 0.30
    blur = max(pixel, 0.0008)
    ink = 0.0
    for band in (0.035, 0.045, 0.115, 0.225, 0.235):
        ink = max(ink, min(1.0, max(0.0, (0.0028 - abs(v - band)) / blur + 0.5)))
    if 0.05 < v < 0.11:
        wave = abs((u * 24) % 1.0 - 0.5) * 2
        ink = max(ink, min(1.0, max(0.0, (0.006 - abs(v - 0.062 - 0.036 * wave)) / blur + 0.5)))
    if 0.118 < v < 0.222:
        du = ((u * 9) % 1.0 - 0.5) * 0.075
        dv = v - 0.17
        angle, far = np.arctan2(dv, du), np.sqrt(du * du + dv * dv)
        petal = 0.021 + 0.009 * np.cos(6 * angle)
        inside = min(1.0, max(0.0, (petal - far) / blur + 0.5))
        core = min(1.0, max(0.0, (0.007 - far) / blur + 0.5))
        tr, tg, tb = tr + (0.55 - tr) * inside, tg + (0.10 - tg) * inside, tb + (0.06 - tb) * inside
        tr, tg, tb = tr + (0.80 - tr) * core, tg + (0.52 - tg) * core, tb + (0.08 - tb) * core
        stem = abs(du - 0.03 * np.sin(dv * 30))
        if far > 0.034:
            ink = max(ink, min(1.0, max(0.0, (0.0016 - stem) / blur + 0.5)))
    tone = 1 + 0.08 * (cloudy(u * 40, v * 60, 151, 3, pixel * 60) - 0.5)
    tr, tg, tb = tr * tone, tg * tone, tb * tone
    return tr + (blue_r - tr) * ink, tg + (blue_g - tg) * ink, tb + (blue_b - tb) * ink
