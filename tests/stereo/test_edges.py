import cv2
import numpy as np

from stereocast.stereo import edges


def step(height=120, width=160):
    disparity = np.full((height, width), 2, np.float32)
    disparity[30:90, 50:110] = 12
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


def test_unknown_takes_the_background_of_its_row():
    disparity = step()
    disparity[40, 45:55] = np.nan
    disparity[50] = np.nan
    filled = edges.fill_unknown(disparity)
    assert np.isfinite(filled).all()
    assert (filled[40, 45:55] == 2).all()
    assert np.array_equal(filled[50], filled[49])
    assert not edges.fill_unknown(np.full((3, 4), np.nan, np.float32)).any()
