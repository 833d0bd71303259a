import cv2
import numpy as np
import pytest

from stereocast.stereo import edges


def step(height=120, width=160):
    disparity = np.full((height, width), 2, np.float32)
    disparity[31:88, 49:106] = 12
    return disparity


def test_enlarged_steps_are_sharp_and_in_place():
    true = step()
    small = cv2.resize(true, (40, 30), interpolation=cv2.INTER_AREA)
    big = edges.enlarge(small, 120, 160)
    wrong = np.abs(big - true) > 0.5
    assert wrong.mean() < 0.03
    between = (big > 3) & (big < 11)
    assert between.mean() < 0.01


def test_slopes_are_left_alone():
    ramp = np.linspace(0, 20, 40, dtype=np.float32)[None].repeat(30, 0)
    assert np.allclose(edges.enlarge(ramp, 120, 160), cv2.resize(ramp, (160, 120)))


def test_an_exact_map_is_not_touched():
    true = step()
    true[60:64, 20:140] = 7
    assert edges.softness(true) == 1
    assert np.array_equal(edges.snap(true), true)


@pytest.mark.parametrize("method", [cv2.INTER_LINEAR, cv2.INTER_CUBIC])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_soft_map_gets_its_steps_back(factor, method):
    true = step()
    small = cv2.resize(true, (160 // factor, 120 // factor), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(small, (160, 120), interpolation=method)
    sharp = edges.snap(soft)
    assert edges.softness(soft) > 1.5
    assert ((sharp > 3) & (sharp < 11)).sum() < 0.2 * ((soft > 3) & (soft < 11)).sum()
    assert (np.abs(sharp - true) > 1).mean() < 0.8 * (np.abs(soft - true) > 1).mean()


def test_snapping_is_stable_under_small_noise():
    soft = cv2.resize(cv2.resize(step(), (53, 40), interpolation=cv2.INTER_AREA), (160, 120))
    noisy = soft + np.random.default_rng(0).normal(0, 0.05, soft.shape).astype(np.float32)
    assert (np.abs(edges.snap(noisy) - edges.snap(soft)) > 1).mean() < 0.01


def test_unknown_takes_the_background_of_its_row():
    disparity = step()
    disparity[40, 44:54] = np.nan
    disparity[50] = np.nan
    filled = edges.fill_unknown(disparity)
    assert np.isfinite(filled).all()
    assert (filled[40, 44:54] == 2).all()
    assert np.array_equal(filled[50], filled[49])
    assert not edges.fill_unknown(np.full((3, 4), np.nan, np.float32)).any()
