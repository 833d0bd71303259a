"""How a camera moved between two pictures: direction of translation and rotation from dense optical flow.

Coordinates are those of a pinhole camera of FOV_DEG across: x to the right, y down, in focal lengths from the middle.
A point x [N, 2] of the first picture is seen at `moved` [N, 2] in the second. With q = R (x, 1), a translation t and an
inverse depth rho of the second camera's units, moved (q_z + rho t_z) = q_xy + rho t_xy, so that

    moved - q_xy / q_z = rho' (t_xy - t_z moved),    rho' = rho / q_z.        (*)

The right side's bracket is the epipolar direction; the component across it is rotation, noise, or something that moves by
itself. For each direction of a grid the rotation is linear in that component (Heeger & Jepson 1992), found by
reweighted least squares; the best directions are refined and the rotation is taken out exactly.
"""

from dataclasses import dataclass

import numpy as np

from stereocast.types import Array

FOV_DEG = 60.0  # most films are shot near it, and (*) forgives: an error bends depth, it doesn't change its order
_DIRECTIONS = 100  # on the half sphere; the sign follows from depth being positive
_SOFT_PX = 0.5  # residuals beyond this count less and less
_FINER_DEG = (9.0, 4.0, 1.5, 0.6)
_ROUNDS = 4  # of reweighting
_FEW = 400  # points that are enough for the first search


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """The second camera seen from the first."""

    direction: Array  # float64 [3], unit translation, the sign for which most depths are positive
    rotation: Array  # float64 [3, 3]
    noise_px: float  # robust spread of the flow across the epipolar lines
    inliers: float  # share of the points within 3 noise_px (at least 1 px) of their line


def focal_px(columns: int) -> float:
    """Focal length in pixels of a picture with this many columns."""
    return float(columns / 2 / np.tan(np.radians(FOV_DEG / 2)))


def turned(points: Array, rotation: Array) -> Array:
    """Points [N, 2] after a rotation [3, 3] of the camera."""
    seen = points @ rotation[:, :2].T + rotation[:, 2]
    return np.asarray(seen[:, :2] / seen[:, 2:])


def rotation_of(vector: Array) -> Array:
    """The rotation matrix [3, 3] of a rotation vector [3] (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = np.asarray(vector) / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _rotational_flow(points: Array) -> Array:
    """What a small rotation does to points [N, 2], per axis: [N, 2, 3] (Longuet-Higgins & Prazdny 1980)."""
    x, y = points.T
    one = np.ones_like(x)
    return np.stack([np.stack([-x * y, one + x * x, -y], 1), np.stack([-one - y * y, x * y, x], 1)], 1)


def _half_sphere(count: int) -> Array:
    """Unit directions [count, 3] spread evenly over the half sphere z >= 0 (golden spiral)."""
    z = (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1)


def _around(direction: Array, angle_deg: float) -> Array:
    """The direction itself and eight at `angle_deg` from it, [9, 3]."""
    aside = np.cross(direction, [0.0, 0.0, 1.0] if abs(direction[2]) < 0.9 else [1.0, 0.0, 0.0])
    aside /= np.linalg.norm(aside)
    third = np.cross(direction, aside)
    turn = np.arange(8) * np.pi / 4
    tilt = np.radians(angle_deg)
    ring = np.cos(tilt) * direction + np.sin(tilt) * (np.cos(turn)[:, None] * aside + np.sin(turn)[:, None] * third)
    return np.concatenate([direction[None], ring])


def _across(directions: Array, moved: Array) -> tuple[Array, Array]:
    """Unit normals of the epipolar lines, x and y, each [C, N], for directions [C, 3] at points [N, 2]."""
    ex = directions[:, :1] - directions[:, 2:] * moved[:, 0]
    ey = directions[:, 1:2] - directions[:, 2:] * moved[:, 1]
    length = np.sqrt(ex * ex + ey * ey) + 1e-9
    return -ey / length, ex / length


def _solve(
    directions: Array, start: Array, moved: Array, flow: Array, weight: Array, soft: float
) -> tuple[Array, Array]:
    """For each direction [C, 3] the small rotation [C, 3] on top of `start` (points already turned) and the cost [C];
    flow: `_rotational_flow` of `start`."""
    nx, ny = _across(directions, moved)
    basis = nx[:, None] * flow[:, 0].T + ny[:, None] * flow[:, 1].T  # [C, 3, N]
    shift = moved - start
    target = nx * shift[:, 0] + ny * shift[:, 1]  # [C, N]
    residual = target
    vector = np.zeros((len(directions), 3))
    for _ in range(_ROUNDS):
        w = weight / (1 + (residual / soft) ** 2)
        weighted = basis * w[:, None]
        normal = weighted @ basis.transpose(0, 2, 1)
        right = weighted @ target[..., None]
        vector = np.linalg.solve(normal + 1e-9 * np.eye(3), right)[..., 0]
        residual = target - (vector[:, None] @ basis)[:, 0]
    return vector, (weight * np.log1p((residual / soft) ** 2)).sum(1)


def camera_motion(points: Array, moved: Array, weight: Array, focal: float) -> CameraMotion:
    """The motion that explains most of the flow. points, moved [N, 2], weight [N] >= 0; `focal` in pixels."""
    soft = _SOFT_PX / focal
    directions = _half_sphere(_DIRECTIONS)
    few = slice(None, None, max(1, len(points) // _FEW))
    vectors, cost = _solve(directions, points[few], moved[few], _rotational_flow(points[few]), weight[few], soft)
    best = int(np.argmin(cost))
    direction, rotation = directions[best], rotation_of(vectors[best])
    for angle in _FINER_DEG:
        start = turned(points, rotation)
        directions = _around(direction, angle)
        vectors, cost = _solve(directions, start, moved, _rotational_flow(start), weight, soft)
        best = int(np.argmin(cost))
        direction, rotation = directions[best], rotation_of(vectors[best]) @ rotation
    start = turned(points, rotation)
    vectors, _ = _solve(direction[None], start, moved, _rotational_flow(start), weight, soft)
    rotation = rotation_of(vectors[0]) @ rotation
    start = turned(points, rotation)
    nx, ny = _across(direction[None], moved)
    shift = moved - start
    across = np.abs(nx[0] * shift[:, 0] + ny[0] * shift[:, 1]) * focal
    noise = 1.4826 * _weighted_median(across, weight)
    along = np.sum(shift * (direction[:2] - direction[2] * moved), 1)
    if np.sum(weight * np.sign(along)) < 0:
        direction = -direction
    inside = across < max(1.0, 3 * noise)
    return CameraMotion(direction, rotation, noise, float(np.sum(weight * inside) / max(weight.sum(), 1e-9)))


def turn_and_zoom(points: Array, moved: Array, weight: Array, focal: float) -> Array:
    """How far each point is from where a camera that only turns and zooms would show it, pixels [N].

    Solved from coarse to fine, so that the dominant motion is found despite moving foreground.
    """
    rotation, zoom = np.eye(3), 1.0
    start = points
    for soft_px in (6.0, 3.0, 1.5, 0.8, 0.5, 0.5):
        basis = np.concatenate([zoom * _rotational_flow(start / zoom), start[..., None]], 2)  # [N, 2, 4]
        shift = moved - start
        w = weight / (1 + (shift**2).sum(1) * (focal / soft_px) ** 2)
        flat = basis.reshape(-1, 4)
        for _ in range(3):
            weighted = flat * np.repeat(w, 2)[:, None]
            step = np.linalg.solve(weighted.T @ flat + 1e-9 * np.eye(4), weighted.T @ shift.ravel())
            rest = shift - basis @ step
            w = weight / (1 + (rest**2).sum(1) * (focal / soft_px) ** 2)
        rotation = rotation_of(step[:3]) @ rotation
        zoom *= 1 + step[3]
        start = zoom * turned(points, rotation)
    return np.asarray(np.sqrt(((moved - start) ** 2).sum(1)) * focal)


def _weighted_median(values: Array, weight: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order[min(len(order) - 1, int(np.searchsorted(total, total[-1] / 2)))]])
