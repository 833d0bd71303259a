"""Mesh templates of the training scenes: solids, turned shapes, lumps, leaves, terrain, heads; and their fast instancing.

Every template fits x, z in [-0.5, 0.5] and stands on y = 0 with height 1 (y up); an instance is a 3x3 matrix and a place.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def _grid(nu, nv):
    u, v = np.meshgrid(np.linspace(0, 1, nu + 1), np.linspace(0, 1, nv + 1))
    i = np.arange((nu + 1) * (nv + 1)).reshape(nv + 1, nu + 1)
    a, b, c, d = i[:-1, :-1].ravel(), i[:-1, 1:].ravel(), i[1:, :-1].ravel(), i[1:, 1:].ravel()
    return u.ravel(), v.ravel(), np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])


def _normals(v, f):
    n = np.zeros_like(v)
    g = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    for k in range(3):
        np.add.at(n, f[:, k], g)
    return n / (np.linalg.norm(n, axis=1, keepdims=True) + 1e-9)


def box(top=1.0, shift=0.0):
    """A box whose top face is scaled by `top` and moved by `shift` along x: also wedges, cabins, roofs."""
    corners = np.array([[x, y, z] for y in (0, 1) for z in (-0.5, 0.5) for x in (-0.5, 0.5)], float)
    corners[4:, [0, 2]] *= top
    corners[4:, 0] += shift
    v, n, uv, f = [], [], [], []
    for q in ((0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5), (4, 5, 7, 6), (0, 1, 3, 2)):
        p = corners[list(q)]
        k = len(v) * 4
        m = np.cross(p[1] - p[0], p[3] - p[0])
        m = m / (np.linalg.norm(m) + 1e-9)
        m *= np.sign(m @ (p.mean(0) - corners.mean(0))) or 1
        v.append(p)
        n.append(np.repeat(m[None], 4, 0))
        uv.append([[0, 1], [1, 1], [1, 0], [0, 0]])
        f += [[k, k + 1, k + 2], [k, k + 2, k + 3]]
    return np.concatenate(v), np.concatenate(n), np.concatenate(uv).astype(float), np.array(f)


def sphere(nu=14, nv=9, bump=None):
    u, v, f = _grid(nu, nv)
    lon, lat = 2 * np.pi * u, np.pi * v
    d = np.stack([np.sin(lat) * np.sin(lon), np.cos(lat), -np.sin(lat) * np.cos(lon)], 1)
    r = np.ones(len(d)) if bump is None else bump(d)
    p = d * r[:, None] * 0.5
    return _fit(p, f, np.stack([u * 2, v], 1))


def _fit(p, f, uv):
    lo, hi = p.min(0), p.max(0)
    p = p - [(lo[0] + hi[0]) / 2, lo[1], (lo[2] + hi[2]) / 2]
    p = p / np.maximum(hi - lo, 1e-6)
    n = _normals(p, f)
    centre = np.array([0, 0.5, 0])
    n *= np.sign(np.median(np.sum(n * (p - centre), 1))) or 1
    return p, n, uv, f


def lump(rng, nu=14, nv=10, rough=0.5):
    """A sphere pushed by a few random waves: stones, cushions, bushes, bodies."""
    waves = [(rng.normal(0, 1, 3) * rng.uniform(1, 4), rng.uniform(0, 6), rng.uniform(0, rough / 2)) for _ in range(5)]
    return sphere(nu, nv, lambda d: 1 + sum(a * np.sin(d @ k + p) for k, p, a in waves))


def superquadric(rng):
    e = rng.uniform(0.2, 0.8)
    return sphere(16, 12, lambda d: 1 / np.power(np.sum(np.abs(d) ** (2 / e), 1) + 1e-9, e / 2))


def lathe(heights, radii, n=14):
    u, v, f = _grid(n, len(heights) - 1)
    k = np.rint(v * (len(heights) - 1)).astype(int)
    r, y = np.asarray(radii)[k], np.asarray(heights)[k]
    p = np.stack([r * np.sin(2 * np.pi * u), y, -r * np.cos(2 * np.pi * u)], 1)
    return _fit(p, f, np.stack([u * 2, 1 - v], 1))


def turned(rng):
    """Vases, bottles, pins, pots, shades, cups: a random profile on the lathe."""
    kind = rng.integers(0, 6)
    if kind == 0:  # pot or shade
        a, b = rng.uniform(0.4, 1, 2)
        lip = rng.uniform(0, 0.15)
        return lathe([0, 0, 0.75, 0.76, 1, 1, 0.9], [0, a, (a + 3 * b) / 4, b + lip, b + lip, b - 0.05, 0.02], 18)
    if kind == 1:  # bottle
        s = rng.uniform(0.5, 0.75)
        return lathe([0, 0, s, s + 0.12, 0.97, 1, 1], [0, 1, 1, 0.35, 0.3, 0.35, 0])
    if kind == 2:  # pin
        return lathe([0, 0.05, 0.25, 0.45, 0.65, 0.75, 0.9, 1], [0.5, 0.7, 1, 0.8, 0.4, 0.45, 0.5, 0])
    if kind == 3:
        return lathe([0, 0, 1, 1], [0, 1, 1, 0], 18)
    if kind == 4:
        return lathe([0, 0, 1], [0, 1, 0.02], 18)
    m = int(rng.integers(5, 9))
    y = np.sort(np.concatenate([[0, 0, 1, 1], rng.random(m)]))
    r = np.concatenate([[0], np.abs(np.cumsum(rng.normal(0, 0.25, m + 2)) + 0.7) + 0.1, [0]])
    return lathe(y, r)


def capsule(n=10):
    t = np.linspace(0, np.pi / 2, 4)
    return lathe(
        np.concatenate([0.5 - 0.5 * np.cos(t), 4.5 + 0.5 * np.sin(t)]) / 5,
        np.concatenate([np.sin(t), np.cos(t)]) * 0.5,
        n,
    )


def sheet(rng=None, n=12, rough=0.0, upright=False):
    """A square: flat, or with folds. Lying (normal up) or standing (normal to the viewer)."""
    u, v, f = _grid(n, n)
    h = np.zeros(len(u))
    if rng is not None:
        for k in range(6):
            kx, ky = rng.normal(0, 2.0 * 1.5**k, 2)
            h += rough / 1.5**k * np.sin(kx * u * 3 + ky * v * 3 + rng.uniform(0, 6))
        h = (h - h.min()) / (np.ptp(h) + 1e-9)
    if upright:
        p = np.stack([u - 0.5, 1 - v, h - 0.5 if rng is not None else h], 1)
        m = _normals(p, f)
        m *= np.where(m[:, 2:] > 0, -1, 1)
    else:
        p = np.stack([u - 0.5, h, v - 0.5], 1)
        m = _normals(p, f)
        m *= np.where(m[:, 1:2] < 0, -1, 1)
    return p, m, np.stack([u, v], 1), f


def leaf(rng):
    """A tapering strip that rises and bends over towards +x, keeled along its middle."""
    n = 8
    t = np.linspace(0, 1, n + 1)
    bend = rng.uniform(0.2, 2.2)
    x = np.cumsum(np.sin(bend * t**1.5)) / n
    y = np.cumsum(np.cos(bend * t**1.5)) / n
    w = rng.uniform(0.05, 0.2) * np.sin(np.pi * np.clip(t * 0.9 + 0.1, 0, 1)) ** rng.uniform(0.4, 1.0)
    w[-1] = 0.004
    p = np.concatenate(
        [np.stack([x, y + 0.3 * w, -w], 1), np.stack([x, y, 0 * w], 1), np.stack([x, y + 0.3 * w, w], 1)]
    )
    i = np.arange(n)
    m = n + 1
    f = np.concatenate(
        [np.stack([i + a, i + 1 + a, i + m + a], 1) for a in (0, m)]
        + [np.stack([i + 1 + a, i + m + 1 + a, i + m + a], 1) for a in (0, m)]
    )
    uv = np.stack([np.concatenate([np.zeros(m), np.full(m, 0.5), np.ones(m)]), np.tile(t, 3)], 1)
    return p, _normals(p, f), uv, f


def head(rng):
    """A face looking along -z: brow, nose, lips and chin as bumps on an ellipsoid."""
    spots = [
        ((0, 0.02, -1), 0.18, 0.16),
        ((0, -0.12, -1), 0.24, 0.13),
        ((0, -0.42, -0.9), 0.2, 0.05),
        ((0, -0.75, -0.65), 0.3, 0.08),
        ((0.33, 0.16, -0.92), 0.18, -0.06),
        ((-0.33, 0.16, -0.92), 0.18, -0.06),
        ((0.3, 0.3, -0.9), 0.2, 0.04),
        ((-0.3, 0.3, -0.9), 0.2, 0.04),
        ((0.98, 0, 0.05), 0.16, 0.14),
        ((-0.98, 0, 0.05), 0.16, 0.14),
        ((0.5, -0.15, -0.8), 0.3, 0.04),
        ((-0.5, -0.15, -0.8), 0.3, 0.04),
    ]
    wobble = rng.uniform(0.7, 1.4, len(spots))

    def bump(d):
        r = 1 - 0.12 * np.clip(-d[:, 1], 0, 1) * np.abs(d[:, 0])
        for (c, s, a), k in zip(spots, wobble, strict=True):
            c = np.array(c) / np.linalg.norm(c)
            r = r + a * k * np.exp(-np.sum((d - c) ** 2, 1) / (2 * (s * 0.6) ** 2))
        return r

    return sphere(26, 20, bump)


class MeshBank:
    """All templates in flat arrays. `group[name]` lists the template numbers of a kind."""

    def __init__(self, seed=0) -> None:
        rng = np.random.default_rng([seed, 11] if np.isscalar(seed) else [*seed, 11])
        self.group: dict[str, list[int]] = {}
        parts = []

        def put(name, mesh):
            self.group.setdefault(name, []).append(len(parts))
            parts.append(mesh)

        put("box", box())
        for _ in range(14):
            put("taper", box(rng.uniform(0.05, 1.1), rng.normal(0, 0.12)))
        put("sphere", sphere())
        put("ball", sphere(22, 16))
        put("cylinder", lathe([0, 0, 1, 1], [0, 1, 1, 0], 12))
        put("capsule", capsule())
        for _ in range(40):
            put("turned", turned(rng))
            put("lump", lump(rng, rough=rng.uniform(0.1, 0.9)))
        for _ in range(10):
            put("pillow", superquadric(rng))
            put("head", head(rng))
            put("hair", lump(rng, 14, 10, 0.3))
        for _ in range(24):
            put("leaf", leaf(rng))
        put("floor", sheet())
        put("wall", sheet(upright=True, n=6))
        for _ in range(16):
            put("terrain", sheet(rng, 24, rng.uniform(0.3, 1)))
            put("cloth", sheet(rng, 16, 1.0, upright=True))
            put("rumple", sheet(rng, 16, 1.0))
        self.v = np.concatenate([p[0] for p in parts]).astype(np.float32)
        self.n = np.concatenate([p[1] for p in parts]).astype(np.float32)
        self.uv = np.concatenate([p[2] for p in parts]).astype(np.float32)
        self.f = np.concatenate([p[3] for p in parts]).astype(np.int32)
        self.vo = np.cumsum([0] + [len(p[0]) for p in parts]).astype(np.int64)
        self.fo = np.cumsum([0] + [len(p[3]) for p in parts]).astype(np.int64)


@njit(cache=True, fastmath=True)
def instantiate(tv, tn, tuv, tf, vo, fo, ids, mats, places, uv_scale):
    """World mesh of the instances: vertices, normals, uvs, faces, owner of each face."""
    nv, nf = 0, 0
    for i in range(len(ids)):
        nv += vo[ids[i] + 1] - vo[ids[i]]
        nf += fo[ids[i] + 1] - fo[ids[i]]
    v = np.empty((nv, 3), np.float32)
    n = np.empty((nv, 3), np.float32)
    uv = np.empty((nv, 2), np.float32)
    f = np.empty((nf, 3), np.int32)
    own = np.empty(nf, np.int32)
    a, b = 0, 0
    for i in range(len(ids)):
        m = mats[i]
        # columns of the cofactor matrix carry normals
        c00, c01, c02 = (
            m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1],
            m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2],
            m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0],
        )
        c10, c11, c12 = (
            m[2, 1] * m[0, 2] - m[2, 2] * m[0, 1],
            m[2, 2] * m[0, 0] - m[2, 0] * m[0, 2],
            m[2, 0] * m[0, 1] - m[2, 1] * m[0, 0],
        )
        c20, c21, c22 = (
            m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1],
            m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2],
            m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0],
        )
        start = a
        for k in range(vo[ids[i]], vo[ids[i] + 1]):
            x, y, z = tv[k, 0], tv[k, 1], tv[k, 2]
            for r in range(3):
                v[a, r] = m[r, 0] * x + m[r, 1] * y + m[r, 2] * z + places[i, r]
            x, y, z = tn[k, 0], tn[k, 1], tn[k, 2]
            p, q, s = c00 * x + c01 * y + c02 * z, c10 * x + c11 * y + c12 * z, c20 * x + c21 * y + c22 * z
            w = 1.0 / np.sqrt(p * p + q * q + s * s + 1e-20)
            n[a, 0], n[a, 1], n[a, 2] = p * w, q * w, s * w
            uv[a, 0], uv[a, 1] = tuv[k, 0] * uv_scale[i, 0], tuv[k, 1] * uv_scale[i, 1]
            a += 1
        shift = start - vo[ids[i]]
        for k in range(fo[ids[i]], fo[ids[i] + 1]):
            for r in range(3):
                f[b, r] = tf[k, r] + vo[ids[i]] + shift
            own[b] = i
            b += 1
    return v, n, uv, f, own
