"""A guess of an object's back from its front: mirrored, without features that only a front has, shaded by the estimated light.

What reaches the outline continues behind it (a sleeve, hair, a stripe around); what the front encloses (eyes, a badge,
buttons) is left out and closed from around.
"""

import cv2
import numpy as np

from stereocast.types import Array

_KINDS = 10  # colours that a front is divided into
_AT = 192  # side of the picture on which that is done
_UPRIGHT = 3  # how much farther off above is than beside
_DARKEST, _BRIGHTEST = 0.72, 1.08  # of the front's brightness


def back_colours(colour: Array, mask: Array, half: Array) -> Array:
    """float32 [H, W, 3] in 0..1, on the front's pixels. colour: the front, as float32; mask: bool [H, W]; half: its half
    thickness in pixels."""
    if mask.sum() < 16:
        return colour
    size = max(mask.shape)
    scale = min(1.0, _AT / size)
    shape = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    small = cv2.resize(smooth_inside(colour, mask, 0.4 / scale), shape, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask.astype(np.float32), shape, interpolation=cv2.INTER_AREA) > 0.5
    own = _front_only(small, inside)
    closed = _closed(small, inside, own)
    out = np.maximum(cv2.GaussianBlur(own.astype(np.float32), (0, 0), 1.0), own)
    weight = cv2.resize(out, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    filled = cv2.resize(closed, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    guess = colour * (1 - weight) + filled * weight
    return np.clip(guess * _shade(guess, mask, half)[..., None], 0, 1).astype(np.float32)


def smooth_inside(image: Array, mask: Array, sigma: float) -> Array:
    """A Gaussian blur of float32 [H, W, C] that takes nothing from outside the mask."""
    weight = mask.astype(np.float32)
    total = cv2.GaussianBlur(image * weight[..., None], (0, 0), sigma)
    return total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-4)[..., None]


def _front_only(colour: Array, mask: Array) -> Array:
    """bool [H, W]: patches of one colour that don't reach the outline, and their soft edges."""
    lab = cv2.cvtColor(colour.astype(np.float32), cv2.COLOR_RGB2LAB)
    lab[..., 0] *= 0.6  # shading divides a surface less than its colour
    y, x = np.nonzero(mask)
    samples = lab[y, x][:: max(1, len(y) // 4000)]
    count = min(_KINDS, len(samples))
    cv2.setRNGSeed(0)
    rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, _, centres = cv2.kmeans(np.ascontiguousarray(samples), count, None, rule, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    kinds = np.full(mask.shape, -1, np.int32)
    kinds[y, x] = ((lab[y, x][:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rim = mask & (distance <= max(2.0, 0.02 * max(mask.shape)))
    found = np.zeros(mask.shape, bool)
    for kind in range(count):
        _, labels = cv2.connectedComponents((kinds == kind).astype(np.uint8), connectivity=8)
        reaching = np.bincount(labels[rim], minlength=labels.max() + 1) > 2
        reaching[0] = True
        found |= ~reaching[labels]
    return cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & mask


def _closed(colour: Array, mask: Array, hole: Array) -> Array:
    """The front with its holes closed from the nearest place that continues behind, preferably beside rather than above or below: an
    object stands upright, and what is at its sides goes around it."""
    known = mask & ~hole
    if not known.any():
        return colour
    tall = np.repeat(known, _UPRIGHT, 0)
    _, labels = cv2.distanceTransformWithLabels(
        (~tall).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    places = np.repeat(np.arange(known.size).reshape(known.shape), _UPRIGHT, 0)
    nearest[labels[tall]] = places[tall]
    plain = smooth_inside(colour, known, 2.5)  # a thin line at the edge of a hole doesn't fill it
    found = plain.reshape(-1, colour.shape[-1])[nearest[labels[_UPRIGHT // 2 :: _UPRIGHT]]]
    found = smooth_inside(found.astype(np.float32), mask, 2.0)
    return np.where(hole[..., None], found, colour).astype(np.float32)


def _shade(colour: Array, mask: Array, half: Array) -> Array:
    """float32 [H, W]: how bright the back is, of the front: the light that explains the front's brightness best (a
    constant and a direction, by its normals), on normals that look the other way."""
    y, x = np.nonzero(mask)
    rise_y, rise_x = np.gradient(cv2.GaussianBlur(half, (0, 0), max(1.0, max(mask.shape) / 100)))
    normal = np.stack([-rise_x[y, x], -rise_y[y, x], np.ones(len(y))], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    brightness = colour[y, x].mean(-1)
    table = np.concatenate([np.ones((len(y), 1)), normal], 1)
    ridge = np.diag([1e-3, 1, 1, 1]) * len(y) * 0.02  # a weak light where colours say nothing about it
    light = np.linalg.solve(table.T @ table + ridge, table.T @ (brightness - brightness.mean()))
    light[0] += brightness.mean()
    front = table @ light
    behind = front - 2 * normal[:, 2] * max(light[3], 0.0)
    out = np.ones(mask.shape, np.float32)
    out[y, x] = np.clip(behind / np.maximum(front, 0.05), _DARKEST, _BRIGHTEST)
    return cv2.GaussianBlur(out, (0, 0), max(1.0, max(mask.shape) / 60))
