"""What a scene is built with: instances of meshes with materials, in nested frames, and the views on them.

World: x right, y up, z away from the first camera; metres.
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
                ["plain", "clouds", "grain", "wood", "stripes", "checks", "print", "spots", "photo"],
                p=[0.28, 0.14, 0.1, 0.09, 0.07, 0.05, 0.1, 0.07, 0.1],
            )
        bank = self.tex.family[family]
        row = np.zeros(12, np.float32)
        row[0] = bank[rng.integers(len(bank))]
        row[1] = (rng.uniform(0.2, 1.0) if family not in ("print", "photo") else 1.0) if contrast is None else contrast
        second = None
        if tint is None and rng.random() < self.share_of_palette:
            shade = self.palette[rng.integers(len(self.palette))]
            tint = np.clip(shade * np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3)), 0.02, 1)
        if tint is None and family in ("print", "photo") and rng.random() < 0.6:
            tint, second = np.full(3, rng.uniform(0.6, 1)), rng.uniform(0, 0.1)  # its own colours
        if tint is None:
            v = rng.uniform(0.08, 1.0)
            tint = np.clip(v * (1 + rng.normal(0, 0.35, 3)), 0.02, 1) if rng.random() < 0.7 else np.full(3, v)
        row[2:5] = tint
        row[5:8] = np.asarray(tint) * (rng.uniform(0.1, 0.9) if second is None else second)
        row[8] = (rng.uniform(0, 0.6) if rng.random() < 0.3 else 0.0) if gloss is None else gloss
        row[9] = glow
        row[11] = tile * rng.uniform(0.6, 1.7)
        return row

    def mesh(self):
        n, b = self.count, self.meshes
        return instantiate(b.v, b.n, b.uv, b.f, b.vo, b.fo, self.ids[:n], self.mats[:n], self.places[:n], self.uvs[:n])
