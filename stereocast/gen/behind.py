"""The background sheet of a camera move: what continues behind near surfaces.

Its depth is smooth (a push-pull pyramid). Its colours continue from the nearest background in the pixel's row and column, so
that a road stays a road behind a lamp post.
"""

import cv2
import numpy as np

from stereocast.types import Array

_COLUMN = 0.35  # weight of a colour from the pixel's column against one from its row: cameras move sideways
_FAR_FIRST = 12.0  # per unit of inverse depth: the farther of two neighbours counts more
_SHARP = 2  # px into the near surface from which colours are smoothed
_SIGMA = (1, 4)  # px across and down


def background(picture: Array, inverse: Array, radius: int) -> tuple[Array, Array, Array]:
    """The picture and its inverse depth without a band of `radius` pixels along the near side of edges.

    The background grows into that band. Also returns by how much inverse depth the picture is in front of it there, 0
    elsewhere [H, W].
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    behind = cv2.erode(inverse, disc)
    sides = (inverse - behind > 0.07).astype(np.uint8)
    level = _levels(behind, sides, 3 * radius)
    covered = np.maximum(sides, (inverse - level > 0.14).astype(np.uint8))
    near = np.maximum(covered, cv2.dilate(sides, np.ones((5, 5), np.uint8)))  # soft outlines contain the near colour
    known = (near == 0).astype(np.float32)
    shown = np.minimum(inverse, behind + 0.07)
    depth: Array = np.where(near > 0, np.minimum(grown(shown, known), inverse), inverse)
    sharp = continued(picture, shown, near == 0)
    soft = cv2.GaussianBlur(sharp, (0, 0), sigmaX=_SIGMA[0], sigmaY=_SIGMA[1])
    inside = cv2.distanceTransform(near, cv2.DIST_L2, 5)
    share = np.clip((inside - _SHARP) / (0.3 * radius), 0, 1)[..., None]
    colour = np.where(near[..., None] > 0, sharp + share * (soft - sharp), picture)
    ahead = np.where(covered > 0, inverse - np.minimum(behind, level), 0).astype(np.float32)
    return colour.astype(np.float32), cv2.blur(depth.astype(np.float32), (5, 5)), ahead


def continued(picture: Array, inverse: Array, known: Array) -> Array:
    """`picture` [H, W, 3] where `known` (bool [H, W]), elsewhere a mean of the known pixels nearest in its row and column.

    Near ones count more (inverse square of the distance), and so do far surfaces (`inverse` depth [H, W]). A pixel with no
    known one in its row and column takes the mean of all known pixels.
    """
    height, width = known.shape
    values = np.dstack([picture, inverse]).astype(np.float32)
    total, weights = np.zeros_like(picture, dtype=np.float32), np.zeros((height, width), np.float32)
    for axis, length in ((1, width), (0, height)):
        here = np.arange(length, dtype=np.int64)
        here = np.broadcast_to(here[None] if axis else here[:, None], (height, width))
        before = np.maximum.accumulate(np.where(known, here, -1), axis)
        after = np.flip(np.minimum.accumulate(np.flip(np.where(known, here, length), axis), axis), axis)
        for place, found in ((before, before >= 0), (after, after < length)):
            source = np.take_along_axis(values, np.where(found, place, 0)[..., None], axis)
            weight = np.exp(-_FAR_FIRST * source[..., 3]) / (1.0 + np.abs(place - here)) ** 2
            weight = np.where(found, weight * (1.0 if axis else _COLUMN), 0).astype(np.float32)
            total += weight[..., None] * source[..., :3]
            weights += weight
    mean = picture[known].mean(0) if known.any() else picture.mean((0, 1))
    made = np.where(weights[..., None] > 0, total / np.maximum(weights, 1e-20)[..., None], mean)
    return np.where(known[..., None], picture, made).astype(np.float32)


def _levels(behind: Array, sides: Array, reach: int) -> Array:
    """The level behind the nearest near side, for all pixels within `reach` of one; elsewhere infinity [H, W].

    What is much nearer than that is the inside of a wide object, from which nothing may grow. `behind`: the level behind
    where `sides` is 1.
    """
    if not sides.any():
        return np.full(behind.shape, np.inf, np.float32)
    distance, labels = cv2.distanceTransformWithLabels(1 - sides, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    level = np.zeros(int(labels.max()) + 1, np.float32)
    level[labels[sides > 0]] = behind[sides > 0]
    return np.where(distance < reach, level[labels], np.inf).astype(np.float32)


def grown(values: Array, known: Array) -> Array:
    """`values` [H, W] where `known` is 1, smoothly extended elsewhere (push-pull pyramid)."""
    height, width = known.shape
    if min(height, width) <= 2 or known.min() >= 1:
        mean = (values * known).sum() / max(float(known.sum()), 1e-6)
        return np.where(known > 0, values, mean).astype(np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    small = cv2.resize(values * known, half, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)
    coarse = grown(small, (weight > 0.2).astype(np.float32))
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(known > 0, values, fine).astype(np.float32)
