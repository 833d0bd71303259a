"""The frame's left and right side: strips that no source pixel reaches, and the floating window."""

import math

import numpy as np

from stereocast.pictures.planes import planes, resize
from stereocast.stereo.comfort import DepthScale
from stereocast.types import Array, Colour, PixelFormat

BAND = 0.02  # share of the width that counts as the frame's side
RELEASE = 0.9  # a floating window narrows to this share per frame as it opens


def strip_width(scale: DepthScale, gain: float, low: float = 0.0, high: float = 1.0) -> int:
    """The most columns without a source at either side, for depths between `low` and `high`."""
    return math.ceil(gain * max(abs(scale.gain * (depth - scale.screen)) for depth in (low, high)))


def touching(holes: Array) -> Array:
    """The pixels of bool [H, W] whose run in the row touches the left or right side."""
    return np.logical_and.accumulate(holes, axis=1) | np.logical_and.accumulate(holes[:, ::-1], axis=1)[:, ::-1]


def take_other(view: Array, other: Array, holes: Array, pixel_format: PixelFormat) -> None:
    """Fills the strips of `view` with the other view's pixels, in place: the paper's Eq. 3 with lambda 1."""
    strip = touching(holes)
    if not pixel_format.planar:
        view[strip] = other[strip]
        return
    small = strip[::2, ::2] | strip[1::2, ::2] | strip[::2, 1::2] | strip[1::2, 1::2]
    for target, source, mask in zip(planes(view), planes(other), (strip, small, small), strict=True):
        target[mask] = source[mask]


def paint(view: Array, left: int, right: int, pixel_format: PixelFormat, colour: Colour) -> None:
    """Blackens `left` columns at the left and `right` columns at the right of a picture, in place."""
    black = 0 if colour.full_range or not pixel_format.planar else 16 << (pixel_format.bits - 8)
    parts = (
        [(view, black, 1)]
        if not pixel_format.planar
        else [
            (plane, value, step)
            for plane, value, step in zip(
                planes(view), (black, *[1 << (pixel_format.bits - 1)] * 2), (1, 2, 2), strict=True
            )
        ]
    )
    for plane, value, step in parts:
        width = plane.shape[1]
        plane[:, : min(width, -(-left // step))] = value
        plane[:, max(0, width - -(-right // step)) :] = value


def zoom(view: Array, strip: int, pixel_format: PixelFormat) -> None:
    """Enlarges a picture about its centre, in place, so that `strip` columns are cropped at either side."""
    for plane in planes(view) if pixel_format.planar else (view,):
        height, width = plane.shape[:2]
        cut = min(width // 4, -(-strip * width // view.shape[1]))
        rows = round(cut * height / width)
        if cut > 0:
            inner = np.ascontiguousarray(plane[rows : height - rows, cut : width - cut])
            peak = (1 << pixel_format.bits) - 1
            plane[...] = np.minimum(resize(inner, height, width), peak)


def window_columns(disparity: Array) -> tuple[float, float]:
    """How far the frame's left and right side must come forward, in pixels, to cut nothing in front of them.

    A robust maximum of disparity [h, w] (pixels) at each side, at least 0.
    """
    band = max(1, round(disparity.shape[1] * BAND))
    left, right = (
        float(np.percentile(part, 98)) for part in (disparity[:, :band], disparity[:, disparity.shape[1] - band :])
    )
    return max(0.0, left), max(0.0, right)


class FloatingWindow:
    """The floating window's masks over time: they close at once and open slowly."""

    def __init__(self) -> None:
        self._left = self._right = 0.0

    def reset(self) -> None:
        """Opens both sides, for a new shot."""
        self._left = self._right = 0.0

    def columns(self, disparity: Array) -> tuple[int, int]:
        """Black columns for the next frame: at the left of the left eye, at the right of the right eye."""
        left, right = window_columns(disparity)
        self._left, self._right = max(left, self._left * RELEASE), max(right, self._right * RELEASE)
        return math.ceil(self._left), math.ceil(self._right)
