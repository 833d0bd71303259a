"""The preview picture: a row per moment of the film, labelled columns."""

from collections.abc import Sequence

import cv2
import numpy as np

from stereocast.pack import layouts
from stereocast.pictures import planes
from stereocast.types import Anaglyph, Array, Clip, StereoClip

LABELS = ("source", "depth", "left", "right", "filled", "anaglyph")


def row(clip: Clip, stereo: StereoClip, width: int) -> list[Array]:
    """The pictures of one moment (the clip's last frame), RGB uint8, each `width` wide."""
    height = max(2, round(clip.height * width / clip.width / 2) * 2)
    shape = (height, width)
    views = [
        planes.rgb(view[-1], clip.pixel_format, clip.colour, shape) for view in (clip.frames, stereo.left, stereo.right)
    ]
    source, left, right = (np.rint(view * 255).astype(np.uint8) for view in views)
    return [
        source,
        depth_picture(stereo.depth.values[-1] if stereo.depth else np.zeros(shape, np.float32), shape),
        left,
        right,
        filled_picture(left, right, stereo, shape),
        np.rint(layouts.anaglyph(views[1], views[2], Anaglyph.DUBOIS) * 255).astype(np.uint8),
    ]


def depth_picture(depth: Array, shape: tuple[int, int]) -> Array:
    """Inverse depth [h, w] in 0..1 as RGB uint8 of `shape` (height, width); near = bright."""
    grey = cv2.resize(np.clip(depth, 0, 1), shape[::-1], interpolation=cv2.INTER_LINEAR)
    coloured: Array = cv2.applyColorMap((grey * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    return coloured


def filled_picture(left: Array, right: Array, stereo: StereoClip, shape: tuple[int, int]) -> Array:
    """The right view (the left one if only that is synthesised) with filled areas tinted."""
    holes, view = (stereo.holes_left, left) if stereo.holes_right is None else (stereo.holes_right, right)
    out = view // 2 + 40
    if holes is not None:
        share = cv2.resize(holes[-1].astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)[..., None]
        out = (out * (1 - share) + np.array([255, 60, 160]) * share).astype(np.uint8)
    return out


def sheet(rows: Sequence[tuple[str, Sequence[Array]]], labels: Sequence[str] = LABELS) -> Array:
    """Rows of equally sized pictures under column labels, RGB uint8; each row has its caption below."""
    height, width = rows[0][1][0].shape[:2]
    gap, head = 6, 26
    columns = len(labels)
    canvas = np.full((head + len(rows) * (height + head + gap), columns * (width + gap) + gap, 3), 18, np.uint8)
    for column, label in enumerate(labels):
        _write(canvas, label, gap + column * (width + gap), head - 8, 0.5)
    for number, (caption, pictures) in enumerate(rows):
        top = head + number * (height + head + gap)
        for column, picture in enumerate(pictures):
            left = gap + column * (width + gap)
            canvas[top : top + height, left : left + width] = picture
        _write(canvas, caption, gap, top + height + 18, 0.45)
    return canvas


def _write(canvas: Array, text: str, x: int, y: int, size: float) -> None:
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (225, 225, 225), 1, cv2.LINE_AA)
