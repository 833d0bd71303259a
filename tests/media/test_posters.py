"""Posters and thumbnails: one view, in shape, each at its place in the sheet."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest

from stereocast.errors import SourceError
from stereocast.media import posters
from stereocast.types import Colour


def greys(path: Path, shades: list[int]) -> Path:
    """A film with a picture of each shade, one a second, all of them key frames."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=1, options={"g": "1", "qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for k, shade in enumerate(shades):
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), shade, np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("duration_s", "plan"),
    [
        (None, None),
        (0.0, None),
        (3.99, None),
        (4.0, (1, 2, 2.0)),
        (20.0, (1, 10, 2.0)),
        (21.9, (1, 10, 2.0)),
        (22.0, (2, 11, 2.0)),
        (200.0, (10, 100, 2.0)),
        (300.0, (10, 100, 3.0)),
        (7200.0, (10, 100, 72.0)),
    ],
)
def test_thumbnails_are_two_seconds_apart_and_at_most_a_hundred(
    duration_s: float | None, plan: tuple[int, int, float] | None
) -> None:
    made = posters.sprite(duration_s)
    assert (made and (made["rows"], made["count"], made["interval_s"])) == plan
    assert made is None or (made["columns"], made["width"], made["height"]) == (10, 160, 90)


def test_each_thumbnail_lies_in_its_place(tmp_path: Path) -> None:
    path = greys(tmp_path / "in.mp4", [20 + 8 * (k // 2) for k in range(46)])
    sheet = cv2.imdecode(np.frombuffer(posters.of_sprite(path, {}, 46.0), np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    assert sheet.shape == (270, 1600, 3)
    shades = sheet.reshape(3, 90, 10, 160, 3).mean((1, 3, 4)).ravel()
    assert shades[:23] == pytest.approx([20 + 8 * k for k in range(23)], abs=4)
    assert shades[23:] == pytest.approx([0] * 7, abs=2), "what is left of the sheet is black"
    with pytest.raises(SourceError, match="too short for thumbnails"):
        posters.of_sprite(path, {}, 3.0)


def test_a_poster_shows_a_tenth_of_the_film(tmp_path: Path) -> None:
    path = greys(tmp_path / "in.mp4", [20 + 10 * k for k in range(20)])
    poster = cv2.imdecode(np.frombuffer(posters.of_film(path, {}), np.uint8), cv2.IMREAD_COLOR)
    assert poster is not None
    assert poster.shape == (270, 480, 3)
    assert poster.mean() == pytest.approx(40, abs=3)


def test_a_film_without_key_frames_has_no_poster(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, options={"g": "100"})
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(np.full((54, 64), 90, np.uint8), format="yuv420p") for _ in range(9)]
        out.mux([p for frame in [*frames, None] for p in stream.encode(frame) if not p.is_keyframe])
    with pytest.raises(SourceError, match="no frame could be decoded"):
        posters.of_film(path, {})


HALVES = np.repeat(np.repeat(np.array([[1, 2], [3, 4]], np.uint8), 20, 0), 30, 1)[..., None].repeat(3, -1)


@pytest.mark.parametrize(
    ("views", "corner", "shape"),
    [
        ({}, 1, (40, 60)),
        ({"layout": "mono", "swapped": True}, 1, (40, 60)),
        ({"layout": "left-right"}, 1, (40, 30)),
        ({"layout": "left-right", "swapped": True}, 2, (40, 30)),
        ({"layout": "top-bottom"}, 1, (20, 60)),
        ({"layout": "top-bottom", "swapped": True}, 3, (20, 60)),
    ],
)
def test_the_left_view_is_taken(views: dict[str, object], corner: int, shape: tuple[int, int]) -> None:
    view = posters.one_view(HALVES, views)
    assert (view.shape[:2], view[0, 0, 0]) == (shape, corner)


def lit(image: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of what isn't black, the ends exclusive."""
    rows, columns = np.nonzero(image.max((1, 2)))[0], np.nonzero(image.max((0, 2)))[0]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


@pytest.mark.parametrize(
    ("shape", "views", "aspect", "where"),
    [
        ((90, 160), {}, 1.0, (0, 90, 0, 160)),
        ((180, 320), {}, 1.0, (0, 90, 0, 160)),
        ((100, 100), {}, 1.0, (0, 90, 35, 125)),
        ((40, 160), {}, 1.0, (25, 65, 0, 160)),
        ((90, 80), {}, 2.0, (0, 90, 0, 160)),
        ((180, 160), {"layout": "left-right"}, 1.0, (0, 90, 0, 160)),
        ((180, 160), {"layout": "left-right", "full": True}, 1.0, (0, 90, 40, 120)),
        ((90, 320), {"layout": "top-bottom"}, 1.0, (0, 90, 0, 160)),
        ((90, 320), {"layout": "top-bottom", "full": True}, 1.0, (22, 67, 0, 160)),
        ((1, 4000), {}, 1.0, (44, 45, 0, 160)),
        ((4000, 1), {}, 1.0, (0, 90, 79, 80)),
    ],
)
def test_a_view_is_unsqueezed_and_fitted(
    shape: tuple[int, int], views: dict[str, object], aspect: float, where: tuple[int, int, int, int]
) -> None:
    made = posters.fitted(np.full((*shape, 3), 200, np.uint8), views, (160, 90), aspect, half_of=views)
    assert made.shape == (90, 160, 3)
    assert lit(made) == where


def test_of_a_sphere_only_the_middle_is_shown() -> None:
    """Half the width, and as much of the height as fits 16:9."""
    sphere = np.zeros((200, 200, 3), np.uint8)
    sphere[72:128, 50:150] = 200
    made = posters.fitted(sphere, {"projection": "180"}, (160, 90))
    assert made.min() == 200
    sphere[71], sphere[128], sphere[:, 49], sphere[:, 150] = 0, 0, 0, 0
    assert (posters.fitted(sphere, {"projection": "360"}, (160, 90)) == made).all()
    sphere[72, 50:150] = 0
    assert (posters.fitted(sphere, {"projection": "fisheye"}, (160, 90)) != made).any()


@pytest.mark.parametrize(("shape", "aspect"), [((50, 100), 2.0), ((100, 50), 0.5), ((200, 120), 0.5)])
def test_the_shape_of_pixels_turns_with_the_picture(
    shape: tuple[int, int], aspect: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posters.stills, "upright", lambda frame: np.full((*shape, 3), 0x4000, np.uint16))
    given: list[Any] = []
    monkeypatch.setattr(posters, "fitted", lambda image, views, size, aspect, half_of: given.append(aspect) or image)
    monkeypatch.setattr(posters.colour, "of_frame", lambda frame: Colour(1, 1, 1))
    made = posters._drawn(SimpleNamespace(width=100), SimpleNamespace(sample_aspect_ratio=Fraction(2)), {}, (160, 90))
    assert given == [aspect]
    assert (made.dtype, made.max()) == (np.uint8, 0x40)


def coloured(path: Path, colours: list[tuple[int, int, int]], kind: type = np.uint8) -> Path:
    """A picture 36x64 with a stripe of each RGB colour (8 bit)."""
    image = np.repeat(np.array(colours, np.uint8)[None], 36, 0).repeat(64 // len(colours), 1)
    cv2.imwrite(str(path), (image.astype(kind) * (257 if kind is np.uint16 else 1))[..., ::-1])
    return path


def drawn(data: bytes) -> np.ndarray:
    made = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert made is not None
    return made[..., ::-1].astype(int)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_posters_of_stills(tmp_path: Path, kind: type) -> None:
    red, green = (210, 30, 20), (30, 180, 40)
    path = coloured(tmp_path / "a.png", [red, green], kind)
    half = {"layout": "left-right", "full": True}
    whole = drawn(posters.of_picture((path,), {}))
    assert whole.shape == (270, 480, 3)
    assert np.abs(whole[135, 100] - red).max() < 16 and np.abs(whole[135, 400] - green).max() < 16
    for views, colour in ((half, red), ({**half, "swapped": True}, green)):
        made = drawn(posters.of_picture((path,), views, 160))
        assert made.shape == (90, 160, 3)
        assert np.abs(made[45, 80] - colour).max() < 16
    two = drawn(posters.of_picture((path, path), half))
    assert np.abs(two[135, 150] - red).max() < 16 and np.abs(two[135, 330] - green).max() < 16, "each file is a view"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_stills_as_jpeg_and_beside_each_other(tmp_path: Path, kind: type) -> None:
    red, green = (210, 30, 20), (30, 180, 40)
    left, right = coloured(tmp_path / "l.png", [red], kind), coloured(tmp_path / "r.png", [green])
    one = drawn(posters.as_jpeg(left))
    assert one.shape == (36, 64, 3)
    assert np.abs(one[18, 32] - red).max() < 12
    cv2.imwrite(str(right), cv2.imread(str(right))[:18])
    both = drawn(posters.beside(left, right))
    assert both.shape == (36, 128, 3)
    assert np.abs(both[30, 20] - red).max() < 12 and np.abs(both[30, 100] - green).max() < 12


def test_a_poster_of_what_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no film")
    for make in (lambda p: posters.of_film(p, {}), lambda p: posters.of_sprite(p, {}, 99.0)):
        with pytest.raises(SourceError):
            make(tmp_path / "a.mp4")


@pytest.mark.parametrize("width", [64, 2048])
def test_hdr_is_tone_mapped(tmp_path: Path, width: int) -> None:
    """PQ shown as it is stored is grey and dull: white of 203 cd/m² has the code 148 of 255."""
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, 36, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        frame = av.VideoFrame(width, 36, "yuv420p10le")
        for plane, value in zip(frame.planes, (64 + round(0.5807 * 876), 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
        frame.pts, frame.time_base = 0, Fraction(1)
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = 9, 16, 9, 1
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    poster = cv2.imdecode(np.frombuffer(posters.of_film(path, {}), np.uint8), cv2.IMREAD_COLOR)
    assert poster is not None
    assert poster[poster.shape[0] // 2, poster.shape[1] // 2] == pytest.approx(209, abs=6)
