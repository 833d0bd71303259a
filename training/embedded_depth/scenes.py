"""Scene layouts: what stands where. A layout fills a Builder with instances and says where the camera may be.

World: x right, y up, z away from the first camera; metres. Families follow what films and photographs show: table-tops, desks, bins, rooms,
corridors, streets, fields, shores, people far and near, close-ups, plain fronts. `MIX` holds their shares.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from meshes import MeshBank, instantiate
from textures import TextureBank


def turn(yaw=0.0, pitch=0.0, roll=0.0):
    """Yaw about y, then pitch about x, then roll about z (radians)."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    p = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    r = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return y @ p @ r


@dataclass
class View:
    """Camera and light of one picture. Angles in degrees; `pitch` > 0 looks up; reach is the radius of the sun's shadow map."""

    place: np.ndarray
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    fov: float = 60.0
    reach: float = 4.0
    sky: bool = False
    haze: float = 0.0
    focus: float = 0.0
    lamps: list = field(default_factory=list)


class Builder:
    """Collects instances; `rng` drives everything, so a scene is its seed."""

    def __init__(self, rng, meshes: MeshBank, textures: TextureBank, room: int = 1500) -> None:
        self.rng, self.meshes, self.tex = rng, meshes, textures
        self.ids = np.zeros(room, np.int64)
        self.mats = np.zeros((room, 3, 3), np.float32)
        self.places = np.zeros((room, 3), np.float32)
        self.uvs = np.ones((room, 2), np.float32)
        self.material = np.zeros((room, 12), np.float32)
        self.cut = np.full(room, -1, np.int32)
        self.count = 0
        self.frames = [(np.eye(3), np.zeros(3))]
        # many real pictures hold a colour or two: there tint can't tell a thing from what is behind it
        self.palette = rng.uniform(0.15, 0.95, (int(rng.integers(1, 4)), 1)) * rng.uniform(0.55, 1.15, (1, 3))
        self.share_of_palette = rng.choice([0.0, 0.5, 0.95], p=[0.6, 0.2, 0.2])

    # -- places ------------------------------------------------------------------------------------------------------------------------
    def at(self, x, y, z, yaw=0.0, scale=1.0):
        """Open a local frame; use as a context manager."""
        r, t = self.frames[-1]
        self.frames.append((r @ turn(yaw) * scale, r @ np.array([x, y, z], float) + t))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.frames.pop()

    def add(self, kind, size, place, look, rot=None, cut=-1):
        """One instance: kind of mesh, size (x, y, z), place of its foot, material row, own rotation."""
        if self.count >= len(self.ids):
            return
        group = self.meshes.group[kind]
        i = self.count
        r, t = self.frames[-1]
        m = r if rot is None else r @ rot
        size = np.maximum(np.asarray(size, float), 1e-4)
        self.ids[i] = group[self.rng.integers(len(group))] if len(group) > 1 else group[0]
        self.mats[i] = m * size
        self.places[i] = r @ np.asarray(place, float) + t
        scale = float(np.cbrt(abs(np.linalg.det(r))))
        span = (max(size[0], size[2]) * scale, max(size[1], min(size[0], size[2])) * scale) if cut < 0 else (1.0, 1.0)
        tile = look[11]
        self.uvs[i] = (max(span[0] / tile, 0.02), max(span[1] / tile, 0.02)) if cut < 0 else (1, 1)
        self.material[i] = look
        self.material[i, 10] = 128.0 / tile
        self.cut[i] = cut
        self.count += 1

    # -- materials ---------------------------------------------------------------------------------------------------------------------
    def look(self, family=None, tile=0.5, tint=None, contrast=None, gloss=None, glow=0.0):
        """A material row: texture family, metres per tile, tint."""
        rng = self.rng
        if family is None:
            family = rng.choice(
                ["plain", "clouds", "grain", "wood", "stripes", "checks", "print", "spots"],
                p=[0.3, 0.15, 0.1, 0.1, 0.08, 0.05, 0.14, 0.08],
            )
        bank = self.tex.family[family]
        row = np.zeros(12, np.float32)
        row[0] = bank[rng.integers(len(bank))]
        row[1] = (rng.uniform(0.2, 1.0) if family != "print" else 1.0) if contrast is None else contrast
        if tint is None and rng.random() < self.share_of_palette:
            shade = self.palette[rng.integers(len(self.palette))]
            tint = np.clip(shade * np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3)), 0.02, 1)
        if tint is None:
            v = rng.uniform(0.08, 1.0)
            tint = np.clip(v * (1 + rng.normal(0, 0.35, 3)), 0.02, 1) if rng.random() < 0.7 else np.full(3, v)
        row[2:5] = tint
        row[5:8] = np.asarray(tint) * rng.uniform(0.1, 0.9)
        row[8] = (rng.uniform(0, 0.6) if rng.random() < 0.3 else 0.0) if gloss is None else gloss
        row[9] = glow
        row[11] = tile * rng.uniform(0.6, 1.7)
        return row

    def mesh(self):
        n, b = self.count, self.meshes
        return instantiate(b.v, b.n, b.uv, b.f, b.vo, b.fo, self.ids[:n], self.mats[:n], self.places[:n], self.uvs[:n])


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


def furniture(b):
    rng = b.rng
    k = rng.random()
    if k < 0.34:
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
            rng.normal(-9, 9),
            rng.normal(0, 2),
            rng.uniform(45, 90),
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
            rng.uniform(50, 90),
            reach=6,
            lamps=lamps,
        )
        for _ in range(2)
    ]


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
    lamps = [
        [rng.uniform(-2, 2), rng.uniform(1, 3), rng.uniform(-0.5, 1), *([rng.uniform(0.2, 1.2)] * 3), rng.uniform(1, 3)]
    ]
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
                if rng.random() < 0.35:  # on a box of its own
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
    lamps = [
        [rng.uniform(-2, 2), rng.uniform(1, 3), rng.uniform(-0.5, 1), *([rng.uniform(0.2, 1.2)] * 3), rng.uniform(1, 3)]
    ]
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
        if rng.random() < 0.72:
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


def backdrop(b):
    """What stands behind people and close things. Returns (sky, shadow reach)."""
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


MIX = {
    room: 0.13,
    corridor: 0.02,
    tabletop: 0.19,
    stack: 0.10,
    desk: 0.12,
    heap: 0.04,
    street: 0.17,
    field_scene: 0.07,
    portrait: 0.06,
    group: 0.05,
    close: 0.03,
    loose: 0.02,
}
