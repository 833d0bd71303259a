"""Things small and large: plants, objects, people, animals, trees, vehicles. Each stands at the open frame's origin."""

from __future__ import annotations

import numpy as np
from builder import turn

GREEN = [(0.25, 0.4, 0.1), (0.35, 0.45, 0.15), (0.15, 0.3, 0.08), (0.5, 0.45, 0.15), (0.3, 0.5, 0.2)]


def green(b):
    return np.clip(np.array(GREEN[b.rng.integers(len(GREEN))]) * b.rng.uniform(0.5, 1.6), 0, 1)


SKIN = [(0.85, 0.6, 0.48), (0.75, 0.5, 0.38), (0.5, 0.32, 0.22), (0.3, 0.19, 0.13), (0.92, 0.72, 0.6)]


# -- things ----------------------------------------------------------------------------------------------------------------------------------


def plant(b, h):
    rng = b.rng
    if rng.random() < 0.7:
        p = rng.uniform(0.2, 0.35) * h
        b.add(
            "turned", (p, p, p), (0, 0, 0), b.look("clouds", 0.3, tint=(0.6, 0.35, 0.2) if rng.random() < 0.6 else None)
        )
    else:
        p = 0.0
    n, col = int(rng.integers(6, 24)), green(b)
    wide = rng.uniform(0.3, 2.0)
    for k in range(n):
        s = h * rng.uniform(0.5, 1.1)
        rot = turn(k * 2.4 + rng.normal(0, 0.3), 0, rng.normal(-0.2, 0.25))
        look = b.look(
            "grain" if rng.random() < 0.3 else "plain", 0.1, tint=np.clip(col * rng.uniform(0.6, 1.4), 0, 1), gloss=0.1
        )
        b.add("leaf", (s, s, s * wide), (0, p * 0.8, 0), look, rot)


def book(b, h=0.25):
    rng = b.rng
    b.add(
        "box",
        (h * rng.uniform(0.6, 0.8), h * rng.uniform(0.08, 0.25), h),
        (0, 0, 0),
        b.look("print", h * 1.2),
        turn(rng.uniform(0, 6)),
    )


def thing(b, h):
    """Any object about h high standing at the frame's origin."""
    rng = b.rng
    k = rng.random()
    yaw = turn(rng.uniform(0, 6.3))
    if k < 0.16:
        b.add("box", (h * rng.uniform(0.3, 1.6), h, h * rng.uniform(0.2, 1.2)), (0, 0, 0), b.look(tile=h), yaw)
    elif k < 0.24:
        b.add("taper", (h * rng.uniform(0.4, 1.4), h, h * rng.uniform(0.4, 1.4)), (0, 0, 0), b.look(tile=h), yaw)
    elif k < 0.42:
        w = h * rng.uniform(0.3, 1.2)
        b.add("turned", (w, h, w), (0, 0, 0), b.look(tile=h * 0.7), yaw)
    elif k < 0.52:
        b.add("ball", (h, h * rng.uniform(0.7, 1), h), (0, 0, 0), b.look(tile=h), yaw)
    elif k < 0.64:
        b.add("lump", (h * rng.uniform(0.5, 1.6), h, h * rng.uniform(0.5, 1.6)), (0, 0, 0), b.look(tile=h * 0.6), yaw)
    elif k < 0.72:
        plant(b, h)
    elif k < 0.77:
        for _ in range(int(rng.integers(1, 6))):
            with b.at(0, rng.uniform(0, 0.1) * h, 0):
                book(b, h)
    elif k < 0.82:  # board leaning or standing
        b.add(
            "box",
            (h * rng.uniform(0.8, 2.5), h * rng.uniform(0.6, 1.2), 0.03 * h),
            (0, 0, 0),
            b.look("wood" if rng.random() < 0.5 else "print", h),
            turn(rng.uniform(-0.8, 0.8), rng.uniform(0, 0.6)),
        )
    elif k < 0.84:  # lamp on an arm
        c, (bend, fall) = b.look("plain", gloss=0.4), rng.uniform((0.2, 0.4), (0.8, 1.4))
        side = rng.choice([-1, 1])
        with b.at(0, 0, 0, rng.uniform(-1.2, 1.2)):
            b.add("turned", (0.35 * h, 0.06 * h, 0.35 * h), (0, 0, 0), c)
            b.add("cylinder", (0.03 * h, 0.75 * h, 0.03 * h), (0, 0, 0), c, turn(0, 0, -0.3 * side * bend))
            elbow = np.array([0.7 * h * np.sin(0.3 * bend) * side, 0.7 * h * np.cos(0.3 * bend), 0])
            b.add("cylinder", (0.03 * h, 0.6 * h, 0.03 * h), elbow, c, turn(0, 0, -side * fall))
            head = elbow + 0.6 * h * np.array([np.sin(fall) * side, np.cos(fall), 0])
            b.add(
                "taper",
                (0.35 * h, 0.35 * h, 0.35 * h),
                head - np.array([0, 0.25 * h, 0]),
                b.look("plain", gloss=0.4),
                turn(0, 0.3, side * 0.5),
            )
    elif k < 0.86:  # lamp
        c = b.look("plain")
        w = rng.uniform(0.02, 0.06) * h
        b.add("turned", (0.4 * h, 0.06 * h, 0.4 * h), (0, 0, 0), c)
        b.add("cylinder", (w, h, w), (0, 0, 0), c)
        b.add("turned", (0.5 * h, 0.4 * h, 0.5 * h), (0, 0.75 * h, 0), b.look("clouds", h, glow=rng.choice([0, 1.0])))
    elif k < 0.91:  # soft toy
        c = b.look("grain", 0.2)
        b.add("lump", (0.7 * h, 0.6 * h, 0.6 * h), (0, 0, 0), c, yaw)
        b.add("sphere", (0.5 * h, 0.45 * h, 0.5 * h), (0, 0.5 * h, 0), c, yaw)
        for s in (-1, 1):
            b.add(
                "capsule",
                (0.2 * h, 0.5 * h, 0.2 * h),
                (0.2 * h * s, 0.35 * h, -0.1 * h),
                c,
                turn(0, 0.5, s * rng.uniform(0.5, 2.5)),
            )
            b.add("sphere", (0.2 * h, 0.2 * h, 0.1 * h), (0.2 * h * s, 0.85 * h, 0), c)
    elif k < 0.95:
        rod = b.look()
        for _ in range(int(rng.integers(1, 6))):
            w = h * rng.uniform(0.02, 0.08)
            b.add(
                "cylinder",
                (w, h * rng.uniform(0.8, 2), w),
                (rng.normal(0, 0.2) * h, 0, rng.normal(0, 0.2) * h),
                rod,
                turn(0, rng.normal(0, 0.3), rng.normal(0, 0.3)),
            )
    else:
        bust(b, h, rng.uniform(-1, 1), white=rng.random() < 0.4)


def bust(b, h, yaw, white=False):
    """Head and shoulders, h high, about 0.55 of it the head; looks along -z at yaw 0."""
    rng = b.rng
    skin = np.array(SKIN[rng.integers(len(SKIN))]) * rng.uniform(0.8, 1.1) if not white else np.full(3, 0.85)
    soft = b.look("clouds", 0.3 * h, tint=np.clip(skin, 0, 1), contrast=0.15, gloss=0.05)
    cloth = b.look(None, 0.2 * h)
    hh = 0.5 * h
    with b.at(0, 0, 0, yaw):
        b.add(
            "lump" if rng.random() < 0.3 else "pillow",
            (1.1 * h * rng.uniform(0.8, 1.1), 0.75 * h, 0.45 * h),
            (0, -0.4 * h, 0.02 * h),
            cloth,
        )
        for s in (-1, 1):
            b.add("capsule", (0.28 * h, 0.9 * h, 0.3 * h), (0.43 * h * s, -0.62 * h, 0), cloth, turn(0, 0, -0.12 * s))
        b.add("cylinder", (0.24 * h, 0.4 * h, 0.24 * h), (0, 0.22 * h, 0.02 * h), soft)
    with b.at(0, 0.46 * h, 0, yaw + rng.normal(0, 0.4)):
        tip = turn(0, rng.normal(0, 0.12), rng.normal(0, 0.12))
        b.add("head", (0.38 * h, hh, 0.44 * h), (0, 0, 0), soft, tip)
        if white:
            return
        hair = b.look(
            "grain",
            0.1 * h,
            tint=rng.choice([(0.05, 0.04, 0.03), (0.25, 0.15, 0.07), (0.6, 0.45, 0.2), (0.5, 0.5, 0.5)]),
            contrast=0.6,
        )
        if rng.random() < 0.9:
            b.add(
                "hair",
                (0.42 * h, 0.5 * h * rng.uniform(0.6, 1.0), 0.42 * h),
                (0, hh * rng.uniform(0.42, 0.55), 0.07 * h),
                hair,
                tip,
            )
        if rng.random() < 0.4:
            b.add("hair", (0.48 * h, 0.9 * h * rng.uniform(0.6, 1), 0.3 * h), (0, -0.25 * h, 0.14 * h), hair)
        dark = b.look("plain", tint=(0.04, 0.03, 0.03))
        for s in (-1, 1):
            b.add("sphere", (0.07 * h, 0.03 * h, 0.03 * h), (0.085 * h * s, 0.56 * hh, -0.185 * h), dark)
            b.add("sphere", (0.1 * h, 0.02 * h, 0.03 * h), (0.085 * h * s, 0.66 * hh, -0.195 * h), hair)
        b.add(
            "sphere", (0.13 * h, 0.03 * h, 0.03 * h), (0, 0.24 * hh, -0.19 * h), b.look("plain", tint=(0.55, 0.2, 0.2))
        )


def person(b, h=1.7):
    """Standing, walking or sitting figure, all of capsules and lumps."""
    rng = b.rng
    h *= rng.uniform(0.85, 1.1)
    top, trousers = b.look(None, 0.4), b.look("plain" if rng.random() < 0.6 else "grain", 0.3)
    skin = b.look("plain", tint=np.array(SKIN[rng.integers(len(SKIN))]))
    hair = b.look("grain", 0.1, tint=rng.choice([(0.05, 0.04, 0.03), (0.25, 0.15, 0.07), (0.6, 0.45, 0.2)]))
    sit = rng.random() < 0.15
    hip = (0.27 if sit else 0.48) * h
    step = 0 if sit else rng.normal(0, 0.3)
    fat = rng.uniform(0.8, 1.3)
    if rng.random() < 0.12:
        b.add("turned", (0.34 * h, 0.55 * h, 0.3 * h), (0, 0.02 * h, 0), trousers)
    for s in (-1, 1):
        if sit:
            b.add("capsule", (0.1 * h, 0.28 * h, 0.11 * h), (0.06 * h * s, hip, 0), trousers, turn(0, -1.5))
            b.add("capsule", (0.09 * h, 0.28 * h, 0.09 * h), (0.06 * h * s, 0, -0.25 * h), trousers)
        else:
            b.add(
                "capsule",
                (0.1 * h * fat, 0.52 * h, 0.11 * h * fat),
                (0.06 * h * s, 0, -np.sin(step * s) * 0.45 * h),
                trousers,
                turn(0, step * s),
            )
        arm = rng.normal(0.15, 0.25)
        reach = rng.normal(0, 0.5) if rng.random() < 0.7 else rng.uniform(-2.5, 0)
        rot = turn(0, np.pi + reach, 0) @ turn(0, 0, s * arm)
        b.add(
            "capsule",
            (0.075 * h, 0.42 * h, 0.08 * h),
            (0.125 * h * fat * s, hip + 0.33 * h, 0),
            top if rng.random() < 0.7 else skin,
            rot,
        )
    b.add(
        "pillow" if rng.random() < 0.6 else "capsule",
        (0.25 * h * fat, 0.38 * h, 0.16 * h * fat),
        (0, hip - 0.02 * h, 0),
        top,
        turn(0, rng.normal(0, 0.06)),
    )
    b.add("cylinder", (0.06 * h, 0.1 * h, 0.06 * h), (0, hip + 0.31 * h, 0), skin)
    b.add("sphere", (0.1 * h, 0.14 * h, 0.12 * h), (0, hip + 0.37 * h, 0), skin)
    b.add("sphere", (0.11 * h, 0.1 * h, 0.12 * h), (0, hip + 0.43 * h, 0.01 * h), hair)
    if rng.random() < 0.2:
        b.add("pillow", (0.2 * h, 0.25 * h, 0.12 * h), (0, hip + 0.05 * h, 0.12 * h), b.look())


def animal(b, h):
    rng = b.rng
    c = b.look(
        rng.choice(["grain", "spots", "plain", "clouds"]),
        0.4,
        tint=rng.choice([(0.5, 0.35, 0.2), (0.15, 0.12, 0.1), (0.8, 0.78, 0.7), (0.6, 0.45, 0.3)]),
    )
    b.add("lump", (0.45 * h, 0.5 * h, h), (0, 0.4 * h, 0), c)
    for x in (-1, 1):
        for z in (-1, 1):
            b.add(
                "capsule",
                (0.11 * h, 0.6 * h, 0.13 * h),
                (0.13 * h * x, 0, 0.33 * h * z),
                c,
                turn(0, rng.normal(0, 0.2)),
            )
    b.add("capsule", (0.18 * h, 0.5 * h, 0.2 * h), (0, 0.7 * h, -0.35 * h), c, turn(0, -0.6))
    b.add("lump", (0.2 * h, 0.24 * h, 0.4 * h), (0, 0.95 * h, -0.65 * h), c, turn(0, rng.normal(0, 0.3)))
    b.add("capsule", (0.05 * h, 0.4 * h, 0.05 * h), (0, 0.75 * h, 0.48 * h), c, turn(0, 2.5))


def tree(b, h):
    rng = b.rng
    k = rng.random()
    bark = b.look("grain", 0.5, tint=np.array([0.3, 0.22, 0.15]) * rng.uniform(0.4, 1.3))
    if k < 0.2:  # flat drawing: bare or leafy branches, twice crossed
        c = b.look("leaves" if rng.random() < 0.5 else "grain", 1.0, tint=green(b))
        cut = int(rng.choice(b.tex.cut["tree"]))
        for r in (0, 1.5):
            b.add("wall", (h * 0.9, h, 0.01), (0, 0, 0), c, turn(r + rng.normal(0, 0.2)), cut)
        return
    w = h * rng.uniform(0.03, 0.07)
    trunk = h * rng.uniform(0.15, 0.5)
    b.add("taper", (w, h * 0.7, w), (0, 0, 0), bark, turn(rng.uniform(0, 3)))
    col = green(b)
    if k < 0.35:  # conifer
        for i in range(4):
            s = (h - trunk) * (0.75 - 0.15 * i)
            b.add(
                "turned" if i < 0 else "lump",
                (s * 0.7, s * 0.6, s * 0.7),
                (0, trunk + (h - trunk) * 0.2 * i, 0),
                b.look("leaves", 1.2, tint=col),
            )
        return
    for _ in range(int(rng.integers(2, 7))):
        s = (h - trunk) * rng.uniform(0.4, 0.8)
        p = (rng.normal(0, 0.15) * h, trunk + rng.uniform(0, 0.6) * (h - trunk), rng.normal(0, 0.15) * h)
        if rng.random() < 0.5:
            b.add(
                "lump",
                (s, s * 0.8, s),
                p,
                b.look("leaves", 1.5, tint=np.clip(col * rng.uniform(0.7, 1.3), 0, 1), contrast=1.0),
            )
        else:
            c = b.look("leaves", 0.8, tint=np.clip(col * rng.uniform(0.7, 1.3), 0, 1))
            for r in (0, 1.2, 2.2):
                b.add("wall", (s * 1.3, s, 0.01), p, c, turn(r), int(rng.choice(b.tex.cut["foliage"])))


def bush(b, h):
    c = b.look("leaves", 0.7, tint=green(b), contrast=1.0)
    for _ in range(int(b.rng.integers(1, 4))):
        b.add(
            "lump",
            (h * b.rng.uniform(0.8, 1.8), h * b.rng.uniform(0.6, 1), h),
            (b.rng.normal(0, 0.4) * h, 0, b.rng.normal(0, 0.3) * h),
            c,
        )


def car(b):
    rng = b.rng
    paint = b.look(
        "plain",
        2.0,
        gloss=rng.uniform(0.2, 0.9),
        tint=rng.choice(
            [
                (0.8, 0.8, 0.8),
                (0.1, 0.1, 0.11),
                (0.45, 0.46, 0.48),
                (0.6, 0.06, 0.05),
                (0.08, 0.13, 0.35),
                (0.7, 0.6, 0.4),
            ]
        ),
    )
    glass = b.look("clouds", 2.0, tint=np.full(3, rng.uniform(0.03, 0.25)), gloss=0.7)
    tyre = b.look("plain", tint=(0.03, 0.03, 0.03))
    k = rng.random()
    w = rng.uniform(1.65, 1.9)
    if k < 0.72:
        n, h = rng.uniform(3.8, 4.8), rng.uniform(1.4, 1.75)
        b.add("pillow", (w, 0.62 * h, n), (0, 0.17, 0), paint)
        b.add("box", (w * 0.98, 0.38 * h, n * 0.92), (0, 0.22, 0), paint)
        b.add("pillow", (w * 0.86, 0.52 * h, n * rng.uniform(0.45, 0.62)), (0, 0.48 * h, n * 0.06), glass)
        b.add("pillow", (w * 0.8, 0.14 * h, n * 0.36), (0, 0.9 * h, n * 0.06), paint)
    else:  # van, bus or lorry
        n, h = rng.uniform(5, 11), rng.uniform(2.0, 3.6)
        b.add("box", (w * 1.2, h - 0.4, n), (0, 0.4, 0), paint if rng.random() < 0.5 else b.look("print", 3.0))
        b.add("box", (w * 1.1, 0.3 * h, 0.1), (0, 0.5 * h, -n / 2), glass)
        b.add("box", (w * 1.22, 0.25 * h, n * 0.8), (0, 0.55 * h, 0), glass)
    for x in (-1, 1):
        for z in (-1, 1):
            b.add("cylinder", (0.64, 0.22, 0.64), (x * w * 0.5, 0.32, z * n * 0.31), tyre, turn(0, 0, np.pi / 2 * x))
        for z in (-1, 1):
            b.add(
                "pillow",
                (0.35, 0.16, 0.08),
                (x * w * 0.36, 0.65, z * n * 0.485),
                b.look("plain", tint=(0.9, 0.9, 0.8) if z < 0 else (0.6, 0.03, 0.03), glow=rng.choice([0, 0.8])),
            )
    b.add("box", (0.5, 0.12, 0.03), (0, 0.5, -n * 0.5), b.look("print", 0.5, tint=(0.9, 0.9, 0.85)))
    b.add("box", (0.5, 0.12, 0.03), (0, 0.5, n * 0.5), b.look("print", 0.5, tint=(0.9, 0.9, 0.85)))


def bicycle(b):
    c = b.look("plain")
    for z in (-0.5, 0.5):
        for k in range(12):
            b.add(
                "box",
                (0.03, 0.19, 0.03),
                (0, 0.35 - 0.34 * np.cos(k * 0.524), z + 0.34 * np.sin(k * 0.524)),
                b.look("plain", tint=(0.05, 0.05, 0.05)),
                turn(0, np.pi / 2 - k * 0.524),
            )
    for y, z, n, p in ((0.35, -0.45, 0.7, 0.5), (0.35, 0.45, 0.75, -0.6), (0.8, -0.2, 0.6, 1.5), (0.3, 0, 0.6, -0.2)):
        b.add("box", (0.04, n, 0.04), (0, y, z), c, turn(0, p))
