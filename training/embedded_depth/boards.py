"""Layouts of flat things close to a wall: boards, open boxes and drapery, seen from the front."""

from __future__ import annotations

import numpy as np
from builder import View, turn
from indoors import still_lamp
from things import thing


def surface(b, tile, **options):
    """A material for something large and flat: prints, cloth, wood, paint."""
    return b.look(
        b.rng.choice(["print", "photo", "wood", "plain", "clouds", "stripes", "checks", "grain", "bricks"]),
        tile,
        **options,
    )


def tilted(rng, yaw=0.4, pitch=0.2, roll=0.15):
    """A rotation near the upright; often exactly upright."""
    return turn(
        rng.normal(0, yaw), rng.normal(0, pitch) * (rng.random() < 0.5), rng.normal(0, roll) * (rng.random() < 0.5)
    )


def board(b, x, y, z, wide, high):
    """A board, box front or hung cloth whose middle is at (x, y, z)."""
    rng = b.rng
    with b.at(x, y, z):
        k = rng.random()
        r = tilted(rng)
        foot = r @ np.array([0, -high / 2, 0])
        if k < 0.55:
            b.add("box", (wide, high, rng.uniform(0.005, 0.05) * z), foot, surface(b, rng.uniform(0.3, 1) * wide), r)
        elif k < 0.75:
            b.add("cloth", (wide, high, rng.uniform(0.05, 0.5) * wide), foot, surface(b, 0.5 * wide), r)
        elif k < 0.9:
            b.add("box", (wide, high, rng.uniform(0.2, 1) * wide), foot, surface(b, 0.6 * wide), r)
        else:
            b.add("wall", (wide, high, 0.01), foot, surface(b, wide), r, int(rng.choice(b.tex.cut["blob"])))


def back_wall(b, wall):
    """One to three planes or a cloth that close the view at about `wall`."""
    rng = b.rng
    if rng.random() < 0.25:
        with b.at(0, -2 * wall, wall * 1.1, rng.normal(0, 0.2)):
            b.add("cloth", (5 * wall, 4 * wall, rng.uniform(0.1, 0.5) * wall), (0, 0, 0), surface(b, 0.5))
        return
    with b.at(0, -2 * wall, wall * 1.05, rng.normal(0, 0.35)):
        b.add(
            "wall",
            (6 * wall, 4 * wall, 0.001),
            (0, 0, 0),
            surface(b, rng.uniform(0.3, 1.5)),
            turn(0, rng.normal(0, 0.1)),
        )
    for _ in range(int(rng.integers(0, 3))):
        board(
            b,
            rng.uniform(-0.5, 0.5) * wall,
            rng.uniform(-0.3, 0.3) * wall,
            wall * rng.uniform(0.85, 1),
            rng.uniform(0.4, 1.2) * wall,
            rng.uniform(0.4, 1.2) * wall,
        )


def boards(b):
    """Frontal and slanted boards, cloths, rods and things anywhere in front of a wall, cut by the picture's edges."""
    rng = b.rng
    wall = rng.uniform(1.2, 3.5)
    back_wall(b, wall)
    ground = -rng.uniform(0.15, 0.45) * wall
    grounded = rng.random() < 0.6  # all stands on one floor, what is near lower in the picture
    if grounded or rng.random() < 0.3:
        b.add("floor", (9, 0.001, 7), (0, ground, 2.0), surface(b, 0.6))
    for _ in range(int(rng.integers(0, 9))):
        z = rng.uniform(0.4, 0.95) * wall
        wide, high = rng.uniform(0.1, 0.8, 2) * z
        if grounded:
            wide, high = wide * rng.uniform(1, 3), high * (0.2 + z / wall) * 0.7
        board(
            b, rng.uniform(-0.5, 0.5) * z, ground + high / 2 if grounded else rng.uniform(-0.4, 0.4) * z, z, wide, high
        )
    kind = rng.choice(["turned", "ball", "lump", "taper", "pillow"]) if rng.random() < 0.3 else None
    big = rng.uniform(0.08, 0.3)
    for _ in range(int(rng.integers(2, 16))):
        z = rng.uniform(0.35, 0.97) * wall
        h = big * rng.uniform(0.5, 2) * z
        y = ground if grounded else rng.uniform(-0.5, 0.3) * z
        with b.at(rng.uniform(-0.55, 0.55) * z, y, z, rng.uniform(0, 6)):
            if kind is None:
                thing(b, h)
            else:
                wide = h * rng.uniform(0.4, 1.2)
                b.add(kind, (wide, h, wide), (0, 0, 0), b.look(tile=h), turn(0, rng.normal(0, 0.4), rng.normal(0, 0.4)))
            if not grounded and rng.random() < 0.4:  # what it stands on, out to the lower edge
                b.add("box", (h * rng.uniform(1, 2), 2 * z, h * rng.uniform(0.8, 1.5)), (0, -2 * z, 0), surface(b, 0.4))
    for _ in range(int(rng.integers(0, 5))):
        w, z = rng.uniform(0.005, 0.03), rng.uniform(0.4, 0.95) * wall
        b.add(
            "cylinder",
            (w * z, 2 * z, w * z),
            (rng.uniform(-0.5, 0.5) * z, -z, z),
            b.look(),
            turn(0, 0, rng.choice([0, 1.57]) + rng.normal(0, 0.4)),
        )
    lamps = [still_lamp(rng) for _ in range(int(rng.integers(1, 3)))]
    return [
        View(
            np.array([rng.normal(0, 0.12), rng.normal(0, 0.1), rng.uniform(-0.3, 0.1)]) * wall,
            rng.normal(0, 8),
            rng.normal(0, 6),
            rng.normal(0, 2),
            rng.uniform(26, 60),
            reach=wall,
            lamps=lamps,
        )
        for _ in range(3)
    ]


def recess(b):
    """Into an open box, a niche or a bay of shelves: the middle is the farthest."""
    rng = b.rng
    near = rng.uniform(0.5, 1.4)
    deep, w, h = rng.uniform(0.1, 0.9) * near, rng.uniform(0.2, 0.6) * near, rng.uniform(0.15, 0.45) * near
    side = surface(b, 0.4)
    b.add("wall", (6, 6, 0.001), (0, -3, near + deep), side if rng.random() < 0.5 else surface(b, 0.5))
    x0, y0 = rng.normal(0, 0.25, 2) * near
    thick = rng.uniform(0.01, 0.25) * near
    middle = near + deep / 2
    for s in (-1, 1):
        if rng.random() < 0.75:
            b.add("box", (thick, 4, deep), (x0 + s * (w + thick / 2), -2, middle), side)
        if rng.random() < 0.75:
            b.add("box", (4, thick, deep), (0, y0 + h if s > 0 else y0 - h - thick, middle), side)
    for _ in range(int(rng.integers(0, 3))):  # shelves and partitions, some set back
        part = deep * rng.uniform(0.2, 1)
        if rng.random() < 0.5:
            size, place = (0.02, 2 * h, part), (x0 + rng.uniform(-1, 1) * w, y0 - h)
        else:
            size, place = (2 * w, 0.02, part), (x0, y0 + rng.uniform(-1, 1) * h)
        b.add("box", size, (*place, near + deep - part / 2), side if rng.random() < 0.6 else surface(b, 0.3))
    for _ in range(int(rng.integers(0, 8))):
        with b.at(x0 + rng.uniform(-0.9, 0.9) * w, y0 - h, near + rng.uniform(0.1, 0.9) * deep, rng.uniform(0, 6)):
            thing(b, rng.uniform(0.2, 1.2) * h)
    if rng.random() < 0.4:  # a ledge before it
        b.add("box", (4, 0.5, 0.3 * near), (0, y0 - h - 0.5, 0.8 * near), surface(b, 0.5))
    lamps = [still_lamp(rng)]
    return [
        View(
            np.array([rng.normal(0, 0.2) * near, rng.normal(0, 0.15) * near, rng.uniform(-0.1, 0.2) * near]),
            rng.normal(0, 12),
            rng.normal(0, 8),
            rng.normal(0, 2),
            rng.uniform(28, 60),
            reach=near,
            lamps=lamps,
        )
        for _ in range(3)
    ]


def drapery(b):
    """Cloth in layers: hung with folds, thrown over things, heaped in front; things between."""
    rng = b.rng
    wall = rng.uniform(1.3, 3.0)
    back_wall(b, wall)
    ground = -rng.uniform(0.2, 0.5) * wall
    for _ in range(int(rng.integers(1, 5))):
        z = rng.uniform(0.55, 1.0) * wall
        w, h = rng.uniform(0.3, 1.3) * z, rng.uniform(0.5, 1.6) * z
        with b.at(rng.uniform(-0.6, 0.6) * z, rng.uniform(-0.7, 0.1) * z, z, rng.normal(0, 0.5)):
            b.add(
                "cloth",
                (w, h, rng.uniform(0.05, 0.6) * w),
                (0, -h / 2, 0),
                surface(b, rng.uniform(0.1, 0.6) * z),
                tilted(rng),
            )
    for _ in range(int(rng.integers(1, 5))):
        z = rng.uniform(0.4, 0.95) * wall
        s = rng.uniform(0.3, 1.0) * z
        b.add(
            "rumple",
            (s, rng.uniform(0.1, 0.5) * s, s),
            (rng.uniform(-0.5, 0.5) * z, ground, z),
            surface(b, 0.3 * s),
            tilted(rng, 3, 0.3, 0.3),
        )
    b.add(
        "rumple" if rng.random() < 0.6 else "floor",
        (8, rng.uniform(0.02, 0.15), 6),
        (0, ground, wall * 0.7),
        surface(b, 0.5),
    )
    for _ in range(int(rng.integers(1, 8))):
        z = rng.uniform(0.45, 0.9) * wall
        with b.at(rng.uniform(-0.45, 0.45) * z, ground, z):
            thing(b, rng.uniform(0.1, 0.45) * z)
    lamps = [still_lamp(rng) for _ in range(int(rng.integers(1, 3)))]
    return [
        View(
            np.array([rng.normal(0, 0.12) * wall, rng.uniform(-0.1, 0.3) * wall, rng.uniform(-0.3, 0.1)]),
            rng.normal(0, 8),
            rng.normal(-5, 8),
            rng.normal(0, 2),
            rng.uniform(28, 60),
            reach=wall,
            lamps=lamps,
        )
        for _ in range(3)
    ]
