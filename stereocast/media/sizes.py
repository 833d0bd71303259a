"""Films that change their size (TV recordings, calls): every picture is scaled to the size of the first."""

from typing import Any

import numpy as np

from stereocast.media import colour as colours
from stereocast.types import Array, Colour, PixelFormat

_SAME_SHAPE = 0.02  # a difference in aspect up to which a picture is stretched


def fitted(frame: Any, width: int, height: int, pixel_format: PixelFormat, colour: Colour) -> list[Array]:
    """The planes of a decoded frame (4:2:0), brought to the size of the first one: scaled, with black bars where the aspect is
    another. Sizes are those of the coded picture and may be odd."""
    shape = frame.width * height / (frame.height * width)
    if abs(shape - 1) <= _SAME_SHAPE or width % 2 or height % 2:
        return list(plane_views(colours.converted(frame, pixel_format, colour, (width, height)), pixel_format))
    inner_w = width if shape > 1 else max(2, round(width * shape / 2) * 2)
    inner_h = height if shape < 1 else max(2, round(height / shape / 2) * 2)
    inner = plane_views(colours.converted(frame, pixel_format, colour, (inner_w, inner_h)), pixel_format)
    top, left = (height - inner_h) // 4 * 2, (width - inner_w) // 4 * 2
    result = []
    levels = 1 << pixel_format.bits
    for number, plane in enumerate(inner):
        k = 2 if number else 1
        black = levels // 2 if number else 0 if colour.full_range else levels // 16
        outer = np.full((height // k, width // k), black, pixel_format.dtype)
        outer[top // k : top // k + plane.shape[0], left // k : left // k + plane.shape[1]] = plane
        result.append(outer)
    return result


def plane_views(frame: Any, pixel_format: PixelFormat) -> list[Array]:
    """Views of a frame's planes without the padding of their rows."""
    views = []
    for plane in frame.planes:
        width = plane.line_size // np.dtype(pixel_format.dtype).itemsize
        views.append(np.frombuffer(plane, pixel_format.dtype).reshape(plane.height, width)[:, : plane.width])
    return views
