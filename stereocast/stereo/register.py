"""A generated view aligned with the holes of a warped one.

The sampler moves latents by whole latents (Appendix B), the warp of the film moves pixels by fractions of one. So what
the sampler generated behind an outline is not exactly where its hole is, by up to a latent: 8 pixels at the model's size.
Here each hole pixel is taken from its background's own place in the generated view, generated foreground is left out, and
generated pixels count only where they agree with the background beside the hole.

All arrays are those of a right view; a left view is processed as its mirror image.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stereocast import kernels
from stereocast.kernels import cpu
from stereocast.types import Array

MARGIN = 0.75  # latents of depth by which something drawn must be nearer to count as foreground
GOOD, BAD = 0.35, 0.7  # error at the rim against the background's own variance: trusted below, not above
FLOOR = 2.0  # code values squared: less variance than this does not count as texture
REACH = 3.0  # latents: how far around a hole the background is compared
SHRINK = 4  # local means are taken at this part of the size
PHASES = (0.0, 0.25, 0.5, 0.75)
WIDER = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)  # latents
PRICE = 0.02  # of a latent more to draw, against the share of holes that aren't reached


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the sampler puts things: depth D lands `trunc(D**exponent * latents + phase)` latents further left."""

    latents: float  # largest shift, > 0
    rows: int
    columns: int
    exponent: float = 1.0
    phase: float = 0.0

    @property
    def scale_percent(self) -> float:
        """The shift as the sampler's % of the width."""
        return self.latents / self.columns * 100

    def depth(self, small: Array) -> Array:
        """Depth at latent size as the sampler's exact warp takes it with exponent 1."""
        if not self.phase and self.exponent == 1.0:
            return small
        raised = small if self.exponent == 1.0 else small**self.exponent
        return raised + self.phase / self.latents

    def steps(self, depth: Array) -> Array:
        """Latents by which depth of any shape is moved, float32, whole numbers."""
        raised = np.clip(depth, 0, None) ** np.float32(self.exponent) if self.exponent != 1.0 else depth
        return np.trunc(raised * np.float32(self.latents) + np.float32(self.phase))

    def landed(self, small: Array) -> Array:
        """The visible depth at each latent of the generated view, float32 [h, w]; -1 where nothing landed."""
        moved = np.ascontiguousarray(self.depth(small), np.float32)
        found, blank = kernels.warp_exact(small[None].astype(np.float32), moved, self.scale_percent)
        return np.where(blank, np.float32(-1), found[0])


@dataclass(frozen=True, slots=True)
class Seen:
    """The pixel warp of one frame: disparity at each pixel of the view (in holes that of the background), and its depth."""

    disparity: Array  # float32 [H, W], pixels: source column minus column
    depth: Array  # float32 [H, W], relative
    holes: Array  # bool [H, W]

    @classmethod
    def of(
        cls, disparity: Array, gain: float, pixels: float, screen: float, *, mirror: bool, distrust: int = 1
    ) -> "Seen":
        """disparity float32 [H, W] of the source; `gain` 1 or 0.5 of it is shifted; depth d has `pixels * (d - screen)`;
        `distrust` as for `warp.Look`."""
        height, width = disparity.shape
        flat = np.zeros((1, height, width), np.uint8)
        shifts, holes = np.empty((height, width), np.int16), np.zeros((height, (width + 7) // 8 * 8), np.uint8)
        given = np.ascontiguousarray(disparity, np.float32)
        no_mask = np.empty((0, 0), np.uint8)
        cpu.warp_rows(flat, given, gain, mirror, flat.copy(), shifts, holes, no_mask, 0, height, distrust, 255)
        found = shifts.astype(np.float32) / cpu.UNITS
        depth = found / np.float32(max(gain * pixels, 1e-6)) + np.float32(screen)
        return cls(found, depth, holes[:, :width] != 0)

    def hidden(self) -> tuple[Array, Array]:
        """Where the holes' background is in the source, bool [H, W], and its depth there, float32 [H, W] (0 elsewhere)."""
        there, depth = np.zeros_like(self.holes), np.zeros_like(self.depth)
        rows, columns = np.nonzero(self.holes)
        at = np.rint(columns + self.disparity[rows, columns]).astype(np.int64)
        inside = (at >= 0) & (at < there.shape[1])
        rows, columns, at = rows[inside], columns[inside], at[inside]
        there[rows, at] = True
        depth[rows, at] = self.depth[rows, columns]
        return there, depth

    def every(self, rows: int) -> "Seen":
        """Each `rows`-th row."""
        return Seen(self.disparity[::rows], self.depth[::rows], self.holes[::rows])


def at_latents(depth: Array, rows: int, columns: int, *, mirror: bool = False) -> Array:
    """Depth [h, w] at latent size, float32 [rows, columns]: bilinear without antialiasing, as the sampler takes it."""
    small = cv2.resize(np.asarray(depth, np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(small[:, ::-1]) if mirror else small


def sought(seen: Seen, geometry: Geometry) -> Array:
    """The column of the generated view, in the film's pixels, that shows each pixel of the view, float32 [H, W]."""
    width = seen.disparity.shape[1]
    columns = np.arange(width, dtype=np.float32)
    return columns + seen.disparity - geometry.steps(seen.depth) * np.float32(width / geometry.columns)


def unhidden(seen: Seen, geometry: Geometry, columns: Array, landed: Array, stride: int = 1) -> Array:
    """0..1 [H, W]: how far what is drawn at `columns` is the wanted background: 0 under drawn foreground and outside
    the frame, 1 half a latent from either. `seen` has each `stride`-th row."""
    height, width = seen.disparity.shape
    at = (columns + 0.5) * np.float32(geometry.columns / width) - 0.5
    lines = np.arange(height, dtype=np.float32)[:, None] * stride
    rows = np.broadcast_to((lines + 0.5) * np.float32(geometry.rows / (height * stride)) - 0.5, at.shape)
    level = seen.depth + np.float32(MARGIN / geometry.latents)
    first = np.floor(at).astype(np.int32)
    share = at - first
    y = np.clip(np.rint(rows).astype(np.int32), 0, geometry.rows - 1)
    covered = np.zeros_like(at)
    for step, weight in ((0, 1 - share), (1, share)):
        x = first + step
        inside = (x >= 0) & (x < geometry.columns)
        near = landed[y, np.clip(x, 0, geometry.columns - 1)] > level
        covered += np.where(near & inside, weight, 0)
    out = np.maximum(-columns, columns - (width - 1))
    covered = np.where(out > 0, 1, covered)
    return np.clip(1 - 2 * covered, 0, 1).astype(np.float32)


def fitted(base: Geometry, seen: list[Seen], small: list[Array]) -> Geometry:
    """The geometry whose generated view covers most of these frames' holes: the phase of the truncation, and if need be a
    larger shift. small: depth float32 [h, w] of each frame."""
    total = sum(int(one.holes.sum()) for one in seen)
    if not total:
        return base
    best, least = base, np.inf
    thin = [one.every(8) for one in seen]
    for wider in WIDER:
        for phase in PHASES:
            one = replace(base, latents=base.latents + wider, phase=phase)
            missed = 0.0
            for view, depth in zip(thin, small, strict=True):
                reached = unhidden(view, one, sought(view, one), one.landed(depth), 8)
                missed += float((1 - reached)[view.holes].sum()) * 8
            cost = missed / total + PRICE * wider
            if cost < least - 1e-6:
                best, least = one, cost
    return best


def _small(values: Array) -> Array:
    height, width = values.shape
    size = (max(1, width // SHRINK), max(1, height // SHRINK))
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _mean(values: Array, weight: Array, sigma: float) -> tuple[Array, Array]:
    """Local mean of `values` where `weight` counts, and the weight's own mean; both at the small size."""
    counted = cv2.GaussianBlur(_small(weight), (0, 0), sigma)
    total = cv2.GaussianBlur(_small(values * weight), (0, 0), sigma)
    return total / np.maximum(counted, 1e-4), counted


def _large(values: Array, shape: tuple[int, int]) -> Array:
    return cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True, slots=True)
class Rim:
    """The background beside the holes of one frame."""

    known: Array  # float32 0..1 [H, W]: background that is seen and drawn
    sigma: float  # of local means, pixels
    near: Array  # bool [H, W]: background, seen, next to a hole

    @classmethod
    def of(cls, seen: Seen, geometry: Geometry, reached: Array) -> "Rim":
        """`reached` of `unhidden`."""
        width = seen.holes.shape[1]
        latent = width / geometry.columns
        reach = max(3, round(REACH * latent))
        around = cv2.dilate(seen.holes.astype(np.uint8), np.ones((3, 2 * reach + 1), np.uint8)) > 0
        lowest = cv2.erode(seen.disparity, np.ones((3, 2 * reach + 1), np.uint8))
        behind = seen.disparity - lowest < 0.75 * latent
        known = ~seen.holes & behind
        return cls((known & around).astype(np.float32) * reached, max(3.0, width / 60), known)


def trust(base: Array, drawn: Array, rim: Rim) -> Array:
    """0..1 [H, W]: whether the drawn brightness agrees with the background seen beside; planes float32 [H, W]."""
    sigma = rim.sigma / SHRINK
    difference = base - drawn
    offset, there = _mean(difference, rim.known, sigma)
    left = (difference - _large(offset, base.shape)) ** 2
    error, _ = _mean(left, rim.known, sigma)
    middle, _ = _mean(base, rim.known, sigma)
    spread, _ = _mean((base - _large(middle, base.shape)) ** 2, rim.known, sigma)
    ratio = (error + 0.35 * FLOOR) / (spread + FLOOR)
    sure = np.clip((BAD - ratio) / (BAD - GOOD), 0, 1) * (there > 2e-3)
    return _large(sure.astype(np.float32), base.shape)


def matched(base: Array, drawn: Array, rim: Rim) -> Array:
    """`drawn` with its local colour brought to that of the background seen beside the holes; planes float32 [H, W]."""
    offset, there = _mean(base - drawn, rim.known, rim.sigma / SHRINK)
    return drawn + _large(np.where(there > 2e-3, offset, 0).astype(np.float32), base.shape)


def seam(seen: Seen, rim: Rim, pixels: float = 2.5) -> Array:
    """0..1 [H, W]: 0 at the background's rim, where the warp's own fill continues it, 1 `pixels` away."""
    distance = cv2.distanceTransform((~rim.near).astype(np.uint8), cv2.DIST_L2, 3)
    return np.clip(distance / pixels, 0, 1) * seen.holes
