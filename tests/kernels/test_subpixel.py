"""The production warp: Numba and torch agree with the plain reference; what it promises holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast.kernels import cpu, reference


@st.composite
def scenes(draw):
    height, width = draw(st.integers(1, 4)), draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    disparity = np.cumsum(rng.normal(0, 0.1, (height, width)), 1).astype(np.float32)
    for _ in range(draw(st.integers(0, 4))):
        begin, size = rng.integers(0, width), rng.integers(1, 20)
        disparity[:, begin : begin + size] += np.float32(rng.uniform(-10, 15))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    planes = rng.integers(0, np.iinfo(dtype).max + 1, (draw(st.integers(1, 3)), height, width)).astype(dtype)
    return planes, disparity, draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])), draw(st.booleans())


def agree(made, want):
    view, disparity, holes = (np.asarray(array) for array in made)
    assert np.array_equal(holes, want[2])
    assert np.abs(view.astype(int) - want[0].astype(int)).max(initial=0) <= 1
    assert np.array_equal(np.isnan(disparity), holes)


@settings(deadline=None, max_examples=40)
@given(scenes())
def test_numba_agrees_with_the_reference(scene):
    want = reference.warp_subpixel(*scene)
    made = cpu.warp_subpixel(*scene)
    agree(made, want)
    if scene[2]:
        shown = ~want[2]
        assert np.abs(made[1] - want[1])[shown].max(initial=0) <= 0.126 / scene[2]


@settings(deadline=None, max_examples=40)
@given(scenes())
def test_torch_agrees_with_the_reference(scene):
    torch = pytest.importorskip("torch", reason="needs the depth extra")
    from bench import subpixel

    planes, disparity, gain, mirror = scene
    want = reference.warp_subpixel(planes, disparity, gain, mirror)
    agree(subpixel.warp_subpixel(torch.from_numpy(planes), torch.from_numpy(disparity), gain, mirror), want)


def test_surfaces_have_no_cracks_and_near_hides_far():
    width = 200
    disparity = np.linspace(0, 30, width, dtype=np.float32)[None].repeat(3, 0)
    disparity[:, 100:120] = 60
    planes = np.arange(width, dtype=np.uint8)[None, None].repeat(3, 1)
    view, seen, holes = cpu.warp_subpixel(planes, disparity)
    assert not holes[:, :40].any()
    assert (view[:, :, 40:60] == planes[:, :, 100:120]).all()
    assert (seen[:, 40:60] == 60).all()


def test_a_line_one_pixel_wide_survives():
    disparity = np.zeros((1, 40), np.float32)
    disparity[0, 20] = 7
    planes = np.zeros((1, 1, 40), np.uint8)
    planes[0, 0, 20] = 255
    view, _, _ = cpu.warp_subpixel(planes, disparity)
    assert view[0, 0, 13] == 255


@pytest.mark.gpu
@settings(deadline=None, max_examples=40)
@given(scenes())
def test_cuda_agrees_with_the_reference(scene):
    import torch

    from bench import subpixel

    planes, disparity, gain, mirror = scene
    want = reference.warp_subpixel(planes, disparity, gain, mirror)
    made = subpixel.warp_subpixel(torch.from_numpy(planes).cuda(), torch.from_numpy(disparity).cuda(), gain, mirror)
    agree((array.cpu() for array in made), want)
