"""Near surfaces with soft outlines: their depth extends a few pixels beyond them, and a matte marks where they end.

A torn grid ends in jagged cells. So the grid is torn beyond the outline, where the matte is already 0. The matte follows
the picture (guided filter: He et al. 2010), and pixels next to the outline get the surface's colour, so that no old
background moves with the surface.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stereocast.types import Array

_SMOOTH = 4e-4  # epsilon of the guided filter: smaller values follow fainter edges
_RADIUS = 3  # px
_CORE = 0.97  # cover above which a pixel shows only the surface


@dataclass(frozen=True, slots=True)
class Outlined:
    """A picture's sheet."""

    colour: Array  # RGB in 0..1 [H, W, 3]
    inverse: Array  # inverse depth [H, W]
    cover: Array  # 0..1 [H, W]


def outlined(picture: Array, inverse: Array, tear: Array, reach: int) -> Outlined:
    """The sheet of the visible surface. An outline is a step of inverse depth above `tear` [H, W], which belongs to its far
    side; near depth extends by `reach` pixels."""
    box = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near = cv2.dilate(inverse, box)
    behind = near - inverse > tear  # next to something nearer
    if not behind.any():
        return Outlined(picture, inverse, np.ones(inverse.shape, np.float32))
    wide = np.ones((2 * (reach + _RADIUS) + 1,) * 2, np.uint8)
    front = (inverse - cv2.erode(inverse, wide) > tear.min()) & ~behind  # the near side, as deep as the filter reaches
    cover = np.clip((_guided(picture, front.astype(np.float32)) - 0.1) / 0.8, 0, 1)
    outside = cv2.distanceTransform((~front).astype(np.uint8), cv2.DIST_L2, 3)
    within = cv2.distanceTransform((~behind).astype(np.uint8), cv2.DIST_L2, 3)
    cover = np.where(behind, np.where(outside > _RADIUS, 0, cover), np.where(front & (within <= _RADIUS), cover, 1))
    cover = cover.astype(np.float32)
    grown = np.where(behind, near, inverse)
    mixed = (cover < _CORE) | behind
    return Outlined(_carried(picture, mixed), grown, cover)


def _guided(picture: Array, mask: Array) -> Array:
    """`mask` adapted to the edges of the picture's brightness, [H, W] in about 0..1."""
    guide = cv2.cvtColor(np.ascontiguousarray(picture, np.float32), cv2.COLOR_RGB2GRAY)
    size = (2 * _RADIUS + 1, 2 * _RADIUS + 1)
    mean, middle = cv2.blur(guide, size), cv2.blur(mask, size)
    spread = cv2.blur(guide * guide, size) - mean * mean
    slope = (cv2.blur(guide * mask, size) - mean * middle) / (spread + _SMOOTH)
    return cv2.blur(slope, size) * guide + cv2.blur(middle - slope * mean, size)


def _carried(picture: Array, mixed: Array) -> Array:
    """`picture` with each `mixed` pixel in the colour of the nearest unmixed one."""
    if mixed.all():
        return picture
    _, labels = cv2.distanceTransformWithLabels(mixed.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_label = np.zeros(int(labels.max()) + 1, np.int64)
    pure = np.flatnonzero(~mixed.reshape(-1))
    of_label[labels.reshape(-1)[pure]] = pure
    carried = picture.reshape(-1, 3)[of_label[labels]]
    return np.where(mixed[..., None], carried, picture).astype(np.float32)
