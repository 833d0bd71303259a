"""How much of a window no frame shows: the part of its holes that only a generative model can fill.

A hole is background that an object hides. Where the object or the camera moves, frames before or after show that
background, and `--fill best` takes it from there.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from stereocast.pictures.motion import Flow, small_luma
from stereocast.types import Array, PixelFormat

_WIDTH = 256
_BESIDE = (-8, -4, 4, 8)  # frames
_SAME = 0.06  # of relative depth: the same surface
_AROUND = 8  # small pixels: how far around a hole its background is looked at


def unseen_share(
    frames: Array, depth: Array, holes: Sequence[Array], behind: Sequence[Array], first: int, pixel_format: PixelFormat
) -> float:
    """The share of a picture that is hole and seen in no frame of the window: the mean over frames `first` and on.

    frames [T, ...]; depth float32 [T, h, w], relative. For frames `first` and on: holes bool [H, W] at their background's
    place in the source, and that background's depth `behind`, float32 [H, W].
    """
    shape = _shape(frames, pixel_format)
    greys = [small_luma(frame, pixel_format, shape) for frame in frames]
    maps = [cv2.resize(np.asarray(one, np.float32), shape[::-1], interpolation=cv2.INTER_AREA) for one in depth]
    finder, total = Flow("fast"), 0.0
    for number, (hole, level) in enumerate(zip(holes, behind, strict=True)):
        t = first + number
        share = cv2.resize(hole.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
        if not share.any():
            continue
        weighted = cv2.resize(level.astype(np.float32) * hole, shape[::-1], interpolation=cv2.INTER_AREA)
        around = cv2.GaussianBlur(share, (0, 0), _AROUND)
        far = np.where(around > 1e-5, cv2.GaussianBlur(weighted, (0, 0), _AROUND) / np.maximum(around, 1e-5), -1)
        left = share.copy()
        for step in _BESIDE:
            if 0 <= t + step < len(greys):
                left[_visible(finder(greys[t], greys[t + step]), maps[t], maps[t + step], far)] = 0
        total += float(left.mean())
    return total / max(len(holes), 1)


def _shape(frames: Array, pixel_format: PixelFormat) -> tuple[int, int]:
    rows, columns = frames.shape[1:3]
    height = rows * 2 // 3 if pixel_format.planar else rows
    width = min(_WIDTH, columns)
    return max(8, round(height * width / columns)), width


def _visible(flow: Array, here: Array, there: Array, far: Array) -> Array:
    """Where background of depth `far` is seen in the other frame, bool [h, w]. Its motion is that of the background
    around: the object's own motion says nothing."""
    weight = (here < far + _SAME).astype(np.float32)
    total = cv2.GaussianBlur(weight, (0, 0), _AROUND)
    moved = cv2.GaussianBlur(flow * weight[..., None], (0, 0), _AROUND) / np.maximum(total, 1e-4)[..., None]
    x, y = np.meshgrid(np.arange(here.shape[1], dtype=np.float32), np.arange(here.shape[0], dtype=np.float32))
    at_x, at_y = x + moved[..., 0], y + moved[..., 1]
    inside = (at_x >= 0) & (at_x <= here.shape[1] - 1) & (at_y >= 0) & (at_y <= here.shape[0] - 1)
    seen = cv2.remap(there, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return inside & (total > 1e-3) & (seen < far + _SAME)
