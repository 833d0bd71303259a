"""Dense optical flow by inverse search (Kroeger et al. 2016, OpenCV's DIS), and small grey pictures for it."""

from typing import Any, Literal

import cv2
import numpy as np

from stereocast.pictures.planes import planes
from stereocast.types import Array, PixelFormat

Effort = Literal["ultrafast", "fast", "medium"]
_PRESETS: dict[Effort, int] = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


class Flow:
    """Optical flow. It keeps buffers, so each thread needs its own object."""

    def __init__(self, effort: Effort = "fast", finest: int | None = None) -> None:
        """`finest`: the pyramid level at which to stop, 0 = full resolution, None = the effort's default."""
        self._dis: Any = cv2.DISOpticalFlow.create(_PRESETS[effort])
        if finest is not None:
            self._dis.setFinestScale(finest)

    def __call__(self, here: Array, there: Array) -> Array:
        """Flow float32 [h, w, 2] (x, y in pixels) from one uint8 picture [h, w] to another."""
        return np.asarray(self._dis.calc(here, there, None))


def luma(image: Array, pixel_format: PixelFormat) -> Array:
    """8-bit brightness [H, W] of one picture, a view if possible."""
    if pixel_format.planar:
        plane = planes(image)[0]
    else:
        plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return eight_bit(plane, pixel_format.bits)


def eight_bit(plane: Array, bits: int) -> Array:
    """A plane of `bits` bits as uint8."""
    return plane if bits == 8 else (plane >> (bits - 8)).astype(np.uint8)


def small_luma(image: Array, pixel_format: PixelFormat, shape: tuple[int, int]) -> Array:
    """Brightness of one picture, uint8 [rows, columns], averaged by area before it is reduced to 8 bits."""
    plane = planes(image)[0] if pixel_format.planar else image
    small = cv2.resize(np.ascontiguousarray(plane), shape[::-1], interpolation=cv2.INTER_AREA)
    if pixel_format.planar:
        return eight_bit(small, pixel_format.bits)
    return luma(small, pixel_format)


def grey(picture: Array) -> Array:
    """RGB in 0..1, float32 [H, W, 3], as grey uint8 [H, W]."""
    return np.asarray(cv2.cvtColor((picture * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY))
