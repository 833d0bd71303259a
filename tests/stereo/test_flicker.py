"""The guard warns of an object whose depth jumps, once, and stays silent where depth only moves along."""

import logging

import cv2
import numpy as np
import pytest

from stereocast.stereo.flicker import AREA, FlickerGuard, flicker


def film(jump: float, step: int = 4, frames: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A textured square moves over textured ground; in every other frame its depth is off by `jump`."""
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.random((192, 320, 3), np.float32), (0, 0), 2)
    thing = cv2.GaussianBlur(rng.random((36, 36, 3), np.float32), (0, 0), 1.5) * 0.5 + 0.5
    pictures, depth = np.stack([ground] * frames), np.full((frames, 96, 160), 0.2, np.float32)
    for t in range(frames):
        at = 60 + t * step
        pictures[t, 70:106, at : at + 36] = thing
        depth[t, 35:53, at // 2 : at // 2 + 18] = 0.8 - jump * (t % 2)
    return pictures, depth


@pytest.mark.parametrize("step", [0, 4, 12, 24])
def test_depth_that_moves_along_is_calm(step: int, caplog: pytest.LogCaptureFixture) -> None:
    assert flicker(*film(0.0, step)) < AREA / 2
    FlickerGuard(propagated=False).check(*film(0.0, step))
    assert not caplog.records


@pytest.mark.parametrize("step", [0, 4, 12])
def test_a_jumping_object_warns_once(step: int, caplog: pytest.LogCaptureFixture) -> None:
    guard = FlickerGuard(propagated=False)
    with caplog.at_level(logging.WARNING, "stereocast"):
        guard.check(*film(0.0, step))
        guard.check(*film(0.5, step))
        guard.check(*film(0.5, step))
    assert [record.getMessage().rsplit("; ")[1] for record in caplog.records] == ["try --propagate"]


def test_advice_is_not_what_is_done_already(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stereocast"):
        FlickerGuard(propagated=True).check(*film(0.5))
    assert "--propagate" not in caplog.text and "--strength" in caplog.text


def test_a_small_change_and_a_still_are_silent() -> None:
    assert flicker(*film(0.1)) < AREA
    pictures, depth = film(0.5)
    assert flicker(pictures[:1], depth[:1]) == 0
