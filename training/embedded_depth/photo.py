"""From a scene to a training pair: camera, light, lens, sensor, and the marks that films carry."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from builder import Builder, View, turn
from meshes import MeshBank
from raster import shade, shadow_map, shrink, visible
from scenes import MIX
from textures import TextureBank

FRESH = 256  # scenes that share their meshes and textures


def _camera(view: View):
    r = turn(np.radians(view.yaw), np.radians(-view.pitch), np.radians(view.roll))
    r = r.T.copy()
    r[1] *= -1  # image rows run down
    return r.astype(np.float32)


def render(b: Builder, mesh, view: View, height: int, width: int, rng):
    """Colour [H, W, 3] in 0..1 (display curve) and inverse depth [H, W] in 1/m; None for most views with little to see."""
    v, n, uv, f, own = mesh
    r = _camera(view)
    cam = ((v - view.place.astype(np.float32)) @ r.T).astype(np.float32)
    nrm = (n @ r.T).astype(np.float32)
    focal = width / np.tan(np.radians(view.fov) / 2)  # at twice the size
    h2, w2 = 2 * height, 2 * width
    cx, cy = w2 / 2, h2 / 2
    inv_z, tri, coef = visible(cam, uv, f, own, b.cut[: b.count], b.tex.alpha, w2, h2, focal, cx, cy)
    if blocked(inv_z[::2, ::2]) or (dull(relative(inv_z[::2, ::2])) and rng.random() < 0.8):
        return None
    # light
    high = np.radians(rng.uniform(15, 80))
    sun_yaw = rng.uniform(0, 2 * np.pi)
    sun_w = np.array([np.cos(high) * np.sin(sun_yaw), np.sin(high), -np.cos(high) * np.cos(sun_yaw)])
    sun = (r @ sun_w).astype(np.float32)
    up = r[:, 1].astype(np.float32).copy()
    strong = rng.uniform(0.5, 1.8) if view.sky else rng.uniform(0, 0.9)
    if rng.random() < 0.3:
        strong *= 0.1
    sun_rgb = (strong * (np.array([1, 0.95, 0.85]) + rng.normal(0, 0.06, 3))).astype(np.float32)
    amb = rng.uniform(0.25, 0.7) if view.sky else rng.uniform(0.15, 0.6)
    sky_rgb = (amb * (1 + rng.normal(0, 0.12, 3))).astype(np.float32)
    ground_rgb = sky_rgb * np.float32(rng.uniform(0.2, 0.8))
    lamps = np.array([[*(r @ (np.array(q[:3]) - view.place)), *q[3:]] for q in view.lamps], np.float32).reshape(-1, 7)
    # sun's map: centred ahead of the camera
    if strong > 0.12:
        res, reach = 224, view.reach
        right = np.cross(sun, [0.31, 0.77, 0.56])
        right /= np.linalg.norm(right)
        second = np.cross(sun, right)
        centre = np.array([0, 0, reach * 0.8])
        axes = np.stack([right, second, -sun])
        to_map = np.zeros((3, 4), np.float32)
        to_map[:2, :3] = axes[:2] * res / (2 * reach)
        to_map[2, :3] = axes[2]
        to_map[:, 3] = -to_map[:, :3] @ centre
        to_map[:2, 3] += res / 2
        xyz = cam @ to_map[:, :3].T + to_map[:, 3]
        shadows = shadow_map(xyz.astype(np.float32), f, res)
        bias = np.float32(reach * 0.03)
    else:
        to_map, shadows, bias = np.zeros((3, 4), np.float32), np.full((1, 1), np.float32(1e9)), np.float32(0)
    colour = shade(
        inv_z,
        tri,
        coef,
        nrm,
        uv,
        f,
        own,
        b.material[: b.count],
        b.tex.pyramid,
        b.tex.offsets,
        focal,
        cx,
        cy,
        sun,
        sun_rgb,
        sky_rgb,
        ground_rgb,
        up,
        lamps,
        to_map,
        shadows,
        bias,
        np.float32(rng.exponential(1.5)),
    )
    colour, inv = shrink(colour, inv_z)
    # dark creases: unsharp mask of the depth buffer (Luft et al. 2006)
    log_z = -np.log(np.maximum(inv, 1e-3))
    for s in (3, 9):
        away = np.clip(log_z - cv2.blur(log_z, (2 * s + 1, 2 * s + 1)), 0, 0.25)
        colour *= (1 - rng.uniform(0.5, 2.5) * away)[..., None].clip(0.2, 1)
    far = inv < 1e-3
    tone = np.clip(np.array([0.75, 0.8, 0.9]) * rng.uniform(0.5, 1.3) + rng.normal(0, 0.06, 3), 0, 1.5).astype(
        np.float32
    )
    if view.haze > 0:
        t = np.exp(-view.haze / np.maximum(inv, 1e-4))[..., None]
        colour = colour * t + tone * (1 - t)
    if far.any():
        y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        deep = (tone * np.array([0.5, 0.75, 1.1]) * rng.uniform(0.5, 1.1)).astype(np.float32)
        sky = tone * y + deep * (1 - y) if rng.random() < 0.7 else np.broadcast_to(tone * 1.2, (height, width, 3))
        if rng.random() < 0.5:
            cloud = b.tex.pyramid[: 128 * 128].reshape(128, 128, 3)[..., 0]
            m = cv2.resize(cloud, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)[..., None] / 255
            sky = sky * (1 - 0.5 * m) + 0.55 * m
        colour = np.where(far[..., None], sky, colour)
    exposure = rng.uniform(0.12, 0.5) / max(0.02, float(colour.mean()))
    colour = np.clip(colour * exposure ** rng.uniform(0.6, 1.0), 0, None)
    colour = np.where(colour > 0.8, 0.8 + 0.2 * (1 - np.exp(-(colour - 0.8) / 0.2)), colour)
    colour = colour.astype(np.float32) ** np.float32(1 / 2.1)
    if rng.random() < 0.6:  # levels, as cameras and graders set them
        low, high = np.percentile(colour[::3, ::3], (rng.uniform(0.2, 3), rng.uniform(97, 99.8)))
        share = np.float32(rng.uniform(0.3, 1))
        colour += share * ((colour - low) / max(high - low, 0.15) - colour)
    return colour, inv


def blocked(inv) -> bool:
    """Whether the camera stands inside something, or sees nothing."""
    return float((inv > 1 / 0.12).mean()) > 0.12 or float(np.ptp(np.percentile(inv[::3, ::3], (3, 97)))) < 1e-3


def dull(target) -> bool:
    """Whether a view [h, w] has almost no depth edge."""
    steps = np.abs(np.diff(target, axis=1)) > 0.04
    return float(steps.mean()) < 0.01


def relative(inv):
    """Target: inverse depth between its 2nd and 98th percentile, soft above 1 and below 0."""
    lo, hi = np.percentile(inv[::2, ::2], (2, 98))
    d = (inv - lo) / max(hi - lo, 1e-6)
    return np.where(d > 1, 1 + 0.35 * np.tanh((d - 1) / 0.35), np.maximum(d, -0.2)).astype(np.float32)


def film(img, inv, view: View, rng):
    """Lens and sensor. img 0..1, returns uint8."""
    h, w = inv.shape
    k = w / 160
    if view.focus > 0 or rng.random() < 0.08:
        at = 1 / view.focus if view.focus > 0 else np.quantile(inv, rng.uniform(0.3, 1.0))
        c = np.abs(inv - at) / max(at, 1e-3)
        c = cv2.blur(np.clip(c * rng.uniform(0.5, 2.5), 0, 1), (3, 3))[..., None]
        b1, b2 = cv2.GaussianBlur(img, (0, 0), 1.0 * k), cv2.GaussianBlur(img, (0, 0), 2.8 * k)
        img = np.where(c < 0.5, img * (1 - 2 * c) + b1 * 2 * c, b1 * (2 - 2 * c) + b2 * (2 * c - 1))
    if rng.random() < 0.08:
        n = int(rng.integers(3, 8))
        line = np.zeros((n, n), np.float32)
        line[n // 2] = 1.0 / n
        line = cv2.warpAffine(
            line, cv2.getRotationMatrix2D((n / 2 - 0.5, n / 2 - 0.5), float(rng.uniform(0, 180)), 1), (n, n)
        )
        img = cv2.filter2D(img, -1, line / max(line.sum(), 1e-3))
    q = rng.random()
    if q < 0.3:
        img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.4, 1.2))
    elif q < 0.5:
        img = img + rng.uniform(0.2, 1.0) * (img - cv2.GaussianBlur(img, (0, 0), 1.0))
    cast = 1 + rng.normal(0, 0.07, 3) + (rng.normal(0, 0.15, 3) if rng.random() < 0.2 else 0)
    img = np.clip(img, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25))) * cast.astype(np.float32)
    m = img.mean()
    img = (img - m) * np.float32(rng.uniform(0.6, 1.35)) + m + np.float32(rng.normal(0, 0.04))
    grey = img.mean(2, keepdims=True)
    img = grey + (img - grey) * np.float32(0 if rng.random() < 0.07 else rng.uniform(0.4, 1.4))
    if rng.random() < 0.3:
        y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j].astype(np.float32)
        img = img * (1 - rng.uniform(0, 0.45) * (x * x + y * y) / 2)[..., None]
    if rng.random() < 0.6:
        img = img + rng.normal(0, rng.exponential(0.02), (h, w, 1)) + rng.normal(0, rng.exponential(0.008), (h, w, 3))
    img = (np.clip(img, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.35:
        img = cv2.imdecode(cv2.imencode(".jpg", img, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])[1], 1)
    if rng.random() < 0.06:
        for _ in range(int(rng.integers(1, 3))):
            word = "".join(chr(97 + int(v)) for v in rng.integers(0, 26, int(rng.integers(6, 22))))
            at = (
                int(rng.uniform(0, 0.4) * w),
                int(h * (rng.uniform(0.8, 0.97) if rng.random() < 0.7 else rng.uniform(0.1, 0.9))),
            )
            cv2.putText(
                img,
                word,
                at,
                cv2.FONT_HERSHEY_SIMPLEX,
                0.35 * k,
                (250, 250, 250) if rng.random() < 0.7 else (230, 220, 60),
                1,
                cv2.LINE_AA,
            )
    return img


def bars(img, target, weight, rng):
    """Letterbox or pillarbox now and then: black, nothing to learn inside but 'not near'."""
    if rng.random() < 0.06:
        h, w = target.shape
        if rng.random() < 0.6:
            n = int(h * rng.uniform(0.04, 0.16))
            parts = (slice(0, n), slice(h - n, h))
            for p in parts:
                img[p], target[p], weight[p] = rng.integers(0, 12), 0.0, 0.3
        else:
            n = int(w * rng.uniform(0.04, 0.16))
            for p in (slice(0, n), slice(w - n, w)):
                img[:, p], target[:, p], weight[:, p] = rng.integers(0, 12), 0.0, 0.3
    return img, target, weight


def spectrum(img, photo, rng):
    """`img` uint8 with part of a photograph's amplitude spectrum and its own phase (Xu et al. 2021, "Fourier-based augmentation")."""
    h, w = img.shape[:2]
    kept = rng.uniform(0.5, 1)
    ch, cw = int(photo.shape[0] * kept), int(photo.shape[1] * kept)
    top, left = int(rng.integers(0, photo.shape[0] - ch + 1)), int(rng.integers(0, photo.shape[1] - cw + 1))
    donor = cv2.resize(photo[top : top + ch, left : left + cw], (w, h), interpolation=cv2.INTER_AREA)
    share = np.float32(rng.uniform(0, 0.5))
    own = np.fft.rfft2(img.astype(np.float32), axes=(0, 1))
    other = np.abs(np.fft.rfft2(donor.astype(np.float32), axes=(0, 1)))
    size = np.abs(own)
    own *= (1 - share) + share * other / (size + 1e-3)
    return np.clip(np.fft.irfft2(own, (h, w), axes=(0, 1)), 0, 255).astype(np.uint8)


def read_photos(folder) -> list:
    """The pictures of a folder, uint8 RGB, in the order of their names."""
    if folder is None:
        return []
    return [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(Path(folder).glob("*.png"))]


class Maker:
    """Endless pairs from a seed. `scene(index, h, w)` gives the views of one layout, each as film frames with mirror and grading.

    Meshes and textures are made new for every FRESH scenes. photos: a folder of photographs (png) that provide spectra and textures.
    """

    def __init__(self, seed: int = 0, photos=None) -> None:
        self.seed, self.photos, self.age = seed, read_photos(photos), -1
        self.kinds, share = list(MIX), np.array(list(MIX.values()))
        self.share = share / share.sum()

    def _renew(self, age: int) -> None:
        if age != self.age:
            self.age = age
            self.meshes, self.textures = MeshBank((self.seed, age)), TextureBank((self.seed, age), photos=self.photos)

    def scene(self, index: int, height: int, width: int, only=None):
        """List of (rgb uint8 [H, W, 3], target float32 [H, W], weight float32 [H, W])."""
        rng = np.random.default_rng([self.seed, index])
        self._renew(index // FRESH)
        kind = only or self.kinds[rng.choice(len(self.kinds), p=self.share)]
        b = Builder(rng, self.meshes, self.textures)
        views = kind(b)
        mesh = b.mesh()
        out = []
        for view in views:
            rendered = render(b, mesh, view, height, width, rng)
            if rendered is None:
                continue
            img, inv = rendered
            target = relative(inv)
            rgb = film(img, inv, view, rng)
            if self.photos and rng.random() < 0.3:
                rgb = spectrum(rgb, self.photos[rng.integers(len(self.photos))], rng)
            if rng.random() < 0.5:
                rgb, target = rgb[:, ::-1], target[:, ::-1]
            out.append(bars(np.ascontiguousarray(rgb), np.ascontiguousarray(target), np.ones_like(target), rng))
        return out
