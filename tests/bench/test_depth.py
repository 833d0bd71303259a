"""The metrics of bench/depth.py on maps whose figures are known."""

import json

import cv2
import numpy as np
import pytest

from bench import depth as bench
from bench import depth_edges
from bench.stereo import right_view


@pytest.fixture
def truth():
    rng = np.random.default_rng(2)
    values = cv2.GaussianBlur(rng.random((90, 120)).astype(np.float32), (0, 0), 6)
    values[rng.random(values.shape) < 0.3] = np.nan
    return values


@pytest.mark.parametrize("same_row", [False, True])
def test_ordinal(truth, same_row):
    known = np.nan_to_num(truth)
    assert bench.ordinal(known, truth, same_row) == 1
    assert bench.ordinal(-known, truth, same_row) == 0
    assert bench.ordinal(np.zeros_like(known), truth, same_row) == 0.5
    assert bench.ordinal(np.exp(9 * known), truth, same_row) == 1
    noise = np.random.default_rng(0).random(truth.shape)
    assert abs(bench.ordinal(noise, truth, same_row) - 0.5) < 0.03


def test_a_ramp_knows_nothing_of_a_row():
    ramp = np.repeat(np.arange(100, dtype=np.float32)[:, None], 100, 1)
    across = ramp.T + 0.01 * ramp
    assert bench.ordinal(ramp, across, False) == pytest.approx(0.5, abs=0.03)
    assert bench.ordinal(ramp, ramp, False) == 1


def test_fit_takes_out_scale_and_shift(truth):
    known = np.nan_to_num(truth)
    assert bench.fit_error(3 * known - 7, truth) < 1e-5
    assert bench.fit_error(np.random.default_rng(0).random(truth.shape), truth) > 0.1


def film(count=6):
    rng = np.random.default_rng(4)
    picture = cv2.resize(rng.integers(0, 255, (24, 40)).astype(np.uint8), (160, 96), interpolation=cv2.INTER_CUBIC)
    luma = np.stack([np.roll(picture, k, 1) for k in range(count)])
    return np.concatenate([luma, np.full((count, 48, 160), 128, np.uint8)], 1)


def test_flicker_is_nothing_for_depth_that_moves_along():
    frames = film()
    base = cv2.GaussianBlur(np.random.default_rng(5).random((96, 160)).astype(np.float32), (0, 0), 8)
    moving = np.stack([np.roll(base, k, 1) for k in range(6)])
    pumping = np.stack([moving[k] + (k % 2) * 0.2 * np.ptp(base) for k in range(6)])
    calm = bench.flicker(moving, frames, (96, 160))
    assert calm < 0.02
    assert bench.flicker(pumping, frames, (96, 160)) > 0.1


def test_cuts_are_left_out():
    frames = film(12)
    frames[6:, :96] = 255 - frames[6:, :96][:, ::-1]
    frames[6:, :96] //= 3
    assert bench.shots(frames) == [slice(0, 6), slice(6, 12)]


def test_a_folder_of_scenes(tmp_path, truth):
    scene = tmp_path / "depth_gt" / "one"
    scene.mkdir(parents=True)
    cv2.imwrite(str(scene / "rgb.png"), np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8))
    np.savez(scene / "gt.npz", disparity=truth, kind="disparity")
    (scene / "meta.json").write_text(json.dumps({"scene_type": "outdoor"}))
    result = bench.bench(tmp_path / "depth_gt", "embedded", 8)
    assert result["scenes"] == 1 and set(result["families"]) == {"driving"}
    assert 0 <= result["ordinal_all"] <= 1 and 0 <= result["ordinal_row"] <= 1
    assert result["k"] == 4 and result["flicker"] is None  # no films beside it


def stepped(at=60):
    """A wall with a block before it that begins at column `at`: disparity float32 [60, 120]."""
    disparity = np.full((60, 120), 4, np.float32)
    disparity[10:50, at : at + 40] = 12
    return disparity


@pytest.mark.parametrize(("shift", "found"), [(0, 1.0), (2, 1.0), (9, 0.0)])
def test_steps_are_found_within_three_pixels(shift, found):
    assert depth_edges.steps_found(stepped(60 + shift), stepped()) == found


def test_steps_of_the_wrong_sign_or_too_low_are_not_found():
    truth = stepped()
    assert depth_edges.steps_found(16 - truth, truth) == 0
    assert depth_edges.steps_found(0.4 * truth, truth) == 0
    assert depth_edges.steps_found(0.6 * truth, truth) == 1
    assert np.isnan(depth_edges.steps_found(truth, np.ones_like(truth)))


def test_an_estimate_is_brought_to_the_range_of_the_truth():
    truth = stepped()
    truth[:, :10] = np.nan
    assert np.allclose(depth_edges.scaled(0.01 * stepped() + 5, truth), stepped(), atol=1e-3)


def test_the_right_view_of_better_depth_is_better():
    truth = stepped()
    rng = np.random.default_rng(6)
    left = cv2.resize(rng.integers(0, 255, (15, 30, 3)).astype(np.uint8), (120, 60), interpolation=cv2.INTER_CUBIC)
    right = right_view(left, truth, "fast")
    exact, flat = (depth_edges.views(left, right, truth, depth) for depth in (truth, truth[:, ::-1] * 0.1 + 0.5))
    assert exact["psnr_edge"] > flat["psnr_edge"] + 5 and exact["psnr_all"] > flat["psnr_all"] + 5
    assert exact["steps"] == 1
