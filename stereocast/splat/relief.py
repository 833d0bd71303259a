"""A closed relief of an object from one picture: its surface, and Gaussians that tile it.

The front is the silhouette, inflated, with the depth map's detail on it; the back is the inflated silhouette with a guess
of its colours (splat.back). It is as fine as its picture.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from stereocast.splat import prepare
from stereocast.splat.back import back_colours, smooth_inside
from stereocast.splat.scene import SH_C0, Camera, Gaussians
from stereocast.types import Array

_PLUMP = 0.8  # a limb's cross section: 1 would be √2 deeper than wide
_DETAIL = 0.1  # depth map's relief, of the object's size
_STEEPEST = 8.0
_WALL_STEP = 1.5  # pixels
_WIDE, _SOLID = 0.72, 5.0  # pixels, logit: neighbours cover each other, or the far side would shine through
_SOLVED_AT = 192  # side of the picture on which the silhouette is inflated
_PLAIN = 0.03  # colours of four pixels that differ by less are one Gaussian's


def inflate(mask: Array) -> Array:
    """Half thickness in pixels, float32 [H, W], of a silhouette (bool): the root of the solution of ∇²u = -4, which
    makes a ball of a disc and a tube of a strip. Zero outside. Large masks are solved small and followed to their
    outline."""
    inside = mask.astype(bool).copy()
    inside[0] = inside[-1] = inside[:, 0] = inside[:, -1] = False
    shrink = max(mask.shape) / _SOLVED_AT
    if shrink <= 1.2:
        return (np.sqrt(np.maximum(_solved(inside), 0)) * _PLUMP).astype(np.float32)
    size = (round(mask.shape[1] / shrink), round(mask.shape[0] / shrink))
    small = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    u = cv2.resize(_solved(small).astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_LINEAR) * shrink**2
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    u = np.maximum(u, distance**2)  # never less, for any shape; parts too thin for the small picture get this
    return (np.sqrt(u) * _PLUMP * inside).astype(np.float32)


def _solved(inside: Array) -> Array:
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    u = (distance * distance.max()).astype(np.float64)  # a start that is near for most shapes
    y, x = np.nonzero(inside)
    halves = [(y[(y + x) % 2 == c], x[(y + x) % 2 == c]) for c in (0, 1)]
    relax = 2 / (1 + math.sin(math.pi / max(8.0, 2.5 * float(distance.max()))))  # over-relaxation, by the widest part
    for _ in range(int(4 * distance.max()) + 40):
        for rows, columns in halves:
            around = u[rows - 1, columns] + u[rows + 1, columns] + u[rows, columns - 1] + u[rows, columns + 1]
            u[rows, columns] += relax * ((around + 4) / 4 - u[rows, columns])
    return u


def detail(depth: Array, mask: Array) -> Array:
    """The depth map's relief, about -0.5..0.5, without offset and slope, fading at the outline; float32 [H, W]."""
    y, x = np.nonzero(mask)
    if len(y) < 16:
        return np.zeros(mask.shape, np.float32)
    values = depth[y, x].astype(np.float64)
    spread = max(float(np.subtract(*np.percentile(values, (95, 5)))), 1e-3)
    plane = np.stack([x, y, np.ones_like(x)], 1).astype(np.float64)
    values = values - plane @ np.linalg.lstsq(plane, values, rcond=None)[0]
    out = np.zeros(mask.shape, np.float32)
    out[y, x] = np.clip(values / spread, -0.5, 0.5)
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return out * np.minimum(1, distance / max(1.0, 0.35 * float(distance.max()))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Relief:
    """One frame's closed surface, on the pixel grid of the reference camera."""

    mask: Array  # bool [H, W]
    core: Array  # bool [H, W], without the outline's pixels, which Gaussians of its neighbours cover
    front: Array  # float32 [H, W], towards the camera, metres from the middle plane
    back: Array  # float32 [H, W], away from it
    colour: Array  # float32 [H, W, 3], 0..1
    colour_back: Array


def relief(rgba: Array, depth: Array | None, camera: Camera) -> Relief:
    """The closed relief of a framed RGBA picture, uint8 [S, S, 4]; `depth` is inverse depth [S, S], 1 = nearest."""
    size = rgba.shape[0]
    mask = prepare.largest(rgba[..., 3] > 127).astype(bool)
    pixel = metres_per_pixel(camera)
    half = inflate(mask) * pixel
    front = half.copy()
    if depth is not None:
        front = np.where(mask, half + _DETAIL * size * pixel * 0.5 * detail(depth, mask), 0).astype(np.float32)
        front = np.maximum(front, 0.3 * half)
    front = cv2.GaussianBlur(front, (0, 0), max(0.7, size / 270)) * mask
    colour = rgba[..., :3].astype(np.float32) / 255
    colour = _clean(colour, mask)
    return Relief(mask, _core(mask), front, half, colour, back_colours(colour, mask, half / pixel))


def _clean(colour: Array, mask: Array) -> Array:
    """Outline pixels are mixed with the background: they get the colour of what is nearest inside, where there is any."""
    reach = max(1, round(mask.shape[0] / 170))
    solid = cv2.erode(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).astype(bool)
    if not solid.any():
        return colour
    distance, labels = cv2.distanceTransformWithLabels(
        (~solid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((int(labels.max()) + 1, 3), np.float32)
    table[labels[solid]] = smooth_inside(colour, solid, 0.7 * reach)[solid]
    edge = mask & ~solid & (distance < 2.5 * reach)  # a thin part keeps its own
    return np.where(edge[..., None], table[labels], colour).astype(np.float32)


def metres_per_pixel(camera: Camera) -> float:
    """At the plane through the origin."""
    return float(camera.view[2, 3] / camera.intrinsics[0, 0])


def _core(mask: Array) -> Array:
    """The mask without its outline; lines that are thinner than that stay."""
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    ridge = distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))
    return mask & ((distance > 1.5) | ridge)


@dataclass(frozen=True, slots=True)
class Surface:
    """Points of a relief: where they are in the picture, and on which side."""

    u: Array  # float32 [N], pixels
    v: Array
    share: Array  # float32 [N]: 1 on the front, 0 on the back, between them on the wall along the outline
    cell: Array  # float32 [N], pixels that a point stands for
    points: Array  # float32 [N, 3], world
    colours: Array  # float32 [N, 3]


def surface(shape: Relief, camera: Camera) -> Surface:
    """Front, back, and the wall between them along the outline; where four pixels are alike one point stands for them."""
    parts = []
    for colour, front_share in ((shape.colour, 1.0), (shape.colour_back, 0.0)):
        y, x, cell = cells(shape.core, colour)
        parts.append((x + cell / 2, y + cell / 2, np.full(len(x), front_share), cell))
    wall_y, wall_x, share = wall(shape, camera)
    parts.append((wall_x + 0.5, wall_y + 0.5, share, np.ones(len(wall_x))))
    u, v, share, cell = (np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True))
    points = place(u, v, height(shape, u, v, share), camera)
    front, back = (sampled(colour, u, v) for colour in (shape.colour, shape.colour_back))
    side = len(u) - len(wall_x)  # the wall has the outline's colours, even along it
    for colour, of_points in ((shape.colour, front), (shape.colour_back, back)):
        of_points[side:] = sampled(smooth_inside(colour, shape.mask, shape.mask.shape[0] / 128), u[side:], v[side:])
    return Surface(u, v, share, cell, points, share[:, None] * front + (1 - share[:, None]) * back)


def cells(core: Array, colour: Array) -> tuple[Array, Array, Array]:
    """The core's pixels (y, x) and their size, 1; and 2 for a square of four alike, given by its first."""
    rows, columns = core.shape[0] // 2, core.shape[1] // 2

    def fours(a: Array) -> Array:
        return a[: rows * 2, : columns * 2].reshape(rows, 2, columns, 2, *a.shape[2:])

    alike = np.ptp(fours(colour), axis=(1, 3)).max(-1) < _PLAIN
    inner = cv2.erode(core.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)  # outlines stay fine
    large = fours(inner).all((1, 3)) & alike
    single = core.copy()
    single[: rows * 2, : columns * 2] &= ~np.repeat(np.repeat(large, 2, 0), 2, 1)
    y, x = np.nonzero(single)
    large_y, large_x = np.nonzero(large)
    sizes = np.concatenate([np.ones(len(y)), np.full(len(large_y), 2)])
    return np.concatenate([y, large_y * 2]), np.concatenate([x, large_x * 2]), sizes


def wall(shape: Relief, camera: Camera) -> tuple[Array, Array, Array]:
    """Pixels (y, x) along the outline, one for each step from back (share near 0) to front (near 1)."""
    rim = shape.core & ~cv2.erode(shape.core.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    y, x = np.nonzero(rim)
    steps = np.ceil((shape.front[y, x] + shape.back[y, x]) / (_WALL_STEP * metres_per_pixel(camera))).astype(int)
    share = np.concatenate([np.linspace(0.02, 0.98, n + 1) for n in steps]) if len(steps) else np.zeros(0)
    return np.repeat(y, steps + 1), np.repeat(x, steps + 1), share.astype(np.float32)


def sampled(field: Array, u: Array, v: Array) -> Array:
    """A field [H, W(, C)] at places in pixels [N], linear, with its border extended. (OpenCV's remap ends at 32,767 places.)"""
    x, y = np.clip(u - 0.5, 0, field.shape[1] - 1), np.clip(v - 0.5, 0, field.shape[0] - 1)
    left, top = np.minimum(x.astype(int), field.shape[1] - 2), np.minimum(y.astype(int), field.shape[0] - 2)
    across, down = (x - left).astype(np.float32), (y - top).astype(np.float32)
    if field.ndim == 3:
        across, down = across[:, None], down[:, None]
    upper = field[top, left] * (1 - across) + field[top, left + 1] * across
    lower = field[top + 1, left] * (1 - across) + field[top + 1, left + 1] * across
    return np.asarray(upper * (1 - down) + lower * down)


def height(shape: Relief, u: Array, v: Array, share: Array) -> Array:
    """Height of places (pixels) on the front, the back or between them."""
    return np.asarray(share * sampled(shape.front, u, v) - (1 - share) * sampled(shape.back, u, v))


def place(u: Array, v: Array, height: Array, camera: Camera) -> Array:
    """World points float32 [N, 3] at pixels (u, v), `height` metres before the plane through the origin."""
    k, depth = camera.intrinsics, camera.view[2, 3] - height
    seen = np.stack([(u - k[0, 2]) / k[0, 0] * depth, (v - k[1, 2]) / k[1, 1] * depth, depth], 1)
    return ((seen - camera.view[:3, 3]) @ camera.view[:3, :3]).astype(np.float32)


def surfels(shape: Relief, camera: Camera) -> Gaussians:
    """Gaussians that tile the relief: flat ones tilted with front and back, round ones on the wall between them."""
    tiled, pixel = surface(shape, camera), metres_per_pixel(camera)
    sides = (tiled.share == 1) | (tiled.share == 0)
    quats, scales = np.empty((len(sides), 4)), np.empty((len(sides), 3))
    for side, which, sign in ((shape.front, tiled.share == 1, 1.0), (shape.back, tiled.share == 0, -1.0)):
        rises = _slopes(side, shape.mask, pixel)
        sx, sy = (sampled(rise, tiled.u[which], tiled.v[which]) * sign for rise in rises)
        steep = np.sqrt(sx**2 + sy**2)
        flat = steep < 1e-6
        cx, cy = np.where(flat, 1.0, sx / np.maximum(steep, 1e-6)), np.where(flat, 0.0, sy / np.maximum(steep, 1e-6))
        stretch = np.sqrt(1 + steep**2)
        # camera axes: x right, y down, z forward; the surface rises against z
        along = np.stack([cx, cy, -steep], 1) / stretch[:, None]
        across = np.stack([-cy, cx, np.zeros_like(cx)], 1)
        turn = np.stack([along, across, np.cross(along, across)], 2)  # columns
        quats[which] = quaternions(camera.view[:3, :3].T @ turn)
        wide = _WIDE * tiled.cell[which]
        scales[which] = np.stack([wide * stretch, wide, np.full_like(wide, 0.25)], 1) * pixel
    quats[~sides] = quaternions(camera.view[None, :3, :3].transpose(0, 2, 1))
    scales[~sides] = np.array([_WIDE, _WIDE, 0.7 * _WALL_STEP]) * pixel
    count = len(sides)
    return Gaussians(
        torch.from_numpy(tiled.points), torch.log(torch.from_numpy(scales.astype(np.float32))),
        torch.from_numpy(quats.astype(np.float32)), torch.full((count,), _SOLID),
        torch.from_numpy(((tiled.colours[:, None] - 0.5) / SH_C0).astype(np.float32)), torch.zeros(count, 0, 3),
    )  # fmt: skip


def _slopes(side: Array, mask: Array, pixel: float) -> tuple[Array, Array]:
    """Rise per metre along x and y, central differences, no steeper than `_STEEPEST`."""
    rise_x, rise_y = (np.gradient(side, axis=axis) / pixel for axis in (1, 0))
    steep = np.sqrt(rise_x**2 + rise_y**2)
    limit = np.minimum(1, _STEEPEST / np.maximum(steep, 1e-6)) * mask
    return (rise_x * limit).astype(np.float32), (rise_y * limit).astype(np.float32)


def quaternions(r: Array) -> Array:
    """wxyz [N, 4] of rotations [N, 3, 3] (the largest component first, which keeps it stable)."""
    m = r.astype(np.float64)
    trace = [m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2]] + [2 * m[:, i, i] - np.trace(m, axis1=1, axis2=2) for i in range(3)]
    best = np.argmax(np.stack(trace, 1), 1)
    q = np.zeros((len(m), 4))
    for which in range(4):
        at = best == which
        a = m[at]
        root = np.sqrt(1 + np.stack(trace, 1)[at, which]) * 2
        if which == 0:
            q[at] = np.stack(
                [
                    root / 4,
                    (a[:, 2, 1] - a[:, 1, 2]) / root,
                    (a[:, 0, 2] - a[:, 2, 0]) / root,
                    (a[:, 1, 0] - a[:, 0, 1]) / root,
                ],
                1,
            )
        else:
            i, j, k = which - 1, which % 3, (which + 1) % 3
            part = np.zeros((len(a), 4))
            part[:, 0] = (a[:, k, j] - a[:, j, k]) / root
            part[:, 1 + i] = root / 4
            part[:, 1 + j] = (a[:, j, i] + a[:, i, j]) / root
            part[:, 1 + k] = (a[:, k, i] + a[:, i, k]) / root
            q[at] = part
    return q
