"""Black bars: how much may be cut away so that no picture is lost."""

import logging
from typing import Any

import av
import numpy as np

from stereocast.media import probe
from stereocast.types import Array

log = logging.getLogger(__name__)

DARK = 24  # luma (8 bit, limited range: black is 16) up to which a row counts as bar


def edges(luma: Array) -> tuple[int, int, int, int]:
    """Dark rows and columns at (top, bottom, left, right) of one picture; all zero for a black picture."""
    lit = luma > DARK
    rows = np.flatnonzero(lit.mean(1) > 0.01)
    columns = np.flatnonzero(lit.mean(0) > 0.01)
    if not len(rows) or not len(columns):
        return 0, 0, 0, 0
    height, width = luma.shape
    return int(rows[0]), int(height - 1 - rows[-1]), int(columns[0]), int(width - 1 - columns[-1])


def detect(name: str, samples: int = 12) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) in even pixels that are dark at all of `samples` moments of the film."""
    container = probe.open_input(name)
    try:
        stream = probe.video_stream(container, name)
        found = []
        for luma in _moments(container, stream, samples):
            if (luma > DARK).mean() > 0.02:
                found.append(edges(luma))
    finally:
        container.close()
    if not found:
        return 0, 0, 0, 0
    top, bottom, left, right = (min(values) // 2 * 2 for values in zip(*found, strict=True))
    return top, bottom, left, right


def _moments(container: Any, stream: Any, samples: int) -> Any:
    length = stream.duration or 0
    for number in range(samples):
        if length:
            try:
                container.seek(int((stream.start_time or 0) + length * (number + 0.5) / samples), stream=stream)
            except av.error.FFmpegError as error:
                log.debug("seek failed: %s", error)
        try:
            frame = next(container.decode(stream), None)
        except av.error.FFmpegError:
            continue
        if frame is None:
            return
        yield frame.to_ndarray(format="gray")
