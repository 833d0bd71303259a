"""Streaming cut detection.

The difference of two frames is compared with its neighbours', so that motion and hand-held shake don't count. A flash
is distinguished from a cut by comparing the frames before and after it.
"""

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.types import Array, Frame, Shot

SMALL = (36, 64)  # rows, columns
LOOK_AHEAD = 2  # frames


@dataclass(frozen=True, slots=True)
class CutOptions:
    """Thresholds in code values of an 8-bit picture, and as multiples of the neighbours' mean."""

    at_least: float = 14.0  # mean absolute change of luma and colour below which nothing is a cut
    sure: float = 55.0  # change above which the neighbours matter little
    contrast: float = 2.6  # times the mean of the neighbours
    shortest: int = 6  # frames of a shot


def thumbnail(frame: Frame) -> Array:
    """Float32 [36, 64, 3]: luma and two chroma channels of a small copy, in 8-bit code values."""
    scale = 255 / ((1 << frame.pixel_format.bits) - 1)
    rows, columns = SMALL
    if frame.pixel_format.planar:
        parts = []
        for plane in planes.planes(frame.image):
            step = max(1, min(plane.shape[0] // (2 * rows), plane.shape[1] // (2 * columns)))
            parts.append(cv2.resize(plane[::step, ::step], (columns, rows), interpolation=cv2.INTER_AREA))
        return np.stack(parts, -1).astype(np.float32) * scale
    step = max(1, min(frame.image.shape[0] // (2 * rows), frame.image.shape[1] // (2 * columns)))
    small = cv2.resize(frame.image[::step, ::step], (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor((small * scale).astype(np.uint8), cv2.COLOR_RGB2YCrCb).astype(np.float32)


def difference(a: Array, b: Array) -> float:
    """How different two thumbnails are: mean absolute change, and that of their sorted values (blind to motion)."""
    moved = float(np.abs(a - b).mean(axis=(0, 1)) @ np.array([0.6, 0.7, 0.7], np.float32))
    sorted_a, sorted_b = (np.sort(x.reshape(-1, 3), axis=0) for x in (a, b))
    content = float(np.abs(sorted_a - sorted_b).mean(axis=0) @ np.array([0.6, 0.7, 0.7], np.float32))
    return 0.5 * moved + 1.0 * content


def mark_cuts(frames: Iterator[Frame], options: CutOptions | None = None) -> Iterator[tuple[Frame, bool]]:
    """Each frame with whether a new shot begins at it. Runs `LOOK_AHEAD` frames behind its input."""
    options = options or CutOptions()
    waiting: deque[tuple[Frame, Array, float]] = deque()  # frame, thumbnail, change from the one before
    past: deque[float] = deque(maxlen=3)
    before: Array | None = None
    since = options.shortest
    recent: deque[Array] = deque(maxlen=3)  # thumbnails of the last emitted frames

    def decide() -> tuple[Frame, bool]:
        nonlocal since
        frame, small, change = waiting.popleft()
        ahead = [item[2] for item in waiting]
        around = [*past, *ahead]
        usual = (sum(around) / len(around)) if around else 0.0
        stands_out = change >= options.at_least and change > options.contrast * max(usual, 2.0)
        stands_out = stands_out or (change >= options.sure and change > 1.5 * max(usual, 2.0))
        flash = (
            stands_out
            and (
                any(difference(recent[-1], item[1]) < 0.5 * change for item in waiting if recent)  # it begins
                or any(difference(old, small) < 0.5 * change for old in list(recent)[:-1])  # it has ended
            )
        )
        cut = not recent or (stands_out and not flash and since >= options.shortest)
        if cut:
            since = 0
            past.clear()
            recent.clear()
        else:
            past.append(change)
        since += 1
        recent.append(small)
        return frame, cut

    for frame in frames:
        small = thumbnail(frame)
        waiting.append((frame, small, 0.0 if before is None else difference(before, small)))
        before = small
        if len(waiting) > LOOK_AHEAD:
            yield decide()
    while waiting:
        yield decide()


def mark_shots(
    frames: Iterator[Frame], options: CutOptions | None = None, number: int = 0
) -> Iterator[tuple[Frame, Shot | None]]:
    """Each frame with the shot that begins at it, None within a shot; the first shot has that `number`."""
    for frame, cut in mark_cuts(frames, options):
        if cut:
            yield frame, Shot(number, frame.pts, checksum(frame.image))
            number += 1
        else:
            yield frame, None


def checksum(image: Array) -> int:
    """A checksum of one picture."""
    return zlib.crc32(np.ascontiguousarray(image).data)
