"""Depth over time: scale, alignment, motion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast.depth import steady


def texture(seed=0, size=(64, 96)):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (size[0] // 4, size[1] // 4))
    return np.kron(coarse, np.ones((4, 4))).astype(np.uint8)


def test_one_near_speck_does_not_push_the_scene_back():
    raw = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None], (1, 96))[None]
    snow = raw.copy()
    snow[0, 10:14, 10:14] = 50
    plain, specked = steady.Scale(), steady.Scale()
    plain.look(raw)
    specked.look(snow)
    assert np.abs(plain(raw) - specked(raw)).max() < 0.02


def test_the_scale_follows_slowly_and_starts_anew():
    scale = steady.Scale(follow=0.05)
    raw = np.linspace(0, 1, 64 * 96, dtype=np.float32).reshape(1, 64, 96)
    scale.look(raw)
    before = scale(raw)
    scale.look(3 * raw)
    assert np.abs(scale(raw) - before).max() < 0.15
    scale.reset()
    scale.look(3 * raw)
    assert np.allclose(scale(3 * raw), before, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.7, 1.5), st.floats(-0.5, 0.5), st.integers(0, 99))
def test_alignment_takes_out_scale_and_shift(slope, shift, seed):
    target = np.random.default_rng(seed).random((20, 30)).astype(np.float32)
    fitted = steady.aligned((target - shift) / slope, target, np.ones_like(target))
    assert np.allclose(fitted, target, atol=1e-3)


def test_alignment_invents_no_range():
    flat = np.full((20, 30), 0.5, np.float32)
    ramp = np.tile(np.linspace(0, 1, 30, dtype=np.float32), (20, 1))
    assert np.ptp(steady.aligned(flat, ramp, np.ones_like(flat))) < 1e-6
    assert np.array_equal(steady.aligned(ramp, flat, np.zeros_like(flat)), ramp)


def test_the_first_frame_needs_depth():
    with pytest.raises(ValueError, match="first frame"):
        steady.FlowSmoother(0.5)(texture(), None)


def test_depth_moves_with_the_picture():
    smoother = steady.FlowSmoother(0.6)
    picture = texture(3, (64, 128))
    depth = np.zeros((64, 128), np.float32)
    depth[20:44, 40:70] = 1
    result = smoother(picture, depth)
    for _ in range(4):
        picture, depth = np.roll(picture, 2, 1), np.roll(depth, 2, 1)
        result = smoother(picture, None)
    assert np.abs(result - depth)[:, 16:112].mean() < 0.05


def test_smoothing_calms_noise_and_zero_keeps_it():
    rng = np.random.default_rng(1)
    picture, base = texture(), np.tile(np.linspace(0.2, 0.8, 96, dtype=np.float32), (64, 1))
    noisy = [base + rng.normal(0, 0.05, base.shape).astype(np.float32) for _ in range(12)]
    calm, raw = steady.FlowSmoother(0.8), steady.FlowSmoother(0.0)
    smooth = [calm(picture, frame) for frame in noisy]
    same = [raw(picture, frame) for frame in noisy]
    assert np.abs(np.diff(smooth, axis=0)).mean() < 0.5 * np.abs(np.diff(noisy, axis=0)).mean()
    assert np.array_equal(same[5], noisy[5])


def test_pumping_of_single_frames_is_taken_out():
    picture, base = texture(), np.tile(np.linspace(0.2, 0.8, 96, dtype=np.float32), (64, 1))
    smoother = steady.FlowSmoother(0.6)
    results = [smoother(picture, base * (1 + 0.1 * (-1) ** k)) for k in range(10)]
    assert np.abs(np.diff(results[4:], axis=0)).mean() < 0.01


def test_a_reset_forgets():
    smoother = steady.FlowSmoother(0.9)
    smoother(texture(), np.zeros((64, 96), np.float32))
    smoother.reset()
    assert np.array_equal(smoother(texture(1), np.ones((64, 96), np.float32)), np.ones((64, 96), np.float32))


def test_depth_that_comes_seldom_is_spread_over_the_frames_between():
    picture, flat = texture(), np.full((64, 96), 0.2, np.float32)
    near = flat.copy()
    near[20:40, 30:60] = 0.8
    near[0], near[-1] = 0, 1  # something to align on
    smoother, out = steady.FlowSmoother(0.2, every=4), []
    for own in (flat, None, None, None, near, None, None, None, near, None):
        out.append(smoother(picture, own))
    heights = np.array([depth[25:35, 35:55].mean() for depth in out])
    steps = np.diff(heights)
    assert np.allclose(steps[:3], 0, atol=1e-4)
    assert heights[7] > 0.35
    assert np.allclose(steps[3:7], (heights[7] - heights[0]) / 4, rtol=0.02), "four equal steps, no jump"


def test_what_the_flow_cannot_follow_changes_at_once():
    black, white = np.zeros((64, 96), np.uint8), np.full((64, 96), 255, np.uint8)
    own = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (64, 1))
    spread, direct = (steady.FlowSmoother(0.2, every) for every in (4, 1))
    for smoother in (spread, direct):
        smoother(black, np.full((64, 96), 0.2, np.float32))
    assert np.allclose(spread(white, own), direct(white, own), atol=1e-3)
