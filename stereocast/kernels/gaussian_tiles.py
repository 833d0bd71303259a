"""Compositing of projected Gaussians, tile by tile, and its gradient: compiled, one thread per span of tiles.

Per tile the Gaussians are taken in order of depth; all 16 pixels of a row are done at once (the inner loops are free of
branches, so that they become vector code), and rows outside the ellipse are left out. Rules are gsplat's:
α = min(0.999, o exp(-σ)), α < 1/255 is skipped, a pixel ends before its transmittance would fall to 1e-4.
"""

from typing import Any

import numpy as np
from numba import njit

from stereocast.types import Array

TILE = 16
ALPHA_MAX = 0.999
TRANSMITTANCE_MIN = 1e-4

_PIXELS = TILE * TILE
_ONE, _HALF, _ZERO = np.float32(1), np.float32(0.5), np.float32(0)
_A_MAX, _T_MIN = np.float32(ALPHA_MAX), np.float32(TRANSMITTANCE_MIN)
# A tile's planes are in one buffer and are indexed without a sign: that is what lets LLVM make vector code of a row.
# Conditions are kept out of stores for the same reason: a masked store costs more than the whole row on some CPUs.
_LANES = np.uint64(TILE)
_P1, _P2, _P3, _P4, _P5, _P6 = (np.uint64(i * _PIXELS) for i in range(1, 7))
_BUFFER = 6 * _PIXELS + TILE  # six planes and the column numbers
_S1, _S2, _S3, _S4, _S5, _S6, _S7 = (np.uint64(i * TILE) for i in range(1, 8))
_Q4, _Q7 = np.float32(-0.25), np.float32(0.7)
# exp(x - 0.7) on -0.7..0.7, least squares of the relative error, highest power first
_E7, _E6, _E5, _E4 = (np.float32(c) for c in (9.70303299e-05, 0.000701496436, 0.00414020894, 0.0206875894))
_E3, _E2, _E1, _E0 = (np.float32(c) for c in (0.0827636793, 0.248292968, 0.496585339, 0.49658531))
fast: Any = njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc", "arcp"}, error_model="numpy")


@fast
def _rows(n: int, centre: Array, shape: Array, top: int) -> tuple[int, int]:
    """The rows of the tile at `top` that Gaussian n reaches."""
    low = np.ceil(centre[n, 1] - shape[n, 5] - 0.5) - top
    high = np.floor(centre[n, 1] + shape[n, 5] - 0.5) - top + 1
    return int(max(low, 0.0)), int(min(high, float(TILE)))


@fast
def _box(n: int, centre: Array, shape: Array, columns: int, rows: int) -> tuple[int, int, int, int]:
    """The tiles that Gaussian n's ellipse may reach: first and end column, first and end row."""
    half_y = shape[n, 5]
    # xx of the covariance over yy is conic yy over conic xx
    half_x = half_y * np.sqrt(shape[n, 2] / shape[n, 0])
    x0, x1 = np.ceil(centre[n, 0] - half_x - 0.5), np.floor(centre[n, 0] + half_x - 0.5)
    y0, y1 = np.ceil(centre[n, 1] - half_y - 0.5), np.floor(centre[n, 1] + half_y - 0.5)
    if x1 < x0 or y1 < y0 or x1 < 0 or y1 < 0 or x0 >= columns * TILE or y0 >= rows * TILE:
        return 0, 0, 0, 0
    c0, c1 = max(0, int(x0)) // TILE, min(columns, int(x1) // TILE + 1)
    r0, r1 = max(0, int(y0)) // TILE, min(rows, int(y1) // TILE + 1)
    return c0, c1, r0, r1


@fast
def count(centre: Array, shape: Array, radii: Array, columns: int, rows: int, offsets: Array, tiles: Array) -> None:
    """Fills offsets [N + 1], where each Gaussian's pairs begin, and tiles [columns * rows + 1], where each tile's do."""
    total = 0
    tiles[:] = 0
    for n in range(len(centre)):
        offsets[n] = total
        if radii[n, 0] == 0 or shape[n, 4] <= 0:
            continue
        c0, c1, r0, r1 = _box(n, centre, shape, columns, rows)
        total += (c1 - c0) * (r1 - r0)
        for r in range(r0, r1):
            for c in range(c0, c1):
                tiles[r * columns + c + 1] += 1
    offsets[len(centre)] = total
    for i in range(columns * rows):
        tiles[i + 1] += tiles[i]


@fast
def fill(
    order: Array,
    centre: Array,
    shape: Array,
    columns: int,
    rows: int,
    offsets: Array,
    tiles: Array,
    ids: Array,
    slots: Array,
) -> None:
    """Fills ids [P] with each tile's Gaussians in `order`, and slots [P] with the pair's place among its Gaussian's."""
    at = tiles[:-1].copy()
    for n in order:
        slot = offsets[n]
        if offsets[n + 1] == slot:
            continue
        c0, c1, r0, r1 = _box(n, centre, shape, columns, rows)
        for r in range(r0, r1):
            for c in range(c0, c1):
                tile = r * columns + c
                ids[at[tile]] = n
                slots[at[tile]] = slot
                at[tile] += 1
                slot += 1


@fast
def _decay(s: Any) -> Any:
    """exp(-s) for 0 <= s <= 5.6, relative error 3e-7: fourth power of a polynomial, free of branches."""
    t = s * _Q4 + _Q7
    p = ((((((_E7 * t + _E6) * t + _E5) * t + _E4) * t + _E3) * t + _E2) * t + _E1) * t + _E0
    p = p * p
    return p * p


@fast
def forward(
    first: int, end: int, columns: int, tiles: Array, ids: Array,
    centre: Array, shape: Array, colours: Array, depths: Array, background: Array,
    image: Array, rest: Array, depth: Array, last: Array,
) -> None:  # fmt: skip
    """Composites tiles first..end. Fills image [H', W', 3], rest [H', W'] (transmittance
    that is left: 1 - alpha would lose its digits), depth [H', W'] (Σ weight z) and last [H', W'], the
    number of the tile's Gaussians up to each pixel's last contribution, all float32 but last (int32); H', W' are whole tiles."""
    # transmittance (negative: ended), red, green, blue, depth, last
    buffer = np.empty(_BUFFER, np.float32)
    for x in range(TILE):
        buffer[6 * _PIXELS + x] = x
    for tile in range(first, end):
        left, top = tile % columns * TILE, tile // columns * TILE
        buffer[:_PIXELS] = _ONE
        buffer[_PIXELS : 6 * _PIXELS] = _ZERO
        begin = tiles[tile]
        for place in range(begin, tiles[tile + 1]):
            n = ids[place]
            r0, r1 = _rows(n, centre, shape, top)
            cxx, cxy, cyy, opacity, reach = shape[n, 0], shape[n, 1], shape[n, 2], shape[n, 3], shape[n, 4]
            red, green, blue, z = colours[n, 0], colours[n, 1], colours[n, 2], depths[n]
            dx0, dy0 = np.float32(left + 0.5 - centre[n, 0]), np.float32(top + 0.5 - centre[n, 1])
            mark, hxx = np.float32(place - begin + 1), _HALF * cxx
            for r in range(r0, r1):
                dy = dy0 + np.float32(r)
                syy, sxy = _HALF * cyy * dy * dy, cxy * dy
                base: Any = np.uint64(r * TILE)
                for x in range(_LANES):
                    i = base + x
                    dx = dx0 + buffer[_P6 + x]
                    s = (hxx * dx + sxy) * dx + syy
                    s = s if s > _ZERO else _ZERO
                    a = opacity * _decay(s)
                    a = a if a < _A_MAX else _A_MAX
                    t = buffer[i]
                    w = a * (t if t > _ZERO else _ZERO)
                    w = w if s <= reach else _ZERO
                    ends = (w > _ZERO) & (t - w <= _T_MIN)
                    w = _ZERO if ends else w
                    buffer[i] = -t if ends else t - w
                    buffer[_P1 + i] += w * red
                    buffer[_P2 + i] += w * green
                    buffer[_P3 + i] += w * blue
                    buffer[_P4 + i] += w * z
                    now = mark if w > _ZERO else _ZERO
                    before = buffer[_P5 + i]
                    buffer[_P5 + i] = now if now > before else before
            if place % 16 == 15:
                most = -_ONE
                for i in range(_PIXELS):
                    most = max(most, buffer[i])
                if most < _ZERO:
                    break
        for r in range(TILE):
            for x in range(TILE):
                i = r * TILE + x
                t = abs(buffer[i])
                image[top + r, left + x, 0] = buffer[_PIXELS + i] + t * background[0]
                image[top + r, left + x, 1] = buffer[2 * _PIXELS + i] + t * background[1]
                image[top + r, left + x, 2] = buffer[3 * _PIXELS + i] + t * background[2]
                rest[top + r, left + x] = t
                depth[top + r, left + x] = buffer[4 * _PIXELS + i]
                last[top + r, left + x] = int(buffer[5 * _PIXELS + i])


@fast
def backward(
    first: int, end: int, columns: int, tiles: Array, ids: Array, slots: Array,
    centre: Array, shape: Array, colours: Array, depths: Array, background: Array,
    rest: Array, last: Array, g_image: Array, g_alpha: Array, g_depth: Array, pairs: Array,
) -> None:  # fmt: skip
    """Fills pairs [P, 10] at each pair's slot: the gradients of u, v, conic xx, xy, yy, opacity, depth, red, green,
    blue that come from that tile."""
    # transmittance, colour behind, gradients of red, green, blue, depth, last
    buffer = np.empty(7 * _PIXELS, np.float32)
    sums = np.empty(8 * TILE, np.float32)  # per column: ds, ds y, ds y², red, green, blue, depth; the column numbers
    for x in range(TILE):
        sums[7 * TILE + x] = x
    for tile in range(first, end):
        left, top = tile % columns * TILE, tile // columns * TILE
        final = 0
        for r in range(TILE):
            for x in range(TILE):
                i = r * TILE + x
                t = rest[top + r, left + x]
                red, green, blue = (
                    g_image[top + r, left + x, 0],
                    g_image[top + r, left + x, 1],
                    g_image[top + r, left + x, 2],
                )
                behind = red * background[0] + green * background[1] + blue * background[2] - g_alpha[top + r, left + x]
                buffer[i], buffer[_PIXELS + i] = t, t * behind
                buffer[2 * _PIXELS + i], buffer[3 * _PIXELS + i], buffer[4 * _PIXELS + i] = red, green, blue
                buffer[5 * _PIXELS + i] = g_depth[top + r, left + x]
                buffer[6 * _PIXELS + i] = last[top + r, left + x]
                final = max(final, last[top + r, left + x])
        begin = tiles[tile]
        final += begin
        for place in range(final, tiles[tile + 1]):
            for j in range(10):
                pairs[slots[place], j] = _ZERO
        for place in range(final - 1, begin - 1, -1):
            n = ids[place]
            r0, r1 = _rows(n, centre, shape, top)
            cxx, cxy, cyy, opacity, reach = shape[n, 0], shape[n, 1], shape[n, 2], shape[n, 3], shape[n, 4]
            red, green, blue, z = colours[n, 0], colours[n, 1], colours[n, 2], depths[n]
            dx0, dy0 = np.float32(left + 0.5 - centre[n, 0]), np.float32(top + 0.5 - centre[n, 1])
            mark, hxx = np.float32(place - begin), _HALF * cxx
            sums[: 7 * TILE] = _ZERO
            for r in range(r0, r1):
                dy = dy0 + np.float32(r)
                syy, sxy = _HALF * cyy * dy * dy, cxy * dy
                base: Any = np.uint64(r * TILE)
                for x in range(_LANES):
                    i = base + x
                    dx = dx0 + sums[_S7 + x]
                    s = (hxx * dx + sxy) * dx + syy
                    s = s if s > _ZERO else _ZERO
                    e = opacity * _decay(s)
                    e = e if s <= reach else _ZERO
                    e = e if buffer[_P6 + i] > mark else _ZERO
                    a = e if e < _A_MAX else _A_MAX
                    g_red, g_green, g_blue, g_z = buffer[_P2 + i], buffer[_P3 + i], buffer[_P4 + i], buffer[_P5 + i]
                    q = red * g_red + green * g_green + blue * g_blue + z * g_z
                    ra = _ONE / (_ONE - a)
                    t = buffer[i] * ra
                    w = a * t
                    behind = buffer[_P1 + i]
                    ds = (behind * ra - q * t) * (e if e < _A_MAX else _ZERO)
                    buffer[i] = t
                    buffer[_P1 + i] = behind + q * w
                    sums[x] += ds
                    sums[_S1 + x] += ds * dy
                    sums[_S2 + x] += ds * dy * dy
                    sums[_S3 + x] += w * g_red
                    sums[_S4 + x] += w * g_green
                    sums[_S5 + x] += w * g_blue
                    sums[_S6 + x] += w * g_z
            s0 = sx = sy = sxx = sxy = syy = g_red = g_green = g_blue = g_z = _ZERO
            for x in range(TILE):
                dx = dx0 + np.float32(x)
                s0 += sums[x]
                sx += sums[x] * dx
                sxx += sums[x] * dx * dx
                sy += sums[x + TILE]
                sxy += sums[x + TILE] * dx
                syy += sums[x + 2 * TILE]
                g_red += sums[x + 3 * TILE]
                g_green += sums[x + 4 * TILE]
                g_blue += sums[x + 5 * TILE]
                g_z += sums[x + 6 * TILE]
            slot = slots[place]
            pairs[slot, 0] = -(cxx * sx + cxy * sy)
            pairs[slot, 1] = -(cxy * sx + cyy * sy)
            pairs[slot, 2], pairs[slot, 3], pairs[slot, 4] = _HALF * sxx, sxy, _HALF * syy
            pairs[slot, 5] = -s0 / opacity
            pairs[slot, 6], pairs[slot, 7], pairs[slot, 8], pairs[slot, 9] = g_z, g_red, g_green, g_blue


@fast
def gather(first: int, end: int, offsets: Array, pairs: Array, grad: Array) -> None:
    """Fills grad [N, 10] with the sums of each Gaussian's pairs."""
    for n in range(first, end):
        for j in range(10):
            grad[n, j] = 0
        for slot in range(offsets[n], offsets[n + 1]):
            for j in range(10):
                grad[n, j] += pairs[slot, j]
