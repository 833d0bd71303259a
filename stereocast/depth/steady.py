"""Depth over time: one scale per shot from robust percentiles, depth carried and smoothed along motion, reset at cuts.

Flow is between neighbouring small grey pictures. It knows nothing of networks or of pictures at full size.
"""

import cv2
import numpy as np

from stereocast.pictures.motion import Flow
from stereocast.types import Array

LOW, HIGH = 2.0, 98.0  # percentiles: a snowflake near the lens must not push the scene back
ALIGN = 0.8  # share of a frame's own scale and shift that is taken out before it is mixed with the shot's


class Scale:
    """Running percentile range of a shot; follows slowly, so that depth doesn't pump."""

    def __init__(self, follow: float = 0.05) -> None:
        self._follow = follow
        self._range: tuple[float, float] | None = None

    def reset(self) -> None:
        """A new shot begins."""
        self._range = None

    def look(self, raw: Array) -> None:
        """Takes the range of raw depth [T, h, w] in, before it is used: this is the look-ahead."""
        low, high = (float(value) for value in np.percentile(raw[:, ::2, ::2], (LOW, HIGH)))
        if self._range is None:
            self._range = low, high
        else:
            share = 1 - (1 - self._follow) ** len(raw)
            self._range = tuple(a + share * (b - a) for a, b in zip(self._range, (low, high), strict=True))  # type: ignore[assignment]

    def __call__(self, raw: Array) -> Array:
        """Raw depth to 0..1 float32, 1 = nearest."""
        low, high = self._range or (0.0, 1.0)
        return np.clip((raw - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


def aligned(depth: Array, target: Array, weight: Array) -> Array:
    """`depth` with the scale and shift that bring it nearest to `target` by weighted least squares, all [h, w].

    The scale is held within 0.6..1.7 and is 1 where there is nothing to measure: alignment takes out the pumping of
    single frames, it doesn't invent a range.
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

    `keep` (0..1) is the share of the past where the flow can be trusted. Frames without their own depth get the
    carried one. Where depth comes with every `every`-th frame, what it changes is spread evenly over that frame and the
    ones up to the next, so that nothing jumps; the less the flow can be trusted, the more of it counts at once.
    """

    def __init__(self, keep: float, every: int = 1) -> None:
        self.keep = keep
        self.every = every
        self._flow = Flow("ultrafast", finest=1)  # the pictures are small already
        self.flow: Array | None = None  # of the last frame: where each pixel came from [h, w, 2]; None: not computed
        self._grey: Array | None = None
        self._depth: Array | None = None
        self._change: Array | None = None  # what each of the next frames adds, carried along like the depth
        self._left = 0  # of those frames
        self._rows = self._columns = np.empty((0, 0), np.float32)

    def reset(self) -> None:
        """A new shot begins."""
        self._grey = self._depth = self._change = None
        self._left = 0

    def __call__(self, grey: Array, depth: Array | None) -> Array:
        """`grey` uint8 [h, w] and `depth` float32 [h, w] (or None) of the next frame; returns its smoothed depth.

        Raises ValueError when the first frame of a shot has no depth.
        """
        self.flow = None
        if self._depth is None or self._grey is None:
            if depth is None:
                raise ValueError("the first frame of a shot needs its own depth")
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
        """`values` [h, w] of the frame before, where each pixel came from."""
        return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
