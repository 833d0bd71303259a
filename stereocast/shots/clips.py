"""Frames to clips of bounded length that never cross a cut; each clip carries its shot."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from stereocast.pictures.pool import Pool
from stereocast.shots import cuts
from stereocast.types import Clip, Frame, Shot


class Clipper:
    """Clips of at most `length` frames, each beginning with the last `overlap` frames of the one before in the same
    shot. A clip of repeated frames only is never emitted. Memory is one clip and the look-ahead."""

    def __init__(
        self, length: int = 8, overlap: int = 0, options: cuts.CutOptions | None = None, number: int = 0
    ) -> None:
        if not 0 <= overlap < length:
            raise ValueError(f"overlap {overlap} must be smaller than the length {length}")
        self.length, self.overlap = length, overlap
        self.options = options
        self.number = number  # of the first shot
        self.held = length + cuts.LOOK_AHEAD
        self._pool = Pool()

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Clip]:
        kept: list[Frame] = []
        repeated = 0
        shot = Shot()
        first = True
        for frame, begun in cuts.mark_shots(frames, self.options, self.number):
            if begun is not None:
                if kept:
                    yield self._clip(kept, repeated, shot, first, last=True)
                kept, repeated, first, shot = [], 0, True, begun
            elif len(kept) == self.length:
                again = kept[self.length - self.overlap :] if self.overlap else []
                yield self._clip(kept, repeated, shot, first, last=False)
                kept = again
                repeated, first = len(kept), False
            kept.append(frame)
        if kept:
            yield self._clip(kept, repeated, shot, first, last=True)

    def _clip(self, frames: list[Frame], overlap: int, shot: Shot, first: bool, last: bool) -> Clip:
        """The frames as one clip; the list is emptied, so that they aren't held twice."""
        images = self._pool.stacked([frame.image for frame in frames])
        ticks, head = np.array([frame.pts for frame in frames], np.int64), frames[0]
        frames.clear()
        return Clip(images, ticks, head.pixel_format, head.colour, shot, overlap, first, last)


def concatenate(frames: list[Frame], **fields: Any) -> Clip:
    """Frames as one clip."""
    first = frames[0]
    ticks = np.array([frame.pts for frame in frames], np.int64)
    return Clip(np.stack([frame.image for frame in frames]), ticks, first.pixel_format, first.colour, **fields)
