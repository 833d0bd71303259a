"""The background plates of a shot: what one eye showed in the frame before, and what it will see in a few frames.

Fills are carried along the motion, and areas that are uncovered later are taken from there. Memory is bounded: one earlier view
per eye, AHEAD frames of the film, one small flow field each. Reset at a cut.
"""

from dataclasses import dataclass, field

import numpy as np

from stereocast.pictures.motion import Flow, small_luma
from stereocast.pictures.planes import size
from stereocast.settings import StereoSettings
from stereocast.types import Array, PixelFormat

FLOW_WIDTH = 480
AHEAD = 4  # frames: how far ahead is looked for background that the foreground still hides


def look_ahead(settings: StereoSettings) -> int:
    """How many frames the warp holds back: for `best`, and for auto strength, which one clip alone would judge badly."""
    return AHEAD if settings.fill == "best" or settings.strength_percent == "auto" else 0


def small(image: Array, pixel_format: PixelFormat) -> Array:
    """Brightness of one picture as uint8, about FLOW_WIDTH wide."""
    height, width = size(image, pixel_format)
    columns = min(width, FLOW_WIDTH)
    return small_luma(image, pixel_format, (max(16, round(height * columns / width)), columns))


def motion(now: Array, before: Array, width: int) -> Array:
    """Optical flow from `now` to `before` (both from `small`), float32 [2, h, w], in pixels of `width` columns."""
    return in_pixels(Flow("fast")(now, before), now.shape[0] * width / now.shape[1], width)


def in_pixels(flow: Array, height: float, width: int) -> Array:
    """Flow [h, w, 2] between small pictures as [2, h, w], in pixels of a picture of that size."""
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return np.ascontiguousarray((flow * scale).transpose(2, 0, 1))


@dataclass(slots=True)
class Layer:
    """A finished layer of a view and its properties, as the warp wrote it (reversed for a left view)."""

    planes: Array  # [P, H, W]
    shifts: Array  # int16 [H, W]
    holes: Array  # uint8 [H, >= W]


@dataclass(slots=True)
class Other:
    """A layer of the same eye in another frame. `flow` float32 [2, h, w]: the source's motion to it; `filled`: its
    holes hold the fill that was shown."""

    layer: Layer
    flow: Array
    filled: bool


@dataclass(slots=True)
class Plates:
    """The previous frame's view of one eye; `flow` leads from the current frame to it (None: there is none)."""

    layers: dict[int, Layer] = field(default_factory=dict)
    flow: Array | None = None

    def former(self, number: int) -> list[Other]:
        """Layer `number` of the former view, if the present frame continues it: one item or none."""
        layer = self.layers.get(number)
        return [] if layer is None or self.flow is None else [Other(layer, self.flow, filled=True)]

    def keep(self, number: int, view: Array, shifts: Array, holes: Array) -> None:
        """Remembers a finished layer."""
        self.layers[number] = Layer(np.ascontiguousarray(view), shifts.copy(), holes.copy())
