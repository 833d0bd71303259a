"""Layouts in which the height in the picture says little: shelves, cluttered rooms, crowds, frames, views upwards."""

from __future__ import annotations

import numpy as np
from boards import surface, tilted
from builder import View, turn
from furniture import furniture, monitor, seat, shelf, shell, table
from people import backdrop
from things import animal, bust, car, person, plant, thing, tree


def shelves(b):
    """A wall of shelves, frontal or oblique, sometimes with something before it."""
    rng = b.rng
    z = rng.uniform(0.9, 2.6)
    b.add("floor", (12, 0.001, 9), (0, 0, 2), surface(b, 0.8))
    b.add("wall", (16, 4, 0.001), (0, 0, z + 0.4), surface(b, 0.8))
    with b.at(0, 0, z, rng.normal(0, 0.4)):
        x = -3.0
        while x < 3:
            w = rng.uniform(0.5, 1.4)
            with b.at(x + w / 2, 0, rng.uniform(-0.2, 0.15)):
                shelf(b, w, rng.uniform(1.4, 2.6), rng.uniform(0.25, 0.6))
            x += w + (rng.uniform(0, 0.8) if rng.random() < 0.3 else 0.02)
    for _ in range(int(rng.integers(0, 5))):
        with b.at(rng.uniform(-0.8, 0.8), 0, rng.uniform(0.5, 0.85) * z, rng.uniform(0, 6)):
            k = rng.random()
            if k < 0.3:
                person(b)
            elif k < 0.6:
                furniture(b)
            else:
                b.add("box", (0.5, rng.uniform(0.5, 1.2), 0.4), (0, 0, 0), surface(b, 0.4))
                with b.at(0, 0.9, 0):
                    thing(b, rng.uniform(0.1, 0.4))
    lamps = [[rng.uniform(-1, 1), 2.4, rng.uniform(0, 1), *([rng.uniform(0.3, 1.2)] * 3), rng.uniform(1.5, 3)]]
    return [
        View(
            np.array([rng.uniform(-0.8, 0.8), rng.uniform(0.5, 1.9), rng.uniform(-0.5, 0.3)]),
            rng.normal(0, 25),
            rng.normal(-2, 10),
            rng.normal(0, 2),
            rng.uniform(35, 75),
            reach=3,
            lamps=lamps,
        )
        for _ in range(3)
    ]


def hanging(b, top, x, z):
    """A lamp or a plant on a cord from the ceiling."""
    rng = b.rng
    drop, s = rng.uniform(0.2, 1.0), rng.uniform(0.2, 0.5)
    b.add("cylinder", (0.015, drop, 0.015), (x, top - drop, z), b.look("plain"))
    with b.at(x, top - drop - s * 0.8, z):
        b.add("turned", (s, s, s), (0, 0, 0), b.look(tile=0.3, glow=rng.choice([0, 0.8])))


def clutter(b):
    """A room full of things on every side, seen from anywhere in it and often from close by."""
    rng = b.rng
    w, d, h = rng.uniform(3, 8), rng.uniform(3, 8), rng.uniform(2.3, 3.2)
    shell(b, -w / 2, w / 2, -d / 2, d / 2, h)
    b.add("wall", (w, h, 0.001), (0, 0, -d / 2), surface(b, 0.8, contrast=rng.uniform(0.05, 0.6)))
    for _ in range(int(rng.integers(8, 26))):
        if b.count > 1000:
            break
        side = int(rng.integers(0, 5))
        depth = rng.uniform(0.25, 0.7)
        x, z = rng.uniform(-0.45, 0.45) * w, rng.uniform(-0.45, 0.45) * d
        if side == 0:
            z = d / 2 - depth
        elif side in (1, 2):
            x = (w / 2 - depth) * (1 if side == 1 else -1)
        elif side == 3:
            z = -d / 2 + depth
        if x * x + z * z < 0.5:
            continue
        facing = (0, np.pi / 2, -np.pi / 2, np.pi, rng.uniform(0, 6.3))[side]
        with b.at(x, 0, z, facing + rng.normal(0, 0.15)):
            furniture(b)
    for _ in range(int(rng.integers(3, 25))):
        a, r = rng.uniform(0, 6.3), rng.uniform(0.6, 0.5 * min(w, d))
        with b.at(r * np.sin(a), 0 if rng.random() < 0.7 else rng.uniform(0.3, 1.4), r * np.cos(a), rng.uniform(0, 6)):
            thing(b, rng.uniform(0.1, 0.6))
    for _ in range(int(rng.integers(0, 4))):
        hanging(b, h, rng.uniform(-0.4, 0.4) * w, rng.uniform(-0.4, 0.4) * d)
    lamps = [
        [
            rng.uniform(-0.4, 0.4) * w,
            h - 0.3,
            rng.uniform(-0.4, 0.4) * d,
            *(rng.uniform(0.3, 1.2) * np.array([1, 0.93, 0.8])),
            rng.uniform(1, 4),
        ]
        for _ in range(2)
    ]
    out = []
    for _ in range(4):
        yaw = rng.uniform(0, 360)
        place = np.array([rng.uniform(-0.25, 0.25) * w, rng.uniform(0.4, 2.0), rng.uniform(-0.25, 0.25) * d])
        if rng.random() < 0.45:  # something close by, to one side
            r, a = rng.uniform(0.45, 0.9), np.radians(yaw) + rng.uniform(-0.5, 0.5)
            with b.at(place[0] + r * np.sin(a), 0, place[2] + r * np.cos(a), rng.uniform(0, 6.3)):
                k = rng.random()
                if k < 0.4:
                    seat(b)
                elif k < 0.7:
                    table(b, rng.uniform(0.5, 1.2), rng.uniform(0.5, 1.0), 0.5, int(rng.integers(1, 6)))
                elif k < 0.85:
                    plant(b, rng.uniform(0.5, 1.4))
                else:
                    with b.at(0, rng.uniform(0.5, 1.0), 0):
                        monitor(b)
        out.append(View(place, yaw, rng.normal(-10, 11), rng.normal(0, 3), rng.uniform(38, 72), reach=4, lamps=lamps))
    return out


def crowd(b):
    """Many people near and far, on a square, in a hall or in a field."""
    rng = b.rng
    sky = backdrop(b)
    near = rng.uniform(0.7, 3)
    away = rng.random() < 0.4  # all look one way
    for _ in range(int(rng.integers(8, 34))):
        if b.count > 1200:
            break
        z = near + rng.exponential(6) if rng.random() < 0.8 else rng.uniform(near, near + 2)
        with b.at(rng.uniform(-0.65, 0.65) * z, -0.03, z, rng.normal(np.pi, 0.3) if away else rng.uniform(0, 6.3)):
            animal(b, rng.uniform(0.5, 1.5)) if rng.random() < 0.04 else person(b)
    if rng.random() < 0.3:
        with b.at(rng.uniform(-0.35, 0.35), rng.uniform(0.9, 1.3), rng.uniform(0.6, 1.0)):
            bust(b, 0.5, rng.uniform(2.4, 3.8))
    return [
        View(
            np.array([rng.uniform(-0.5, 0.5), rng.uniform(1.1, 2.6), rng.uniform(-0.8, 0.1)]),
            rng.normal(0, 10),
            rng.normal(-3, 6),
            rng.normal(0, 2),
            rng.uniform(35, 75),
            reach=8,
            sky=sky,
        )
        for _ in range(3)
    ]


def framed(b):
    """A view out of something near: a door, a window, a car, branches, a fence, an arch."""
    rng = b.rng
    sky = backdrop(b)
    for _ in range(int(rng.integers(0, 5))):
        z = rng.uniform(2.5, 8)
        with b.at(rng.uniform(-0.4, 0.4) * z, 0, z, rng.uniform(0, 6)):
            person(b) if rng.random() < 0.6 else car(b)
    z, y = rng.uniform(0.35, 1.4), 1.4
    k = rng.random()
    look = surface(b, 0.5)
    if k < 0.5:  # the four sides, each there or not
        wide, high, thick = rng.uniform(0.35, 0.9) * z, rng.uniform(0.25, 0.7) * z, rng.uniform(0.1, 2) * z
        roll = turn(0, 0, rng.normal(0, 0.05))
        for s in (-1, 1):
            if rng.random() < 0.75:
                b.add("box", (thick, 4 * z, 0.1), (s * (wide + thick / 2), y - 2 * z, z), look, roll)
            if rng.random() < 0.6:
                b.add("box", (6 * z, thick, 0.1), (0, y + high if s > 0 else y - high - thick, z), look, roll)
        for _ in range(int(rng.integers(0, 3))):
            b.add("box", (0.03 * z, 4 * z, 0.03), (rng.uniform(-1, 1) * wide, y - 2 * z, z), look, roll)
    elif k < 0.75:  # leaves and branches over the picture
        for _ in range(int(rng.integers(2, 9))):
            zz = z * rng.uniform(0.9, 2.5)
            s = rng.uniform(0.3, 1.0) * zz
            place = (rng.uniform(-0.6, 0.6) * zz, y + rng.uniform(-0.1, 0.5) * zz, zz)
            b.add(
                "wall",
                (s, s, 0.01),
                place,
                b.look("leaves", 0.4),
                tilted(rng, 0.5, 0.4, 2),
                int(rng.choice(b.tex.cut["foliage" if rng.random() < 0.6 else "tree"])),
            )
    else:  # a fence or a grid close by
        cut = int(rng.choice(b.tex.cut["fence"]))
        for x in (-1, 0, 1):
            b.add("wall", (1.6 * z, 1.6 * z, 0.01), (x * 1.6 * z, y - rng.uniform(0.7, 0.9) * z, z), look, None, cut)
    return [
        View(
            np.array([rng.normal(0, 0.1) * z, y + rng.normal(0, 0.1) * z, rng.uniform(-0.2, 0.1)]),
            rng.normal(0, 7),
            rng.normal(-1, 5),
            rng.normal(0, 2),
            rng.uniform(40, 75),
            reach=6,
            sky=sky,
        )
        for _ in range(3)
    ]


def upwards(b):
    """Looking up: houses and trees overhead, or beams, columns and lamps under a ceiling."""
    rng = b.rng
    indoors = rng.random() < 0.5
    if indoors:
        w, d, h = rng.uniform(4, 12), rng.uniform(6, 20), rng.uniform(2.6, 8)
        shell(b, -w / 2, w / 2, -2, d, h)
        beam = surface(b, 0.8)
        for z in np.arange(0.5, d, rng.uniform(1, 3)):
            b.add("box", (w, rng.uniform(0.1, 0.5), 0.3), (0, h - 0.4, z), beam)
            if rng.random() < 0.5:
                hanging(b, h, rng.uniform(-0.4, 0.4) * w, z)
        for _ in range(int(rng.integers(0, 7))):
            b.add("cylinder", (0.4, h, 0.4), (rng.uniform(-0.45, 0.45) * w, 0, rng.uniform(2, d)), beam)
        for _ in range(int(rng.integers(1, 6))):
            with b.at(rng.uniform(-0.4, 0.4) * w, 0, rng.uniform(1.5, d * 0.8), rng.uniform(0, 6)):
                furniture(b)
    else:
        b.add("floor", (300, 0.001, 300), (0, 0, 140), b.look("grain", 3.0))
        for _ in range(int(rng.integers(4, 14))):
            z, s = rng.uniform(2, 40), rng.choice([-1, 1])
            b.add(
                "box",
                (rng.uniform(5, 12), rng.uniform(8, 40), rng.uniform(5, 15)),
                (s * rng.uniform(8, 15), 0, z),
                b.look("facade", 4.0),
            )
        for _ in range(int(rng.integers(1, 8))):
            with b.at(rng.uniform(-6, 6), 0, rng.uniform(3, 20), rng.uniform(0, 6)):
                tree(b, rng.uniform(5, 14))
    return [
        View(
            np.array([rng.uniform(-1, 1), rng.uniform(0.5, 1.8), rng.uniform(-1, 0.5)]),
            rng.normal(0, 20),
            rng.uniform(8, 50),
            rng.normal(0, 6),
            rng.uniform(45, 85),
            reach=10,
            sky=not indoors,
        )
        for _ in range(3)
    ]
