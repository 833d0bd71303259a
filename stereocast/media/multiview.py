"""MV-HEVC: both views of a film whose decoder gives each as a frame with the same time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from stereocast.errors import SourceError
from stereocast.pictures import planes
from stereocast.types import Array

OPTIONS = {"view_ids": "-1"}  # FFmpeg's decoder: all views, not the base view alone


def paired(frames: Iterator[Any], others: dict[Any, Any], name: str) -> Iterator[Any]:
    """The base views; each second one is put into `others` by its time. Raises SourceError where there is one view."""
    for frame in frames:
        second = next(frames, None)
        if second is None or second.pts != frame.pts:
            raise SourceError(
                f"{name}: the decoder on this machine gives only one view of this MV-HEVC film, so it can't be repacked"
            )
        others[frame.pts] = second
        yield frame


def beside(first: Array, second: Array, *, planar: bool) -> Array:
    """Two pictures of one size side by side."""
    if not planar:
        return np.concatenate([first, second], 1)
    pairs = zip(planes.planes(first), planes.planes(second), strict=True)
    return np.concatenate([np.concatenate(pair, 1).reshape(-1) for pair in pairs]).reshape(first.shape[0], -1)
