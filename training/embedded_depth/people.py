"""Layouts with something large in front: people near and far, close-ups, loose things."""

from __future__ import annotations

import numpy as np
from builder import View, turn
from furniture import furniture, shell, table
from things import SKIN, animal, bust, car, green, person, plant, thing, tree


def backdrop(b):
    """What stands behind people and close things. Returns whether it leaves the sky open."""
    rng = b.rng
    k = rng.random()
    if k < 0.4:
        d = rng.uniform(2.5, 7)
        shell(b, -rng.uniform(2, 5), rng.uniform(2, 5), -1.5, d, rng.uniform(2.4, 3.5))
        for _ in range(int(rng.integers(1, 7))):
            with b.at(rng.uniform(-2.5, 2.5), 0, d - rng.uniform(0.3, 1.2), rng.normal(0, 0.4)):
                furniture(b)
        return False
    if k < 0.65:
        b.add("floor", (300, 0.001, 300), (0, 0, 140), b.look("grain", 3.0))
        for _ in range(int(rng.integers(3, 12))):
            z = rng.uniform(8, 50)
            b.add(
                "box",
                (rng.uniform(4, 15), rng.uniform(4, 25), 6),
                (rng.uniform(-1, 1) * z, 0, z),
                b.look("facade", 6.0),
                turn(rng.normal(0, 0.4)),
            )
        for _ in range(int(rng.integers(0, 6))):
            z = rng.uniform(5, 25)
            with b.at(rng.uniform(-0.7, 0.7) * z, 0, z, rng.uniform(0, 6)):
                car(b) if rng.random() < 0.6 else person(b)
        return True
    b.add("terrain", (80, 2.0, 80), (0, -1.2, 36), b.look("leaves", 2.0, tint=green(b)))
    b.add("floor", (500, 0.001, 500), (0, -0.8, 200), b.look("clouds", 5.0, tint=green(b)))
    for _ in range(int(rng.integers(2, 16))):
        z = rng.uniform(4, 30)
        with b.at(rng.uniform(-0.9, 0.9) * z, -0.5, z, rng.uniform(0, 6)):
            tree(b, rng.uniform(3, 10))
    return True


def portrait(b):
    """One to four people from the waist up, near the camera."""
    rng = b.rng
    sky = backdrop(b)
    n = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    focus = rng.uniform(0.8, 2.6)
    for k in range(n):
        z = focus + (0 if k == 0 else abs(rng.normal(0, 1.0)))
        x = (k - (n - 1) / 2) * rng.uniform(0.4, 0.8) * max(1.0, z * 0.6) + rng.normal(0, 0.15)
        with b.at(x, 1.3 + rng.normal(0, 0.08), z):
            bust(b, rng.uniform(0.42, 0.52), rng.normal(0, 0.6) if rng.random() < 0.85 else rng.uniform(2.4, 3.8))
    if rng.random() < 0.25:  # over the shoulder
        with b.at(rng.choice([-1, 1]) * rng.uniform(0.25, 0.4), 1.25, 0.55):
            bust(b, 0.48, np.pi + rng.normal(0, 0.4))
    if rng.random() < 0.25:
        with b.at(rng.uniform(-0.3, 0.3), 0, focus - 0.45):
            table(b, 1.6, 1.02, 0.6, int(rng.integers(1, 5)))
    return [
        View(
            np.array([rng.uniform(-0.25, 0.25), rng.uniform(1.3, 1.75), 0]),
            rng.normal(0, 6),
            rng.normal(-1, 5),
            rng.normal(0, 2),
            rng.uniform(28, 60),
            reach=2.5,
            sky=sky,
            focus=focus if rng.random() < 0.6 else 0,
            lamps=[[rng.uniform(-2, 2), 2.5, rng.uniform(-0.5, 1), *([rng.uniform(0.1, 0.9)] * 3), 2.0]],
        )
        for _ in range(3)
    ]


def group(b):
    """People from head to foot in a room, a street or a field."""
    rng = b.rng
    sky = backdrop(b)
    for _ in range(int(rng.integers(1, 8))):
        z = rng.uniform(1.8, 6)
        with b.at(rng.uniform(-0.5, 0.5) * z, -0.05, z, rng.normal(0, 1.2)):
            animal(b, rng.uniform(0.4, 1.2)) if rng.random() < 0.12 else person(b)
    return [
        View(
            np.array([rng.uniform(-0.5, 0.5), rng.uniform(0.8, 1.9), rng.uniform(-0.8, 0.3)]),
            rng.normal(0, 8),
            rng.normal(-4, 6),
            rng.normal(0, 2),
            rng.uniform(35, 75),
            reach=5,
            sky=sky,
        )
        for _ in range(3)
    ]


def close(b):
    """Hands, fruit, flowers, gear: something large and near in front of anything."""
    rng = b.rng
    sky = backdrop(b)
    z = rng.uniform(0.5, 1.1)
    y = 1.2
    k = rng.random()
    if k < 0.4:  # a hand with fingers
        skin = b.look("clouds", 0.2, tint=np.array(SKIN[rng.integers(len(SKIN))]), contrast=0.1)
        for _ in range(int(rng.integers(1, 3))):
            with b.at(
                rng.uniform(-0.2, 0.2), y + rng.uniform(-0.15, 0.1), z + rng.uniform(-0.1, 0.2), rng.normal(0, 0.8)
            ):
                rot = turn(0, rng.normal(0, 0.6), rng.normal(0, 0.5))
                b.add("pillow", (0.1, 0.12, 0.04), (0, -0.06, 0), skin, rot)
                for f in range(4):
                    b.add(
                        "capsule",
                        (0.022, rng.uniform(0.08, 0.11), 0.022),
                        rot @ np.array([-0.036 + f * 0.024, 0.03, 0]),
                        skin,
                        rot @ turn(0, -abs(rng.normal(0, 0.5)), (1.5 - f) * 0.08),
                    )
                b.add(
                    "capsule",
                    (0.026, 0.09, 0.026),
                    rot @ np.array([0.045, -0.02, -0.01]),
                    skin,
                    rot @ turn(0, -0.3, -0.7),
                )
                b.add(
                    "capsule",
                    (0.075, 0.5, 0.07),
                    rot @ np.array([0, -0.48, 0.02]),
                    skin if rng.random() < 0.5 else b.look(),
                    rot,
                )
        if rng.random() < 0.5:
            with b.at(rng.uniform(-0.1, 0.1), y - 0.05, z - 0.03):
                thing(b, rng.uniform(0.08, 0.2))
    elif k < 0.6:
        for _ in range(int(rng.integers(1, 5))):
            with b.at(rng.normal(0, 0.25), y - rng.uniform(0.2, 0.5), z + abs(rng.normal(0, 0.3))):
                plant(b, rng.uniform(0.3, 0.7))
    else:
        b.add("floor", (3, 0.001, 1.6), (0, y - 0.25, z + 0.5), b.look())
        for _ in range(int(rng.integers(1, 9))):
            with b.at(rng.normal(0, 0.3), y - 0.25, z + abs(rng.normal(0, 0.4))):
                thing(b, rng.uniform(0.1, 0.35))
    return [
        View(
            np.array([rng.normal(0, 0.06), y + rng.uniform(-0.1, 0.3), 0]),
            rng.normal(0, 6),
            rng.normal(-6, 7),
            rng.normal(0, 4),
            rng.uniform(30, 60),
            reach=1.5,
            sky=sky,
            focus=z if rng.random() < 0.6 else 0,
        )
        for _ in range(2)
    ]


def loose(b):
    """Anything anywhere in front of a slanted backdrop: only occlusion, shading and size tell depth."""
    rng = b.rng
    d = rng.uniform(2, 10)
    with b.at(0, -d, d, rng.normal(0, 0.5)):
        b.add("wall", (8 * d, 4 * d, 0.001), (0, 0, 0), b.look(None, 0.3 * d), turn(0, rng.normal(0.3, 0.4)))
    for _ in range(int(rng.integers(4, 22))):
        z = rng.uniform(0.25, 0.95) * d
        with b.at(rng.uniform(-0.6, 0.6) * z, rng.uniform(-0.55, 0.3) * z, z, rng.uniform(0, 6)):
            thing(b, rng.uniform(0.06, 0.4) * z)
    return [
        View(np.array([0.0, 0, 0]), rng.normal(0, 5), rng.normal(-3, 5), rng.normal(0, 6), rng.uniform(35, 75), reach=d)
        for _ in range(2)
    ]
