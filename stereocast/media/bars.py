"""Black bars: how much can be removed without losing picture."""

import logging
from collections.abc import Generator, Iterator
from typing import Any

import av
import numpy as np

from stereocast.media import clock, probe, sidedata
from stereocast.types import Array

log = logging.getLogger(__name__)

DARK = 24  # luma (8 bit, limited range: black is 16) up to which a row counts as bar
_SHORT = 3000  # frames up to which a film is looked through as a whole
_EVERY = 5  # then, in frames
_FAR = 400  # frames to decode after a seek; films with rarer keyframes are looked through


def edges(luma: Array) -> tuple[int, int, int, int]:
    """Dark rows and columns at (top, bottom, left, right) of one picture; all zero for a black picture."""
    lit = luma > DARK
    rows = np.flatnonzero(lit.mean(1) > 0.01)
    columns = np.flatnonzero(lit.mean(0) > 0.01)
    if not len(rows) or not len(columns):
        return 0, 0, 0, 0
    height, width = luma.shape
    return int(rows[0]), int(height - 1 - rows[-1]), int(columns[0]), int(width - 1 - columns[-1])


def detect(name: str, moments: int = 48) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) in even pixels of the upright picture that are dark all through the film.

    Short films, and those whose length isn't known or that can't be sought in, are looked through; long ones at
    `moments` moments. The smallest bars win. What would leave less than two fifths of a side isn't a bar.
    """
    found: list[tuple[int, int, int, int]] = []
    shape = (0, 0)
    for luma in _pictures(name, moments):
        if shape not in ((0, 0), luma.shape):
            return 0, 0, 0, 0  # of a film that changes its size nothing is cut
        shape = luma.shape
        if (luma > DARK).mean() > 0.02:
            found.append(edges(luma))
        if found and not any(min(values) for values in zip(*found, strict=True)):
            break  # it can't become less
    if not found:
        return 0, 0, 0, 0
    top, bottom, left, right = (min(values) // 2 * 2 for values in zip(*found, strict=True))
    height, width = shape
    if height - top - bottom < height * 2 // 5:
        top = bottom = 0
    if width - left - right < width * 2 // 5:
        left = right = 0
    return top, bottom, left, right


def described(crop: tuple[int, int, int, int] | None) -> str:
    """What is cut away, for people."""
    parts = [
        f"{size} {'rows' if side in ('top', 'bottom') else 'columns'} at the {side}"
        for side, size in zip(("top", "bottom", "left", "right"), crop or (), strict=False)
        if size
    ]
    return f"bars removed: {', '.join(parts)}" if parts else "no bars throughout the film; nothing is cropped"


def _pictures(name: str, moments: int) -> Iterator[Array]:
    container = probe.open_input(name)
    try:
        stream = probe.video_stream(container, name, quiet=True)
        stream.thread_type = "AUTO"
        length_s = float(container.duration or 0) / av.time_base
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        jumps = clock.restarts(container)  # neither its length nor where a seek lands can be relied on
        if length_s and length_s * min(rate, 120) > _SHORT and not jumps and _seek(container, stream, 0, length_s):
            for number in range(moments):
                if not (yield from _moment(container, stream, length_s, (number + 0.5) / moments)):
                    break
            else:
                return
            _seek(container, stream, 0, length_s)
        yield from _all_through(container, stream)
    finally:
        container.close()


def _all_through(container: Any, stream: Any) -> Iterator[Array]:
    keyframes = 0
    for number, frame in enumerate(_decoded(container, stream)):
        keyframes += frame.key_frame
        if number % _EVERY == 0 or number > _SHORT:
            yield _luma(frame)
        if number == _SHORT and keyframes > _SHORT // 250:
            stream.codec_context.skip_frame = "NONKEY"  # a long film: they are enough


def _seek(container: Any, stream: Any, part: float, length_s: float) -> bool:
    begin = float((stream.start_time or 0) * stream.time_base)
    try:
        container.seek(int((begin + length_s * part) / stream.time_base), stream=stream)
    except av.error.FFmpegError as error:
        log.debug("seek failed: %s", error)
        return False
    return True


def _moment(container: Any, stream: Any, length_s: float, part: float) -> Generator[Array, None, bool]:
    """The picture at `part` of the film and the keyframe before it. False where keyframes are too rare for that."""
    if not _seek(container, stream, part, length_s):
        return False
    goal = float((stream.start_time or 0) * stream.time_base) + length_s * part
    for number, frame in enumerate(_decoded(container, stream)):
        reached = frame.time is None or frame.time >= goal
        if number == 0 or reached:
            yield _luma(frame)
        if reached:
            break
        if number >= _FAR:
            return False
    return True


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            log.debug("a picture can't be decoded: %s", error)
            continue
        yield from frames


def _luma(frame: Any) -> Array:
    flip, turns = sidedata.orientation(frame)
    luma = frame.to_ndarray(format="gray")
    return np.rot90(luma[:, ::-1] if flip else luma, turns)
