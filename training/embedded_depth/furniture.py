"""What stands in rooms, and the rooms' shells."""

from __future__ import annotations

import numpy as np
from builder import turn
from things import person, plant, thing


def seat(b):
    """Chair, arm-chair, sofa or stool facing -z."""
    rng = b.rng
    k = rng.random()
    if k < 0.55:
        c = b.look(rng.choice(["wood", "plain", "clouds"]), 0.5)
        s, h, back = rng.uniform(0.38, 0.5), rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.65)
        t = rng.uniform(0.02, 0.05)
        for x in (-1, 1):
            for z in (-1, 1):
                b.add("box", (t, h if z < 0 else h, t), (x * s * 0.45, 0, z * s * 0.45), c)
            b.add("box", (t, back, t), (x * s * 0.45, h, s * 0.45), c, turn(0, 0.1))
        b.add("box", (s, 0.05, s), (0, h, 0), c if rng.random() < 0.5 else b.look())
        if rng.random() < 0.4:
            b.add("box", (s, back * rng.uniform(0.4, 1), t), (0, h + back * 0.3, s * 0.45), c, turn(0, 0.1))
        else:
            for j in range(int(rng.integers(2, 6))):
                if rng.random() < 0.5:
                    b.add("box", (s, 0.05, t), (0, h + back * (0.15 + 0.17 * j), s * 0.47), c, turn(0, 0.1))
                else:
                    b.add("box", (0.03, back, t), (s * (-0.4 + 0.16 * j), h, s * 0.45), c, turn(0, 0.1))
            b.add("box", (s, 0.06, t), (0, h + back, s * 0.5), c, turn(0, 0.1))
    elif k < 0.75:  # office chair
        c = b.look("grain", 0.3)
        b.add("cylinder", (0.05, 0.42, 0.05), (0, 0.04, 0), b.look("plain", tint=(0.05, 0.05, 0.05)))
        for j in range(5):
            b.add(
                "box", (0.05, 0.3, 0.04), (0, 0.06, 0), b.look("plain", tint=(0.05, 0.05, 0.05)), turn(j * 1.257, 1.5)
            )
        b.add("pillow", (0.5, 0.1, 0.5), (0, 0.42, 0), c)
        b.add("pillow", (0.45, 0.55, 0.1), (0, 0.55, 0.24), c, turn(0, 0.12))
    else:
        c = b.look(rng.choice(["grain", "stripes", "plain", "clouds"]), 0.5)
        w = rng.choice([0.8, 1.5, 2.1])
        b.add("box", (w, 0.4, 0.8), (0, 0.02, 0), c)
        b.add("pillow", (w, 0.85, 0.28), (0, 0.05, 0.35), c)
        for x in (-1, 1):
            b.add("pillow", (0.22, 0.62, 0.85), (x * (w / 2), 0, 0), c)
        for _ in range(int(rng.integers(0, 4))):
            b.add(
                "pillow",
                (0.4, 0.4, 0.15),
                (rng.uniform(-0.4, 0.4) * w, 0.42, 0.15),
                b.look(tile=0.2),
                turn(rng.normal(0, 0.3), 0.3),
            )


def table(b, w, h, d, load=0):
    rng = b.rng
    c = b.look(rng.choice(["wood", "plain", "clouds"]), 0.8)
    b.add("box", (w, 0.04, d), (0, h - 0.04, 0), c)
    if rng.random() < 0.2:
        b.add("cylinder", (0.1, h, 0.1), (0, 0, 0), c)
        b.add("box", (w * 0.5, 0.04, d * 0.5), (0, 0, 0), c)
    else:
        for x in (-1, 1):
            for z in (-1, 1):
                b.add("box", (0.06, h, 0.06), (x * (w / 2 - 0.06), 0, z * (d / 2 - 0.06)), c)
    for _ in range(load):
        with b.at(rng.uniform(-0.45, 0.45) * w, h, rng.uniform(-0.45, 0.45) * d, rng.uniform(0, 6)):
            thing(b, rng.uniform(0.06, 0.35))


def monitor(b):
    rng = b.rng
    w = rng.uniform(0.35, 0.65)
    h = w * rng.uniform(0.56, 0.8)
    d = 0.05 if rng.random() < 0.6 else 0.4
    case = b.look("plain", tint=np.full(3, rng.choice([0.05, 0.5, 0.8])))
    b.add("box", (w * 0.4, 0.02, 0.2), (0, 0, 0), case)
    b.add("box", (0.08, 0.15, 0.05), (0, 0, 0), case)
    b.add("taper" if d > 0.1 else "box", (w, h, d), (0, 0.12, d / 2), case)
    b.add(
        "box",
        (w * 0.92, h * 0.9, 0.01),
        (0, 0.12 + h * 0.05, -0.01),
        b.look("print", w, glow=rng.choice([0, 0.7]), tint=np.full(3, rng.choice([0.05, 0.9]))),
    )


def shelf(b, w, h, d):
    rng = b.rng
    c = b.look("wood" if rng.random() < 0.5 else "plain", 0.8)
    b.add("box", (w, h, 0.03), (0, 0, d / 2), c)
    for x in (-1, 1):
        b.add("box", (0.03, h, d), (x * w / 2, 0, 0), c)
    n = int(rng.integers(2, 6))
    for k in range(n + 1):
        y = h * k / n
        b.add("box", (w, 0.03, d), (0, y, 0), c)
        if k == n or rng.random() < 0.2:
            continue
        x = -w / 2 + 0.05
        while x < w / 2 - 0.05 and b.count < 900:
            if rng.random() < 0.75:
                t = rng.uniform(0.02, 0.08)
                b.add(
                    "box",
                    (t, h / n * rng.uniform(0.5, 0.85), d * rng.uniform(0.5, 0.8)),
                    (x, y, 0),
                    b.look("print" if rng.random() < 0.4 else "plain", 0.3),
                )
                x += t
            else:
                with b.at(x + 0.1, y, 0):
                    thing(b, h / n * rng.uniform(0.3, 0.7))
                x += 0.3


def cabinet(b):
    rng = b.rng
    w, h, d = rng.uniform(0.4, 2.0), rng.uniform(0.5, 2.2), rng.uniform(0.3, 0.6)
    c = b.look("wood" if rng.random() < 0.6 else "plain", 1.0)
    b.add("box", (w, h, d), (0, 0, 0), c)
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    front = b.look("wood" if rng.random() < 0.5 else "plain", 1.0, tint=c[2:5] * 0.9)
    for i in range(n):
        for j in range(m):
            b.add(
                "box",
                (w / n * 0.92, h / m * 0.92, 0.02),
                (w * ((i + 0.5) / n - 0.5), h * (j + 0.04) / m, -d / 2),
                front,
            )
            b.add(
                "box",
                (0.03, 0.06, 0.03),
                (w * ((i + 0.8) / n - 0.5), h * (j + 0.5) / m, -d / 2 - 0.02),
                b.look("plain"),
            )
    for _ in range(int(rng.integers(0, 5))):
        with b.at(rng.uniform(-0.4, 0.4) * w, h, 0):
            thing(b, rng.uniform(0.1, 0.4))


def bed(b):
    w = b.rng.uniform(0.9, 1.8)
    b.add("pillow", (w, 0.55, 2.0), (0, 0, 0), b.look(tile=0.6))
    b.add("rumple", (w * 1.05, 0.2, 1.5), (0, 0.5, -0.25), b.look(tile=0.4))
    b.add("box", (w, 1.0, 0.06), (0, 0, 1.0), b.look("wood"))
    for x in (-0.25, 0.25):
        b.add("pillow", (0.55, 0.18, 0.4), (x * w, 0.52, 0.75), b.look(tile=0.3))


def dining(b):
    """A table with chairs on all sides, some pulled out."""
    rng = b.rng
    w, d, h = rng.uniform(0.8, 2.4), rng.uniform(0.7, 1.1), rng.uniform(0.7, 0.8)
    table(b, w, h, d, int(rng.integers(0, 9)))
    for s in (-1, 1):
        for x in np.arange(-w / 2 + 0.35, w / 2 - 0.2, rng.uniform(0.5, 0.8)):
            if rng.random() < 0.8:
                with b.at(x, 0, s * (d / 2 + rng.uniform(0.0, 0.4)), (0 if s > 0 else np.pi) + rng.normal(0, 0.25)):
                    seat(b)
        if rng.random() < 0.5:
            with b.at(s * (w / 2 + rng.uniform(0.0, 0.4)), 0, 0, s * np.pi / 2 + rng.normal(0, 0.25)):
                seat(b)


def furniture(b):
    rng = b.rng
    k = rng.random()
    if k < 0.08:
        dining(b)
    elif k < 0.34:
        seat(b)
    elif k < 0.55:
        table(b, rng.uniform(0.6, 1.8), rng.uniform(0.4, 0.8), rng.uniform(0.5, 1.0), int(rng.integers(0, 6)))
    elif k < 0.68:
        cabinet(b)
    elif k < 0.78:
        shelf(b, rng.uniform(0.6, 1.6), rng.uniform(0.8, 2.2), 0.3)
    elif k < 0.84:
        plant(b, rng.uniform(0.6, 1.6))
    elif k < 0.88:
        bed(b)
    elif k < 0.93:
        person(b)
    else:
        thing(b, rng.uniform(0.3, 1.2))


# -- places ----------------------------------------------------------------------------------------------------------------------------------


def shell(b, x0, x1, z0, z1, h, ceiling=True, back=True):
    """Floor, far wall, side walls and what hangs on them."""
    rng = b.rng
    w, d, cx, cz = x1 - x0, z1 - z0, (x0 + x1) / 2, (z0 + z1) / 2
    b.add(
        "floor",
        (w, 0.001, d),
        (cx, 0, cz),
        b.look(rng.choice(["wood", "checks", "clouds", "grain", "plain", "stripes"]), rng.uniform(0.5, 1.5)),
    )
    paint = b.look(
        rng.choice(["plain", "clouds", "bricks", "stripes", "spots"], p=[0.5, 0.2, 0.1, 0.1, 0.1]),
        0.8,
        contrast=rng.uniform(0.05, 0.5),
        tint=np.clip(rng.uniform(0.4, 0.95) + rng.normal(0, 0.1, 3), 0, 1),
    )
    b.add("wall", (w, h, 0.001), (cx, 0, z1), paint)
    for x, r in ((x0, -1), (x1, 1)):
        b.add(
            "wall",
            (d, h, 0.001),
            (x, 0, cz),
            paint if rng.random() < 0.7 else b.look("plain", 1.0),
            turn(r * np.pi / 2),
        )
    if ceiling:
        b.add("floor", (w, 0.001, d), (cx, h, cz), b.look("plain", 1.0, tint=np.full(3, rng.uniform(0.5, 0.95))))
        if rng.random() < 0.5:
            for z in np.arange(z0 + 1, z1, 2.0):
                b.add(
                    "box",
                    (rng.uniform(0.3, 1.2), 0.05, 0.3),
                    (cx, h - 0.06, z),
                    b.look("plain", tint=(1, 1, 1), glow=1.5),
                )
    b.add("box", (w, 0.1, 0.02), (cx, 0, z1 - 0.01), b.look("plain"))
    for _ in range(int(rng.integers(0, 6))):
        side = rng.integers(0, 3)
        pw, ph = rng.uniform(0.3, 1.6), rng.uniform(0.3, 1.4)
        kind = rng.random()
        y = rng.uniform(0.8, max(0.9, h - ph - 0.2))
        if kind < 0.3:
            look, y, ph = b.look("plain", glow=rng.uniform(0.3, 2.5), tint=(0.85, 0.93, 1.0)), 0.9, h - 1.2
        elif kind < 0.45:
            look, y, pw, ph = b.look("wood", 1.0), 0, 0.9, 2.05
        else:
            look = b.look("print", pw)
        a, r = (
            (rng.uniform(x0 + pw, x1 - pw) if w > 2 * pw else cx, 0)
            if side == 0
            else (None, -np.pi / 2 if side == 1 else np.pi / 2)
        )
        px, pz = (a, z1 - 0.02) if side == 0 else (x0 + 0.02 if side == 1 else x1 - 0.02, rng.uniform(z0, z1))
        with b.at(px, y, pz, r):
            b.add("box", (pw, ph, 0.03), (0, 0, 0), look)
            if kind < 0.45:
                edge = b.look("plain")
                b.add("box", (pw + 0.1, 0.07, 0.08), (0, ph, 0), edge)
                for s in (-1, 0, 1):
                    b.add("box", (0.06, ph, 0.07), (s * pw / 2, 0, 0), edge)
            if kind < 0.2:
                for s in (-1, 1):
                    b.add("cloth", (0.5, ph + 0.8, 0.12), (s * (pw / 2 + 0.1), -0.7, -0.12), b.look(tile=0.3))
