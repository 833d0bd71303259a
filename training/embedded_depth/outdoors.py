"""Layouts outdoors: streets and open land."""

from __future__ import annotations

import numpy as np
from builder import View, turn
from things import animal, bicycle, bush, car, green, person, tree


def street(b):
    """Roads with kerbs, house fronts or trees, traffic; half of them through a windscreen."""
    rng = b.rng
    lanes, lane = int(rng.integers(1, 5)), rng.uniform(2.8, 3.6)
    half = lanes * lane / 2
    asphalt = b.look("grain", 3.0, tint=np.full(3, rng.uniform(0.15, 0.6)), contrast=rng.uniform(0.1, 0.5))
    b.add(
        "floor",
        (260, 0.001, 300),
        (0, -0.14, 140),
        b.look(rng.choice(["grain", "clouds", "leaves"]), 3.0, tint=green(b) if rng.random() < 0.5 else None),
    )
    b.add("floor", (half * 2, 0.001, 300), (0, 0, 140), asphalt)
    pave = rng.uniform(1.2, 5)
    pc = b.look(
        rng.choice(["bricks", "checks", "grain", "clouds"]), 1.5, tint=np.full(3, rng.uniform(0.3, 0.8)), contrast=0.5
    )
    for s in (-1, 1):
        for z in range(8):
            b.add("box", (pave, 0.28, 18.7), (s * (half + pave / 2), -0.14, z * 18.7), pc)
    white = b.look("plain", tint=(0.85, 0.85, 0.8), contrast=0.2)
    if rng.random() < 0.75:
        for k in range(lanes + 1):
            x = -half + k * lane
            if k in (0, lanes):
                b.add("box", (0.12, 0.006, 120), (x + (0.3 if k == 0 else -0.3), 0, 58), white)
            else:
                for z in range(0, 60, 6):
                    b.add("box", (0.13, 0.006, 2.8), (x, 0, z + 2), white)
    if rng.random() < 0.2:
        for k in range(int(half * 2)):
            b.add("box", (0.5, 0.006, 3.0), (-half + k + 0.5, 0, 14), white)
    edge = half + pave
    for s in (-1, 1):
        kind = rng.random()
        z = rng.uniform(-10, 5)
        back = edge + rng.uniform(0, 8)
        while z < 130 and b.count < 1100:
            n = rng.uniform(6, 25)
            if kind < 0.6:
                h = rng.uniform(4, 30)
                front = b.look(
                    "facade" if rng.random() < 0.75 else "bricks", rng.uniform(3, 10), contrast=rng.uniform(0.5, 1.0)
                )
                dx = back + rng.uniform(0, 2)
                b.add("box", (12, h, n), (s * (dx + 6), 0, z + n / 2), front)
                if rng.random() < 0.4:
                    b.add("box", (1.0, 0.4, n * 0.9), (s * (dx - 0.4), rng.uniform(2.5, 4), z + n / 2), b.look())
                if rng.random() < 0.4:
                    b.add("taper", (12, rng.uniform(2, 5), n), (s * (dx + 6), h, z + n / 2), b.look("bricks", 1.5))
                z += n + (rng.uniform(0, 8) if rng.random() < 0.3 else 0)
            else:
                with b.at(s * (back + rng.uniform(0, 5)), 0, z, rng.uniform(0, 6)):
                    if rng.random() < 0.7:
                        tree(b, rng.uniform(4, 13))
                    else:
                        bush(b, rng.uniform(0.8, 2.5))
                z += rng.uniform(2, 9)
    if rng.random() < 0.5:  # trees and posts along the kerb
        s, gap = rng.choice([-1, 1]), rng.uniform(5, 15)
        for z in np.arange(rng.uniform(3, 10), 70, gap):
            with b.at(s * (half + 0.8), 0, z):
                tree(b, rng.uniform(4, 9))
    for _ in range(int(rng.integers(0, 10))):
        s, z = rng.choice([-1, 1]), rng.uniform(4, 60)
        h = rng.uniform(2, 8)
        x = s * (half + rng.uniform(0.3, pave))
        b.add("cylinder", (0.12, h, 0.12), (x, 0, z), b.look("plain"))
        if rng.random() < 0.6:
            b.add("box", (rng.uniform(0.3, 1), rng.uniform(0.3, 1), 0.05), (x, h * 0.8, z), b.look("print", 0.6))
        elif rng.random() < 0.5:
            b.add("cylinder", (0.08, 3, 0.08), (x, h, z), b.look("plain"), turn(0, 0, s * 1.4))
    for _ in range(int(rng.integers(1, 11))):  # moving traffic
        k = int(rng.integers(0, lanes))
        with b.at(
            -half + (k + 0.5) * lane + rng.normal(0, 0.2),
            0,
            5 + rng.exponential(22),
            rng.normal(0, 0.05) + (np.pi if rng.random() < 0.6 else 0),
        ):
            car(b)
    for s in (-1, 1):
        if rng.random() < 0.55:  # parked
            z = rng.uniform(1, 8)
            while z < 60:
                with b.at(s * (half - 1.0), 0, z, rng.normal(0, 0.05)):
                    if rng.random() < 0.8:
                        car(b)
                z += rng.uniform(5.2, 8)
    for _ in range(int(rng.integers(0, 6))):
        with b.at(rng.choice([-1, 1]) * (half + rng.uniform(-0.5, pave)), 0, rng.uniform(4, 35), rng.uniform(0, 6.3)):
            if rng.random() < 0.8:
                person(b)
            else:
                bicycle(b)
    if rng.random() < 0.3:
        s = rng.choice([-1, 1])
        for z in np.arange(2, 40, 2.0):
            b.add(
                "wall",
                (2.0, 1.1, 0.01),
                (s * (half + 0.4), 0, z),
                b.look("plain"),
                turn(np.pi / 2),
                int(rng.choice(b.tex.cut["fence"])),
            )
    if rng.random() < 0.5:
        b.add("terrain", (400, rng.uniform(10, 60), 80), (0, -2, 200), b.look("leaves", 10.0, tint=green(b)))
    else:
        for _ in range(int(rng.integers(0, 6))):
            b.add(
                "box",
                (rng.uniform(10, 30), rng.uniform(8, 40), 15),
                (rng.uniform(-60, 60), 0, rng.uniform(110, 160)),
                b.look("facade", 8.0),
            )
    out = []
    for _ in range(3):
        turned = rng.random() < 0.2  # towards the houses
        if turned:
            place = [rng.uniform(-1, 1) * (half + 0.5 * pave), rng.uniform(1.2, 2.2), rng.uniform(-2, 25)]
            yaw, fov = rng.choice([-1, 1]) * rng.uniform(30, 120), rng.uniform(45, 80)
            haze = rng.exponential(0.003)
            out.append(
                View(np.array(place), yaw, rng.normal(0, 4), rng.normal(0, 1), fov, reach=18, sky=True, haze=haze)
            )
        elif rng.random() < 0.72:
            x = -half + (int(rng.integers(0, lanes)) + 0.5) * lane + rng.normal(0, 0.4)
            yaw = rng.normal(0, 5) if rng.random() < 0.7 else rng.normal(0, 40)
            out.append(
                View(
                    np.array([x, rng.uniform(1.3, 2.0), 0]),
                    yaw,
                    rng.normal(-1.5, 3),
                    rng.normal(0, 1),
                    rng.uniform(45, 95),
                    reach=25,
                    sky=True,
                    haze=rng.exponential(0.003),
                )
            )
        else:
            out.append(
                View(
                    np.array(
                        [
                            rng.choice([-1, 1]) * (half + pave * rng.uniform(0, 0.8)),
                            rng.uniform(1.2, 4),
                            rng.uniform(-2, 8),
                        ]
                    ),
                    rng.normal(0, 25),
                    rng.normal(-4, 6),
                    rng.normal(0, 1.5),
                    rng.uniform(40, 80),
                    reach=18,
                    sky=True,
                    haze=rng.exponential(0.004),
                )
            )
    return out


def field_scene(b):
    """Open land: ground, trees, stones, animals, hills, water, people."""
    rng = b.rng
    ground = b.look(
        rng.choice(["leaves", "grain", "clouds"]),
        rng.uniform(1, 4),
        tint=green(b) if rng.random() < 0.65 else np.clip(rng.uniform(0.4, 0.9) * np.array([1, 0.85, 0.65]), 0, 1),
    )
    b.add("terrain", (90, rng.uniform(0.2, 4), 90), (0, -rng.uniform(0.5, 2), 38), ground)
    b.add("floor", (700, 0.001, 700), (0, -1.0, 300), ground)
    if rng.random() < 0.35:
        b.add(
            "floor",
            (400, 0.001, rng.uniform(30, 200)),
            (0, rng.uniform(-0.9, -0.2), rng.uniform(40, 130)),
            b.look("clouds", 6.0, tint=(0.3, 0.45, 0.55), contrast=0.3, gloss=0.8),
        )
    for _ in range(int(rng.integers(0, 4))):
        b.add(
            "terrain",
            (rng.uniform(150, 500), rng.uniform(10, 90), rng.uniform(60, 150)),
            (rng.uniform(-150, 150), -3, rng.uniform(130, 300)),
            b.look(rng.choice(["leaves", "clouds", "grain"]), 15.0, tint=green(b)),
        )
    dense = rng.random() < 0.4
    for _ in range(int(rng.integers(10, 40) if dense else rng.integers(0, 12))):
        z = rng.uniform(2.5, 45) if dense else rng.uniform(6, 80)
        with b.at(rng.uniform(-0.9, 0.9) * (z + 4), -0.3, z, rng.uniform(0, 6)):
            tree(b, rng.uniform(3, 14))
    for _ in range(int(rng.integers(0, 14))):
        z = rng.uniform(1.5, 30)
        with b.at(rng.uniform(-0.8, 0.8) * z, -0.2, z, rng.uniform(0, 6)):
            k = rng.random()
            if k < 0.35:
                bush(b, rng.uniform(0.4, 1.8))
            elif k < 0.6:
                b.add("lump", rng.uniform(0.3, 2, 3), (0, 0, 0), b.look("clouds", 0.8))
            elif k < 0.8:
                animal(b, rng.uniform(0.6, 1.6))
            else:
                person(b)
    for _ in range(int(rng.integers(0, 25))):
        z = rng.uniform(1.0, 8)
        b.add(
            "wall",
            (rng.uniform(0.4, 1.5), rng.uniform(0.2, 0.8), 0.01),
            (rng.uniform(-1, 1) * z, -0.3, z),
            b.look("leaves", 0.5, tint=green(b)),
            turn(rng.uniform(-0.6, 0.6)),
            int(rng.choice(b.tex.cut["grass"])),
        )
    if rng.random() < 0.25:
        with b.at(rng.uniform(-10, 10), -0.5, rng.uniform(12, 40), rng.uniform(-0.6, 0.6)):
            b.add("box", (8, 4, 7), (0, 0, 0), b.look("facade", 4.0))
            b.add("taper", (9, 3, 8), (0, 4, 0), b.look("bricks", 1.0))
    if rng.random() < 0.25:
        z = rng.uniform(2, 8)
        for x in np.arange(-10, 10, 2.0):
            b.add("wall", (2.0, 1.2, 0.01), (x, -0.3, z), b.look("wood"), turn(0.0), int(b.tex.cut["fence"][0]))
    return [
        View(
            np.array([rng.uniform(-2, 2), rng.uniform(0.8, 4), rng.uniform(-3, 0)]),
            rng.normal(0, 15),
            rng.normal(-4, 6),
            rng.normal(0, 2),
            rng.uniform(30, 85),
            reach=15,
            sky=True,
            haze=rng.exponential(0.006),
        )
        for _ in range(3)
    ]
