import numpy as np
import pytest

from stereocast.stereo import comfort

RAMP = np.linspace(0, 1, 6000, dtype=np.float32).reshape(1, 60, 100)


def test_strength_is_the_whole_range_in_percent_of_the_width():
    scale = comfort.scale_for(RAMP, 1000, 2.0, 0.5, 0.25)
    disparity = scale.disparity(RAMP)
    assert disparity.max() - disparity.min() == pytest.approx(20, abs=0.1)
    assert disparity.max() == pytest.approx(10, abs=0.1)


def test_auto_convergence_keeps_the_share_in_front_of_the_screen():
    for pop_out in (0.0, 0.25, 1.0):
        disparity = comfort.scale_for(RAMP, 1000, 2.0, "auto", pop_out).disparity(RAMP)
        low, high = comfort.spread(disparity)
        assert max(high, 0) / (high - low) == pytest.approx(pop_out, abs=0.02)


def test_a_snowflake_near_the_lens_does_not_move_the_screen():
    snow = RAMP * 0.5
    plain = comfort.auto_screen(snow, 0.25)
    snow.reshape(-1)[:10] = 1
    assert comfort.auto_screen(snow, 0.25) == pytest.approx(plain, abs=0.01)


def test_auto_strength_holds_the_one_degree_rule():
    percent = comfort.auto_strength(RAMP)
    assert percent * comfort.SCREEN_FOV_DEG / 100 == pytest.approx(1.0, abs=0.02)
    assert comfort.auto_strength(RAMP * 0.6) > percent


def test_a_smaller_screen_takes_a_stronger_effect():
    narrow, wide = (comfort.scale_for(RAMP, 1000, "auto", 0.5, 0.25, fov_deg=fov).gain for fov in (33.0, 66.0))
    assert narrow == pytest.approx(2 * wide)


def test_metric_depth_is_scaled_by_the_nearest_surface():
    metric = RAMP * 4  # down to 0.25 m
    unit = comfort.metric_unit(metric)
    relative = comfort.scale_for(RAMP, 1000, 2.0, 0.5, 0.25).disparity(RAMP)
    scaled = comfort.scale_for(metric, 1000, 2.0, 0.5, 0.25, unit).disparity(metric)
    assert np.abs(relative - scaled).max() < 0.5
