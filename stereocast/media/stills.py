"""Stills: reads them upright as RGB and writes them in the format of their suffix."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stereocast.errors import SourceError
from stereocast.media import colour, photos, probe, sidedata
from stereocast.pictures import planes, tone
from stereocast.types import Array, Frame, PixelFormat, StreamInfo

log = logging.getLogger(__name__)

_DEPENDENT = 0x80000  # AV_DISPOSITION_DEPENDENT: a tile of something larger


class ImageSource:
    """A still as a single RGB frame, 8 or 16 bit, with EXIF orientation applied and odd sizes padded."""

    def __init__(self, name: str, scale: float = 1.0, image: Array | None = None) -> None:
        """`image`: the picture, if already read."""
        self.name = name
        self.extras = photos.Extras()
        if image is None and Path(name).suffix.lower() not in probe.ITEMS:
            image, self.extras = photos.read(name)
            _say_if_animated(Path(name))
        elif image is None:
            image = read_image(name)
        padding = (image.shape[0] % 2, image.shape[1] % 2)
        image = np.pad(image, ((0, padding[0]), (0, padding[1]), (0, 0)), "edge")
        if scale != 1:
            padding = (0, 0)
            image = planes.resize(image, *(max(2, round(side * scale / 2) * 2) for side in image.shape[:2]))
        self._image = image
        self.damaged = 0
        self.missing_s = 0.0
        self.start_pts = 0
        self.tone_mapped = False
        pixel_format = PixelFormat.RGB24 if image.dtype == np.uint8 else PixelFormat.RGB48
        height, width = image.shape[:2]
        self.info = StreamInfo(width, height, Fraction(1, 25), None, pixel_format, frames=1, padding=padding)

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(self._image, 0, self.info.pixel_format, self.info.colour)

    def close(self) -> None:
        """Does nothing: no file is open."""


def read_image(name: str) -> Array:
    """An image as RGB [H, W, 3] uint8 or uint16, upright; transparent parts on black. Raises SourceError."""
    path = Path(name)
    if not path.exists():
        raise SourceError(f"no such file: {name}")
    if path.suffix.lower() in probe.ITEMS:
        return _item(name)
    image, _ = photos.read(name)
    _say_if_animated(path)
    return image


def _say_if_animated(path: Path) -> None:
    if path.suffix.lower() == ".webp":
        with path.open("rb") as file:
            if probe.moves(file.read(64)):
                log.warning("%s is animated; only its first picture is converted", path)


def _item(name: str) -> Array:
    """The picture of a HEIC or AVIF file. Raises SourceError for a tiled one, because FFmpeg returns separate tiles."""
    container = probe.open_input(name)
    try:
        stream = probe.video_stream(container, name, quiet=True)
        tiles = sum(bool(s.disposition & _DEPENDENT) for s in container.streams.video)
        if tiles > 1:
            raise SourceError(f"{name} is made of {tiles} tiles, which stereocast can't join; export it as JPEG or PNG")
        frame = next(container.decode(stream), None)
        if frame is None:
            raise SourceError(f"{name} is not a readable image, or it is damaged")
        return in_sdr(upright(frame), frame)
    except av.error.FFmpegError as error:
        raise SourceError(f"{name} is not a readable image, or it is damaged") from error
    finally:
        container.close()


def upright(frame: Any) -> Array:
    """A decoded frame upright as RGB [H, W, 3], uint8, or uint16 for more than 8 bits."""
    deep = max((component.bits for component in frame.format.components), default=8) > 8
    flip, turns = sidedata.orientation(frame)
    image: Array = colour.as_rgb(frame, PixelFormat.RGB48 if deep else PixelFormat.RGB24)
    return np.ascontiguousarray(np.rot90(image[:, ::-1] if flip else image, turns))


def in_sdr(image: Array, frame: Any) -> Array:
    """A picture that `upright` made of a frame; an HDR one tone-mapped, uint8."""
    tags = colour.of_frame(frame)
    if not tone.is_hdr(tags):
        return image
    signal = image.astype(np.float32) / np.iinfo(image.dtype).max
    return (tone.mapped(signal, tags.transfer, colour.hdr_of_frame(frame)) * 255 + 0.5).astype(np.uint8)


def write_image(path: Path, image: Array) -> None:
    """Writes RGB [H, W, 3] (or grey [H, W]) in the format of `path`'s suffix. Raises SinkError."""
    path.write_bytes(photos.encoded(path, image))
