"""A shot's background plates: what an eye showed in the previous frame, and what it will see in a few frames.

A fill that was shown moves along with the motion, and background uncovered later is taken from there. Memory is
bounded: one former view per eye, AHEAD frames of the film, one small flow field each. Cleared at a cut.
"""

from dataclasses import dataclass, field

import numpy as np

from stereocast.pictures.motion import Flow, small_luma
from stereocast.pictures.planes import size
from stereocast.settings import StereoSettings
from stereocast.types import Array, PixelFormat

FLOW_WIDTH = 480
AHEAD = 4  # frames to look ahead for background that the foreground still hides


def look_ahead(settings: StereoSettings) -> int:
    """How many frames the warp holds back: for `best`, and for auto strength, which needs more than one clip."""
    return AHEAD if settings.fill == "best" or settings.strength_percent == "auto" else 0


def small(image: Array, pixel_format: PixelFormat) -> Array:
    """The brightness of one picture, uint8 [h, w], at most FLOW_WIDTH wide."""
    height, width = size(image, pixel_format)
    columns = min(width, FLOW_WIDTH)
    return small_luma(image, pixel_format, (max(16, round(height * columns / width)), columns))


def motion(now: Array, before: Array, width: int) -> Array:
    """Optical flow from `now` to `before` (both from `small`), float32 [2, h, w], in pixels of a picture `width` wide."""
    return in_pixels(Flow("fast")(now, before), now.shape[0] * width / now.shape[1], width)


def in_pixels(flow: Array, height: float, width: int) -> Array:
    """Flow [h, w, 2] between small pictures as [2, h, w], in pixels of a picture of [height, width]."""
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return np.ascontiguousarray((flow * scale).transpose(2, 0, 1))


@dataclass(slots=True)
class Layer:
    """A finished layer of a view with the warp's output for it, reversed for a left view."""

    planes: Array  # [P, H, W]
    shifts: Array  # int16 [H, W]
    holes: Array  # uint8 [H, >= W]


@dataclass(slots=True)
class Other:
    """A layer of the same eye in another frame.

    flow float32 [2, h, w]: the source's motion to that frame; filled: its holes contain the fill that was shown.
    """

    layer: Layer
    flow: Array
    filled: bool


@dataclass(slots=True)
class Plates:
    """The previous frame's view of one eye. `flow`: from the current frame to the previous one, None if there is none."""

    layers: dict[int, Layer] = field(default_factory=dict)
    flow: Array | None = None

    def former(self, number: int) -> list[Other]:
        """Layer `number` of the previous view, if the current frame continues it: a list of one or none."""
        layer = self.layers.get(number)
        return [] if layer is None or self.flow is None else [Other(layer, self.flow, filled=True)]

    def keep(self, number: int, view: Array, shifts: Array, holes: Array) -> None:
        """Remembers a finished layer."""
        self.layers[number] = Layer(np.ascontiguousarray(view), shifts.copy(), holes.copy())
