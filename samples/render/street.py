"""The first film: a walk along a street of terraced houses on a sunny morning."""

from __future__ import annotations

import numpy as np

from .house import awning, house, railing
from .image import Camera, Light, look
from .material import IRON, LEAF, MATTE, PAVING, PLASTER, ROAD, STONE
from .mesh import Mesh, box, ellipsoid, grid, join, lathe, leaves, turn_y
from .props import bicycle, car, lamp, leaned, person, post_box, tree, wire

FPS = 24
FRAMES = 96
FOCAL = 0.86  # in widths: a 60 degree lens
BASELINE_M = 0.065
KERB = 0.13
WALL = 8.2
STEP_HZ = 1.9
SPEED_M = 1.35


def light() -> Light:
    """Morning sun from behind the left shoulder, blue sky, some haze."""
    sun = np.array([-0.50, 0.58, -0.42])
    return Light(
        sun / np.linalg.norm(sun),
        np.array([2.5, 2.05, 1.45]),
        0.035,
        np.array([0.30, 0.42, 0.62]),
        np.array([0.20, 0.17, 0.13]),
        np.array([0.50, 0.58, 0.68]),
        420.0,
        2.2,
        False,
    )


def still() -> Mesh:
    """Everything that doesn't move."""
    grey, slab = (0.085, 0.085, 0.09), (0.25, 0.235, 0.21)
    parts = [box((-3.5, -0.5, -20), (3.5, 0, 130), ROAD, grey), box((-40, -0.6, -30), (40, -0.01, 200), PAVING, slab)]
    for side in (-1, 1):
        low, high = sorted((3.62 * side, (WALL + 6) * side))
        parts.append(box((low, -0.5, -20), (high, KERB, 130), PAVING, slab))
        low, high = sorted((3.45 * side, 3.62 * side))
        parts.append(box((low, -0.5, -20), (high, KERB, 130), STONE, (0.42, 0.40, 0.37)))
    parts += _rows()
    for z in (4.6, 20.5, 37, 54):
        parts.append(lamp().at((3.95, KERB, z), turn_y(0.3)))
        parts.append(lamp().at((-3.95, KERB, z + 7), turn_y(0.7)))
    for k, (x, z) in enumerate(
        [(4.0, 12.2), (4.05, 28.5), (-4.1, 5.5), (-4.05, 19), (-4.1, 33), (4.0, 45), (-4.0, 48)]
    ):
        parts.append(tree(100 + k).at((x, KERB, z), turn_y(k * 1.3)))
    for z, tint in [
        (8.6, (0.05, 0.13, 0.30)),
        (14.4, (0.45, 0.42, 0.36)),
        (25, (0.30, 0.04, 0.04)),
        (31, (0.08, 0.2, 0.12)),
        (42, (0.03, 0.03, 0.035)),
    ]:
        parts.append(car(tint).at((-2.55, 0, z)))
    parts.append(leaned(bicycle(), (6.62, KERB, 6.6), 0.05, -0.16))
    parts.append(post_box().at((4.15, KERB, 8.2)))
    for k, (a, b) in enumerate(
        [((-WALL, 6.6, 9), (WALL, 7.4, 11)), ((-WALL, 7.2, 24), (WALL, 6.4, 21)), ((-WALL, 6.9, 38), (WALL, 7, 40))]
    ):
        parts.append(wire(a, b, 0.75, True, k))
    parts += [wire((-WALL, 8.9, 15 + d), (WALL, 8.7, 16 + d), 0.3, False, 0) for d in (0, 0.35)]
    parts += _far_end()
    return join(parts)


def _rows() -> list[Mesh]:
    """The two rows of houses; those on the left are mirrored to look at the ones on the right."""
    parts = []
    out_right = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]], float)  # house x -> street z, house z -> street -x
    out_left = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], float)
    for side, turn, start, seed in ((1, out_right, -9.0, 0), (-1, out_left, -7.0, 50)):
        rng = np.random.default_rng(seed + 5)
        z, k = start, 0
        while z < 78:
            columns = int(rng.integers(2, 4))
            width, floors = 2.55 * columns + 0.2, int(rng.integers(2, 4))
            door = int(rng.integers(columns))
            parts.append(
                house(width, floors, columns, door, k + (3 if side < 0 else 0), seed + k).at(
                    (side * WALL, KERB, z), turn
                )
            )
            middle = width * (door + 0.5) / columns
            if side > 0 and k == 3:
                parts.append(awning(width - 0.4).at((side * WALL, KERB, z + 0.2), turn))
            else:
                fence = railing(width, (middle - 0.75, middle + 0.75), bool((k + (side > 0)) % 2), seed + k)
                parts.append(fence.at((side * (WALL - 1.25), KERB, z), turn))
            z += width
            k += 1
    return parts


def _far_end() -> list[Mesh]:
    """What closes the street: a church tower and trees in the haze."""
    rng = np.random.default_rng(9)
    pale = (0.42, 0.38, 0.32)
    parts = [
        box((-3.2, 0, 112), (3.2, 19, 118), STONE, pale),
        lathe([(4.4, 19), (0.0, 31)], 4, MATTE, (0.16, 0.2, 0.2)).at((0, 0, 115), turn_y(np.pi / 4)),
    ]
    parts += [box((x - 0.6, 12, 111.9), (x + 0.6, 15.5, 112.2), MATTE, (0.03, 0.03, 0.03)) for x in (-1.2, 1.2)]
    parts.append(box((-14, 0, 116), (14, 8, 130), PLASTER, pale))
    for x in np.arange(-26, 27, 5.5):
        if abs(x) < 4:
            continue
        spread = rng.normal(size=(900, 3)) * [1.9, 1.6, 1.5] + [
            x + rng.normal(),
            5 + rng.uniform(0, 2),
            100 + rng.normal(),
        ]
        parts.append(leaves(spread, 0.4, rng, LEAF, (0.09, 0.17, 0.04)))
        parts.append(lathe([(0.4, 0), (0.3, 5)], 8, MATTE, (0.1, 0.08, 0.06)).at((x, 0, 100)))
    return parts


def moving(time: float) -> Mesh:
    """Walkers, a car that comes up the street, a ball of birds."""
    stride = 2 * np.pi * 0.92
    parts = [
        person(stride * time + 0.6, (0.36, 0.05, 0.06), (0.04, 0.05, 0.1), (0.06, 0.07, 0.1)).at(
            (5.62, KERB, 9.4 - 1.15 * time), turn_y(np.pi)
        ),
        person(stride * time * 1.05 + 2, (0.05, 0.12, 0.16), (0.12, 0.1, 0.08), None).at(
            (6.1, KERB, 17.5 + 0.9 * time)
        ),
        person(stride * time, (0.42, 0.34, 0.18), (0.05, 0.05, 0.06), (0.3, 0.04, 0.04)).at(
            (-5.2, KERB, 11.5 + 1.1 * time)
        ),
        car((0.50, 0.30, 0.03)).at((1.55, 0, 44 - 8.5 * time), turn_y(np.pi)),
    ]
    for k in range(7):
        phase = time * 7 + k * 1.7
        place = np.array([-3 + 0.9 * k + 1.6 * time, 11.5 + 0.5 * np.sin(k * 2.1), 30 + 1.1 * k])
        parts.append(ellipsoid(place, (0.09, 0.07, 0.2), MATTE, (0.03, 0.03, 0.035), 8))
        for side in (-1, 1):
            tip = place + [side * 0.38, 0.22 * np.sin(phase), -0.05]
            wing = np.array([[place + [0, 0, 0.1], place + [0, 0, -0.1]], [tip + [0, 0, 0.04], tip + [0, 0, -0.04]]])
            parts.append(grid(wing, np.zeros((2, 2, 2)), IRON, (0.03, 0.03, 0.035)))
    return join(parts)


def camera(time: float) -> Camera:
    """The left eye: a walk with its bob, the head turning a little towards the road."""
    step = 2 * np.pi * STEP_HZ * time
    place = np.array(
        [5.15 + 0.02 * np.sin(step / 2), KERB + 1.62 + 0.022 * np.abs(np.sin(step / 2)), -2.2 + SPEED_M * time]
    )
    target = place + np.array([-1.15 - 0.8 * np.sin(time * 0.8) ** 2, 0.28 + 0.02 * np.sin(step + 0.4), 9.0])
    return look(place, target, FOCAL, 0.006 * np.sin(step / 2))
