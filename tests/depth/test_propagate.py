"""Carrying depth along flow."""

import numpy as np

from stereocast.depth.propagate import Propagation, moved, occluded


def flow_of(dx: float, shape=(6, 10)) -> np.ndarray:
    flow = np.zeros((*shape, 2), np.float32)
    flow[..., 0] = dx
    return flow


def test_one_step_moves_and_keeps_the_former_value_in_holes():
    depth = np.arange(60, dtype=np.float32).reshape(6, 10)
    out = moved(depth, flow_of(2.4))
    np.testing.assert_array_equal(out[:, 2:], depth[:, :-2])
    np.testing.assert_array_equal(out[:, :2], depth[:, :2])
    np.testing.assert_array_equal(moved(depth, flow_of(0)), depth)
    hidden = np.zeros((6, 10), bool)
    hidden[0] = True
    np.testing.assert_array_equal(moved(depth, flow_of(2), hidden)[0], depth[0])


def test_the_last_in_raster_order_wins():
    depth = np.array([[1, 2, 3]], np.float32)
    flow = np.zeros((1, 3, 2), np.float32)
    flow[0, 0, 0], flow[0, 2, 0] = 1, -1
    np.testing.assert_array_equal(moved(depth, flow), [[1, 3, 3]])


def test_consistent_flow_hides_nothing():
    found = occluded(flow_of(2), flow_of(-2))
    assert not found[:, :-2].any()
    assert found[:, -2:].all(), "what leaves the picture is hidden"
    assert occluded(flow_of(2), flow_of(0)).all()


def test_every_frame_gets_the_mean_of_all_maps():
    """Within reach it is the paper's sum: without motion, the mean over the frames in reach."""
    maps = np.random.default_rng(0).random((7, 6, 10)).astype(np.float32)
    state, out = Propagation(reach=2), []
    for number, depth in enumerate(maps):
        out += state.push_with_flow(flow_of(0) if number else None, depth)
        assert len(out) == max(0, number - 1), "two frames of delay, no more"
    out += state.finish()
    want = [maps[max(0, n - 2) : n + 3].mean(0) for n in range(7)]
    np.testing.assert_allclose(out, want, atol=1e-6)


def test_moving_depth_follows_its_flow():
    base = np.random.default_rng(1).random((6, 10)).astype(np.float32)
    maps = [np.roll(base, n, 1) for n in range(4)]
    state, out = Propagation(reach=3), []
    for number, depth in enumerate(maps):
        out += state.push_with_flow(flow_of(1) if number else None, depth)
    out += state.finish()
    for found, want in zip(out, maps, strict=True):
        np.testing.assert_allclose(found[:, 3:7], want[:, 3:7], atol=1e-6)


def test_flicker_on_pictures_falls():
    texture = np.random.default_rng(2).integers(0, 255, (48, 80), dtype=np.uint8)
    stream = np.random.default_rng(3)
    truth = np.linspace(0, 1, 80, dtype=np.float32)[None].repeat(48, 0)
    noisy = [truth + stream.normal(0, 0.1, truth.shape).astype(np.float32) for _ in range(12)]
    state, out = Propagation(), []
    for depth in noisy:
        out += state.push(texture, depth)
    out += state.finish()
    assert np.abs(np.stack(out) - truth).mean() < 0.5 * np.abs(np.stack(noisy) - truth).mean()
