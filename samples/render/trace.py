"""Nearest and any hit of a ray with triangles, through a bounding volume hierarchy (binned surface area heuristic)."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from .mesh import Mesh

BINS = 16
LEAF = 4
FAR = 1e9


class Bvh(NamedTuple):
    """A tree over triangles that are already in leaf order."""

    bounds: np.ndarray  # [K, 6] low, high
    child: np.ndarray  # [K] first child (the second follows it), or first triangle of a leaf
    count: np.ndarray  # [K] triangles in a leaf, 0 in an inner node
    corner: np.ndarray  # [N, 9] first corner and the two edges from it
    normal: np.ndarray  # [N, 9]
    uv: np.ndarray  # [N, 6]
    material: np.ndarray  # [N]
    tint: np.ndarray  # [N, 3]


def build(mesh: Mesh) -> Bvh:
    """The tree of a mesh."""
    points = mesh.points.astype(np.float64)
    low, high = points.min(axis=1), points.max(axis=1)
    order, bounds, child, count = _split(low, high)
    first = points[order, 0]
    corner = np.concatenate([first, points[order, 1] - first, points[order, 2] - first], axis=1)
    return Bvh(
        bounds.astype(np.float32),
        child,
        count,
        corner.astype(np.float32),
        mesh.normals[order].reshape(-1, 9).astype(np.float32),
        mesh.uv[order].reshape(-1, 6).astype(np.float32),
        mesh.material[order].astype(np.int32),
        mesh.tint[order].astype(np.float32),
    )


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _area(low, high):
    d = np.maximum(high - low, 0.0)
    return d[0] * d[1] + d[1] * d[2] + d[2] * d[0]


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _split(low, high):
    total = low.shape[0]
    order = np.arange(total)
    centre = (low + high) * 0.5
    bounds = np.zeros((2 * total + 2, 6))
    child = np.zeros(2 * total + 2, np.int32)
    count = np.zeros(2 * total + 2, np.int32)
    todo = np.zeros((128, 3), np.int64)  # node, first, end
    todo[0, 2] = total
    waiting, used = 1, 1
    bin_low, bin_high = np.empty((BINS, 3)), np.empty((BINS, 3))
    bin_count = np.empty(BINS, np.int64)
    right_cost = np.empty(BINS)
    while waiting:
        waiting -= 1
        node, first, end = todo[waiting]
        box_low, box_high = np.full(3, FAR), np.full(3, -FAR)
        mid_low, mid_high = np.full(3, FAR), np.full(3, -FAR)
        for k in range(first, end):
            box_low, box_high = np.minimum(box_low, low[order[k]]), np.maximum(box_high, high[order[k]])
            mid_low, mid_high = np.minimum(mid_low, centre[order[k]]), np.maximum(mid_high, centre[order[k]])
        bounds[node, :3], bounds[node, 3:] = box_low, box_high
        axis = np.argmax(mid_high - mid_low)
        extent = mid_high[axis] - mid_low[axis]
        if end - first <= LEAF or extent < 1e-9:
            child[node], count[node] = first, end - first
            continue
        bin_low[:], bin_high[:], bin_count[:] = FAR, -FAR, 0
        scale = BINS * 0.99999 / extent
        for k in range(first, end):
            b = int((centre[order[k], axis] - mid_low[axis]) * scale)
            bin_count[b] += 1
            bin_low[b] = np.minimum(bin_low[b], low[order[k]])
            bin_high[b] = np.maximum(bin_high[b], high[order[k]])
        run_low, run_high, run = np.full(3, FAR), np.full(3, -FAR), 0
        for b in range(BINS - 1, 0, -1):
            run_low, run_high = np.minimum(run_low, bin_low[b]), np.maximum(run_high, bin_high[b])
            run += bin_count[b]
            right_cost[b] = run * _area(run_low, run_high) if run else FAR
        run_low, run_high, run = np.full(3, FAR), np.full(3, -FAR), 0
        best, best_cost = 1, 1e30
        for b in range(BINS - 1):
            run_low, run_high = np.minimum(run_low, bin_low[b]), np.maximum(run_high, bin_high[b])
            run += bin_count[b]
            if run and run < end - first:
                cost = run * _area(run_low, run_high) + right_cost[b + 1]
                if cost < best_cost:
                    best, best_cost = b + 1, cost
        left, right = first, end - 1
        while left <= right:
            if int((centre[order[left], axis] - mid_low[axis]) * scale) < best:
                left += 1
            else:
                order[left], order[right] = order[right], order[left]
                right -= 1
        child[node] = used
        todo[waiting] = (used, first, left)
        todo[waiting + 1] = (used + 1, left, end)
        waiting += 2
        used += 2
    return order, bounds[:used], child[:used], count[:used]


@numba.njit(cache=True, inline="always")
def _enter(bounds, node, ox, oy, oz, ix, iy, iz, limit):
    """Where the ray enters the box of a node, or FAR."""
    x0, x1 = (bounds[node, 0] - ox) * ix, (bounds[node, 3] - ox) * ix
    y0, y1 = (bounds[node, 1] - oy) * iy, (bounds[node, 4] - oy) * iy
    z0, z1 = (bounds[node, 2] - oz) * iz, (bounds[node, 5] - oz) * iz
    near = max(max(min(x0, x1), min(y0, y1)), max(min(z0, z1), 0.0))
    far = min(min(max(x0, x1), max(y0, y1)), min(max(z0, z1), limit))
    return near if near <= far * 1.00001 + 1e-6 else FAR


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def _meets(corner, k, ox, oy, oz, dx, dy, dz):
    """(distance, u, v) at which a ray meets triangle k; FAR where it misses."""
    px, py, pz = (
        dy * corner[k, 8] - dz * corner[k, 7],
        dz * corner[k, 6] - dx * corner[k, 8],
        dx * corner[k, 7] - dy * corner[k, 6],
    )
    det = corner[k, 3] * px + corner[k, 4] * py + corner[k, 5] * pz
    if abs(det) < 1e-14:
        return FAR, 0.0, 0.0
    inv = 1.0 / det
    tx, ty, tz = ox - corner[k, 0], oy - corner[k, 1], oz - corner[k, 2]
    u = (tx * px + ty * py + tz * pz) * inv
    if u < 0.0 or u > 1.0:
        return FAR, 0.0, 0.0
    qx, qy, qz = (
        ty * corner[k, 5] - tz * corner[k, 4],
        tz * corner[k, 3] - tx * corner[k, 5],
        tx * corner[k, 4] - ty * corner[k, 3],
    )
    v = (dx * qx + dy * qy + dz * qz) * inv
    if v < 0.0 or u + v > 1.0:
        return FAR, 0.0, 0.0
    return (corner[k, 6] * qx + corner[k, 7] * qy + corner[k, 8] * qz) * inv, u, v


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def nearest(bvh, ox, oy, oz, dx, dy, dz, limit, stack):
    """(distance, triangle, u, v) of the first hit before `limit`; triangle is -1 without one."""
    ix = 1.0 / dx if abs(dx) > 1e-12 else 1e12
    iy = 1.0 / dy if abs(dy) > 1e-12 else 1e12
    iz = 1.0 / dz if abs(dz) > 1e-12 else 1e12
    bounds, corner, child, count = bvh.bounds, bvh.corner, bvh.child, bvh.count
    best, hit, hit_u, hit_v = limit, -1, 0.0, 0.0
    depth, node = 0, 0
    if _enter(bounds, 0, ox, oy, oz, ix, iy, iz, best) == FAR:
        return best, hit, hit_u, hit_v
    while True:
        size = count[node]
        if size:
            first = child[node]
            for k in range(first, first + size):
                t, u, v = _meets(corner, k, ox, oy, oz, dx, dy, dz)
                if 1e-4 < t < best:
                    best, hit, hit_u, hit_v = t, k, u, v
        else:
            a = child[node]
            ta = _enter(bounds, a, ox, oy, oz, ix, iy, iz, best)
            tb = _enter(bounds, a + 1, ox, oy, oz, ix, iy, iz, best)
            b = a + 1
            if tb < ta:
                a, b, ta, tb = b, a, tb, ta
            if ta < FAR:
                if tb < FAR:
                    stack[depth] = b
                    depth += 1
                node = a
                continue
        if depth == 0:
            return best, hit, hit_u, hit_v
        depth -= 1
        node = stack[depth]


@numba.njit(cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def blocked(bvh, ox, oy, oz, dx, dy, dz, limit, stack):
    """Whether anything is on the ray before `limit`."""
    ix = 1.0 / dx if abs(dx) > 1e-12 else 1e12
    iy = 1.0 / dy if abs(dy) > 1e-12 else 1e12
    iz = 1.0 / dz if abs(dz) > 1e-12 else 1e12
    bounds, corner, child, count = bvh.bounds, bvh.corner, bvh.child, bvh.count
    stack[0] = 0
    depth = 1
    while depth:
        depth -= 1
        node = stack[depth]
        if _enter(bounds, node, ox, oy, oz, ix, iy, iz, limit) == FAR:
            continue
        size, first = count[node], child[node]
        if size == 0:
            stack[depth], stack[depth + 1] = first + 1, first
            depth += 2
            continue
        for k in range(first, first + size):
            if 1e-4 < _meets(corner, k, ox, oy, oz, dx, dy, dz)[0] < limit:
                return True
    return False
