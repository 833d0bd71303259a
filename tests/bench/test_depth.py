"""The metrics of bench/depth.py on maps whose figures are known."""

import json

import cv2
import numpy as np
import pytest

from bench import depth as bench


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
