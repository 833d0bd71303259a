"""Holes that other frames of a window show, and those that none does."""

import cv2
import numpy as np
import pytest

from stereocast.stereo.unseen import unseen_share
from stereocast.types import PixelFormat

H, W, COUNT = 96, 200, 17


def window(speed: float, pan: float = 0.0) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """A card that moves by `speed` pixels a frame before a wall that moves by `pan`; holes are at its right side."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((H, W + 80), np.float32), (0, 0), 2)
    wall = np.clip((noise - 0.5) * 3 + 0.5, 0, 1)
    frames, maps, holes, behind = [], [], [], []
    for t in range(COUNT):
        left = round(80 + speed * t)
        picture = wall[:, round(pan * t) : round(pan * t) + W].copy()
        picture[30:70, left : left + 30] = 0.2 + 0.6 * noise[30:70, 10:40]
        depth, hole = np.full((H, W), 0.2, np.float32), np.zeros((H, W), bool)
        depth[30:70, left : left + 30] = 0.9
        hole[30:70, left + 22 : left + 30] = True
        frames.append((np.repeat(picture[..., None], 3, -1) * 255).astype(np.uint8))
        maps.append(depth)
        holes.append(hole)
        behind.append(np.full((H, W), 0.2, np.float32))
    return np.stack(frames), np.stack(maps), holes, behind


def share(speed: float, pan: float = 0.0) -> float:
    frames, maps, holes, behind = window(speed, pan)
    return unseen_share(frames, maps, holes, behind, 0, PixelFormat.RGB24)


def test_what_stands_still_hides_the_same_in_every_frame() -> None:
    assert share(0) == pytest.approx(40 * 8 / (H * W), rel=0.15)


def test_what_moves_shows_it_before_or_after() -> None:
    assert share(-3) < 0.4 * share(0)
    assert share(0, pan=3) < 0.35 * share(0)


def test_no_holes_no_share() -> None:
    frames, maps, holes, behind = window(0)
    assert unseen_share(frames, maps, [hole & False for hole in holes], behind, 0, PixelFormat.RGB24) == 0
