"""Outlines of the camera move: no stairs of the grid, no ring of old background, no fog behind what moved away."""

import numpy as np
import pytest

from stereocast.gen.behind import background
from stereocast.gen.camera import MARGIN, CameraMove, Pose
from stereocast.gen.matte import outlined
from stereocast.settings import GenSettings

H, W, R = 180, 320, 45
YELLOW = np.array([0.95, 0.8, 0.2], np.float32)


def disc() -> tuple[np.ndarray, np.ndarray]:
    """A disc with a soft outline before a sloping background; its depth ends in a step."""
    y, x = np.mgrid[:H, :W].astype(np.float32)
    cover = np.clip(R - np.hypot(x - 150, y - 90) + 0.5, 0, 1)
    wall = np.stack([0.2 + 0.3 * x / W, 0.4 + 0 * x, 0.7 - 0.2 * y / H], -1)
    picture = wall * (1 - cover[..., None]) + YELLOW * cover[..., None]
    return picture.astype(np.float32), (cover > 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def view() -> np.ndarray:
    picture, depth = disc()
    return CameraMove(picture, depth, GenSettings()).view(Pose(x=0.06), 0.0)


def yellow(view: np.ndarray) -> np.ndarray:
    """How yellow each pixel is, 0..1: red and blue of the wall are apart from it everywhere."""
    return np.clip((view[..., 0] - view[..., 2] + 0.2) / 0.95, 0, 1)


def test_the_outline_is_a_circle_to_a_fraction_of_a_pixel(view: np.ndarray) -> None:
    part = yellow(view)
    y, x = np.mgrid[:H, :W]
    centre_x, centre_y = float((part**4 * x).sum() / (part**4).sum()), float((part**4 * y).sum() / (part**4).sum())
    radii = []
    for angle in np.linspace(0, 2 * np.pi, 240, endpoint=False):
        r = np.arange(R * 0.7, R * 1.5, 0.1)
        xs, ys = centre_x + r * np.cos(angle), centre_y + r * np.sin(angle)
        line = part[np.clip(np.rint(ys).astype(int), 0, H - 1), np.clip(np.rint(xs).astype(int), 0, W - 1)]
        radii.append(r[np.argmax(line < 0.5)])
    smooth = np.convolve(np.r_[radii[-12:], radii, radii[:12]], np.ones(25) / 25, "valid")
    assert np.abs(np.array(radii) - smooth).mean() < 0.3
    assert np.abs(np.array(radii) - smooth).max() < 1.0


def test_nothing_of_the_disc_stays_around_it(view: np.ndarray) -> None:
    part = yellow(view)
    y, x = np.mgrid[:H, :W]
    centre = float((part**4 * x).sum() / (part**4).sum()), float((part**4 * y).sum() / (part**4).sum())
    distance = np.hypot(x - centre[0], y - centre[1])
    size = float(np.sqrt((part > 0.5).sum() / np.pi))
    around = (distance > size + 2.5) & (distance < size + 25)
    wall = yellow(disc()[0])[:, 220:].max()
    assert part[around].max() < wall + 0.04


def test_the_inside_of_a_wide_object_is_no_source_for_what_lies_behind() -> None:
    picture, depth = disc()
    colour, inverse, ahead = background(picture, (0.22 + 0.78 * depth).astype(np.float32), radius=11)
    y, x = np.mgrid[:H, :W]
    band = np.hypot(x - 150, y - 90) < R - 2
    band &= np.hypot(x - 150, y - 90) > R - 25
    assert yellow(colour)[band].max() < 0.35
    assert inverse[band].max() < 0.4
    assert np.median(ahead[band]) == pytest.approx(0.78, abs=1e-3)
    assert ahead[:, 230:].max() == 0


def test_a_matte_is_soft_at_the_outline_and_whole_elsewhere() -> None:
    picture, depth = disc()
    step = np.full((H, W), 0.06, np.float32)
    made = outlined(picture, 0.22 + 0.78 * depth, step, 4)
    y, x = np.mgrid[:H, :W]
    distance = np.hypot(x - 150, y - 90) - R
    assert made.cover[distance < -4].min() == 1
    assert made.cover[distance > 6].min() == 1
    assert made.cover[(distance > 2) & (distance < 3)].max() < 0.1
    assert 0.2 < made.cover[np.abs(distance) < 0.4].mean() < 0.8
    flat = outlined(picture, np.full((H, W), 0.5, np.float32), step, 4)
    assert flat.colour is picture
    assert flat.cover.min() == 1


@pytest.mark.parametrize("level", [0.5, 0.7])
def test_a_surface_whose_depth_rises_in_two_steps_stays_whole(level: float) -> None:
    picture, depth = disc()
    y, x = np.mgrid[:H, :W]
    rim = (np.hypot(x - 150, y - 90) > R - 10) & (depth > 0)
    picture[rim] = (0.9, 0.9, 0.9)
    move = CameraMove(picture, np.where(rim, level, depth).astype(np.float32), GenSettings())
    still = move.view(Pose(zoom=1 / MARGIN), 0.0)
    inside = np.hypot(x - 150, y - 90) < R - 2
    assert np.abs(still - picture)[inside].mean() < 0.02
    moved = move.view(Pose(x=0.03), 0.0)
    around = np.hypot(x - 150, y - 90) < R - 12  # yellow here in both, whatever moves
    assert yellow(moved)[around].mean() > 0.75
