"""The estimator that is always there: pictorial cues, no weights.

The lower, the more contrasty and the more saturated a region is, the nearer it is taken to be; edges are those of the
picture (guided filter, He et al. 2010).
"""

from collections.abc import Iterator

import cv2
import numpy as np

from stereocast import planes
from stereocast.depth import steady
from stereocast.settings import DepthSettings
from stereocast.stages import DepthClip
from stereocast.types import Array, Clip, DepthMap, StreamInfo

ROWS = 144


class EmbeddedDepth:
    """Depth from pictorial cues at a small size."""

    def __init__(self, settings: DepthSettings, info: StreamInfo) -> None:
        self.shape = (ROWS, max(32, round(ROWS * info.width / info.height / 8) * 8))
        self.held = 1
        self._scale = steady.Scale()
        self._smoother = steady.FlowSmoother(settings.smooth)

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        for clip in clips:
            if clip.first:
                self._scale.reset()
                self._smoother.reset()
            pictures = planes.rgb_frames(clip, self.shape)
            raw = np.stack([cues(picture) for picture in pictures])
            self._scale.look(raw)
            depth = self._scale(raw)
            greys = [cv2.cvtColor((picture * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for picture in pictures]
            smooth = [self._smoother(grey, frame) for grey, frame in zip(greys, depth, strict=True)]
            yield clip, DepthMap(np.stack(smooth))


def cues(picture: Array) -> Array:
    """Raw nearness, float32 [h, w], of an RGB picture in 0..1."""
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.3 * np.ones((1, width), np.float32)
    saturation = picture.max(-1) - picture.min(-1)
    contrast = cv2.GaussianBlur(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2)), (0, 0), 6)
    contrast /= max(float(contrast.max()), 1e-3)
    centre = np.exp(-(np.linspace(-1, 1, width, dtype=np.float32) ** 2) * 1.5)[None]
    raw = ramp + 0.18 * contrast + 0.12 * saturation + 0.15 * centre * (0.4 + 0.6 * ramp)
    return guided(grey, raw.astype(np.float32), radius=12, epsilon=2e-3)


def guided(guide: Array, values: Array, radius: int, epsilon: float) -> Array:
    """Guided filter: `values` with the edges of `guide`, both float32 [h, w]."""
    size = (2 * radius + 1, 2 * radius + 1)
    mean_g, mean_v = cv2.blur(guide, size), cv2.blur(values, size)
    slope = (cv2.blur(guide * values, size) - mean_g * mean_v) / (cv2.blur(guide * guide, size) - mean_g**2 + epsilon)
    return cv2.blur(slope, size) * guide + cv2.blur(mean_v - slope * mean_g, size)
