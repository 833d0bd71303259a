"""Burned-in subtitles, logos and other text overlays: found in the picture, and placed at one steady depth.

A depth network gives letters the depth of what moves behind them, so they ripple. Letters are bright strokes on
something darker that stay where they are while they are shown, side by side in a line of even height.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.pipeline.stages import DepthClip, DepthEstimator
from stereocast.types import Array, Clip

_WIDTH = 640  # of the picture in which text is looked for
_STROKE = 55  # how much brighter than around it a stroke is, of 255
_BRIGHT = 150
_STILL = 18  # a change of luma that noise and compression make
_FRAMES = 3  # so long a stroke stays before it counts
_NEAREST = 0.6  # text is at least this near
_HEIGHTS = (0.018, 0.16)  # of a line, as a share of the picture's height
_NARROWEST = 0.05  # of the width
_CALM = 0.9  # of a line's strokes are where they were in the frame before


@dataclass(slots=True)
class _Line:
    """A line of text: rows and columns as shares of the picture, and its depth."""

    top: float
    bottom: float
    left: float
    right: float
    depth: float
    missed: int = 0

    def overlaps(self, other: "_Line") -> bool:
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        width = min(self.right, other.right) - max(self.left, other.left)
        return height > 0.5 * min(self.bottom - self.top, other.bottom - other.top) and width > 0


class SteadyText:
    """A depth estimator whose maps are flat where there is text. `depth`: 0..1, or auto (in front of the scene behind it)."""

    def __init__(self, inner: DepthEstimator, depth: float | Literal["auto"]) -> None:
        self._inner, self._depth = inner, depth
        self.held = inner.held
        self._before: Array | None = None
        self._age: Array | None = None
        self._lines: list[_Line] = []

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        for clip, depth in self._inner(clips):
            yield clip, replace(depth, values=self._flattened(clip, np.asarray(depth.values), metric=depth.metric))

    def _flattened(self, clip: Clip, maps: Array, *, metric: bool) -> Array:
        if clip.first:  # a resumed or divided film begins at a cut, and has to come out the same
            self._before, self._age, self._lines = None, None, []
        made: Array | None = None
        for n, frame in enumerate(clip.frames[-len(maps) :]):
            self._follow(find(self._strokes(frame, clip)), maps[n])
            for line in self._lines:
                if made is None:
                    made = np.array(maps, np.float32)
                value = line.depth if self._depth == "auto" or metric else float(self._depth)
                lay(made[n], line, value)
        return maps if made is None else made

    def _strokes(self, frame: Array, clip: Clip) -> Array:
        """Bright strokes, bool [h, w], that have stayed for some frames."""
        luma = _luma(frame, clip)
        strokes = _bright_strokes(luma)
        if self._before is None or self._age is None or self._before.shape != luma.shape:
            self._age = np.zeros(luma.shape, np.uint8)
        else:
            still = cv2.absdiff(luma, self._before) < _STILL
            self._age = np.where(strokes & still, np.minimum(self._age, 250) + 1, 0).astype(np.uint8)
        self._before = luma
        kept = self._age >= _FRAMES
        # a texture that moves leaves single still pixels; letters are still as a whole
        around = (max(3, luma.shape[1] // 24), max(3, luma.shape[0] // 24))
        share = cv2.blur(kept.astype(np.float32), around) / np.maximum(
            cv2.blur(strokes.astype(np.float32), around), 1e-3
        )
        return kept & (share > _CALM)

    def _follow(self, found: list[_Line], depth: Array) -> None:
        """Lines that continue keep their depth; one missing for two frames is gone."""
        lines: list[_Line] = []
        for line in found:
            old = next((old for old in self._lines if old.overlaps(line)), None)
            line.depth = old.depth if old is not None else _in_front(depth, line)
            lines.append(line)
        for old in self._lines:
            if old.missed < 2 and not any(old.overlaps(line) for line in lines):
                lines.append(replace(old, missed=old.missed + 1))
        self._lines = lines


def _luma(frame: Array, clip: Clip) -> Array:
    height, width = clip.height, clip.width
    if clip.pixel_format.planar:
        luma = planes.planes(frame)[0]
    else:
        luma = cv2.cvtColor((frame >> (clip.pixel_format.bits - 8)).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    if clip.pixel_format.planar and clip.pixel_format.bits > 8:
        luma = (luma >> (clip.pixel_format.bits - 8)).astype(np.uint8)
    scale = min(1.0, _WIDTH / width)
    return cv2.resize(luma, (max(8, round(width * scale)), max(8, round(height * scale))), interpolation=cv2.INTER_AREA)


def _bright_strokes(luma: Array) -> Array:
    """Pixels of strokes thinner than a sixteenth of the height, brighter than what is around them."""
    side = max(5, luma.shape[0] // 24) | 1
    hat = cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, np.ones((side, side), np.uint8))
    return (hat > _STROKE) & (luma > _BRIGHT)


def find(strokes: Array) -> list[_Line]:
    """The lines of text in a picture of still strokes, bool [h, w]."""
    height, width = strokes.shape
    reach = max(3, height // 22)
    joined = cv2.morphologyEx(strokes.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 2 * reach + 1), np.uint8))
    count, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    lines = []
    for left, top, wide, tall, _ in boxes[1:count]:
        if not _HEIGHTS[0] * height <= tall <= _HEIGHTS[1] * height or wide < max(1.6 * tall, _NARROWEST * width):
            continue
        part = strokes[top : top + tall, left : left + wide]
        rises = (part[:, 1:] & ~part[:, :-1]).sum(1)
        if 0.08 < part.mean() < 0.7 and np.percentile(rises, 70) > 1.1 * wide / tall and np.unique(rises).size > 2:
            lines.append(_Line(top / height, (top + tall) / height, left / width, (left + wide) / width, 0.0))
    return lines


def _box(depth: Array, line: _Line, grow: float) -> tuple[slice, slice]:
    rows, columns = depth.shape
    more = grow * (line.bottom - line.top)
    beside = more * rows / columns
    return (
        slice(max(0, int((line.top - more) * rows)), min(rows, int(np.ceil((line.bottom + more) * rows)))),
        slice(max(0, int((line.left - beside) * columns)), min(columns, int(np.ceil((line.right + beside) * columns)))),
    )


def _in_front(depth: Array, line: _Line) -> float:
    """A depth before everything that a line covers, and not far off."""
    return float(max(_NEAREST * min(1.0, depth.max()), np.percentile(depth[_box(depth, line, 0.3)], 98)))


def lay(depth: Array, line: _Line, value: float) -> None:
    """Gives a line's surroundings one depth, in place."""
    depth[_box(depth, line, 0.3)] = value
