"""Depth over time: one scale per shot from robust percentiles, smoothing along motion, reset at cuts."""

import cv2
import numpy as np

from stereocast.types import Array

LOW, HIGH = 2.0, 98.0  # percentiles: a snowflake near the lens must not push the scene back


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


class FlowSmoother:
    """Exponential smoothing along optical flow (DIS): a pixel keeps its depth while it moves."""

    def __init__(self, keep: float) -> None:
        self.keep = keep
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._grey: Array | None = None
        self._depth: Array | None = None

    def reset(self) -> None:
        """A new shot begins."""
        self._grey = self._depth = None

    def __call__(self, grey: Array, depth: Array) -> Array:
        """`grey` uint8 [h, w] and `depth` float32 [h, w] of the next frame; returns the smoothed depth."""
        if self._depth is None or self._grey is None or self.keep == 0:
            self._grey, self._depth = grey, depth
            return depth
        flow = self._flow.calc(grey, self._grey, None)  # where each pixel came from
        rows, columns = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]].astype(np.float32)
        x, y = columns + flow[..., 0], rows + flow[..., 1]
        before = cv2.remap(self._depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen = cv2.remap(self._grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        trust = np.exp(-np.abs(seen.astype(np.float32) - grey) / 12) * self.keep
        self._grey, self._depth = grey, (trust * before + (1 - trust) * depth).astype(np.float32)
        return self._depth
