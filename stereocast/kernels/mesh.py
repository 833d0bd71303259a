"""Rasterises a depth map's grid as a moved camera sees it: for each pixel, its position in the source."""

from typing import Any

import numpy as np

from stereocast.kernels.jit import jit
from stereocast.types import Array


@jit
def _triangle(xs: Any, ys: Any, zs: Any, us: Any, vs: Any, a: Any, b: Any, c: Any, out: Any, depth: Any) -> None:
    height, width = depth.shape
    ax, ay, bx, by, cx, cy = xs[a], ys[a], xs[b], ys[b], xs[c], ys[c]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if not area > 1e-9:  # seen from behind, or nan
        return
    left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx))))
    top, bottom = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy))))
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            wa = (bx - x) * (cy - y) - (by - y) * (cx - x)
            wb = (cx - x) * (ay - y) - (cy - y) * (ax - x)
            wc = area - wa - wb
            if wa < -1e-6 or wb < -1e-6 or wc < -1e-6:
                continue
            wa, wb, wc = wa / area, wb / area, wc / area
            z = wa * zs[a] + wb * zs[b] + wc * zs[c]
            if z > depth[y, x]:
                depth[y, x] = z
                out[0, y, x] = wa * us[a] + wb * us[b] + wc * us[c]
                out[1, y, x] = wa * vs[a] + wb * vs[b] + wc * vs[c]


@jit
def _mesh(
    xs: Any, ys: Any, zs: Any, us: Any, vs: Any, rows: Any, columns: Any, keep: Any, out: Any, depth: Any
) -> None:
    for i in range(rows - 1):
        for j in range(columns - 1):
            if not keep[i, j]:
                continue
            a = i * columns + j
            _triangle(xs, ys, zs, us, vs, a, a + 1, a + columns, out, depth)
            _triangle(xs, ys, zs, us, vs, a + 1, a + columns + 1, a + columns, out, depth)


def raster(x: Array, y: Array, inverse: Array, u: Array, v: Array, keep: Array, height: int, width: int) -> Array:
    """The source position of each pixel, float32 [2, height, width], -1 where nothing is visible.

    x, y [r, c]: the grid points in the new image; inverse [r, c]: inverse depth, larger = nearer; u, v [r, c]: source
    positions; keep bool [r-1, c-1]: the cells to draw.
    """
    out = np.full((2, height, width), -1, np.float32)
    depth = np.zeros((height, width), np.float32)
    xs, ys, zs, us, vs = (np.ascontiguousarray(part, np.float32).reshape(-1) for part in (x, y, inverse, u, v))
    _mesh(xs, ys, zs, us, vs, x.shape[0], x.shape[1], np.ascontiguousarray(keep), out, depth)
    return out
