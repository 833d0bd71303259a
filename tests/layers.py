"""Films of textured layers that a known camera passes, with true depth."""

import cv2
import numpy as np

H, W = 96, 160


def texture(seed: int, height: int = H + 64, width: int = 3 * W):
    """Blobs at several scales, uint8 [height, width]."""
    rng = np.random.default_rng(seed)
    out = np.zeros((height, width), np.float32)
    for size in (3, 6, 12):
        noise = rng.standard_normal((height, width)).astype(np.float32)
        out += cv2.GaussianBlur(noise, (0, 0), size / 2) * size
    return np.clip(128 + 40 * out / out.std(), 0, 255).astype(np.uint8)


def shifted(picture, x: float, y: float = 0.0, zoom: float = 1.0):
    """The part [H, W] of a large texture that begins at column x + W / 2 and row y + 32."""
    matrix = np.float32([[zoom, 0, W / 2 + x + (1 - zoom) * W / 2], [0, zoom, 32 + y + (1 - zoom) * H / 2]])
    return cv2.warpAffine(picture, matrix, (W, H), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


BOX = (slice(24, 80), slice(90, 130))  # where the near thing stands in the middle of the film


def travel(count: int = 20, step: float = 2.0):
    """A camera that moves to the right past a box before a ground that comes nearer towards the bottom: greys and truth.

    Each row of the background is a separate layer; inverse depth and shift per frame grow from the top to the bottom.
    """
    far, near = texture(1), texture(2)
    nearness = 0.2 + 0.3 * np.linspace(0, 1, H, dtype=np.float32)
    greys, truths = [], []
    v, u = np.mgrid[0:H, 0:W].astype(np.float32)
    for t in range(count):
        away = step * (t - count / 2)
        grey = cv2.remap(far, u + W / 2 + away * nearness[:, None], v + 32, cv2.INTER_LINEAR)
        truth = np.repeat(nearness[:, None], W, 1)
        left = 90 - away * 1.0
        inside = (u >= left) & (u < left + 40) & (v >= 24) & (v < 80)
        box = cv2.remap(near, u + away + W / 2, v + 32, cv2.INTER_LINEAR)
        greys.append(np.where(inside, box, grey).astype(np.uint8))
        truths.append(np.where(inside, 1.0, truth).astype(np.float32))
    return greys, np.stack(truths)
