"""Planes and colour."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereocast.pictures import planes
from stereocast.types import Clip, Colour, Frame, PixelFormat

COLOURS = [Colour(matrix=m, full_range=f) for m in (1, 5, 9) for f in (False, True)]


@pytest.mark.parametrize("height", [4, 6, 10, 90])
def test_planes_are_views_in_ffmpeg_order(height: int) -> None:
    width = 8
    image = np.arange(height * 3 // 2 * width, dtype=np.uint16).reshape(-1, width)
    y, u, v = planes.planes(image)
    assert y.shape == (height, width)
    assert u.shape == v.shape == (height // 2, width // 2)
    assert np.concatenate([y.ravel(), u.ravel(), v.ravel()]).tolist() == image.ravel().tolist()
    v[...] = 7
    assert (image.ravel()[-v.size :] == 7).all()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("pixel_format", "step"), [(PixelFormat.YUV420P, 1), (PixelFormat.YUV420P10, 1)])
def test_round_trip_within_one_code_value(colour: Colour, pixel_format: PixelFormat, step: int) -> None:
    for value in np.random.default_rng(0).uniform(0.15, 0.85, (200, 3)).astype(np.float32):
        first = planes.from_rgb(np.broadcast_to(value, (4, 4, 3)), pixel_format, colour)
        again = planes.from_rgb(planes.rgb(first, pixel_format, colour), pixel_format, colour)
        assert np.abs(again.astype(int) - first).max() <= step


def test_grey_has_neutral_chroma_and_known_levels() -> None:
    white = planes.from_rgb(np.ones((4, 4, 3), np.float32), PixelFormat.YUV420P, Colour(matrix=1))
    y, u, v = planes.planes(white)
    assert (y == 235).all()
    assert (u == 128).all()
    assert (v == 128).all()
    assert (planes.planes(planes.blank(4, 4, PixelFormat.YUV420P10, Colour()))[0] == 64).all()


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.just(12), st.integers(2, 9).map(lambda n: 2 * n))))
@settings(max_examples=30, deadline=None)
def test_resize_to_the_same_size_is_the_identity(frames: np.ndarray) -> None:
    frame = frames[0]
    assert planes.resize_picture(frame, 8, frame.shape[1], PixelFormat.YUV420P) is frame


def test_shapes_and_types_are_checked_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="4:2:0"):
        Frame(np.zeros((7, 8), np.uint8), 0, PixelFormat.YUV420P)
    with pytest.raises(ValueError, match="uint16"):
        Frame(np.zeros((6, 8), np.uint8), 0, PixelFormat.YUV420P10)
    with pytest.raises(ValueError, match="timestamps"):
        Clip(np.zeros((2, 4, 4, 3), np.uint8), np.zeros(3, np.int64))
    clip = Clip(np.zeros((2, 12, 10), np.uint8), np.zeros(2, np.int64), PixelFormat.YUV420P)
    assert (clip.height, clip.width, len(clip)) == (8, 10, 2)


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("shape", [None, (54, 96)])
def test_rgb_for_the_screen_is_that_of_the_networks(
    pixel_format: PixelFormat, full_range: bool, shape: tuple[int, int] | None
) -> None:
    height, width = 108, 192
    rng = np.random.default_rng(3)
    smooth = cv2.resize(rng.random((5, 8, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    for code in (1, 5, 9):
        colour = Colour(matrix=code, full_range=full_range)
        image = planes.from_rgb(np.clip(smooth, 0, 1), pixel_format, colour)
        slow = np.rint(planes.rgb(image, pixel_format, colour, shape) * 255)
        quick = planes.rgb_bytes(image, pixel_format, colour, shape)
        assert quick.dtype == np.uint8
        assert np.abs(quick.astype(int) - slow).max() <= 2
