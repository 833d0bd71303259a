"""The exact warp: every back end equals nested loops, for any size, type, sign and exponent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereocast import kernels
from stereocast.kernels import cpu_exact, reference

DTYPES = [np.uint8, np.uint16, np.float32, np.float16, np.float64, np.int64, np.bool_]


def loops(source, depth, scale_percent, exponent):
    """The paper's nested loops, one pixel at a time."""
    channels, rows, width = source.shape
    out, blank = np.zeros_like(source), np.ones(depth.shape, bool)
    factor = np.float32(-(scale_percent / 100) * width)
    for n in range(rows):
        for i in range(width):
            column = i if factor <= 0 else width - 1 - i
            power = depth[n, column]
            if exponent != 1:
                power = np.float32(np.float64(power) ** exponent)
            landing = float(np.trunc(power * factor)) + column
            if 0 <= landing < width:
                out[:, n, int(landing)] = source[:, n, column]
                blank[n, int(landing)] = False
    return out, blank


@st.composite
def cases(draw):
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 33)))
    dtype = draw(st.sampled_from(DTYPES))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 2 if dtype is np.bool_ else 200, shape).astype(dtype)
    low, high = draw(st.sampled_from([(0, 1), (-0.5, 1.5), (0.4, 0.6)]))
    exponent = draw(st.sampled_from([1.0, 1.0, 2.0, 0.5, float(np.e)]))
    depth = rng.uniform(max(low, 0) if exponent != 1 else low, high, shape[1:]).astype(np.float32)
    if draw(st.booleans()):
        depth = np.round(depth * 8) / np.float32(8)  # many pixels that meet
    return source, depth, draw(st.floats(-150, 150, allow_nan=False)), exponent


@settings(deadline=None, max_examples=120)
@given(cases())
def test_every_back_end_equals_the_loops(case):
    source, depth, scale, exponent = case
    want, blank = loops(*case)
    for warp in (reference.warp_exact, cpu_exact.warp_exact, kernels.warp_exact):
        out, empty = warp(source, depth, scale, exponent)
        assert np.array_equal(out, want)
        assert np.array_equal(empty, blank)


@settings(deadline=None, max_examples=60)
@given(cases())
def test_torch_equals_the_loops(case):
    torch = pytest.importorskip("torch", reason="needs the depth extra")
    source, depth, scale, exponent = case
    want, blank = loops(*case)
    out, empty = kernels.warp_exact(torch.from_numpy(source), torch.from_numpy(depth), scale, exponent)
    assert np.array_equal(out.numpy(), want)
    assert np.array_equal(empty.numpy(), blank)


@pytest.mark.gpu
@settings(deadline=None, max_examples=60)
@given(cases())
def test_cuda_equals_the_loops(case):
    import torch

    from stereocast.kernels import cuda

    source, depth, scale, exponent = case
    want, blank = loops(*case)
    for triton in (False, True):
        out, empty = cuda.warp_exact(
            torch.from_numpy(source).cuda(), torch.from_numpy(depth).cuda(), scale, exponent, triton=triton
        )
        assert np.array_equal(out.cpu().numpy(), want)
        assert np.array_equal(empty.cpu().numpy(), blank)


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 20)), elements=st.floats(0, 1, width=32)))
def test_zero_scale_or_zero_depth_is_the_identity(depth):
    source = np.arange(depth.size * 2, dtype=np.int32).reshape(2, *depth.shape)
    for scale, map_ in ((0.0, depth), (70.0, np.zeros_like(depth))):
        out, blank = cpu_exact.warp_exact(source, map_, scale)
        assert np.array_equal(out, source)
        assert not blank.any()


@settings(deadline=None, max_examples=60)
@given(cases())
def test_mirror_image_swaps_the_sign(case):
    source, depth, scale, exponent = case
    out, blank = cpu_exact.warp_exact(source, depth, scale, exponent)
    mirrored, empty = cpu_exact.warp_exact(source[..., ::-1], depth[..., ::-1], -scale, exponent)
    if scale != 0:
        assert np.array_equal(mirrored[..., ::-1], out)
        assert np.array_equal(empty[..., ::-1], blank)


def test_clips_and_latents_keep_their_shape():
    latents = np.random.default_rng(0).normal(size=(4, 3, 8, 16)).astype(np.float32)
    depth = np.random.default_rng(1).uniform(size=(3, 8, 16)).astype(np.float32)
    out, blank = kernels.warp_exact(latents, depth, 37)
    assert out.shape == latents.shape
    assert blank.shape == depth.shape
    assert (out[:, blank] == 0).all()


def test_nan_and_infinite_depth_goes_nowhere():
    source = np.ones((1, 1, 4), np.uint8)
    depth = np.array([[np.nan, np.inf, -1, 0]], np.float32)
    for warp in (reference.warp_exact, cpu_exact.warp_exact):
        out, blank = warp(source, depth, 25.0, 0.5)
        assert blank.tolist() == [[True, True, True, False]]
        assert out.tolist() == [[[0, 0, 0, 1]]]
