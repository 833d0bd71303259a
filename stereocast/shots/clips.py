"""Marked frames to clips of bounded length that never cross a cut."""

from collections.abc import Iterator

import numpy as np

from stereocast.shots import cuts
from stereocast.types import Clip, Frame


class Windows:
    """Segmenter: clips of at most `length` frames, each beginning with the last `overlap` frames of the one before
    in the same shot. A clip that only repeats is never made. Memory is one clip and the look-ahead."""

    def __init__(
        self, length: int = 8, overlap: int = 0, options: cuts.CutOptions | None = None, number: int = 0
    ) -> None:
        if not 0 <= overlap < length:
            raise ValueError(f"overlap {overlap} must be smaller than the length {length}")
        self.length, self.overlap = length, overlap
        self.options = options
        self.number = number  # of the first shot
        self.held = length + cuts.LOOK_AHEAD

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Clip]:
        kept: list[Frame] = []
        repeated = 0
        segment = self.number - 1
        first = True
        for frame, cut in cuts.mark_cuts(frames, self.options):
            if cut:
                if kept:
                    yield self._clip(kept, repeated, segment, first, last=True)
                kept, repeated, first = [], 0, True
                segment += 1
            elif len(kept) == self.length:
                yield self._clip(kept, repeated, segment, first, last=False)
                kept = kept[self.length - self.overlap :] if self.overlap else []
                repeated, first = len(kept), False
            kept.append(frame)
        if kept:
            yield self._clip(kept, repeated, segment, first, last=True)

    @staticmethod
    def _clip(frames: list[Frame], overlap: int, segment: int, first: bool, last: bool) -> Clip:
        return Clip(
            np.stack([frame.image for frame in frames]),
            np.array([frame.pts for frame in frames], np.int64),
            frames[0].pixel_format,
            frames[0].colour,
            segment,
            overlap,
            first,
            last,
        )
