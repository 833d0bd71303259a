"""Depth from motion on scenes of textured layers that are moved by a known camera."""

import cv2
import numpy as np
import pytest

from stereocast.depth import ahead, epipolar, motion
from stereocast.depth.refine import MotionCorrection
from stereocast.kernels import cpu_motion, reference
from stereocast.types import Clip, DepthMap, PixelFormat
from tests.layers import H, W, shifted, texture, travel


def ramp(count: int):
    """What an estimator that misses the box says."""
    return np.repeat(np.repeat(np.linspace(0.1, 0.7, H, dtype=np.float32)[None, :, None], W, 2), count, 0)


def run(greys, prior, length: int = 8):
    """The film in clips through a fresh state."""
    fusion, out = motion.MotionFusion(), []
    for at in range(0, len(greys), length):
        part = greys[at : at + length]
        out.append(fusion(part, prior[at : at + length], [None] * len(part)))
    return np.concatenate(out)


def lifted(depth, truth, number: int) -> float:
    """By how much the box stands before its surroundings at the same height."""
    box = truth[number] == 1
    rows = box.any(1)
    return float(depth[number][rows][box[rows]].mean() - depth[number][rows][~box[rows]].mean())


def test_a_passing_camera_finds_the_box_that_the_estimator_misses():
    greys, truth = travel()
    prior = ramp(len(greys))
    fused = run(greys, prior)
    for number in (0, 4, 9, 15):
        assert lifted(prior, truth, number) == pytest.approx(0, abs=0.03)
        assert lifted(fused, truth, number) > 0.1, number


def test_the_correction_is_there_from_the_first_frame_and_steady():
    greys, truth = travel()
    fused = run(greys, ramp(len(greys)))
    change = np.abs(np.diff(fused[:, 40, 20])).max()  # a place that the box doesn't cross
    assert change < 0.08
    heights = [lifted(fused, truth, number) for number in range(len(greys))]
    assert np.abs(np.diff(heights)).max() < 0.12


def test_a_slow_start_eases_in():
    """The camera stands, then moves: no jump when the evidence arrives."""
    still, _ = travel(1, 0.0)
    greys, truth = travel(24, 2.0)
    film = [greys[0]] * 12 + greys
    fused = run(film, ramp(len(film)))
    first = np.abs(np.diff(fused, axis=0)).mean((1, 2))
    assert first[:11].max() == 0
    looks = first[12:][first[12:] > 0]
    assert looks.max() < 3 * np.median(looks), "no step where motion is looked at"
    assert 0 < first.max() < 0.06
    assert lifted(fused[12:], truth, 22) > 0.1


def pan(t):
    return shifted(texture(3), 3 * t, 0.5 * t)


def zoom(t):
    return shifted(texture(3), 0, 0, 1.02**-t)


def tripod(t):
    noise = np.random.default_rng(t).normal(0, 1.5, (H, W))
    return np.clip(shifted(texture(3), 0) + noise, 0, 255).astype(np.uint8)


def talking_head(t):
    grey = tripod(t)
    grey[20:90, 50:110] = shifted(texture(4), 4 * np.sin(t), 3 * np.cos(1.3 * t))[20:90, 50:110]
    return grey


def near_mover(t):
    """A lorry drives through half of a picture whose camera stands still."""
    grey = shifted(texture(3), 0)
    grey[20:, 20:140] = shifted(texture(5), -4 * t)[20:, 20:140]
    return grey


def car_window(t):
    """From the driver's seat: what is near stands still, what is far rushes by."""
    grey = shifted(texture(3), 0)
    grey[10:50] = shifted(texture(6), 5 * t)[10:50]
    return grey


@pytest.mark.parametrize("film", [pan, zoom, tripod, talking_head, car_window])
def test_films_without_depth_in_their_motion_come_out_as_they_went_in(film):
    greys = [film(t) for t in range(16)]
    prior = ramp(len(greys))
    np.testing.assert_array_equal(run(greys, prior), prior)


def test_a_large_near_mover_before_a_still_camera_does_not_turn_the_scene_over():
    greys = [near_mover(t) for t in range(16)]
    prior = ramp(len(greys))
    fused = run(greys, prior)
    assert np.abs(fused - prior).mean() < 0.02


def test_a_walker_whom_the_camera_follows_does_not_sink():
    """He stands still on the screen while the street goes by, as something very far would."""
    greys, truth = travel(20, 2.0)
    walker = shifted(texture(7), 0)
    prior = ramp(len(greys))
    for grey in greys:
        grey[20:90, 30:60] = walker[20:90, 30:60]
    prior[:, 20:90, 30:60] = 0.8
    fused = run(greys, prior)
    inside, beside = fused[:, 30:80, 34:56].mean(), fused[:, 30:80, 4:20].mean()
    assert inside > beside + 0.1


def test_subtitles_keep_the_depth_of_the_estimator_or_their_surroundings():
    greys, _ = travel(20, 2.0)
    plain = run(greys, ramp(20))
    titled = [cv2.putText(grey.copy(), "WHO IS IT", (10, 88), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2) for grey in greys]
    fused = run(titled, ramp(20))
    text = titled[10] == 255
    assert np.abs(fused[10][text] - plain[10][text]).mean() < 0.08
    assert (fused[10][text] - ramp(1)[0][text]).mean() > -0.1


def with_patch(greys, patch, rows: slice, columns: slice):
    """The film with `patch(t)` [H, W] shown in one part of the screen."""
    out = []
    for t, grey in enumerate(greys):
        grey = grey.copy()
        grey[rows, columns] = patch(t)[rows, columns]
        out.append(grey)
    return out


def test_a_thing_that_moves_along_the_epipolar_lines_disturbs_itself_alone():
    """It drives against the camera's travel and passes for something near: no geometry tells them apart."""
    greys, _ = travel(20, 2.0)
    mover = texture(8)
    fused = run(with_patch(greys, lambda t: shifted(mover, 2.6 * t), slice(4, 20), slice(20, 60)), ramp(20))
    assert (fused - ramp(20))[:, 6:18, 24:56].min() > -0.05, "it doesn't sink"
    assert np.abs(fused - run(greys, ramp(20)))[:, 30:].mean() < 0.04
    assert np.abs(np.diff(fused, axis=0)).mean((1, 2)).max() < 0.05


def test_a_mirror_sinks_no_further_than_the_limit():
    """Mirror images are behind the mirror and move like distant objects."""
    greys, _ = travel(20, 2.0)
    shown = texture(9)
    fused = run(with_patch(greys, lambda t: shifted(shown, 0.2 * t), slice(50, 90), slice(20, 60)), ramp(20))
    assert (fused - ramp(20))[:, 54:86, 24:56].min() > -motion._SINK
    assert (fused - ramp(20))[:, 4:36, 4:60].mean() > -0.1, "nor does it take along what isn't it"


@pytest.mark.parametrize("corner", [(slice(4, 20), slice(4, 40)), (slice(76, 92), slice(120, 156))])
def test_a_logo_does_not_sink(corner):
    greys, truth = travel(20, 2.0)
    logo = cv2.putText(np.zeros((16, 36), np.uint8), "TV1", (1, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 2) > 0
    marked = [grey.copy() for grey in greys]
    for grey in marked:
        grey[corner][logo] = 255
    fused = run(marked, ramp(20))
    letters = np.zeros((H, W), bool)
    letters[corner] = logo
    assert (fused - run(greys, ramp(20)))[:, letters].mean() > -0.06
    assert lifted(fused, truth, 9) > 0.1, "the rest gains as before"


def test_sparse_evidence_weighs_less():
    """A few sure edges don't decide over the plain wall between them."""
    flat, prior = np.full((40, 60), 128, np.uint8), np.full((40, 60), 0.4, np.float32)
    moved = []
    for step in (1, 5):
        fusion = motion.MotionFusion()
        fusion._greys.append(flat)
        weight = np.zeros_like(prior)
        weight[::step, ::step] = 1
        fusion._state = np.stack([prior * 0, np.full_like(prior, 0.7), weight, prior * 0], -1)
        fusion._gain = 1.0
        fusion._correct(prior, flat, at_once=True)
        moved.append(float(fusion._state[..., 0].mean()))
    assert moved[0] > 0.28
    assert moved[1] < 0.2


def test_a_cut_forgets():
    one, _ = travel(12, 2.0)
    other = [pan(t) for t in range(12)]
    fusion = motion.MotionFusion()
    fusion(one, ramp(12), [None] * 12)
    fusion.begin()
    np.testing.assert_array_equal(fusion(other, ramp(12), [None] * 12), ramp(12))


def through(greys, prior, lengths):
    """The film as one shot in clips of these lengths, the last one repeated, through the stage's opening."""

    def estimates():
        at = 0
        sizes = [*lengths]
        while at < len(greys):
            size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
            part = greys[at : at + size]
            frames = np.zeros((len(part), 2, 2, 3), np.uint8)
            clip = Clip(frames, np.arange(at, at + len(part)), first=at == 0, last=at + len(part) == len(greys))
            yield ahead.Estimate(clip, part, prior[at : at + len(part)], [None] * len(part), DepthMap)
            at += len(part)

    pairs = list(ahead.fused(estimates()))
    assert np.concatenate([clip.pts for clip, _ in pairs]).tolist() == [*range(len(greys))]
    return np.concatenate([depth.values for _, depth in pairs])


@pytest.mark.parametrize("lengths", [[1], [2], [3], [8], [12], [20], [5, 2]])
def test_how_frames_are_bundled_changes_nothing(lengths):
    """The pipeline's clips have two frames, fewer than the way to a reference ahead."""
    greys, _ = travel()
    fused = through(greys, ramp(20), lengths)
    assert np.abs(fused[0] - ramp(1)[0]).mean() > 0.02, "corrected from the first frame"
    np.testing.assert_array_equal(fused, run(greys, ramp(20), 10))


def test_one_reference_alone_does_not_open_a_shot():
    """A fast first pair that nothing confirms: the shot starts with the estimator's depth, however it is divided into clips."""
    greys, _ = travel(2, 12.0)
    film = greys + [pan(t) for t in range(14)]
    for lengths in ([2], [16]):
        np.testing.assert_array_equal(through(film, ramp(16), lengths)[:4], ramp(16)[:4])
    alone = through(greys, ramp(2), [2])
    assert np.abs(alone - ramp(2)).mean() > 0.02, "a film of two frames has but one"


def test_clips_of_two_shots_are_held_and_given_out_in_order():
    one, _ = travel(5, 2.0)
    frames = np.zeros((5, 2, 2, 3), np.uint8)
    made = [ahead.Estimate(Clip(frames, np.arange(5) + 5 * n), one, ramp(5), [None] * 5, DepthMap) for n in range(3)]
    assert [int(clip.pts[0]) for clip, _ in ahead.fused(iter(made))] == [0, 5, 10]


def test_camera_motion_is_recovered_with_a_fifth_of_the_points_moving_by_themselves():
    rng = np.random.default_rng(0)
    focal = epipolar.focal_px(288)
    for direction, turn in (((1, 0.1, 0.2), (0.01, 0.02, 0.0)), ((0.1, 0.0, 1.0), (0.0, -0.01, 0.02))):
        direction = np.array(direction) / np.linalg.norm(direction)
        points = rng.uniform(-0.5, 0.5, (900, 2))
        rotation = epipolar.rotation_of(np.array(turn))
        seen = np.c_[points, np.ones(900)] @ rotation.T + rng.uniform(0.02, 0.12, (900, 1)) * direction
        moved = seen[:, :2] / seen[:, 2:] + rng.normal(0, 0.1 / focal, (900, 2))
        moved[:180] += rng.uniform(-0.05, 0.05, (180, 2))
        found = epipolar.camera_motion(points, moved, np.ones(900), focal)
        assert np.degrees(np.arccos(np.clip(found.direction @ direction, -1, 1))) < 4
        np.testing.assert_allclose(found.rotation, rotation, atol=0.004)
        assert found.noise_px < 0.4
        assert found.inliers > 0.75


def test_turning_and_zooming_is_recognised_before_movers():
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.5, 0.5, (600, 2))
    moved = 1.05 * epipolar.turned(points, epipolar.rotation_of(np.array([0.03, -0.05, 0.02])))
    moved[:200] += 0.08
    off = epipolar.turn_and_zoom(points, moved, np.ones(600), 250.0)
    assert off[200:].max() < 0.1
    assert off[:200].min() > 5


def test_parallax_kernel_agrees_with_its_twin():
    rng = np.random.default_rng(2)
    flow, back = (rng.normal(0, 3, (20, 30, 2)).astype(np.float32) for _ in range(2))
    slopes = [rng.normal(0, 8, (20, 30)).astype(np.float32) for _ in range(2)]
    rotation = epipolar.rotation_of(np.array([0.02, -0.03, 0.01]))
    direction = np.array([0.8, 0.1, 0.59])
    got = [np.empty((20, 30), np.float32) for _ in range(3)]
    cpu_motion.motion_parallax(flow, back, *slopes, rotation, direction, 26.0, 0.3, *got)
    for mine, twin in zip(
        got, reference.motion_parallax(flow, back, *slopes, rotation, direction, 26.0, 0.3), strict=True
    ):
        np.testing.assert_allclose(mine, twin, rtol=1e-3, atol=1e-4)


def test_filter_kernel_agrees_with_its_twin_and_keeps_constants():
    rng = np.random.default_rng(3)
    values = rng.random((2, 12, 17)).astype(np.float32)
    crosses = [rng.random((12, 17)).astype(np.float32) for _ in range(2)]
    wanted = reference.recursive_filter(values, *crosses)
    cpu_motion.recursive_filter(values, *crosses)
    np.testing.assert_allclose(values, wanted, atol=1e-5)
    flat = np.full((1, 12, 17), 0.3, np.float32)
    cpu_motion.recursive_filter(flat, *crosses)
    np.testing.assert_allclose(flat, 0.3, atol=1e-6)


@pytest.mark.parametrize("metric", [False, True])
def test_the_stage_corrects_any_estimator_inside_black_bars(metric):
    greys, truth = travel(16)
    frames = np.zeros((16, (H + 32) * 2, W * 2, 3), np.uint8)
    for frame, grey in zip(frames, greys, strict=True):
        frame[32:-32] = cv2.resize(grey, (2 * W, 2 * H), interpolation=cv2.INTER_CUBIC)[..., None]
    values = np.pad(ramp(16), ((0, 0), (16, 16), (0, 0)), mode="edge") * (3 if metric else 1)
    clip = Clip(frames, np.arange(16), PixelFormat.RGB24)
    ((_, depth),) = MotionCorrection()(iter([(clip, DepthMap(values, metric))]))
    assert depth.metric is metric
    inner = depth.values[:, 16:-16] / (3 if metric else 1)
    assert lifted(inner, truth, 8) > 0.08
    assert depth.values.min() >= 0
    np.testing.assert_array_equal(depth.values[:, :14], values[:, :14])
