"""Depth over time: one scale per shot from robust percentiles; depth carried and smoothed along motion; reset at cuts.

Flow is computed between neighbouring small grey pictures. This module knows no networks and no full-size pictures.
"""

import cv2
import numpy as np

from stereocast.pictures.motion import Flow
from stereocast.types import Array

LOW, HIGH = 2.0, 98.0  # percentiles: a snowflake near the lens must not push the scene back
ALIGN = 0.8  # share of a frame's deviating scale and shift that is removed before it is mixed with the past


class Scale:
    """A shot's running percentile range. It follows slowly, so that depth doesn't pump."""

    def __init__(self, follow: float = 0.05) -> None:
        self._follow = follow
        self._range: tuple[float, float] | None = None

    def reset(self) -> None:
        """Clears the range for a new shot."""
        self._range = None

    def look(self, raw: Array) -> None:
        """Updates the range with raw depth [T, h, w] before it is scaled, as a look-ahead."""
        low, high = (float(value) for value in np.percentile(raw[:, ::2, ::2], (LOW, HIGH)))
        if self._range is None:
            self._range = low, high
        else:
            share = 1 - (1 - self._follow) ** len(raw)
            self._range = tuple(a + share * (b - a) for a, b in zip(self._range, (low, high), strict=True))  # type: ignore[assignment]

    def __call__(self, raw: Array) -> Array:
        """Raw depth scaled to 0..1, float32, 1 = nearest."""
        low, high = self._range or (0.0, 1.0)
        return np.clip((raw - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


def aligned(depth: Array, target: Array, weight: Array) -> Array:
    """`depth` scaled and shifted to fit `target` by weighted least squares, all [h, w].

    The scale is limited to 0.6..1.7, and 1 if there is nothing to measure: alignment removes the pumping of single
    frames, it doesn't invent a range.
    """
    total = float(weight.sum())
    if total < 1e-3 * weight.size:
        return depth
    mean_d, mean_t = float((weight * depth).sum()) / total, float((weight * target).sum()) / total
    spread = float((weight * (depth - mean_d) ** 2).sum())
    shared = float((weight * (depth - mean_d) * (target - mean_t)).sum())
    slope = min(1.7, max(0.6, shared / spread)) if spread > 1e-6 * total else 1.0
    result: Array = slope * (depth - mean_d) + mean_t
    return result


class FlowSmoother:
    """Exponential smoothing along optical flow: a pixel keeps its depth while it moves.

    `keep` (0..1) is the share of the past where the flow is trusted. Frames without depth get the carried depth. If only
    every `every`-th frame has depth, its change is spread evenly over the frames up to the next, so that nothing jumps.
    The less the flow is trusted, the more of the change applies at once.
    """

    def __init__(self, keep: float, every: int = 1) -> None:
        self.keep = keep
        self.every = every
        self._flow = Flow("ultrafast", finest=1)  # the pictures are already small
        self.flow: Array | None = None  # from the last frame to the one before, [h, w, 2]; None: not computed
        self._grey: Array | None = None
        self._depth: Array | None = None
        self._change: Array | None = None  # what each of the next frames adds, carried along the flow like depth
        self._left = 0  # how many of those frames are left
        self._rows = self._columns = np.empty((0, 0), np.float32)

    def reset(self) -> None:
        """Clears the state for a new shot."""
        self._grey = self._depth = self._change = None
        self._left = 0

    def __call__(self, grey: Array, depth: Array | None) -> Array:
        """The smoothed depth of the next frame, float32 [h, w], from grey uint8 [h, w] and depth float32 [h, w] or None.

        Raises ValueError if the first frame of a shot has no depth.
        """
        self.flow = None
        if self._depth is None or self._grey is None:
            if depth is None:
                raise ValueError("the first frame of a shot needs depth")
            self._grey, self._depth = grey, depth.astype(np.float32)
            return self._depth
        if self.keep == 0 and depth is not None:
            self._grey, self._depth = grey, depth.astype(np.float32)
            return self._depth
        self.flow = flow = self._flow(grey, self._grey)
        if self._rows.shape != grey.shape:
            self._rows, self._columns = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]].astype(np.float32)
        x, y = self._columns + flow[..., 0], self._rows + flow[..., 1]
        before = self._carried(self._depth, x, y)
        if depth is not None:
            seen = self._carried(self._grey, x, y)
            trust = np.exp(cv2.blur(cv2.absdiff(seen, grey), (3, 3)).astype(np.float32) * (-1 / 12))
            fitted = depth + ALIGN * (aligned(depth, before, trust) - depth)
            wanted = np.clip(fitted + self.keep * trust * (before - fitted), 0, 1)
            change = wanted - before
            self._change, self._left = np.sqrt(trust) * change / self.every, self.every - 1
            before += change - self._left * self._change
        elif self._left and self._change is not None:
            self._change = self._carried(self._change, x, y)
            before += self._change
            self._left -= 1
        self._grey, self._depth = grey, np.clip(before, 0, 1).astype(np.float32)
        return self._depth

    @staticmethod
    def _carried(values: Array, x: Array, y: Array) -> Array:
        """`values` [h, w] of the previous frame, sampled where each pixel came from."""
        return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
