"""Treatment of the left and right sides of the frame: strips that no source pixel reaches, and the floating window."""

import math

import numpy as np

from stereocast.pictures.planes import planes, resize
from stereocast.stereo.comfort import DepthScale
from stereocast.types import Array, Colour, PixelFormat

BAND = 0.02  # share of the width that counts as the frame's side
RELEASE = 0.9  # how slowly a floating window opens again, per frame


def strip_width(scale: DepthScale, gain: float, low: float = 0.0, high: float = 1.0) -> int:
    """Columns that may stay without a source at either side, for depths between `low` and `high`."""
    return math.ceil(gain * max(abs(scale.gain * (depth - scale.screen)) for depth in (low, high)))


def touching(holes: Array) -> Array:
    """The parts of bool [H, W] whose row run touches the left or right side."""
    return np.logical_and.accumulate(holes, axis=1) | np.logical_and.accumulate(holes[:, ::-1], axis=1)[:, ::-1]


def take_other(view: Array, other: Array, holes: Array, pixel_format: PixelFormat) -> None:
    """The paper's border handling (Eq. 3 with lambda 1): the strips of `view` show the other view's pixels."""
    strip = touching(holes)
    if not pixel_format.planar:
        view[strip] = other[strip]
        return
    small = strip[::2, ::2] | strip[1::2, ::2] | strip[::2, 1::2] | strip[1::2, 1::2]
    for target, source, mask in zip(planes(view), planes(other), (strip, small, small), strict=True):
        target[mask] = source[mask]


def paint(view: Array, left: int, right: int, pixel_format: PixelFormat, colour: Colour) -> None:
    """Blackens `left` and `right` columns of a picture, in place."""
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
    """Enlarges a picture about its centre so that `strip` columns fall away at either side, in place."""
    for plane in planes(view) if pixel_format.planar else (view,):
        height, width = plane.shape[:2]
        cut = min(width // 4, -(-strip * width // view.shape[1]))
        rows = round(cut * height / width)
        if cut > 0:
            inner = np.ascontiguousarray(plane[rows : height - rows, cut : width - cut])
            peak = (1 << pixel_format.bits) - 1
            plane[...] = np.minimum(resize(inner, height, width), peak)


def window_columns(disparity: Array) -> tuple[float, float]:
    """How far the frame's left and right side have to come forward, in pixels, so that nothing in front of them is
    cut: the nearest disparity [h, w] (pixels) there, robustly, and at least 0."""
    band = max(1, round(disparity.shape[1] * BAND))
    left, right = (
        float(np.percentile(part, 98)) for part in (disparity[:, :band], disparity[:, disparity.shape[1] - band :])
    )
    return max(0.0, left), max(0.0, right)


class FloatingWindow:
    """Masks over time: they close at once and open slowly."""

    def __init__(self) -> None:
        self._left = self._right = 0.0

    def reset(self) -> None:
        """A new shot begins."""
        self._left = self._right = 0.0

    def columns(self, disparity: Array) -> tuple[int, int]:
        """Black columns at the left of the left eye and at the right of the right eye for the next frame."""
        left, right = window_columns(disparity)
        self._left, self._right = max(left, self._left * RELEASE), max(right, self._right * RELEASE)
        return math.ceil(self._left), math.ceil(self._right)
