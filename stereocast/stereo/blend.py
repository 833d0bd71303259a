"""Generated pixels into the holes of a warped view, so that no seam shows."""

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.types import Array, PixelFormat


def composed(warped: Array, drawn: Array, holes: Array | None, pixel_format: PixelFormat) -> Array:
    """`drawn` in the holes, its colour matched to what surrounds them, blended over a few pixels; `holes` None: all of
    it. Pictures of one format; holes bool [H, W]."""
    if holes is None:
        return drawn
    if not holes.any():
        return warped
    out = warped.copy()
    if not pixel_format.planar:
        for channel in range(3):
            out[..., channel] = _blended(warped[..., channel], drawn[..., channel], holes, pixel_format)
        return out
    for number, (target, base, other) in enumerate(
        zip(planes.planes(out), planes.planes(warped), planes.planes(drawn), strict=True)
    ):
        mask = holes if number == 0 else holes.reshape(holes.shape[0] // 2, 2, holes.shape[1] // 2, 2).any((1, 3))
        target[...] = _blended(base, other, mask, pixel_format)
    return out


def _blended(base: Array, drawn: Array, holes: Array, pixel_format: PixelFormat) -> Array:
    known = (~holes).astype(np.float32)
    width = max(3.0, holes.shape[1] / 60)
    weight = cv2.GaussianBlur(known, (0, 0), width)
    offset = cv2.GaussianBlur((base.astype(np.float32) - drawn) * known, (0, 0), width) / np.maximum(weight, 1e-3)
    soft = np.clip(cv2.distanceTransform(holes.astype(np.uint8), cv2.DIST_L2, 3) / 2.5, 0, 1)
    matched = drawn + offset * (weight > 1e-3)
    mixed = base + soft * (matched - base)  # the warp's own filling stands at the rim
    top = (1 << pixel_format.bits) - 1
    return np.clip(np.rint(np.where(holes, mixed, base)), 0, top).astype(base.dtype)
