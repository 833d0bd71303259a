"""VR180: each flat view on the half sphere that a headset shows around the head, both halves side by side.

Geometry: a pixel of the square eye picture stands for longitude and latitude, -90°..90° each (Spherical Video V2,
equirectangular, left and right bounds a quarter). The film hangs in front as a flat screen of a given horizontal field
of view; where the direction (tan lon, tan lat / cos lon) meets it, the film is sampled, elsewhere it is black.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import radians, tan

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.pictures.pool import Pool
from stereocast.types import Array, Colour, PackedClip, PixelFormat, StereoClip, StereoFormat

SCREEN_FOV_DEG = 70.0  # a screen one can see at once, as in the first third of a cinema
FEATHER = 0.012  # share of the film's width over which its border fades into the black


@dataclass(frozen=True, slots=True)
class Sphere:
    """How a film of one view's size is placed on a square eye picture of `size` pixels.

    `map_x`, `map_y` float32 [h, w]: pixel of the film for each pixel of the rectangle `top:top+h, left:left+w`
    (outside the film: -1 and beyond); `weight` float32 [h, w] fades the border. `border` holds the pixels
    of the rectangle whose weight isn't 1, as an index into its rows put one after the other.
    """

    size: int
    top: int
    left: int
    map_x: Array
    map_y: Array
    weight: Array
    border: Array


def directions(size: int, height: int, width: int, fov_deg: float, aspect: float = 1.0) -> tuple[Array, Array]:
    """Film pixel (x, y), float64 [size, size], that each pixel of the eye picture looks at; nan where it looks past.

    Pixel centres count; `aspect` is the film's pixel aspect. At 180° no flat screen is left: the film is taken as
    equidistant (pixels are proportional to the angle, as in a fisheye's middle row).
    """
    angles = (np.arange(size) + 0.5) / size * np.pi - np.pi / 2
    lon, lat = angles[None, :], angles[:, None]
    if fov_deg > 150:
        half = radians(fov_deg) / 2
        x = np.broadcast_to(lon / half, (size, size))
        y = np.broadcast_to(lat / half, (size, size))
    else:
        half = tan(radians(fov_deg) / 2)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            x = np.broadcast_to(np.tan(lon) / half, (size, size))
            y = np.tan(lat) / np.cos(lon) / half
    film_x = (x + 1) / 2 * width - 0.5
    film_y = y * width * aspect / 2 + height / 2 - 0.5
    outside = (np.abs(film_x + 0.5 - width / 2) > width / 2) | (np.abs(film_y + 0.5 - height / 2) > height / 2)
    return np.where(outside, np.nan, film_x), np.where(outside, np.nan, film_y)


def sphere(size: int, height: int, width: int, fov_deg: float, aspect: float = 1.0) -> Sphere:
    """The maps for one plane of a film. Raises ValueError for an empty screen."""
    x, y = directions(size, height, width, fov_deg, aspect)
    seen = ~np.isnan(x)
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not len(rows):
        raise ValueError(f"a screen of {fov_deg} degrees is smaller than a pixel of {size}")
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    x, y = x[top:bottom, left:right], y[top:bottom, left:right]
    edge = FEATHER * width
    with np.errstate(invalid="ignore"):
        inside = np.minimum(
            np.minimum(x + 0.5, width - 0.5 - x), np.minimum(y + 0.5, height - 0.5 - y) * max(aspect, 1e-6)
        )
    weight = np.nan_to_num(np.clip(inside / edge, 0, 1), nan=0.0)
    map_x, map_y = (np.nan_to_num(part, nan=-1.0).astype(np.float32) for part in (x, y))
    weight = weight.astype(np.float32)
    return Sphere(size, int(top), int(left), map_x, map_y, weight, np.flatnonzero(weight != 1))


def project(plane: Array, maps: Sphere, black: int, out: Array) -> None:
    """One plane [h, w] or RGB [h, w, 3] into `out` [size, size(, 3)]; what is not film becomes `black`."""
    bound = 16000  # OpenCV's remap takes 16-bit coordinates
    if max(plane.shape[:2]) > bound:
        raise ValueError(f"views larger than {bound} pixels can't be projected")
    rows, columns = maps.map_x.shape
    bottom, right = maps.top + rows, maps.left + columns
    picture = cv2.remap(plane, maps.map_x, maps.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    flat = picture.reshape(rows * columns, *picture.shape[2:])
    weight = maps.weight.reshape(-1)[maps.border].reshape(-1, *[1] * (flat.ndim - 1))
    flat[maps.border] = np.rint(black + (flat[maps.border].astype(np.float32) - black) * weight)
    out[maps.top : bottom, maps.left : right] = picture
    out[: maps.top], out[bottom:] = black, black
    out[maps.top : bottom, : maps.left], out[maps.top : bottom, right:] = black, black


class SpherePacker:
    """Packs both views as VR180, left half first; nothing is held back.

    `size` is the edge of one eye's picture (even), `fov_deg` the film's horizontal field of view.
    """

    held = 0

    def __init__(self, form: StereoFormat, size: int, fov_deg: float | None = None, aspect: float = 1.0) -> None:
        self.format, self.size = form, size - size % 2
        self.fov_deg, self.aspect = fov_deg or SCREEN_FOV_DEG, aspect
        self._pool = Pool()
        self._maps: dict[tuple[int, int, int], Sphere] = {}

    def own_bytes(self, height: int, width: int) -> int:
        """Maps and buffers for views of that size: three float32 maps of the part that the film covers, for luma and
        chroma, and the mixing of one plane."""
        share = min(1.0, self.fov_deg / 180)
        covered = int((self.size * share) ** 2 * min(1.0, height / width))
        return covered * (12 * 5 // 4 + 8)

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the packed picture, for views of any size."""
        return self.size, 2 * self.size

    def __call__(self, clips: Iterator[StereoClip]) -> Iterator[PackedClip]:
        for clip in clips:
            packed = self.pack(clip)
            del clip  # not held while this one is encoded
            yield packed
            del packed

    def pack(self, clip: StereoClip) -> PackedClip:
        """One clip, packed."""
        frames = planes.empty(self._pool, self.size, 2 * self.size, clip.pixel_format, len(clip))
        views = (clip.right, clip.left) if self.format.right_first else (clip.left, clip.right)
        for out, first, second in zip(frames, *views, strict=True):
            for half, view in enumerate((first, second)):
                self._view(view, out, half, clip.pixel_format, clip.colour)
        return PackedClip(frames, clip.pts, self.format, clip.pixel_format, clip.colour, shot=clip.shot)

    def _view(self, view: Array, out: Array, half: int, pixel_format: PixelFormat, colour: Colour) -> None:
        top = 1 << pixel_format.bits
        sources = planes.planes(view) if pixel_format.planar else (view,)
        targets = planes.planes(out) if pixel_format.planar else (out,)
        for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
            size = target.shape[0]
            key = (size, *source.shape[:2])
            if key not in self._maps:
                self._maps[key] = sphere(size, source.shape[0], source.shape[1], self.fov_deg, self.aspect)
            limited = pixel_format.planar and not colour.full_range
            black = top // 2 if number else top // 16 if limited else 0
            project(source, self._maps[key], black, target[:, half * size : (half + 1) * size])
