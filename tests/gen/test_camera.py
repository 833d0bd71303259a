"""The camera move: words, loops, stereo geometry, and a whole clip."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stereocast.gen.behind import background, continued
from stereocast.gen.camera import CameraMove, Pose, chosen_move, pose_at
from stereocast.jobs.generate.job import generate
from stereocast.settings import GenSettings


def scene(height: int = 72, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A textured wall with a bright square in front of it."""
    noise = np.random.default_rng(1).random((height, width, 3), np.float32)
    picture = 0.2 + 0.3 * cv2.GaussianBlur(noise, (0, 0), 2)
    depth = np.zeros((height, width), np.float32)
    picture[24:48, 50:78], depth[24:48, 50:78] = (1, 0.2, 0.1), 1
    return picture, depth


def test_words_choose_the_move() -> None:
    assert chosen_move("") == ("orbit", 1)
    assert chosen_move("a slow dolly in along the street") == ("dolly", 1)
    assert chosen_move("Pull back to reveal the city") == ("dolly", -1)
    assert chosen_move("the camera pans left") in (("pan", 1), ("pan", -1))
    assert chosen_move("pan left") == ("pan", -1)
    assert chosen_move("zoom out") == ("zoom", -1)
    assert chosen_move("a panda eats") == ("orbit", 1)
    assert chosen_move("zoom out", "swing") == ("swing", 1)


def test_loops_end_where_they_began() -> None:
    for move in ("orbit", "swing"):
        first, last = (pose_at(move, 1, when, 1.0, 0.5) for when in (0.0, 1.0))
        for name in ("x", "y", "z", "yaw", "pitch"):
            assert getattr(first, name) == pytest.approx(getattr(last, name), abs=1e-12)


def column_of_square(view: np.ndarray) -> float:
    red = (view[..., 0] > 0.75) & (view[..., 2] < 0.3)
    return float(np.nonzero(red)[1].mean())


def test_near_things_have_the_asked_disparity_and_the_screen_has_none() -> None:
    picture, depth = scene(144, 256)
    move = CameraMove(picture, depth, GenSettings(strength=4.0, convergence=0.0))
    left, right = (move.view(Pose(), eye) for eye in (-0.5, 0.5))
    assert column_of_square(left) - column_of_square(right) == pytest.approx(0.04 * 256, rel=0.15)
    wall = np.s_[4:18, 40:216]
    assert np.abs(left[wall] - right[wall]).mean() < 0.01


def test_nothing_near_is_left_behind_in_the_background() -> None:
    picture, depth = scene()
    colour, inverse, _ = background(picture, 0.22 + 0.78 * depth, radius=20)
    assert colour[26:46, 52:76, 0].max() < 0.6
    assert inverse.max() < 0.4


def test_views_have_no_holes() -> None:
    picture, depth = scene()
    move = CameraMove(picture + 0.1, depth, GenSettings())
    for when in (0.2, 0.7):
        for name in ("orbit", "dolly", "pan", "tilt", "zoom", "swing"):
            assert move.view(pose_at(name, 1, when, 1.0, 0.5), 0.5).min() > 0.1


@pytest.mark.parametrize("form", ["sbs", "mono", "pair"])
def test_a_clip_without_weights(tmp_path: Path, form: str) -> None:
    picture, _ = scene()
    image = tmp_path / "still.png"
    cv2.imwrite(str(image), (picture[..., ::-1] * 255).astype(np.uint8))
    made = generate(str(image), None, GenSettings(format=form, seconds=0.4, fps=10, encoder="x264", prompt="zoom in"))
    assert made.model == "camera move"
    assert "nothing moves by itself" in made.notes[0]
    for path in made.plan.outputs:
        with av.open(str(path)) as film:
            frames = list(film.decode(video=0))
        assert len(frames) == made.frames == 4
        assert frames[0].width == (256 if form == "sbs" else 128)


def test_what_is_behind_continues_its_row_and_never_the_near_surface():
    picture = np.zeros((40, 60, 3), np.float32)
    picture[:20], picture[20:] = (0.2, 0.4, 0.9), (0.3, 0.3, 0.3)  # sky and road
    inverse = np.full((40, 60), 0.3, np.float32)
    picture[:, 25:30], inverse[:, 25:30] = (0.1, 0.9, 0.1), 0.9  # a post
    picture[:, 30:], inverse[:, 30:] = (0.9, 0.1, 0.1), 0.8  # a wall, nearly as near
    known = np.ones((40, 60), bool)
    known[:, 22:30] = False
    made = continued(picture, inverse, known)
    assert np.array_equal(made[known], picture[known])
    assert np.abs(made[2:18, 22:30] - (0.2, 0.4, 0.9)).max() < 0.1
    assert np.abs(made[22:38, 22:30] - (0.3, 0.3, 0.3)).max() < 0.1
    assert np.abs(continued(picture, inverse, np.zeros_like(known)) - picture.mean((0, 1))).max() < 1e-5
