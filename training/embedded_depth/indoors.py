"""Layouts indoors: rooms, corridors, still lifes, packed things, desks, bins."""

from __future__ import annotations

import numpy as np
from builder import View, turn
from furniture import furniture, monitor, seat, shell, table
from things import person, thing


def room(b):
    rng = b.rng
    w, d, h = rng.uniform(4, 9), rng.uniform(3, 8), rng.uniform(2.3, 3.2)
    off = rng.uniform(-0.3, 0.3) * w
    shell(b, off - w / 2, off + w / 2, -2.5, d, h)
    for _ in range(int(rng.integers(3, 12))):
        near_wall = rng.random() < 0.4
        x, z = (
            rng.uniform(off - w / 2 + 0.5, off + w / 2 - 0.5),
            (d - rng.uniform(0.3, 0.6) if near_wall else rng.uniform(0.9, d - 0.5)),
        )
        with b.at(x, 0, z, (rng.normal(0, 0.15) if near_wall else rng.uniform(0, 6.3))):
            furniture(b)
    if rng.random() < 0.5:
        b.add("box", (rng.uniform(1, 3), 0.015, rng.uniform(1, 2)), (off, 0, d * 0.5), b.look(tile=0.6))
    if rng.random() < 0.3:
        with b.at(rng.uniform(-0.8, 0.8), 0, rng.uniform(0.9, 1.8), rng.uniform(0, 6.3)):
            seat(b)
    lamps = [
        [
            rng.uniform(-2, 2),
            h - 0.3,
            rng.uniform(0.5, d),
            *(rng.uniform(0.3, 1.2) * np.array([1, 0.9, 0.75])),
            rng.uniform(1, 4),
        ]
        for _ in range(int(rng.integers(1, 3)))
    ]
    return [
        View(
            np.array([rng.uniform(-0.6, 0.6), rng.uniform(0.7, 1.9), rng.uniform(-1.5, 0.0)]),
            rng.normal(0, 14),
            rng.normal(-11, 8),
            rng.normal(0, 2),
            rng.uniform(40, 75),
            reach=5,
            lamps=lamps,
        )
        for _ in range(3)
    ]


def corridor(b):
    rng = b.rng
    w, h, d = rng.uniform(1.6, 5), rng.uniform(2.2, 4), rng.uniform(8, 40)
    shell(b, -w / 2, w / 2, -2, d, h, ceiling=rng.random() < 0.8)
    for _ in range(int(rng.integers(2, 12))):
        z = rng.uniform(1.5, d)
        with b.at(rng.choice([-1, 1]) * w * 0.42, 0, z, rng.uniform(-0.4, 0.4)):
            if rng.random() < 0.3:
                b.add("box", (0.2, h, 0.3), (0, 0, 0), b.look("plain"))
            else:
                furniture(b)
    if rng.random() < 0.5:
        with b.at(rng.uniform(-0.3, 0.3) * w, 0, rng.uniform(2, 8), rng.uniform(0, 6)):
            person(b)
    lamps = [[0, h - 0.4, z, *([rng.uniform(0.3, 1)] * 3), 2.0] for z in (2.0, 7.0)]
    return [
        View(
            np.array([rng.uniform(-0.3, 0.3) * w, rng.uniform(1.0, 1.8), -1]),
            rng.normal(0, 8),
            rng.normal(-4, 6),
            rng.normal(0, 2),
            rng.uniform(45, 80),
            reach=6,
            lamps=lamps,
        )
        for _ in range(2)
    ]


def still_lamp(rng):
    """A lamp somewhere over a still life, towards the camera: place, colour, reach."""
    return [
        rng.uniform(-2, 2), rng.uniform(1, 3), rng.uniform(-0.5, 1), *([rng.uniform(0.2, 1.2)] * 3), rng.uniform(1, 3),
    ]  # fmt: skip


def tabletop(b):
    """Still lifes: things in front of a wall or a cloth, camera low and near; some are cut by the frame."""
    rng = b.rng
    wall = rng.uniform(1.6, 4.0)
    k = rng.random()
    tint = np.clip(rng.uniform(0.3, 0.95) + rng.normal(0, 0.12, 3), 0, 1)
    ground = b.look(
        rng.choice(["wood", "plain", "clouds", "checks", "grain", "print"]), 0.6, contrast=rng.uniform(0.1, 0.9)
    )
    b.add("floor" if rng.random() < 0.7 else "rumple", (7, 0.02 if k < 0.7 else 0.12, 6), (0, -0.02, 2.0), ground)
    with b.at(0, 0, wall, rng.normal(0, 0.25)):
        if k < 0.75:
            b.add("wall", (9, 4, 0.001), (0, -0.3, 0), b.look(None, 0.5, tint=tint, contrast=rng.uniform(0.1, 1)))
        else:
            b.add("cloth", (7, 4, rng.uniform(0.05, 0.5)), (0, -0.3, 0), b.look(None, 0.5, tint=tint))
        for _ in range(int(rng.integers(0, 4))):
            b.add(
                "box",
                (rng.uniform(0.3, 1.2), rng.uniform(0.3, 1), 0.02),
                (rng.uniform(-1.5, 1.5), rng.uniform(0, 1.2), -0.03),
                b.look("print" if rng.random() < 0.6 else "wood", 0.6),
            )
    if rng.random() < 0.25:  # a board or box face to one side
        s = rng.choice([-1, 1])
        b.add(
            "box",
            (0.05, 3, rng.uniform(0.5, 2.5)),
            (s * rng.uniform(0.5, 1.0), 0, wall - rng.uniform(0.6, 1.3)),
            b.look("wood", 0.8),
            turn(rng.normal(0, 0.3)),
        )
    for _ in range(int(rng.integers(2, 6))):  # behind: large
        s = rng.uniform(0.4, 1.1)
        with b.at(rng.uniform(-1.3, 1.3), 0, wall - rng.uniform(0.3, 0.9), rng.normal(0, 0.3)):
            thing(b, s)
            if rng.random() < 0.3:
                with b.at(rng.uniform(-0.1, 0.1), s, 0):
                    thing(b, rng.uniform(0.15, 0.4))
    for _ in range(int(rng.integers(2, 9))):
        with b.at(rng.uniform(-0.9, 0.9), 0, rng.uniform(0.75, max(0.9, wall - 0.6))):
            thing(b, rng.uniform(0.12, 0.5))
    if rng.random() < 0.3:  # near and cut by the lower edge
        with b.at(rng.uniform(-0.5, 0.5), -0.1, rng.uniform(0.45, 0.8)):
            thing(b, rng.uniform(0.2, 0.4))
    lamps = [still_lamp(rng)]
    out = []
    for _ in range(3):
        y = rng.uniform(0.15, 1.1)
        out.append(
            View(
                np.array([rng.uniform(-0.35, 0.35), y, rng.uniform(-0.9, 0.1)]),
                rng.normal(0, 7),
                -np.degrees(np.arctan2(y - rng.uniform(0.2, 0.5), wall * 0.7)) + rng.normal(0, 4),
                rng.normal(0, 1.5),
                rng.uniform(30, 58),
                reach=2.5,
                lamps=lamps,
            )
        )
    return out


def stack(b):
    """Things packed in layers in front of a wall until they fill the picture; those of the edge are cut by it."""
    rng = b.rng
    wall, near = rng.uniform(1.8, 3.2), rng.uniform(0.7, 1.2)
    layers = int(rng.integers(2, 5))
    b.add("floor", (9, 0.001, 7), (0, 0, 2.0), b.look(None, 0.6))
    with b.at(0, 0, wall, rng.normal(0, 0.15)):
        b.add("wall", (9, 4, 0.001), (0, 0, 0), b.look(None, 0.5, contrast=rng.uniform(0.05, 1)))
    kind = rng.choice(["turned", "box", "taper", "ball", "lump"]) if rng.random() < 0.4 else None
    for z in np.linspace(near, wall - 0.25, layers):
        high = rng.uniform(0.2, 0.35) + 0.45 * (z - near) / (wall - near) * rng.uniform(0.6, 1.4)
        x = -0.65 * z - rng.uniform(0, 0.3)
        while x < 0.65 * z:
            wide = rng.uniform(0.15, 0.55)
            h = high * rng.uniform(0.7, 1.25)
            with b.at(x, 0, z + rng.normal(0, 0.06), rng.normal(0, 0.3)):
                if rng.random() < 0.35:  # on its own box
                    foot = h * rng.uniform(0.2, 0.6)
                    b.add("box", (wide * 1.3, foot, wide), (0, 0, 0), b.look(None, 0.4))
                    with b.at(0, foot, 0):
                        thing(b, h - 0.5 * foot)
                elif kind is not None:
                    b.add(kind, (wide, h, wide), (0, 0, 0), b.look(tile=0.3))
                else:
                    thing(b, h)
            x += wide * rng.uniform(0.6, 1.6)
    if rng.random() < 0.4:  # a ledge along the lower edge, nearer than all
        b.add(
            "box", (3, rng.uniform(0.1, 0.25), 0.25), (0, 0, near - 0.3), b.look(None, 0.5), turn(rng.normal(0, 0.15))
        )
    for _ in range(int(rng.integers(0, 3))):  # rods and stems from bottom to top
        w = rng.uniform(0.01, 0.05)
        z = rng.uniform(near, wall)
        b.add("cylinder", (w, 2.5, w), (rng.uniform(-0.5, 0.5) * z, 0, z), b.look(), turn(0, 0, rng.normal(0, 0.15)))
    lamps = [still_lamp(rng)]
    return [
        View(
            np.array([rng.uniform(-0.2, 0.2), rng.uniform(0.15, 0.7), rng.uniform(-0.4, 0.15)]),
            rng.normal(0, 6),
            rng.normal(-3, 5),
            rng.normal(0, 1.5),
            rng.uniform(28, 55),
            reach=2.5,
            lamps=lamps,
        )
        for _ in range(3)
    ]


def desk(b):
    rng = b.rng
    shell(b, -rng.uniform(2.5, 5), rng.uniform(2.5, 5), -2, rng.uniform(2.2, 6), 2.8)
    z0 = rng.uniform(1.0, 2.0)
    w, d, h = rng.uniform(1.2, 2.6), rng.uniform(0.6, 1.1), rng.uniform(0.68, 0.8)
    with b.at(rng.uniform(-0.4, 0.4), 0, z0, rng.normal(0, 0.25)):
        table(b, w, h, d, int(rng.integers(4, 16)))
        for _ in range(int(rng.integers(0, 3))):
            with b.at(rng.uniform(-0.35, 0.35) * w, h, rng.uniform(0, 0.3) * d, rng.normal(0, 0.3)):
                monitor(b)
        if rng.random() < 0.5:
            b.add(
                "box",
                (0.45, 0.03, 0.16),
                (rng.uniform(-0.2, 0.2), h, -0.25 * d),
                b.look("checks", 0.1),
                turn(rng.normal(0, 0.2)),
            )
        if rng.random() < 0.3:
            b.add("box", (w, rng.uniform(0.3, 0.6), 0.04), (0, h, d / 2), b.look(tile=0.8))
        for _ in range(int(rng.integers(0, 3))):
            with b.at(rng.uniform(-0.5, 0.5) * w, 0, -rng.uniform(0.4, 0.8), rng.normal(3.14, 0.8)):
                seat(b)
        if rng.random() < 0.3:
            with b.at(rng.uniform(-0.5, 0.5) * w, 0, d / 2 + 0.4, rng.normal(0, 0.3)):
                person(b)
    for _ in range(int(rng.integers(1, 5))):
        with b.at(rng.uniform(-2.5, 2.5), 0, z0 + rng.uniform(0.8, 2), rng.normal(0, 0.5)):
            furniture(b)
    lamps = [[rng.uniform(-1, 1), 2.5, rng.uniform(0.5, 3), *([rng.uniform(0.4, 1.3)] * 3), rng.uniform(1.5, 3)]]
    return [
        View(
            np.array([rng.uniform(-0.7, 0.7), rng.uniform(1.0, 1.8), rng.uniform(-0.6, 0.2)]),
            rng.normal(0, 14),
            rng.uniform(-38, -8),
            rng.normal(0, 3),
            rng.uniform(45, 75),
            reach=3,
            lamps=lamps,
        )
        for _ in range(3)
    ]


def heap(b):
    """A bin, a pile, a shelf from above: the height in the picture says little here."""
    rng = b.rng
    w, d, wall = rng.uniform(0.4, 1.0), rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.35)
    b.add("floor", (5, 0.001, 5), (0, -rng.uniform(0, 0.8), 0), b.look())
    if rng.random() < 0.6:
        c = b.look("plain", tint=None, gloss=0.3)
        b.add("box", (w, 0.01, d), (0, 0, 0), c)
        for s in (-1, 1):
            b.add("box", (0.02, wall, d), (s * w / 2, 0, 0), c, turn(0, 0, -0.15 * s))
            b.add("box", (w, wall, 0.02), (0, 0, s * d / 2), c, turn(0, 0.15 * s))
        b.add("box", (w * 1.6, 0.02, 0.15), (0, wall, d / 2 + 0.07), c)
    for _ in range(int(rng.integers(6, 26))):
        s = rng.uniform(0.06, 0.25)
        rot = turn(rng.uniform(0, 6), rng.normal(0, 0.6), rng.normal(0, 0.6))
        kind = rng.choice(["box", "box", "pillow", "turned", "lump", "ball", "taper"])
        b.add(
            kind,
            (s * rng.uniform(0.5, 1.6), s * rng.uniform(0.2, 1), s),
            (rng.uniform(-0.4, 0.4) * w, rng.uniform(0, 0.15), rng.uniform(-0.4, 0.4) * d),
            b.look("print" if rng.random() < 0.5 else None, s),
            rot,
        )
    out = []
    for _ in range(3):
        e, r = np.radians(rng.uniform(30, 85)), rng.uniform(0.7, 1.3)
        out.append(
            View(
                np.array([rng.normal(0, 0.06), r * np.sin(e), -r * np.cos(e)]),
                0,
                -np.degrees(e) + rng.normal(0, 3),
                rng.normal(0, 4),
                rng.uniform(35, 65),
                reach=1.0,
                lamps=[[rng.normal(0, 0.5), 1.5, rng.normal(0, 0.5), *([rng.uniform(0.3, 1)] * 3), 1.0]],
            )
        )
    return out
