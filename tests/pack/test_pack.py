"""Layouts: where each eye's pixels go."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast.pack import layouts
from stereocast.pack.packer import FlatPacker
from stereocast.pictures import planes
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


@pytest.mark.parametrize("right_first", [False, True])
@pytest.mark.parametrize("layout", [Layout.SBS, Layout.OU, Layout.CROSS_EYED, Layout.SPATIAL, Layout.ROW_INTERLACED])
def test_eye_order_swaps_what_comes_first(layout: Layout, right_first: bool) -> None:
    stereo = clip(pixel_format=PixelFormat.RGB24)
    packed = FlatPacker(StereoFormat(layout, right_first=right_first)).pack(stereo).frames
    first, second = (
        (packed[:, ::2], packed[:, 1::2])
        if layout is Layout.ROW_INTERLACED
        else np.split(packed, 2, 1 if layout is Layout.OU else 2)
    )
    lefts = (stereo.left[:, ::2], stereo.left[:, 1::2]) if layout is Layout.ROW_INTERLACED else (stereo.left,) * 2
    rights = (stereo.right[:, ::2], stereo.right[:, 1::2]) if layout is Layout.ROW_INTERLACED else (stereo.right,) * 2
    swapped = right_first != (layout is Layout.CROSS_EYED)
    assert (first == (rights[0] if swapped else lefts[0])).all()
    assert (second == (lefts[1] if swapped else rights[1])).all()


def test_row_interlaced_takes_turns_in_every_plane() -> None:
    stereo = clip()
    packed = FlatPacker(StereoFormat(Layout.ROW_INTERLACED)).pack(stereo).frames[1]
    for got, left, right in zip(*(planes.planes(p) for p in (packed, stereo.left[1], stereo.right[1])), strict=True):
        assert (got[::2] == left[::2]).all()
        assert (got[1::2] == right[1::2]).all()


def test_single_views_pass_through() -> None:
    stereo = clip()
    for layout, view in ((Layout.LEFT, stereo.left), (Layout.RIGHT, stereo.right), (Layout.MONO, stereo.left)):
        packed = FlatPacker(StereoFormat(layout)).pack(stereo)
        assert packed.frames is view
        assert packed.second is None
        assert packed.pts is stereo.pts
    pair = FlatPacker(StereoFormat(Layout.PAIR)).pack(stereo)
    assert pair.frames is stereo.left
    assert pair.second is stereo.right


def test_rgbd_keeps_the_film_and_limits_the_depth() -> None:
    stereo = clip(pixel_format=PixelFormat.RGB24)
    depth = DepthMap(np.tile(np.linspace(-0.5, 1.5, 6, dtype=np.float32), (2, 4, 1)))  # half size, beyond 0..1
    stereo = StereoClip(stereo.left, stereo.right, stereo.pts, PixelFormat.RGB24, depth=depth)
    packed = FlatPacker(StereoFormat(Layout.RGBD)).pack(stereo).frames
    assert (packed[:, :, :12] == stereo.left).all()
    right = packed[0, :, 12:]
    assert (right[..., 0] == right[..., 1]).all()
    assert (right[..., 0] == right[..., 2]).all()
    assert right.min() == 0
    assert right.max() == 255
    assert (np.diff(right[0, :, 0].astype(int)) >= 0).all()
    bare = StereoClip(stereo.left, stereo.right, stereo.pts, PixelFormat.RGB24)
    with pytest.raises(ValueError, match="without depth"):
        FlatPacker(StereoFormat(Layout.RGBD)).pack(bare)


def test_layouts_that_need_more_than_a_frame_are_refused() -> None:
    out = np.zeros((8, 12, 3), np.uint8)
    with pytest.raises(ValueError, match="frame by frame"):
        layouts.pack_frame(out, out, out, StereoFormat(Layout.VR180), PixelFormat.RGB24, Colour())


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_an_anaglyph_of_planes_is_that_of_the_colours(pixel_format: PixelFormat) -> None:
    flat = [planes.blank(8, 12, pixel_format, Colour(), count=1) for _ in range(2)]
    for view, grey in zip(flat, (0.75, 0.25), strict=True):
        view[...] = planes.from_rgb(np.full((8, 12, 3), grey, np.float32), pixel_format, Colour())
    packed = FlatPacker(StereoFormat(Layout.ANAGLYPH, anaglyph=Anaglyph.COLOR)).pack(
        StereoClip(*flat, np.zeros(1, np.int64), pixel_format)
    )
    seen = planes.rgb(packed.frames[0], pixel_format, Colour())
    assert np.abs(seen[2:6, 3:9] - np.array([0.75, 0.25, 0.25])).max() < 0.02


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        # pure red, green, blue in one eye alone: what the glasses let through
        (Anaglyph.COLOR, [(1, 0, 0), (0, 0, 0), (0, 0, 0)], [(0, 0, 0), (0, 1, 0), (0, 0, 1)]),
        (Anaglyph.HALF_COLOR, [(0.299, 0, 0), (0.587, 0, 0), (0.114, 0, 0)], [(0, 0, 0), (0, 1, 0), (0, 0, 1)]),
        (Anaglyph.GRAY, [(0.299, 0, 0), (0.587, 0, 0), (0.114, 0, 0)],
         [(0, 0.299, 0.299), (0, 0.587, 0.587), (0, 0.114, 0.114)]),
        (Anaglyph.WIMMER, [(0, 0, 0), (0.7 ** (2 / 3), 0, 0), (0.3 ** (2 / 3), 0, 0)], [(0, 0, 0), (0, 1, 0), (0, 0, 1)]),
        (Anaglyph.DUBOIS, [(0.4561, 0, 0), (0.500484, 0, 0), (0.176381, 0, 0)],
         [(0, 0.378476, 0), (0, 0.73364, 0), (0, 0, 1)]),
    ],
)  # fmt: skip
def test_what_each_anaglyph_lets_through(kind: Anaglyph, left: list, right: list) -> None:
    black = np.zeros((1, 3, 3), np.float32)
    colours = np.eye(3, dtype=np.float32)[None]
    np.testing.assert_allclose(layouts.anaglyph(colours, black, kind)[0], left, atol=1e-5)
    np.testing.assert_allclose(layouts.anaglyph(black, colours, kind)[0], right, atol=1e-5)


def test_wimmer_s_red_knows_nothing_of_the_right_eye() -> None:
    half, white = np.full((1, 1, 3), 0.5, np.float32), np.ones((1, 1, 3), np.float32)
    assert layouts.anaglyph(half, white, Anaglyph.WIMMER)[0, 0, 0] == pytest.approx(0.5 ** (1 / 1.5))
    assert (layouts.anaglyph(half, white, Anaglyph.WIMMER)[0, 0, 1:] == 1).all()


def test_dubois_takes_crosstalk_back() -> None:
    """The small entries of Dubois' matrix, seen on grey: what one eye shows lowers the other's channel."""
    half = np.full((1, 1, 3), 0.5, np.float32)
    lit = half + np.eye(3, dtype=np.float32)[None] * 0.4
    for eye in (0, 1):
        views = [half, half]
        views[eye] = lit
        changed = (
            layouts.anaglyph(
                np.broadcast_to(views[0], (1, 3, 3)).copy(),
                np.broadcast_to(views[1], (1, 3, 3)).copy(),
                Anaglyph.DUBOIS,
            )[0]
            - layouts.anaglyph(half, half, Anaglyph.DUBOIS)[0, 0]
        )
        want = {0: ((0.4561, 0.500484, 0.176381), (-0.0400822, -0.0378246, -0.0157589), (-0.0152161, -0.0205971, -0.00546856)),
                1: ((-0.0434706, -0.0879388, -0.00155529), (0.378476, 0.73364, -0.0184503), (-0.0721527, -0.112961, 1.2264))}[eye]  # fmt: skip
        np.testing.assert_allclose(changed, 0.4 * np.array(want).T, atol=1e-5)


@pytest.mark.parametrize("layout", FLAT)
def test_stated_shapes(layout: Layout) -> None:
    wide = {Layout.SBS, Layout.CROSS_EYED, Layout.RGBD, Layout.SPATIAL}
    assert layouts.shape(layout, 8, 12) == ((8, 24) if layout in wide else (16, 12) if layout is Layout.OU else (8, 12))


@pytest.mark.parametrize("kind", list(Anaglyph))
@pytest.mark.parametrize("pixel_format", [PixelFormat.YUV420P, PixelFormat.YUV420P10])
@pytest.mark.parametrize("colour", [Colour(), Colour(matrix=9), Colour(matrix=1, full_range=True)])
def test_an_anaglyph_of_planes_is_within_a_code_value_of_the_one_through_rgb(
    kind: Anaglyph, pixel_format: PixelFormat, colour: Colour
) -> None:
    for height, width in ((2, 2), (6, 10), (62, 74), (270, 480)):
        stereo = clip(height, width, pixel_format, seed=height)
        out = np.empty_like(stereo.left[0])
        layouts.pack_frame(
            stereo.left[0], stereo.right[0], out, StereoFormat(Layout.ANAGLYPH, anaglyph=kind), pixel_format, colour
        )
        left, right = (planes.rgb(view[0], pixel_format, colour) for view in (stereo.left, stereo.right))
        want = planes.from_rgb(layouts.anaglyph(left, right, kind), pixel_format, colour)
        assert np.abs(out.astype(int) - want.astype(int)).max() <= 1


@pytest.mark.parametrize("pixel_format", [PixelFormat.YUV420P, PixelFormat.YUV420P10])
@pytest.mark.parametrize("full_range", [False, True])
def test_depth_of_rgbd_is_the_grey_that_rgb_would_give(pixel_format: PixelFormat, full_range: bool) -> None:
    colour = Colour(full_range=full_range)
    stereo = replace(clip(16, 20, pixel_format), colour=colour)
    packed = FlatPacker(StereoFormat(Layout.RGBD)).pack(stereo).frames[0]
    grey = np.repeat(stereo.depth.values[0][..., None], 3, 2)
    for half, want in zip(
        planes.planes(packed), planes.planes(planes.from_rgb(grey, pixel_format, colour)), strict=True
    ):
        got = half[:, half.shape[1] // 2 :].astype(int)
        assert np.abs(got - want).max() <= 1
