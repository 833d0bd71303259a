"""Depth from motion on the CPU, compiled by Numba: parallax along epipolar lines, and an edge-aware recursive filter.

The readable twins are `motion_parallax` and `recursive_filter` in `reference`. They agree within 1e-4.
"""

import numpy as np

from stereocast.kernels.jit import jit
from stereocast.types import Array


@jit
def motion_parallax(
    flow: Array,  # [H, W, 2], pixels
    back: Array,  # [H, W, 2], from the second picture to the first
    slope_x: Array,  # [H, W], grey levels per pixel
    slope_y: Array,
    rotation: Array,  # [3, 3]
    direction: Array,  # [3]
    focal: float,  # pixels
    noise: float,  # pixels
    rho: Array,  # out [H, W]
    spread: Array,  # out [H, W]
    trust: Array,  # out [H, W]
) -> None:
    """As `reference.motion_parallax`; writes inverse depth, its standard deviation and trust."""
    rows, columns = rho.shape
    cx, cy = (columns - 1) * 0.5, (rows - 1) * 0.5
    for v in range(rows):
        for u in range(columns):
            fx, fy = flow[v, u, 0], flow[v, u, 1]
            tx, ty = u + fx, v + fy
            trust[v, u] = 0.0
            x, y = (u - cx) / focal, (v - cy) / focal
            sx, sy = (tx - cx) / focal, (ty - cy) / focal
            qz = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2]
            qx = (rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2]) / qz
            qy = (rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2]) / qz
            ex, ey = direction[0] - direction[2] * sx, direction[1] - direction[2] * sy
            length = np.sqrt(ex * ex + ey * ey) + 1e-6
            dx, dy = sx - qx, sy - qy
            rho[v, u] = qz * (dx * ex + dy * ey) / (length * length)
            spread[v, u] = noise / (focal * length)
            if tx < 0 or ty < 0 or tx > columns - 1 or ty > rows - 1:
                continue
            u0, v0 = min(int(tx), columns - 2), min(int(ty), rows - 2)
            a, b = tx - u0, ty - v0
            bx = (1 - b) * ((1 - a) * back[v0, u0, 0] + a * back[v0, u0 + 1, 0]) + b * (
                (1 - a) * back[v0 + 1, u0, 0] + a * back[v0 + 1, u0 + 1, 0]
            )
            by = (1 - b) * ((1 - a) * back[v0, u0, 1] + a * back[v0, u0 + 1, 1]) + b * (
                (1 - a) * back[v0 + 1, u0, 1] + a * back[v0 + 1, u0 + 1, 1]
            )
            round_trip = (fx + bx) ** 2 + (fy + by) ** 2
            across = (dx * ey - dy * ex) / length * focal / noise
            along = (slope_x[v, u] * ex + slope_y[v, u] * ey) / length
            texture = along * along / (along * along + 36.0)
            trust[v, u] = np.exp(-round_trip - 0.25 * across * across) * texture


@jit
def recursive_filter(values: Array, cross_x: Array, cross_y: Array) -> None:
    """As `reference.recursive_filter`, in place on [C, H, W]."""
    channels, rows, columns = values.shape
    for c in range(channels):
        for v in range(rows):
            for u in range(1, columns):
                values[c, v, u] += cross_x[v, u] * (values[c, v, u - 1] - values[c, v, u])
            for u in range(columns - 2, -1, -1):
                values[c, v, u] += cross_x[v, u + 1] * (values[c, v, u + 1] - values[c, v, u])
        for v in range(1, rows):
            for u in range(columns):
                values[c, v, u] += cross_y[v, u] * (values[c, v - 1, u] - values[c, v, u])
        for v in range(rows - 2, -1, -1):
            for u in range(columns):
                values[c, v, u] += cross_y[v + 1, u] * (values[c, v + 1, u] - values[c, v, u])
