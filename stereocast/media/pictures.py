"""Packed pictures to picture files: one, or one per frame."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from stereocast.errors import SinkError
from stereocast.media import owned, photos
from stereocast.pictures.planes import rgb
from stereocast.types import PackedClip


class ImageSink:
    """One picture file. `trim`: rows and columns removed at the bottom and the right."""

    def __init__(
        self, path: Path, trim: tuple[int, int] = (0, 0), *, overwrite: bool = True, extras: photos.Extras | None = None
    ) -> None:
        self.path = path
        self._overwrite, self._extras = overwrite, extras
        self.trim = trim
        self.frames = 0

    def write(self, clip: PackedClip) -> None:
        """Writes the clip's picture (the last one wins). Raises SinkError."""
        scale = (
            65535 if clip.frames.dtype == np.uint16 and self.path.suffix.lower() in (".png", ".tif", ".tiff") else 255
        )
        try:
            for image in clip.frames:
                picture = np.rint(rgb(image, clip.pixel_format, clip.colour) * scale)
                picture = picture[: picture.shape[0] - self.trim[0], : picture.shape[1] - self.trim[1]]
                data = photos.encoded(self.path, picture.astype(np.uint16 if scale > 255 else np.uint8), self._extras)
                self.path.parent.mkdir(parents=True, exist_ok=True)
                owned.write(
                    self.path, data, beside=owned.part_path(self.path), overwrite=self._overwrite or self.frames > 0
                )
                self.frames += 1
        except OSError as error:
            raise SinkError(f"{self.path} can't be written: {owned.reason(error)}") from error

    def finish(self) -> None:
        """The file is complete with its picture."""

    def close(self) -> None:
        """Nothing is open."""


NUMBER = re.compile(r"%(?:0\d+)?d")


class SequenceSink:
    """One picture file per frame: `pattern` is a name such as frame_%05d.png, counting from 1."""

    def __init__(self, pattern: Path, *, overwrite: bool = True) -> None:
        self._pattern, self._overwrite = pattern, overwrite
        self.frames = 0

    def path(self, number: int) -> Path:
        """The file of a frame."""
        return self._pattern.with_name(NUMBER.sub(lambda found: found[0] % number, self._pattern.name))

    def write(self, clip: PackedClip) -> None:
        """Writes the clip's pictures. Raises SinkError."""
        for n in range(len(clip)):
            sink = ImageSink(self.path(self.frames + 1), overwrite=self._overwrite)
            sink.write(replace(clip, frames=clip.frames[n : n + 1], pts=clip.pts[n : n + 1], second=None))
            self.frames += 1

    def finish(self) -> None:
        """Each file is complete with its picture."""

    def close(self) -> None:
        """Nothing is open."""
