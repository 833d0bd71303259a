"""Procedural textures, 128 x 128 with alpha, in families. Nothing here comes from a picture."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = 128


def _noise(rng, octaves=4, base=4, fall=0.5):
    """Value noise that tiles, 0..1."""
    out = np.zeros((SIZE, SIZE), np.float32)
    amp = 1.0
    for k in range(octaves):
        n = base * 2**k
        if n > SIZE:
            break
        grid = rng.random((n, n)).astype(np.float32)
        grid = np.pad(grid, 2, mode="wrap")
        big = cv2.resize(grid, None, fx=SIZE / n, fy=SIZE / n, interpolation=cv2.INTER_CUBIC)
        o = int(2 * SIZE / n)
        out += amp * big[o : o + SIZE, o : o + SIZE]
        amp *= fall
    lo, hi = out.min(), out.max()
    return (out - lo) / (hi - lo + 1e-6)


def _mix(t, a, b):
    return t[..., None] * a + (1 - t[..., None]) * b


def _rgb(rng, lo=0.0, hi=1.0):
    grey = rng.uniform(lo, hi)
    return np.clip(grey + rng.normal(0, 0.18, 3), 0, 1).astype(np.float32)


def _clouds(rng):
    return _mix(
        _noise(rng, rng.integers(2, 6), int(2 ** rng.integers(1, 5)), rng.uniform(0.4, 0.8)),
        _rgb(rng, 0.6, 1),
        _rgb(rng, 0.2, 0.8),
    )


def _grain(rng):
    n = rng.random((SIZE, SIZE)).astype(np.float32)
    n = cv2.GaussianBlur(n, (0, 0), rng.uniform(0.5, 1.6), borderType=cv2.BORDER_REFLECT)
    n = np.clip(0.5 + (n - n.mean()) / (n.std() + 1e-6) * 0.25, 0, 1)
    return _mix(0.6 * n + 0.4 * _noise(rng, 3, 4), _rgb(rng, 0.6, 1), _rgb(rng, 0.1, 0.7))


def _wood(rng):
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    k = int(rng.integers(3, 12))
    s = np.sin(2 * np.pi * (k * y + rng.uniform(0.3, 2) * _noise(rng, 2, 2) + 0.3 * np.sin(2 * np.pi * x)))
    fibre = cv2.blur(rng.random((SIZE, SIZE)).astype(np.float32), (25, 1))
    planks = (np.abs(((y * rng.integers(1, 6)) % 1) - 0.5) > 0.48) * rng.integers(0, 2)
    t = np.clip(0.5 + 0.3 * s + (fibre - 0.5) * 1.5, 0, 1) * (1 - 0.7 * planks)
    return _mix(
        t, np.array([0.85, 0.65, 0.4]) * rng.uniform(0.6, 1.1), np.array([0.5, 0.32, 0.18]) * rng.uniform(0.5, 1.2)
    )


def _bricks(rng):
    rows = int(rng.choice([4, 8, 16]))
    cols = max(1, rows // int(rng.integers(1, 4)))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    r = np.floor(y * rows)
    xs = x * cols + (r % 2) * 0.5 * rng.integers(0, 2)
    gap = rng.uniform(0.03, 0.1)
    mortar = ((y * rows) % 1 < gap * 1.5) | (xs % 1 < gap)
    value = rng.random((rows, cols))[r.astype(int), np.floor(xs).astype(int) % cols]
    t = np.clip(value * rng.uniform(0.1, 0.6) + 0.3 + 0.3 * (_noise(rng, 4, 8) - 0.5), 0, 1)
    img = _mix(t, _rgb(rng, 0.4, 1), _rgb(rng, 0.1, 0.6))
    img[mortar] = _rgb(rng, 0.2, 0.9)
    return img


def _stripes(rng):
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    a, b = rng.integers(-3, 4), rng.integers(-6, 7)
    if a == 0 and b == 0:
        b = 5
    s = (a * x + b * y) % 1
    t = (s < rng.uniform(0.2, 0.8)).astype(np.float32)
    img = _mix(t, _rgb(rng, 0.3, 1), _rgb(rng, 0, 0.9))
    if rng.random() < 0.5:
        s = (b * x - a * y) % 1
        img = 0.6 * img + 0.4 * _mix((s < rng.uniform(0.2, 0.8)).astype(np.float32), _rgb(rng), _rgb(rng))
    return img


def _checks(rng):
    n = int(2 ** rng.integers(1, 5))
    k = (np.arange(SIZE) * n // SIZE) % 2
    return _mix((k[:, None] ^ k[None]).astype(np.float32), _rgb(rng, 0.4, 1), _rgb(rng, 0, 0.6))


def _print(rng):
    """Posters, book covers, packages, screens: patches, rules and letters."""
    img = np.empty((SIZE, SIZE, 3), np.uint8)
    img[:] = _rgb(rng, 0.2, 1) * 255
    for _ in range(int(rng.integers(2, 9))):
        c = tuple(float(v) * 255 for v in _rgb(rng))
        p, q = rng.integers(0, SIZE, 2), rng.integers(0, SIZE, 2)
        kind = rng.integers(0, 4)
        if kind == 0:
            cv2.rectangle(img, tuple(map(int, p)), tuple(map(int, q)), c, -1)
        elif kind == 1:
            cv2.circle(img, tuple(map(int, p)), int(rng.integers(4, 40)), c, -1, cv2.LINE_AA)
        elif kind == 2:
            cv2.fillPoly(img, [rng.integers(0, SIZE, (int(rng.integers(3, 7)), 2)).astype(np.int32)], c, cv2.LINE_AA)
        else:
            cv2.line(img, tuple(map(int, p)), tuple(map(int, q)), c, int(rng.integers(1, 8)), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 7))):
        word = "".join(chr(65 + int(v)) for v in rng.integers(0, 26, int(rng.integers(3, 10))))
        at = (int(rng.integers(-10, 60)), int(rng.integers(10, SIZE)))
        cv2.putText(
            img,
            word,
            at,
            int(rng.integers(0, 5)),
            float(rng.uniform(0.3, 1.2)),
            tuple(float(v) * 255 for v in _rgb(rng)),
            int(rng.integers(1, 3)),
            cv2.LINE_AA,
        )
    return img.astype(np.float32) / 255


def _facade(rng):
    rows, cols = int(rng.choice([2, 4, 8])), int(rng.choice([2, 4, 8]))
    img = _mix(_noise(rng, 4, 8), _rgb(rng, 0.4, 1), _rgb(rng, 0.3, 0.8)) * 0.5 + 0.5 * _rgb(rng, 0.3, 0.9)
    glass = _rgb(rng, 0.05, 0.5)
    mx, my = rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.3)
    frame = _rgb(rng, 0.2, 1)
    for r in range(rows):
        for c in range(cols):
            y0, y1 = int((r + my) * SIZE / rows), int((r + 1 - my) * SIZE / rows)
            x0, x1 = int((c + mx) * SIZE / cols), int((c + 1 - mx) * SIZE / cols)
            img[y0:y1, x0:x1] = frame
            img[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = np.clip(glass * rng.uniform(0.5, 1.6), 0, 1)
    return img


def _spots(rng):
    img = np.ones((SIZE, SIZE, 3), np.float32) * _rgb(rng, 0.4, 1)
    c = _rgb(rng)
    for _ in range(int(rng.integers(10, 80))):
        col = tuple(float(v) for v in (c if rng.random() < 0.6 else _rgb(rng)))
        cv2.ellipse(
            img,
            tuple(map(int, rng.integers(0, SIZE, 2))),
            tuple(map(int, rng.integers(2, 14, 2))),
            float(rng.uniform(0, 180)),
            0,
            360,
            col,
            -1,
            cv2.LINE_AA,
        )
    return img


def _leaves(rng):
    img = np.ones((SIZE, SIZE, 3), np.float32) * np.array([0.08, 0.15, 0.05], np.float32)
    hue = np.array([rng.uniform(0.2, 0.7), rng.uniform(0.45, 0.8), rng.uniform(0.1, 0.35)])
    for _ in range(int(rng.integers(80, 260))):
        col = tuple(float(v) for v in np.clip(hue * rng.uniform(0.3, 1.2), 0, 1))
        cv2.ellipse(
            img,
            tuple(map(int, rng.integers(0, SIZE, 2))),
            (int(rng.integers(2, 9)), int(rng.integers(1, 4))),
            float(rng.uniform(0, 180)),
            0,
            360,
            col,
            -1,
        )
    return img


def _plain(rng):
    return np.ones((SIZE, SIZE, 3), np.float32) * 0.85 + 0.15 * (_noise(rng, 2, 2)[..., None] - 0.5)


def patch(picture, rng):
    """A square part of a picture uint8 [h, w, 3], at any of several scales."""
    side = int(min(picture.shape[:2]) * rng.uniform(0.2, 0.9))
    top, left = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
    part = cv2.resize(picture[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return part.astype(np.float32) / 255


FAMILIES = {
    "clouds": _clouds,
    "grain": _grain,
    "wood": _wood,
    "bricks": _bricks,
    "stripes": _stripes,
    "checks": _checks,
    "print": _print,
    "facade": _facade,
    "spots": _spots,
    "leaves": _leaves,
    "plain": _plain,
}


def _cut_foliage(rng):
    a = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(int(rng.integers(40, 220))):
        p = 64 + rng.normal(0, 24, 2)
        cv2.ellipse(
            a,
            tuple(map(int, p)),
            (int(rng.integers(3, 12)), int(rng.integers(2, 5))),
            float(rng.uniform(0, 180)),
            0,
            360,
            255,
            -1,
        )
    return a


def _cut_tree(rng):
    a = np.zeros((SIZE, SIZE), np.uint8)

    def grow(p, angle, length, thick, depth):
        q = (p[0] + length * np.sin(angle), p[1] - length * np.cos(angle))
        cv2.line(a, (int(p[0]), int(p[1])), (int(q[0]), int(q[1])), 255, max(1, int(thick)))
        if depth == 0:
            if leafy:
                cv2.circle(a, (int(q[0]), int(q[1])), int(rng.integers(3, 10)), 255, -1)
            return
        for _ in range(int(rng.integers(2, 4))):
            grow(q, angle + rng.normal(0, 0.5), length * rng.uniform(0.6, 0.85), thick * 0.65, depth - 1)

    leafy = rng.random() < 0.6
    grow((64, 127), 0, rng.uniform(25, 40), rng.uniform(4, 10), int(rng.integers(3, 5)))
    return a


def _cut_fence(rng):
    a = np.zeros((SIZE, SIZE), np.uint8)
    n, t = int(rng.choice([4, 8, 16])), int(rng.integers(1, 4))
    step = SIZE // n
    if rng.random() < 0.3:
        for k in range(-SIZE, SIZE, step):
            cv2.line(a, (k, 0), (k + SIZE, SIZE), 255, t)
            cv2.line(a, (k, SIZE), (k + SIZE, 0), 255, t)
    else:
        for k in range(step // 2, SIZE, step):
            a[:, k : k + t] = 255
        for y in (8, 64, 110)[: int(rng.integers(1, 4))]:
            a[y : y + t + 1] = 255
    return a


def _cut_grass(rng):
    a = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(int(rng.integers(30, 120))):
        x = rng.uniform(0, SIZE)
        cv2.line(
            a, (int(x), 127), (int(x + rng.normal(0, 14)), int(127 - rng.gamma(3, 18))), 255, int(rng.integers(1, 4))
        )
    return a


def _cut_blob(rng):
    n = _noise(rng, 3, 2)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / 64.0 - 1
    return ((1.0 - np.hypot(x, y) + rng.uniform(0.4, 1.0) * (n - 0.5)) > 0.25).astype(np.uint8) * 255


CUTS = {"foliage": _cut_foliage, "tree": _cut_tree, "fence": _cut_fence, "grass": _cut_grass, "blob": _cut_blob}


class TextureBank:
    """`each` textures of every family (parts of `photos`, if given, are one), with mip levels 128..4 in one flat store, and the cut-out masks."""

    def __init__(self, seed=0, each: int = 24, photos=()) -> None:
        rng = np.random.default_rng([seed, 7] if np.isscalar(seed) else [*seed, 7])
        self.family: dict[str, list[int]] = {}
        texels, offsets, at = [], [], 0
        makers = {**FAMILIES, "photo": (lambda r: patch(photos[r.integers(len(photos))], r)) if len(photos) else _print}
        for name, make in makers.items():
            self.family[name] = []
            for _ in range(each if name != "plain" else 4):
                img = (np.clip(make(rng), 0, 1) * 255).astype(np.uint8)
                self.family[name].append(len(offsets))
                levels = []
                while img.shape[0] >= 4:
                    levels.append(at)
                    texels.append(img.reshape(-1, 3))
                    at += img.shape[0] ** 2
                    img = cv2.resize(img, (img.shape[1] // 2, img.shape[0] // 2), interpolation=cv2.INTER_AREA)
                offsets.append(levels)
        self.pyramid = np.concatenate(texels)
        self.offsets = np.array(offsets, np.int64)
        self.cut: dict[str, list[int]] = {}
        masks = []
        for name, make in CUTS.items():
            self.cut[name] = list(range(len(masks), len(masks) + 12))
            masks += [make(rng) for _ in range(12)]
        self.alpha = np.stack(masks)
