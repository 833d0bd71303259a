"""Object pictures as the models and the relief need them: cut out, boxed, square, on white."""

from dataclasses import dataclass

import cv2
import numpy as np

from stereocast.errors import SourceError
from stereocast.types import Array

MODEL_SIZE = 576
_BITS = 22  # of the resampling weights


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels and the side of the square that it is centred on."""

    x: int
    y: int
    width: int
    height: int
    side: int


def bounding_box(alpha: Array, ratio: float | None = 0.9) -> Box:
    """The box of alpha > 0 (uint8 [H, W], or [T, H, W]: one box for all frames, so that nothing jitters).

    The square's side is int(longer side / ratio); without a ratio it is the picture's height. Raises SourceError where
    nothing is opaque.
    """
    seen = (alpha > 0).reshape(-1, *alpha.shape[-2:]).any(0)
    if not seen.any():
        raise SourceError("the picture's alpha is empty, so it shows no object")
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    width, height = int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)
    side = int(max(width, height) / ratio) if ratio else int(alpha.shape[-2])
    return Box(int(columns[0]), int(rows[0]), width, height, side)


def centred(image: Array, box: Box) -> Array:
    """The box's content [.., C] in the middle of a clear square of the box's side."""
    side, centre = box.side, box.side // 2
    out = np.zeros((side, side, image.shape[-1]), image.dtype)
    top, left = centre - box.height // 2, centre - box.width // 2
    y0, x0 = max(0, -top), max(0, -left)  # a box that is larger than its square is cut
    y1, x1 = min(box.height, side - top), min(box.width, side - left)
    out[top + y0 : top + y1, left + x0 : left + x1] = image[box.y + y0 : box.y + y1, box.x + x0 : box.x + x1]
    return out


def _kernel(source: int, target: int) -> Array:
    """Lanczos-3 weights in units of 2^-22, whole float64 [target, source], widened when it shrinks."""
    scale = max(source / target, 1.0)
    centres = (np.arange(target) + 0.5) * source / target
    x = (np.arange(source)[None] + 0.5 - centres[:, None]) / scale
    weights = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    weights /= weights.sum(1, keepdims=True)
    return np.asarray(np.sign(weights) * np.floor(np.abs(weights) * (1 << _BITS) + 0.5))


def lanczos(image: Array, size: int) -> Array:
    """uint8 [H, W, C] at `size` x `size`: one axis after the other in fixed point, each rounded to 8 bits, so that the
    result is Pillow's to the last bit."""
    half, unit = 1 << (_BITS - 1), 1 << _BITS
    wide = np.einsum("ts,hsc->htc", _kernel(image.shape[1], size), image.astype(np.float64))
    wide = np.clip(np.floor((wide + half) / unit), 0, 255)
    tall = np.einsum("ts,swc->twc", _kernel(image.shape[0], size), wide)
    return np.clip(np.floor((tall + half) / unit), 0, 255).astype(np.uint8)


def resized(rgba: Array, size: int) -> Array:
    """uint8 RGBA [H, W, 4] at another size; colours are weighted by alpha, so that clear pixels don't bleed."""
    alpha = rgba[..., 3:].astype(np.float64) / 255
    premultiplied = np.concatenate([np.rint(rgba[..., :3] * alpha).astype(np.uint8), rgba[..., 3:]], -1)
    small = lanczos(premultiplied, size)
    opaque = small[..., 3:].astype(np.float64)
    colour = np.where(opaque > 0, np.floor(small[..., :3] * 255.0 / np.maximum(opaque, 1)), small[..., :3])
    return np.concatenate([np.minimum(colour, 255).astype(np.uint8), small[..., 3:]], -1)


def on_white(rgba: Array) -> Array:
    """uint8 RGB of uint8 RGBA [.., 4] over white, cut off to 8 bits."""
    values = rgba / 255.0
    return ((values[..., :3] * values[..., 3:] + (1 - values[..., 3:])) * 255).astype(np.uint8)


def framed(rgba: Array, size: int = MODEL_SIZE, ratio: float | None = 0.9, box: Box | None = None) -> Array:
    """uint8 RGBA [size, size, 4]: the object in the middle, its longer side `ratio` of the picture."""
    return resized(centred(rgba, box or bounding_box(rgba[..., 3], ratio)), size)


def cut_out(rgb: Array) -> Array:
    """uint8 RGBA of an RGB picture [H, W, 3] with its object in the middle.

    GrabCut (Rother et al. 2004) from a prior: the border is background, the middle probably the object. A plain
    background is recognised by its colour first. Raises SourceError where no object is found.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, 320 / max(height, width))
    small = cv2.resize(rgb, (max(8, round(width * scale)), max(8, round(height * scale))), interpolation=cv2.INTER_AREA)
    rows, columns = small.shape[:2]
    labels = np.full((rows, columns), cv2.GC_PR_BGD, np.uint8)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    labels[(x / 0.75) ** 2 + (y / 0.9) ** 2 < 1] = cv2.GC_PR_FGD
    edge = max(2, min(rows, columns) // 40)
    border = np.ones_like(labels, bool)
    border[edge:-edge, edge:-edge] = False
    around = np.median(small[border], 0)
    if np.abs(small[border] - around).mean() < 8:  # one colour: what differs from it is the object
        different = np.abs(small.astype(int) - around).max(-1) > 24
        labels[:] = np.where(different, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    labels[border] = cv2.GC_BGD
    if not (labels == cv2.GC_PR_FGD).any():
        raise SourceError("no object was found in the middle of the picture; give a PNG with alpha")
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    whole = (0, 0, columns, rows)  # not looked at where the mask is given
    cv2.grabCut(small[..., ::-1].copy(), labels, whole, *models, 4, cv2.GC_INIT_WITH_MASK)
    mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    mask = largest(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    if mask.mean() < 0.003:
        raise SourceError("no object was found in the middle of the picture; give a PNG with alpha")
    soft = cv2.resize(cv2.GaussianBlur(mask * 255, (0, 0), 0.8), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.concatenate([rgb, soft[..., None]], -1)


def mask_on_white(image: Array) -> Array:
    """uint8 mask [S, S] of an object on white, uint8 RGB [S, S, 3].

    Background is what the border reaches through white; what an outline encloses belongs to the object, however white
    it is. Gaps of an outline up to a fortieth of the picture are closed for that; where shading runs out into white
    without an edge, the object extends to its convex hull.
    """
    away = 255 - image.min(-1).astype(np.int32)
    own = np.clip((away - 4) * 24, 0, 255).astype(np.uint8)  # 255 from 15 levels off white on
    clear = away > 2  # faint shading is an outline too
    clear |= _run_out(away, clear)
    reach = max(1, image.shape[0] // 80)
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    outline = cv2.morphologyEx(np.pad(clear, reach + 1).astype(np.uint8), cv2.MORPH_CLOSE, ball)
    count, labels = cv2.connectedComponents(1 - outline, connectivity=4)
    if count <= 1:
        return own
    inside = (labels != labels[0, 0])[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    rim = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)  # closing adds a pixel at corners
    return np.where(rim | (inside & clear & _beside(rim)), np.uint8(255), own)


_FAINT, _RAMP = 28, 0.7


def _run_out(away: Array, clear: Array) -> Array:
    """White parts of the convex hulls of what is clear, where the border between them is a ramp and no edge. away: levels
    off white, int32 [S, S]."""
    out = np.zeros_like(clear)
    reach = max(3, clear.shape[0] // 48)
    near, wide = (_most(away, r) for r in (1, reach))
    edge = _beside(~clear) & clear
    soft = edge & (wide < _FAINT) & (near < _RAMP * wide)
    if not soft.any():
        return out
    count, labels = cv2.connectedComponents(cv2.dilate(clear.astype(np.uint8), np.ones((3, 3), np.uint8)))
    for number in range(1, count):
        own = (labels == number) & clear
        if (soft & own).sum() < 8:
            continue
        hull = cv2.convexHull(np.argwhere(own)[:, ::-1].astype(np.int32))
        filled = cv2.fillConvexPoly(np.zeros(clear.shape, np.uint8), hull, 1).astype(bool)
        parts, bays = cv2.connectedComponents((filled & ~clear).astype(np.uint8), connectivity=4)
        for part in range(1, parts):
            bay = bays == part
            touched = _beside(bay) & edge
            if (touched & soft).sum() > 0.5 * touched.sum():
                out |= bay
    return out


def _most(values: Array, reach: int) -> Array:
    """The greatest value within `reach` pixels."""
    return np.asarray(cv2.dilate(values.astype(np.float32), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)))


def _beside(mask: Array) -> Array:
    """What touches the mask."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


def largest(mask: Array) -> Array:
    """The mask's largest connected part with all parts at least a tenth as large (shoes beside a trouser leg)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = 1 + np.flatnonzero(areas >= 0.1 * areas.max())
    return np.isin(labels, keep).astype(np.uint8)
