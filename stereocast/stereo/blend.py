"""Generated pixels into the holes of a warped view, so that no seam shows."""

from dataclasses import dataclass

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.stereo import register
from stereocast.stereo.register import Geometry, Seen
from stereocast.types import Array, Colour, PixelFormat


@dataclass(slots=True)
class Composer:
    """Puts a generated view into the holes of the warped one, frame by frame of a shot and eye."""

    geometry: Geometry
    pixel_format: PixelFormat
    colour: Colour
    mirror: bool  # a left view
    _trust: Array | None = None  # of the frame before: what is taken fades in
    _rested: bool = False

    def rest(self) -> None:
        """Frames go by that keep the warp's fill: the next drawn one fades in."""
        self._trust, self._rested = None, True

    def __call__(self, warped: Array, drawn: Array, seen: Seen, small: Array) -> Array:
        """`warped` one picture; `drawn` RGB in 0..1 float32 [h, w, 3] at the sampler's size; `small` depth [h', w'] at
        latent size. `seen`, mirrored where `mirror` is. A new picture, or `warped` itself where there is nothing to do."""
        if not seen.holes.any():
            return warped
        turn = np.s_[:, ::-1] if self.mirror else np.s_[:, :]
        near = np.ascontiguousarray(small[turn])
        columns = register.sought(seen, self.geometry)
        reached = register.unhidden(seen, self.geometry, columns, self.geometry.landed(near))
        rim = register.Rim.of(seen, self.geometry, reached)
        picture = planes.from_rgb(
            np.ascontiguousarray(placed(np.ascontiguousarray(drawn[turn]), columns)[turn]),
            self.pixel_format,
            self.colour,
        )
        out = warped.copy()
        sheets = list(zip(_sheets(out, self.pixel_format), _sheets(picture, self.pixel_format), strict=True))
        bright = self._brightness(sheets)
        trust = register.trust(bright[0][turn], bright[1][turn], rim)
        before = self._trust if self._trust is not None else trust * (0 if self._rested else 1)
        self._trust, self._rested = (trust + before) / 2, False
        weight = np.ascontiguousarray((reached * register.seam(seen, rim) * self._trust)[turn])
        if float(weight.max()) <= 0:
            return warped
        flat = register.Rim(np.ascontiguousarray(rim.known[turn]), rim.sigma, rim.near)
        top = (1 << self.pixel_format.bits) - 1
        for target, other in sheets:
            share, beside = weight, flat
            if target.shape != weight.shape:  # chroma
                size = target.shape[::-1]
                share = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
                known = cv2.resize(flat.known, size, interpolation=cv2.INTER_AREA)
                beside = register.Rim(known, flat.sigma / 2, flat.near)
            base = target.astype(np.float32)
            mixed = base + share * (register.matched(base, other.astype(np.float32), beside) - base)
            target[...] = np.clip(np.rint(mixed), 0, top).astype(target.dtype)
        return out

    def _brightness(self, sheets: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """Of the warped and the drawn picture, as float32 code values of 8 bits."""
        scale = np.float32(255 / ((1 << self.pixel_format.bits) - 1))
        one = 0 if self.pixel_format.planar else 1  # luma, or green
        return (
            np.ascontiguousarray(sheets[one][0], np.float32) * scale,
            np.ascontiguousarray(sheets[one][1], np.float32) * scale,
        )


def placed(drawn: Array, columns: Array) -> Array:
    """`drawn` [h, w, 3] seen at `columns` (of the film's pixels) of each of the film's rows, float32 [H, W, 3]."""
    height, width = columns.shape
    across = (columns + np.float32(0.5)) * np.float32(drawn.shape[1] / width) - np.float32(0.5)
    lines = (np.arange(height, dtype=np.float32) + 0.5) * np.float32(drawn.shape[0] / height) - np.float32(0.5)
    down = np.ascontiguousarray(np.broadcast_to(lines[:, None], across.shape))
    found = cv2.remap(drawn, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(found, 0, 1)


def _sheets(picture: Array, pixel_format: PixelFormat) -> list[Array]:
    """Views of the picture's planes, or of its three colours."""
    return list(planes.planes(picture)) if pixel_format.planar else [picture[..., n] for n in range(3)]
