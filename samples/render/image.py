"""One picture of a scene: rays into buffers, light without its noise, and the develop step to 8 bits.

Each pixel of the twice oversampled picture sends one ray to the eye's scene, one towards a place on the sun's disc
and one short ray for ambient occlusion. Both are taken from a 4x4 pattern, and a 4x4 box over the same surface
brings the sixteen directions together: soft shadows that don't crawl.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from .material import GLASS, GLOW, LEAF, sky, surface
from .trace import FAR, Bvh, blocked, nearest

PATTERN = np.array([0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5])


class Light(NamedTuple):
    """A sun (or a bright window far away), the sky above, what comes back from below, and haze."""

    towards: np.ndarray
    sun: np.ndarray
    softness: float
    above: np.ndarray
    below: np.ndarray
    haze: np.ndarray
    haze_m: float
    reach_m: float
    indoors: bool


@dataclass(frozen=True, slots=True)
class Camera:
    """Where a picture is taken from: place in metres, rows of `axes` are right, up, forward; f in widths of the picture."""

    place: np.ndarray
    axes: np.ndarray
    focal: float

    def right_eye(self, baseline_m: float) -> Camera:
        """The parallel camera `baseline_m` to the right."""
        return Camera(self.place + baseline_m * self.axes[0], self.axes, self.focal)


def look(place: np.ndarray, target: np.ndarray, focal: float, roll: float = 0.0) -> Camera:
    """A camera at `place` that looks at `target`."""
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross([0, 1, 0], forward)
    right /= np.linalg.norm(right)
    up = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    return Camera(place, np.stack([c * right + s * up, c * up - s * right, forward]), focal)


def draw(
    still: Bvh, moving: Bvh, camera: Camera, light: Light, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """(picture uint8 [height, width, 3], depth along the optical axis in metres float32 [height, width]).

    The depth of a pixel is that of its nearest sample; the sky is at infinity.
    """
    colour, depth = _develop(
        *_rays(still, moving, camera.place, camera.axes, camera.focal, light, width * 2, height * 2)
    )
    return colour, depth


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _hit(still, moving, ox, oy, oz, dx, dy, dz, stack):
    """(distance, triangle, u, v, 0 for still or 1 for moving)."""
    t, k, u, v = nearest(still, ox, oy, oz, dx, dy, dz, FAR, stack)
    t2, k2, u2, v2 = nearest(moving, ox, oy, oz, dx, dy, dz, t, stack)
    if k2 >= 0:
        return t2, k2, u2, v2, 1
    return t, k, u, v, 0


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _corner(bvh, k, u, v):
    """Texture place and unit normal inside triangle k."""
    w = 1 - u - v
    n, c = bvh.normal[k], bvh.uv[k]
    nx, ny, nz = w * n[0] + u * n[3] + v * n[6], w * n[1] + u * n[4] + v * n[7], w * n[2] + u * n[5] + v * n[8]
    size = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    return w * c[0] + u * c[2] + v * c[4], w * c[1] + u * c[3] + v * c[5], nx * size, ny * size, nz * size


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _shadowed(still, moving, x, y, z, dx, dy, dz, limit, stack):
    return blocked(moving, x, y, z, dx, dy, dz, limit, stack) or blocked(still, x, y, z, dx, dy, dz, limit, stack)


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _mirrored(still, moving, x, y, z, dx, dy, dz, light, stack):
    """What a polished surface shows in direction d, lit once and without further mirrors."""
    t, k, u, v, which = _hit(still, moving, x, y, z, dx, dy, dz, stack)
    if k < 0:
        return sky(dx, dy, dz, light.indoors)
    bvh = moving if which else still
    tu, tv, nx, ny, nz = _corner(bvh, k, u, v)
    if nx * dx + ny * dy + nz * dz > 0:
        nx, ny, nz = -nx, -ny, -nz
    hx, hy, hz = x + dx * t + nx * 1e-3, y + dy * t + ny * 1e-3, z + dz * t + nz * 1e-3
    tint = bvh.tint[k]
    r, g, b, _, _ = surface(bvh.material[k], tint[0], tint[1], tint[2], tu, tv, hx, hy, hz, 0.02)
    sun = max(0.0, nx * light.towards[0] + ny * light.towards[1] + nz * light.towards[2])
    if sun > 0 and _shadowed(
        still, moving, hx, hy, hz, light.towards[0], light.towards[1], light.towards[2], FAR, stack
    ):
        sun = 0.0
    up = 0.5 + 0.5 * ny
    amb = 0.7 * (light.above * up + light.below * (1 - up)) + sun * light.sun
    return r * amb[0], g * amb[1], b * amb[2]


@numba.njit(cache=True, parallel=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _rays(still, moving, place, axes, focal, light, width, height):
    base = np.zeros((height, width, 3), np.float32)  # albedo
    extra = np.zeros((height, width, 3), np.float32)  # mirrors, lamps, sky: light that shadows don't touch
    facing = np.zeros((height, width, 3), np.float32)
    geo = np.zeros((height, width, 3), np.float32)  # distance along the axis, share of sun, share of open sky
    shine = np.zeros((height, width), np.float32)
    leafy = np.zeros((height, width), np.uint8)
    scale = 1.0 / (focal * width)
    for row in numba.prange(height):
        stack = np.empty(128, np.int32)
        for column in range(width):
            sx, sy = (column + 0.5 - width * 0.5) * scale, (height * 0.5 - row - 0.5) * scale
            dx = axes[2, 0] + sx * axes[0, 0] + sy * axes[1, 0]
            dy = axes[2, 1] + sx * axes[0, 1] + sy * axes[1, 1]
            dz = axes[2, 2] + sx * axes[0, 2] + sy * axes[1, 2]
            length = np.sqrt(dx * dx + dy * dy + dz * dz)
            dx, dy, dz = dx / length, dy / length, dz / length
            t, k, u, v, which = _hit(still, moving, place[0], place[1], place[2], dx, dy, dz, stack)
            if k < 0:
                extra[row, column, 0], extra[row, column, 1], extra[row, column, 2] = sky(dx, dy, dz, light.indoors)
                continue
            bvh = moving if which else still
            tu, tv, nx, ny, nz = _corner(bvh, k, u, v)
            slope = nx * dx + ny * dy + nz * dz
            if slope > 0:
                nx, ny, nz, slope = -nx, -ny, -nz, -slope
            x, y, z = place[0] + dx * t, place[1] + dy * t, place[2] + dz * t
            kind, tint = bvh.material[k], bvh.tint[k]
            pixel = 2.0 * t * scale / max(np.sqrt(-slope), 0.12)
            r, g, b, gloss, mirror = surface(kind, tint[0], tint[1], tint[2], tu, tv, x, y, z, pixel)
            if kind == GLOW:
                extra[row, column, 0], extra[row, column, 1], extra[row, column, 2] = r, g, b
                r, g, b = 0.0, 0.0, 0.0
            base[row, column, 0], base[row, column, 1], base[row, column, 2] = r, g, b
            facing[row, column, 0], facing[row, column, 1], facing[row, column, 2] = nx, ny, nz
            geo[row, column, 0] = t / length
            leafy[row, column] = kind == LEAF
            lift = 2e-4 + 2e-4 * t
            x, y, z = x + nx * lift, y + ny * lift, z + nz * lift
            spot = PATTERN[(row & 3) * 4 + (column & 3)]
            angle, far = 2.399963 * spot, np.sqrt((spot + 0.5) / 16.0)
            a, b2 = far * np.cos(angle), far * np.sin(angle)

            lx, ly, lz = light.towards[0], light.towards[1], light.towards[2]
            sun = nx * lx + ny * ly + nz * lz
            if sun > 0 or kind == LEAF:
                flat = 1.0 / np.sqrt(lx * lx + lz * lz)
                ux, uz = lz * flat, -lx * flat  # two axes across the direction of the sun: u, and w = l x u
                wx, wy, wz = ly * uz, lz * ux - lx * uz, -ly * ux
                px = lx + light.softness * (a * ux + b2 * wx)
                py = ly + light.softness * b2 * wy
                pz = lz + light.softness * (a * uz + b2 * wz)
                if not _shadowed(still, moving, x, y, z, px, py, pz, FAR, stack):
                    geo[row, column, 1] = 1.0
            if abs(nx) > 0.6:
                ux, uy, uz = 0.0, nz, -ny
            else:
                ux, uy, uz = nz, 0.0, -nx
            size = 1.0 / np.sqrt(ux * ux + uy * uy + uz * uz)
            ux, uy, uz = ux * size, uy * size, uz * size
            wx, wy, wz = ny * uz - nz * uy, nz * ux - nx * uz, nx * uy - ny * ux
            c = np.sqrt(max(0.0, 1 - a * a - b2 * b2))
            px, py, pz = a * ux + b2 * wx + c * nx, a * uy + b2 * wy + c * ny, a * uz + b2 * wz + c * nz
            if not _shadowed(still, moving, x, y, z, px, py, pz, light.reach_m, stack):
                geo[row, column, 2] = 1.0

            if gloss > 0:
                hx, hy, hz = lx - dx, ly - dy, lz - dz
                half = max(0.0, (hx * nx + hy * ny + hz * nz) / max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-6))
                shine[row, column] = gloss * half ** (20 + 180 * gloss * gloss)
            if mirror > 0:
                rx, ry, rz = dx - 2 * slope * nx, dy - 2 * slope * ny, dz - 2 * slope * nz
                share = mirror * (0.06 + 0.94 * (1 + slope) ** 5)
                if kind == GLASS:
                    share = 0.12 + 0.88 * (1 + slope) ** 4
                mr, mg, mb = _mirrored(still, moving, x, y, z, rx, ry, rz, light, stack)
                extra[row, column, 0] += share * mr
                extra[row, column, 1] += share * mg
                extra[row, column, 2] += share * mb
    return _gather(base, extra, facing, geo, shine, leafy, light, scale)


@numba.njit(cache=True, parallel=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _gather(base, extra, facing, geo, shine, leafy, light, scale):
    """The light of each sample: sixteen neighbours on the same plane share their sun and sky."""
    height, width = geo.shape[:2]
    out = np.empty((height, width, 3), np.float32)
    for row in numba.prange(height):
        for column in range(width):
            depth = geo[row, column, 0]
            if depth == 0.0:
                out[row, column] = extra[row, column]
                continue
            nx, ny, nz = facing[row, column]
            sun, open_sky, total = 0.0, 0.0, 0.0
            loose = 0.9 if leafy[row, column] == 0 else -2.0
            for j in range(max(row - 2, 0), min(row + 2, height)):
                for i in range(max(column - 2, 0), min(column + 2, width)):
                    other = geo[j, i, 0]
                    if abs(other - depth) > depth * 0.03 or leafy[j, i] != leafy[row, column]:
                        continue
                    if facing[j, i, 0] * nx + facing[j, i, 1] * ny + facing[j, i, 2] * nz < loose:
                        continue
                    sun += geo[j, i, 1]
                    open_sky += geo[j, i, 2]
                    total += 1.0
            sun, open_sky = sun / total, open_sky / total
            slope = nx * light.towards[0] + ny * light.towards[1] + nz * light.towards[2]
            if leafy[row, column]:
                slope = 0.35 + 0.5 * abs(slope)
            direct = max(slope, 0.0) * sun
            up = 0.5 + 0.5 * ny
            fade = 1.0 - np.exp(-depth / light.haze_m)
            for c in range(3):
                ambient = (light.above[c] * up + light.below[c] * (1 - up)) * (0.25 + 0.75 * open_sky)
                value = base[row, column, c] * (direct * light.sun[c] + ambient)
                value += extra[row, column, c] + shine[row, column] * sun * light.sun[c]
                out[row, column, c] = value + (light.haze[c] - value) * fade
    return out, geo[:, :, 0].copy()


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _film(x):
    """A film curve from linear light to 0..1 (the fit of Narkowicz to the ACES curve), then the sRGB curve."""
    x = max(0.0, min(1.0, x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)))
    return 12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055


@numba.njit(cache=True, parallel=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _develop(light, depth):
    height, width = light.shape[0] // 2, light.shape[1] // 2
    picture = np.empty((height, width, 3), np.uint8)
    nearest_depth = np.empty((height, width), np.float32)
    for row in numba.prange(height):
        for column in range(width):
            near = np.inf
            for c in range(3):
                total = 0.0
                for j in range(2):
                    for i in range(2):
                        # each sample passes the film curve by itself: bright edges stay smooth
                        total += _film(light[row * 2 + j, column * 2 + i, c])
                picture[row, column, c] = np.uint8(total * 63.75 + 0.5)
            for j in range(2):
                for i in range(2):
                    sample = depth[row * 2 + j, column * 2 + i]
                    if 0.0 < sample < near:
                        near = sample
            nearest_depth[row, column] = near
    return picture, nearest_depth
