"""Layouts: where each eye's pixels go."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast import planes
from stereocast.pack import layouts
from stereocast.pack.packer import FlatPacker
from stereocast.types import Anaglyph, Colour, DepthMap, Layout, PixelFormat, StereoClip, StereoFormat

FLAT = [layout for layout in Layout if layout is not Layout.VR180]


def clip(
    height: int = 8, width: int = 12, pixel_format: PixelFormat = PixelFormat.YUV420P, seed: int = 0
) -> StereoClip:
    rng = np.random.default_rng(seed)
    shape = (2, height * 3 // 2, width) if pixel_format.planar else (2, height, width, 3)
    top = 1 << pixel_format.bits
    left, right = (rng.integers(0, top, shape).astype(pixel_format.dtype) for _ in range(2))
    depth = DepthMap(rng.random((2, height, width), np.float32))
    return StereoClip(left, right, np.arange(2), pixel_format, depth=depth)


@pytest.mark.parametrize("layout", FLAT)
@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_shape_says_what_comes_out(layout: Layout, pixel_format: PixelFormat) -> None:
    packer = FlatPacker(StereoFormat(layout))
    stereo = clip(pixel_format=pixel_format)
    packed = next(iter(packer(iter([stereo]))))
    assert planes.size(packed.frames[0], pixel_format) == packer.shape(8, 12)
    assert packed.frames.dtype == stereo.left.dtype
    assert (packed.second is not None) == (layout is Layout.PAIR)


UNPACK: dict[Layout, Callable] = {
    Layout.SBS: lambda p: (p[:, : p.shape[1] // 2], p[:, p.shape[1] // 2 :]),
    Layout.CROSS_EYED: lambda p: (p[:, p.shape[1] // 2 :], p[:, : p.shape[1] // 2]),
    Layout.OU: lambda p: (p[: p.shape[0] // 2], p[p.shape[0] // 2 :]),
}


@given(st.sampled_from(sorted(UNPACK)), st.integers(1, 5), st.integers(1, 5), st.booleans(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_pack_then_unpack_is_the_identity(layout: Layout, rows: int, columns: int, planar: bool, seed: int) -> None:
    pixel_format = PixelFormat.YUV420P if planar else PixelFormat.RGB24
    stereo = clip(2 * rows, 2 * columns, pixel_format, seed)
    packed = FlatPacker(StereoFormat(layout)).pack(stereo)
    split = UNPACK[layout]
    for n in range(2):
        parts = planes.planes(packed.frames[n]) if planar else (packed.frames[n],)
        lefts = planes.planes(stereo.left[n]) if planar else (stereo.left[n],)
        rights = planes.planes(stereo.right[n]) if planar else (stereo.right[n],)
        for part, left, right in zip(parts, lefts, rights, strict=True):
            got_left, got_right = split(part)
            assert (got_left == left).all()
            assert (got_right == right).all()


@pytest.mark.parametrize("layout", [Layout.HALF_SBS, Layout.HALF_OU])
def test_half_layouts_average(layout: Layout) -> None:
    stereo = clip(pixel_format=PixelFormat.RGB24)
    packed = FlatPacker(StereoFormat(layout)).pack(stereo).frames[0].astype(int)
    left = stereo.left[0].astype(float)
    if layout is Layout.HALF_SBS:
        expected = (left[:, ::2] + left[:, 1::2]) / 2
        got = packed[:, :6]
    else:
        expected = (left[::2] + left[1::2]) / 2
        got = packed[:4]
    assert np.abs(got - expected).max() <= 0.51


def test_row_interlaced_takes_turns() -> None:
    stereo = clip(pixel_format=PixelFormat.RGB24)
    packed = FlatPacker(StereoFormat(Layout.ROW_INTERLACED)).pack(stereo).frames[0]
    assert (packed[::2] == stereo.left[0][::2]).all()
    assert (packed[1::2] == stereo.right[0][1::2]).all()


def test_rgbd_puts_the_depth_beside() -> None:
    stereo = clip(pixel_format=PixelFormat.RGB24)
    packed = FlatPacker(StereoFormat(Layout.RGBD)).pack(stereo).frames[0]
    assert np.abs(packed[:, 12:, 0] / 255 - stereo.depth.values[0]).max() < 0.003


@pytest.mark.parametrize("kind", list(Anaglyph))
def test_red_shows_the_left_eye_and_cyan_the_right(kind: Anaglyph) -> None:
    white, black = np.ones((2, 2, 3), np.float32), np.zeros((2, 2, 3), np.float32)
    only_left, only_right = layouts.anaglyph(white, black, kind)[0, 0], layouts.anaglyph(black, white, kind)[0, 0]
    assert only_left[0] > 0.9
    assert only_left[1:].max() < 0.05
    assert only_right[0] < 0.05
    assert only_right[1:].min() > 0.9


@pytest.mark.parametrize("kind", list(Anaglyph))
def test_grey_stays_grey_in_an_anaglyph(kind: Anaglyph) -> None:
    grey = np.full((2, 2, 3), 0.5, np.float32)
    mixed = layouts.anaglyph(grey, grey, kind)[0, 0]
    if kind is not Anaglyph.WIMMER:  # its red is lifted on purpose
        assert np.abs(mixed - 0.5).max() < 0.05


def test_every_layout_has_a_name_of_its_own() -> None:
    names = [layouts.suffix(StereoFormat(layout)) for layout in Layout if layout is not Layout.PAIR]
    assert len(set(names)) == len(names)
    assert layouts.suffix(StereoFormat(Layout.SBS)) == "_LRF_Full_SBS"
    assert layouts.suffix(StereoFormat(Layout.ANAGLYPH, anaglyph=Anaglyph.WIMMER)) == "_redcyan_wimmer"
    assert Colour() == Colour(2, 2, 2)
