"""Triangles and the shapes that are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Colour = Sequence[float]


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles with a normal and a texture coordinate (metres) per corner, a material and a tint each."""

    points: Array  # [N, 3, 3]
    normals: Array  # [N, 3, 3]
    uv: Array  # [N, 3, 2]
    material: Array  # [N]
    tint: Array  # [N, 3] linear light

    def at(self, offset: Colour = (0, 0, 0), turn: Array | None = None, scale: float | Colour = 1.0) -> Mesh:
        """Scaled, then turned by a 3x3 matrix, then moved."""
        size = np.broadcast_to(np.asarray(scale, float), 3)
        turn = np.eye(3) if turn is None else turn
        normals = (self.normals / size) @ turn.T
        return Mesh((self.points * size) @ turn.T + np.asarray(offset), normals, self.uv, self.material, self.tint)


def join(meshes: Iterable[Mesh]) -> Mesh:
    """All triangles as one mesh."""
    parts = list(meshes)
    return Mesh(*(np.concatenate([getattr(part, name) for part in parts]) for name in Mesh.__slots__))


def turn_x(angle: float) -> Array:
    """Rotation about x by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(angle: float) -> Array:
    """Rotation about y by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def turn_z(angle: float) -> Array:
    """Rotation about z by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def grid(points: Array, uv: Array, material: int, tint: Colour, ring: bool = False) -> Mesh:
    """A smooth sheet through `points` [M, N, 3]; `ring` closes the second axis (its last column repeats the first)."""
    down = np.gradient(points, axis=0)
    if ring:
        wrapped = np.concatenate([points[:, -2:-1], points, points[:, 1:2]], axis=1)
        across = wrapped[:, 2:] - wrapped[:, :-2]
    else:
        across = np.gradient(points, axis=1)
    normals = np.cross(down, across)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals = np.where(length > 1e-12, normals / np.maximum(length, 1e-12), 0)
    for row, inner in ((0, 1), (-1, -2)):  # the poles of a closed shape: the mean of the next ring
        if np.any(length[row] <= 1e-12):
            normals[row] = normals[inner].mean(axis=0)
    corners = [(0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)]
    rows, columns = points.shape[0] - 1, points.shape[1] - 1

    def split(values: Array) -> Array:
        picked = [values[i : i + rows, j : j + columns] for i, j in corners]
        return np.stack(picked, axis=2).reshape(rows * columns * 2, 3, values.shape[-1])

    count = rows * columns * 2
    return Mesh(
        split(points),
        split(normals),
        split(uv),
        np.full(count, material, np.int64),
        np.tile(np.asarray(tint, float), (count, 1)),
    )


def quad(a: Colour, b: Colour, c: Colour, d: Colour, material: int, tint: Colour) -> Mesh:
    """A flat four-sided face; uv runs in metres along ab and ad from `a`'s own place."""
    corner = np.array([[a, d], [b, c]], float)
    length = [np.linalg.norm(corner[1, 0] - corner[0, 0]), np.linalg.norm(corner[0, 1] - corner[0, 0])]
    uv = np.array([[[0, 0], [0, length[1]]], [[length[0], 0], [length[0], length[1]]]], float)
    start = np.array([corner[0, 0, 0] + corner[0, 0, 2], corner[0, 0, 1]])
    return grid(corner, uv + start, material, tint)


def box(low: Colour, high: Colour, material: int, tint: Colour) -> Mesh:
    """An axis-aligned box."""
    x0, y0, z0 = low
    x1, y1, z1 = high
    faces = [
        ((x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)),
        ((x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)),
        ((x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)),
        ((x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)),
        ((x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)),
        ((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)),
    ]
    return join(quad(*face, material, tint) for face in faces)


def lathe(profile: Array, sides: int, material: int, tint: Colour) -> Mesh:
    """A profile [M, 2] of (radius, height) turned about the y axis; uv is (angle 0..1, length along the profile)."""
    profile = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    radius, height = profile[:, :1], np.repeat(profile[:, 1:], sides + 1, axis=1)
    points = np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], axis=-1)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi), along[:, None]), axis=-1)
    return grid(points, uv, material, tint, ring=True)


def ellipsoid(centre: Colour, radii: Colour, material: int, tint: Colour, sides: int = 16) -> Mesh:
    """An ellipsoid with its poles along y."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 2)
    ball = lathe(np.stack([np.cos(angle).clip(0), np.sin(angle)], axis=1), sides, material, tint)
    return ball.at(centre, scale=radii)


def tube(path: Array, radius: float | Array, material: int, tint: Colour, sides: int = 6, flat: float = 1.0) -> Mesh:
    """A tube along `path` [M, 3]; `radius` may vary along it, `flat` squeezes the section along its second axis."""
    path = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radius, float), len(path))
    forward = np.gradient(path, axis=0)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    helper = np.where(np.abs(forward[:, 1:2]) > 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]])
    first = np.cross(forward, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(forward, first) * flat
    angle = np.linspace(0, 2 * np.pi, sides + 1)[None, :, None]
    section = np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None]
    points = path[:, None] + radius[:, None, None] * section
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    uv = np.stack(np.broadcast_arrays(angle[..., 0] / (2 * np.pi), along[:, None]), axis=-1)
    return grid(points, uv, material, tint, ring=True)


def capped(mesh: Mesh, centre: Colour, axis: Colour, radius: float, material: int, tint: Colour) -> Mesh:
    """`mesh` with a disc of `radius` at `centre` facing `axis`."""
    axis = np.asarray(axis, float)
    helper = np.array([1.0, 0, 0]) if abs(axis[1]) > 0.8 else np.array([0, 1.0, 0])
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    angle = np.linspace(0, 2 * np.pi, 25)
    rim = np.asarray(centre) + radius * (np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second)
    points = np.stack([np.broadcast_to(np.asarray(centre, float), rim.shape), rim])
    uv = np.stack([np.zeros((25, 2)), np.stack([angle / (2 * np.pi), np.full(25, radius)], axis=1)])
    disc = grid(points, uv, material, tint)
    flat = Mesh(disc.points, np.broadcast_to(axis, disc.normals.shape), disc.uv, disc.material, disc.tint)
    return join([mesh, flat])


def leaves(centres: Array, size: float, rng: np.random.Generator, material: int, tint: Colour) -> Mesh:
    """One pointed leaf (two triangles) in a random direction at each centre [N, 3]."""
    count = len(centres)
    along = rng.normal(size=(count, 3))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, rng.normal(size=(count, 3)))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    length = size * rng.uniform(0.7, 1.3, (count, 1))
    tip, foot = centres + along * length, centres - along * length
    left, right = centres + side * length * 0.55, centres - side * length * 0.55
    points = np.concatenate([np.stack([foot, left, tip], 1), np.stack([foot, tip, right], 1)])
    flat = np.cross(along, side)
    normals = np.repeat(np.concatenate([flat, flat])[:, None], 3, axis=1)
    shade = np.asarray(tint) * rng.uniform(0.65, 1.35, (count, 1)) * (1 + rng.normal(0, 0.08, (count, 3)))
    uv = np.zeros((count * 2, 3, 2))
    return Mesh(points, normals, uv, np.full(count * 2, material, np.int64), np.concatenate([shade, shade]))
