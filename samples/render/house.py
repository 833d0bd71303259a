"""Terraced houses: walls with recessed windows, doors, sills, cornices, roofs, chimneys, railings."""

from __future__ import annotations

import numpy as np

from .material import BRICK, GLASS, GLOW, IRON, LEAF, MATTE, PLASTER, STONE, STRIPES, TILES, WOOD
from .mesh import Mesh, box, grid, join, lathe, leaves, quad, tube

FLOOR_M = 3.0
STONE_TINT = (0.50, 0.46, 0.38)
WHITE = (0.62, 0.60, 0.55)
WALLS = [
    (BRICK, (0.36, 0.13, 0.08)),
    (PLASTER, (0.62, 0.52, 0.34)),
    (BRICK, (0.42, 0.22, 0.12)),
    (PLASTER, (0.28, 0.40, 0.46)),
    (BRICK, (0.30, 0.12, 0.09)),
    (PLASTER, (0.60, 0.36, 0.28)),
    (PLASTER, (0.58, 0.57, 0.50)),
    (BRICK, (0.46, 0.30, 0.16)),
]
DOORS = [(0.05, 0.10, 0.22), (0.30, 0.03, 0.03), (0.03, 0.14, 0.08), (0.36, 0.24, 0.04), (0.03, 0.03, 0.04)]


def _pane(u0: float, u1: float, v0: float, v1: float, seed: float) -> Mesh:
    corners = np.array([[[u0, v0, -0.15], [u0, v1, -0.15]], [[u1, v0, -0.15], [u1, v1, -0.15]]])
    return grid(corners, np.array([[[0.0, 0], [0, 1]], [[1, 0], [1, 1]]]), GLASS, (seed, seed, seed))


def _window(u0: float, u1: float, v0: float, v1: float, rng: np.random.Generator, flowers: bool) -> list[Mesh]:
    mid_u, mid_v, frame = (u0 + u1) / 2, v0 + (v1 - v0) * 0.55, 0.055
    parts = [_pane(u0, u1, v0, v1, rng.uniform())]
    for a, b, c, d in [
        (u0, u0 + frame, v0, v1),
        (u1 - frame, u1, v0, v1),
        (u0, u1, v0, v0 + frame),
        (u0, u1, v1 - frame, v1),
        (u0, u1, mid_v - 0.03, mid_v + 0.03),
        (mid_u - 0.018, mid_u + 0.018, v0, v1),
    ]:
        parts.append(box((a, c, -0.15), (b, d, -0.09), MATTE, WHITE))
    parts.append(box((u0 - 0.12, v0 - 0.1, -0.15), (u1 + 0.12, v0, 0.09), STONE, STONE_TINT))
    parts.append(box((u0 - 0.16, v1, -0.02), (u1 + 0.16, v1 + 0.2, 0.035), STONE, STONE_TINT))
    if flowers:
        parts.append(box((u0 + 0.02, v0, -0.02), (u1 - 0.02, v0 + 0.18, 0.16), WOOD, (0.22, 0.10, 0.05)))
        spread = rng.uniform((u0, v0 + 0.16, -0.02), (u1, v0 + 0.4, 0.22), (170, 3))
        parts.append(leaves(spread[:110], 0.055, rng, LEAF, (0.06, 0.17, 0.03)))
        bloom = [(0.6, 0.05, 0.08), (0.65, 0.3, 0.04), (0.5, 0.1, 0.4)][rng.integers(3)]
        parts.append(leaves(spread[110:] + [0, 0.06, 0.02], 0.045, rng, LEAF, bloom))
    return parts


def _door(u0: float, u1: float, v1: float, rng: np.random.Generator) -> list[Mesh]:
    tint = DOORS[rng.integers(len(DOORS))]
    parts = [
        box((u0, 0.3, -0.15), (u1, v1 - 0.45, -0.1), MATTE, tint),
        _pane(u0, u1, v1 - 0.45, v1, 0.99),
        box((u0, v1 - 0.5, -0.15), (u1, v1 - 0.42, -0.06), MATTE, WHITE),
        box((u0 - 0.14, 0, -0.02), (u0, v1 + 0.1, 0.07), STONE, WHITE),
        box((u1, 0, -0.02), (u1 + 0.14, v1 + 0.1, 0.07), STONE, WHITE),
        box((u0 - 0.22, v1 + 0.1, -0.02), (u1 + 0.22, v1 + 0.28, 0.3), STONE, WHITE),
        tube(np.array([[u1 - 0.14, 1.25, -0.1], [u1 - 0.14, 1.25, -0.02]]), 0.035, IRON, (0.5, 0.36, 0.1), 8),
    ]
    for low, high in ((0.5, 1.05), (1.2, v1 - 0.62)):  # two raised panels
        for side in (0.12, 0.56):
            a = u0 + side * (u1 - u0)
            parts.append(box((a, low, -0.1), (a + 0.32 * (u1 - u0), high, -0.075), MATTE, np.array(tint) * 1.15))
    for k in range(2):
        parts.append(box((u0 - 0.25, 0, 0), (u1 + 0.25, 0.15 * (2 - k), 0.3 + 0.3 * k), STONE, STONE_TINT))
    return parts


def _openings(width: float, floors: int, columns: int, door: int) -> list[tuple[float, float, float, float, bool]]:
    found = []
    for floor in range(floors):
        for column in range(columns):
            mid = width * (column + 0.5) / columns
            if floor == 0 and column == door:
                found.append((mid - 0.55, mid + 0.55, 0.0, 2.85, True))
            else:
                low = 0.95 + floor * FLOOR_M
                found.append((mid - 0.58, mid + 0.58, low, low + (1.75 if floor < 2 else 1.4), False))
    return found


def house(width: float, floors: int, columns: int, door: int, style: int, seed: int) -> Mesh:
    """A front of `width` metres: x along the street, y up, z out to the street (the wall at 0), roof behind."""
    rng = np.random.default_rng(seed)
    kind, tint = WALLS[style % len(WALLS)]
    height = floors * FLOOR_M + 0.5
    holes = _openings(width, floors, columns, door)
    us = sorted({0.0, width, *(value for hole in holes for value in hole[:2])})
    vs = sorted({0.0, height, *(value for hole in holes for value in hole[2:4])})
    parts: list[Mesh] = []
    for a, b in zip(us, us[1:]):
        for c, d in zip(vs, vs[1:]):
            u, v = (a + b) / 2, (c + d) / 2
            if not any(h[0] < u < h[1] and h[2] < v < h[3] for h in holes):
                parts.append(quad((a, c, 0), (b, c, 0), (b, d, 0), (a, d, 0), kind, tint))
    boxes = rng.uniform() < 0.55
    for u0, u1, v0, v1, is_door in holes:
        for a, b in [((u0, v0), (u0, v1)), ((u1, v0), (u1, v1)), ((u0, v0), (u1, v0)), ((u0, v1), (u1, v1))]:
            parts.append(quad((*a, 0), (*b, 0), (*b, -0.15), (*a, -0.15), MATTE, np.array(tint) * 0.9))
        flowers = boxes and v0 > FLOOR_M and v0 < 2 * FLOOR_M
        parts += _door(u0, u1, v1, rng) if is_door else _window(u0, u1, v0, v1, rng, flowers)
    for low, high, out in (
        (0.0, 0.35, 0.05),
        (FLOOR_M + 0.25, FLOOR_M + 0.42, 0.07),
        (height - 0.3, height, 0.22),
        (height, height + 0.12, 0.36),
    ):
        spans = [(0.0, width)]
        if low == 0.0:
            gap = next(hole for hole in holes if hole[4])
            spans = [(0.0, gap[0] - 0.15), (gap[1] + 0.15, width)]
        parts += [box((a, low, -0.02), (b, high, out), STONE, STONE_TINT) for a, b in spans]
    slate = [(0.13, 0.13, 0.15), (0.30, 0.12, 0.07), (0.20, 0.15, 0.12)][rng.integers(3)]
    top = height + 0.1
    parts.append(quad((0, top, 0.3), (width, top, 0.3), (width, top + 2.6, -3.8), (0, top + 2.6, -3.8), TILES, slate))
    for side in (0.0, width):
        parts.append(quad((side, 0, 0), (side, 0, -9), (side, top + 2.4, -3.8), (side, top, 0), kind, tint))
    parts.append(box((width - 0.6, height, -4.4), (width + 0.6, height + 4.1, -3.4), BRICK, (0.34, 0.15, 0.10)))
    for k in range(3):
        pot = lathe([(0.13, 0), (0.11, 0.5), (0.14, 0.52), (0.1, 0.53)], 8, MATTE, (0.42, 0.2, 0.1))
        parts.append(pot.at((width - 0.36 + 0.36 * k, height + 4.1, -3.9)))
    parts.append(tube(np.array([[0.14, 0, 0.07], [0.14, height, 0.07]]), 0.05, IRON, (0.05, 0.05, 0.06), 8))
    gap = next(hole for hole in holes if hole[4])
    lamp = (gap[1] + 0.3, 2.3, 0.16)
    parts.append(box(np.array(lamp) - [0.07, 0.1, 0.07], np.array(lamp) + [0.07, 0.14, 0.07], GLOW, (1.6, 1.1, 0.5)))
    return join(parts)


def awning(width: float) -> Mesh:
    """A striped awning and a sign board over a shop window, in the place of a house front."""
    sag = np.linspace(0, 1, 7)
    low = np.stack([np.zeros(7), 2.95 - 0.75 * sag - 0.1 * sag * (1 - sag), 0.05 + 1.35 * sag], axis=1)
    points = np.stack([low, low + [width, 0, 0]])
    uv = np.stack(np.broadcast_arrays(points[..., 0], sag * 1.5), axis=-1)
    cloth = grid(points, uv, STRIPES, (0.50, 0.04, 0.05))
    hem = low[-1]
    flap = quad(hem, hem + [width, 0, 0], hem + [width, -0.2, 0], hem + [0, -0.2, 0], STRIPES, (0.50, 0.04, 0.05))
    arms = [
        tube(np.array([[u, 2.2, 0.03], [u, 2.12, 1.38]]), 0.015, IRON, (0.3, 0.3, 0.3)) for u in (0.03, width - 0.03)
    ]
    board = box((0, 2.98, 0), (width, 3.5, 0.1), MATTE, (0.03, 0.12, 0.09))
    rng = np.random.default_rng(3)
    letters, at = [], 0.5
    while at < width - 0.5:  # a sign in no alphabet
        wide = rng.uniform(0.06, 0.2)
        letters.append(box((at, 3.12, 0.1), (at + wide, 3.36, 0.13), MATTE, (0.7, 0.55, 0.2)))
        at += wide + 0.09
    return join([cloth, flap, board, *arms, *letters])


def railing(length: float, gap: tuple[float, float], hedge: bool, seed: int) -> Mesh:
    """Iron bars along x with spear heads, open between `gap`; a hedge behind them or not."""
    rng = np.random.default_rng(seed)
    black = (0.025, 0.028, 0.03)
    parts: list[Mesh] = []
    spear = lathe([(0.0, 1.16), (0.022, 1.06), (0.011, 1.0), (0.011, 0.1)], 6, IRON, black)
    for a, b in ((0.1, gap[0]), (gap[1], length - 0.1)):
        if b - a < 0.3:
            continue
        parts += [spear.at((u, 0, 0)) for u in np.arange(a, b, 0.125)]
        parts += [box((a, y, -0.018), (b, y + 0.035, 0.018), IRON, black) for y in (0.16, 0.92)]
        parts += [box((a, 0, -0.1), (b, 0.12, 0.1), STONE, STONE_TINT)]
        for u in (a, b):
            ball = lathe([(0.0, 1.38), (0.045, 1.35), (0.05, 1.3), (0.03, 1.24), (0.035, 0.0)], 10, IRON, black)
            parts.append(ball.at((u, 0, 0)))
        if hedge:
            count = int(900 * (b - a))
            spread = rng.uniform((a + 0.05, 0.05, -0.75), (b - 0.05, 1.0, -0.18), (count, 3))
            spread[:, 1] += 0.05 * np.sin(spread[:, 0] * 7) * spread[:, 1]
            parts.append(leaves(spread, 0.05, rng, LEAF, (0.045, 0.13, 0.03)))
            parts.append(box((a + 0.1, 0, -0.68), (b - 0.1, 0.9, -0.26), MATTE, (0.01, 0.025, 0.008)))
    return join(parts)
