"""The kernels in plain NumPy: what the faster ones must agree with, bit for bit unless a function says otherwise."""

import numpy as np

from stereocast.types import Array


def exact_offsets(depth: Array, scale_percent: float, exponent: float = 1.0) -> Array:
    """Whole columns by which each pixel moves, float32 of depth's shape [..., W], truncated toward zero.

    float32(depth^exponent) times float32(-(s/100) W), the product rounded to float32 (StereoCrafter-Zero, Eq. 11 and
    Appendix B). An exponent of 1 takes no power; others are taken in float64, so that every device gets the same bits.
    """
    depth = np.asarray(depth, np.float32)
    if exponent != 1.0:
        with np.errstate(invalid="ignore", divide="ignore"):
            depth = np.power(depth.astype(np.float64), float(exponent)).astype(np.float32)
    return np.trunc(depth * np.float32(-(scale_percent / 100.0) * depth.shape[-1]))


def warp_exact(source: Array, depth: Array, scale_percent: float, exponent: float = 1.0) -> tuple[Array, Array]:
    """The paper's integer warp (Appendix B): the last assignment wins.

    source [C, ..., W] of any dtype, depth float32 [..., W] (1 = near; taken literally outside 0..1). Returns the warped
    source, 0 where blank, and the blanks, bool [..., W]: pixels without a source. A positive scale moves pixels to the
    left and walks the columns from left to right, a negative one the other way round.
    """
    source = np.asarray(source)
    width = source.shape[-1]
    offsets = exact_offsets(depth, scale_percent, exponent).reshape(-1, width)
    flat = source.reshape(source.shape[0], -1, width)
    out = np.zeros_like(flat)
    blank = np.ones(offsets.shape, bool)
    for column in range(width) if scale_percent >= 0 else range(width - 1, -1, -1):
        landing = column + offsets[:, column]
        rows = np.flatnonzero((landing >= 0) & (landing < width))
        targets = landing[rows].astype(np.int64)
        out[:, rows, targets] = flat[:, rows, column]
        blank[rows, targets] = False
    return out.reshape(source.shape), blank.reshape(np.asarray(depth).shape)


REACH = np.float32(1.01)  # neighbours whose shifts differ by at most this many pixels are one surface


def cubic(before: Array, left: Array, right: Array, after: Array, f: Array) -> Array:
    """Catmull-Rom between `left` and `right` at 0 <= f <= 1, float32."""
    c1 = right - before
    c2 = 2 * before - 5 * left + 4 * right - after
    c3 = 3 * (left - right) + after - before
    return left + np.float32(0.5) * f * (c1 + f * (c2 + f * c3))


def source_columns(line: Array, gain: float, outline: bool = True) -> Array:
    """For a row of the new view the column each pixel comes from, float32 [W], -1 where none does.

    line float32 [W]: disparity; every pixel moves left by `gain` times it. Neighbours whose shifts differ by at most
    REACH are one surface and cover all between them; elsewhere a pixel covers the nearest column. `outline`: the first
    pixel of the background beside a silhouette is mixed with it, so it travels with it as well. Walking from left to
    right, of two pixels that meet the later one is the nearer: the last assignment wins.
    """
    width = line.size
    columns = np.arange(width, dtype=np.float32)
    landing = columns - np.float32(gain) * line
    row = np.full(width, -1, np.float32)

    def put(at: Array, column: int) -> None:
        t = int(np.floor(at + np.float32(0.5)))
        if 0 <= t < width:
            row[t] = column

    put(landing[0], 0)
    for i in range(width - 1):
        a, b = landing[i], landing[i + 1]
        step = b - a
        if step < 1 - REACH or step > 1 + REACH:
            put(a, i)
            if step > 3 and outline:
                put(a + np.float32(1), i + 1)
            put(b, i + 1)
        elif step > 0:
            for t in range(max(int(np.ceil(a)), 0), min(int(np.floor(b)) + 1, width)):
                row[t] = columns[i] + (np.float32(t) - a) / step
    put(landing[-1], width - 1)
    return row


def warp_subpixel(
    planes: Array, disparity: Array, gain: float = 1.0, mirror: bool = False
) -> tuple[Array, Array, Array]:
    """The production warp without its fill.

    planes uint8 or uint16 [P, H, W], disparity float32 [H, W], finite. The new view sees every pixel `gain * disparity`
    further left (right, if `mirror`). Returns the view (0 in holes), its disparity float32 [H, W] (nan in holes) and the
    holes, bool [H, W].
    """
    if mirror:
        made = warp_subpixel(planes[..., ::-1], disparity[..., ::-1], gain)
        return tuple(array[..., ::-1] for array in made)
    width = planes.shape[-1]
    out, seen = np.zeros_like(planes), np.full(disparity.shape, np.nan, np.float32)
    peak = np.iinfo(planes.dtype).max
    for y, line in enumerate(np.asarray(disparity, np.float32)):
        row = source_columns(line, gain)
        shown = np.flatnonzero(row >= 0)
        i = np.minimum(row[shown].astype(np.int64), width - 1)
        f = row[shown] - i.astype(np.float32)
        text = np.pad(planes[:, y].astype(np.float32), ((0, 0), (1, 2)), mode="edge")
        value = cubic(text[:, i], text[:, i + 1], text[:, i + 2], text[:, i + 3], f)
        out[:, y, shown] = np.clip(np.floor(value + np.float32(0.5)), 0, peak).astype(planes.dtype)
        seen[y, shown] = (row[shown] - shown) / np.float32(gain) if gain else line[shown]
    return out, seen, np.isnan(seen)


def motion_parallax(
    flow: Array, back: Array, slope_x: Array, slope_y: Array, rotation: Array, direction: Array, focal: float,
    noise: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Inverse depth along epipolar lines (see `depth.epipolar`), its standard deviation, and trust in 0..1, each [H, W].

    flow, back [H, W, 2] in pixels between two pictures, there and back; slope_x, slope_y [H, W] in grey levels a pixel;
    rotation [3, 3], direction [3]; focal and noise in pixels. Trust falls with the round trip of the flow, with the
    distance from the epipolar line, and where the picture has no texture along it; it is 0 for what leaves the picture.
    """
    rows, columns = slope_x.shape
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float64)
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    there = np.stack([u, v], -1) + flow
    seen, moved = (np.stack([u, v], -1) - middle) / focal, (there - middle) / focal
    q = seen @ rotation[:, :2].T + rotation[:, 2]
    shift = moved - q[..., :2] / q[..., 2:]
    line = direction[:2] - direction[2] * moved
    length = np.linalg.norm(line, axis=-1) + 1e-6
    rho = q[..., 2] * (shift * line).sum(-1) / length**2
    across = (shift[..., 0] * line[..., 1] - shift[..., 1] * line[..., 0]) / length * focal / noise
    inside = (there >= 0).all(-1) & (there <= [columns - 1, rows - 1]).all(-1)
    u0, v0 = (np.clip(there[..., k].astype(int), 0, limit) for k, limit in ((0, columns - 2), (1, rows - 2)))
    a, b = (there[..., 0] - u0)[..., None], (there[..., 1] - v0)[..., None]
    returned = (1 - b) * ((1 - a) * back[v0, u0] + a * back[v0, u0 + 1]) + b * (
        (1 - a) * back[v0 + 1, u0] + a * back[v0 + 1, u0 + 1]
    )
    round_trip = ((flow + returned) ** 2).sum(-1)
    along = (slope_x * line[..., 0] + slope_y * line[..., 1]) / length
    trust = np.exp(-round_trip - across**2 / 4) * along**2 / (along**2 + 36)
    return rho, noise / (focal * length), np.where(inside, trust, 0)


def recursive_filter(values: Array, cross_x: Array, cross_y: Array) -> Array:
    """One round of an edge-aware recursive filter (Gastal & Oliveira 2011, domain transform), values [C, H, W].

    cross_x, cross_y [H, W]: the share (0..1) that passes into a pixel from its left and from its upper neighbour: right,
    left, down, up, one after the other.
    """
    out = np.array(values, copy=True)
    for axis, cross in ((2, cross_x), (1, cross_y)):
        lines = np.moveaxis(out, axis, 0)  # a view
        share = np.moveaxis(cross, axis - 1, 0)
        for i in range(1, len(lines)):
            lines[i] += share[i] * (lines[i - 1] - lines[i])
        for i in range(len(lines) - 2, -1, -1):
            lines[i] += share[i + 1] * (lines[i + 1] - lines[i])
    return out
