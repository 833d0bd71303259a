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


def test_a_scale_in_numbers():
    """Percentiles of every second sample; each frame moves the range by its share."""
    raw = np.zeros((2, 20, 20), np.float32)
    raw[:, ::2, ::2] = np.linspace(0, 99, 100).reshape(10, 10)
    scale = steady.Scale(follow=0.1)
    assert np.allclose(scale(np.float32([-1, 0.25, 2])), [0, 0.25, 1]), "before anything was seen"
    scale.look(raw)
    low, high = np.percentile(np.arange(100), (2, 98))
    assert np.allclose(scale(raw[:, ::2, ::2]), np.clip((raw[:, ::2, ::2] - low) / (high - low), 0, 1))
    scale.look(raw + 100)  # two frames: 1 - 0.9 ** 2
    assert np.allclose(scale(np.float32([low + 19, high + 19, low + 0.19 * 100 + (high - low) / 4])), [0, 1, 0.25])
    flat = steady.Scale()
    flat.look(np.full((1, 8, 8), 3, np.float32))
    assert flat(np.float32([2.9999, 3, 3.0000005, 3.1])).tolist()[:2] == [0, 0]
    assert flat(np.float32([3.1])) == 1
    assert flat(raw).dtype == np.float32
    usual, other = steady.Scale(), steady.Scale(0.05)
    for each in (usual, other):
        each.look(raw)
        each.look(raw * 2)
    assert np.array_equal(usual(raw), other(raw))


@pytest.mark.parametrize(
    ("slope", "used"), [(0.5, 0.6), (0.6, 0.6), (0.7, 0.7), (1.6, 1.6), (1.7, 1.7), (1.8, 1.7), (-1, 0.6)]
)
def test_alignment_is_limited(slope, used):
    depth = np.array([[0, 1, 2, 5], [1, 1, 0, 9]], np.float32)
    weight = np.array([[1, 1, 1, 0], [2, 1, 1, 0]], np.float32)
    target = slope * depth + 3
    target[:, 3] = 77  # where the weight is zero, nothing counts
    middle = (weight * depth).sum() / weight.sum()
    found = steady.aligned(depth, target, weight)
    assert found == pytest.approx(used * (depth - middle) + slope * middle + 3, rel=1e-5)


@pytest.mark.parametrize(("weight", "fits"), [(0.0009, False), (0.0011, True)])
def test_alignment_needs_a_thousandth_of_trust(weight, fits):
    depth = np.array([[0, 1], [2, 3]], np.float32)
    found = steady.aligned(depth, depth + 1, np.full((2, 2), weight))
    assert np.allclose(found, depth + fits)


@pytest.mark.parametrize(("spread", "slope"), [(0.0005, 1.0), (0.005, 0.6)])
def test_nearly_flat_depth_has_no_scale(spread, slope):
    depth = np.array([[-spread, spread]])
    found = steady.aligned(depth, np.zeros((1, 2)), np.ones((1, 2)))
    assert found == pytest.approx(slope * depth)


def uniform(value, kind=np.float32):
    return np.full((16, 24), value, kind)


def still(keep, every=1):
    """A smoother in whose eyes nothing moves."""
    made = steady.FlowSmoother(keep, every)
    made._flow = lambda grey, other: np.zeros((*grey.shape, 2), np.float32)
    return made


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("change", [0, 6, 12, 24])
def test_smoothing_in_numbers(keep, change):
    """A fifth of the deviation from the past stays, less what is kept of the past where the picture is the same."""
    smoother = still(keep)
    smoother(uniform(100, np.uint8), uniform(0.2))
    found = smoother(uniform(100 + change, np.uint8), uniform(0.7))
    trust = np.exp(-change / 12)
    wanted = 0.7 if keep == 0 else 0.2 + 0.2 * 0.5 * (1 - keep * trust)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("every", [1, 2, 4])
@pytest.mark.parametrize("change", [0, 12])
def test_a_change_is_spread_in_numbers(every, change):
    smoother = still(0.5, every)
    smoother(uniform(100, np.uint8), uniform(0.2))
    grey = uniform(100 + change, np.uint8)
    trust = np.exp(-change / 12)
    whole = 0.2 * 0.5 * (1 - 0.5 * trust)
    each = trust**0.5 * whole / every
    found = [float(smoother(grey, depth).mean()) for depth in (uniform(0.7), None, None, None, None, None)]
    wanted = [0.2 + whole - max(0, every - 1 - n) * each for n in range(6)]
    assert found == pytest.approx(wanted, abs=1e-5)


def test_depth_and_its_change_travel_along_the_flow():
    smoother = steady.FlowSmoother(0.5, every=2)
    smoother._flow = lambda grey, other: np.dstack([uniform(-2), uniform(1)])
    rng = np.random.default_rng(0)
    grey = uniform(90, np.uint8)
    first = smoother(grey, rng.random((16, 24)).astype(np.float32))
    second = smoother(grey, None)
    assert np.allclose(second[:-1, 2:], first[1:, :-2], atol=1e-6)
    assert np.allclose(second[:, 0], second[:, 2], atol=1e-6), "beyond the side, the last column goes on"
    third = smoother(grey, rng.random((16, 24)).astype(np.float32))
    step = smoother._change.copy()
    fourth = smoother(grey, None)
    assert np.allclose((fourth[:-1, 2:] - third[1:, :-2]), step[1:, :-2], atol=1e-5)
    smoother.reset()
    assert smoother._left == 0
    with pytest.raises(ValueError, match="first frame"):
        smoother(grey, None)


def test_depth_stays_in_its_range():
    smoother = still(0.9)
    smoother(uniform(10, np.uint8), uniform(1.0))
    found = smoother(uniform(250, np.uint8), np.tile(np.linspace(-3, 4, 24, dtype=np.float32), (16, 1)))
    assert (found.min(), found.max()) == (0, 1)
