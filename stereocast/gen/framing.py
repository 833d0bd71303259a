"""A picture of any size brought to a model's: the shorter fit, then a centred crop, with padding where it is narrower.

As the published script does it: the shorter side is resized to the shorter side of the model, then the centre is cut
out; a picture that is narrower than the model's shape is padded on both sides.
"""

import cv2
import numpy as np

from stereocast.types import Array

PAD = {"black": 0.0, "grey": 0.5}


def filled(picture: Array, height: int, width: int) -> Array:
    """RGB in 0..1 [H, W, 3] cut to exactly the shape of [height, width], as little as possible off two sides."""
    rows, columns = picture.shape[:2]
    keep = (min(rows, max(1, round(columns * height / width))), min(columns, max(1, round(rows * width / height))))
    part = tuple(
        slice((have - kept) // 2, (have - kept) // 2 + kept) for have, kept in zip((rows, columns), keep, strict=True)
    )
    smaller = keep[0] > height
    resized = cv2.resize(picture[part], (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.clip(resized, 0, 1).astype(np.float32)


def framed(picture: Array, height: int, width: int, pad: str = "black") -> Array:
    """RGB in 0..1 [H, W, 3] to float32 [height, width, 3]."""
    rows, columns = picture.shape[:2]
    scale = min(height, width) / min(rows, columns)
    size = (max(1, round(rows * scale)), max(1, round(columns * scale)))
    shrinks = scale < 1
    resized = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    out = np.full((height, width, 3), PAD[pad], np.float32)
    into, source = zip(*(_centred(a, b) for a, b in zip((height, width), size, strict=True)), strict=True)
    out[into] = resized[source]
    return out


def _centred(target: int, source: int) -> tuple[slice, slice]:
    """Where the middle of `source` is in `target`, and which part of it."""
    if source >= target:
        at = (source - target) // 2
        return slice(0, target), slice(at, at + target)
    at = (target - source) // 2
    return slice(at, at + source), slice(0, source)
