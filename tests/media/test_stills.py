"""Stills in every container, and what moves though it looks like one."""

import logging
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from stereocast.errors import UsageError
from stereocast.jobs.convert.prepare import prepare
from stereocast.media import probe, reader, stills
from stereocast.types import PixelFormat
from tests.media.small import convert, numbered_film, packets, settings

pytestmark = pytest.mark.usefixtures("small_stages")

PNG = b"\x89PNG\r\n\x1a\n"


def animated_png(path: Path, frames: int = 3) -> Path:
    with av.open(str(path), "w", format="apng") as out:
        video = out.add_stream("apng", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "rgb24"
        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 * k, np.uint8), format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def test_an_animated_png_is_a_film(tmp_path: Path) -> None:
    source = animated_png(tmp_path / "in.png")
    assert not probe.is_image(str(source))
    output = convert(source, tmp_path / "out.mp4").plan.outputs[0]
    assert len(packets(output)["video"]) == 3


def test_an_animated_webp_says_that_one_picture_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    moving = cv2.Animation()
    moving.frames = [np.full((48, 64, 3), 80 * k, np.uint8) for k in range(3)]
    moving.durations = np.array([100, 100, 100])
    cv2.imwriteanimation(str(tmp_path / "in.webp"), moving)
    with caplog.at_level(logging.WARNING):
        convert(tmp_path / "in.webp", tmp_path / "out.png")
    assert "is animated; only its first picture is converted" in caplog.text


def test_avif_is_a_still(tmp_path: Path) -> None:
    path = tmp_path / "in.avif"
    rgb = np.zeros((96, 128, 3), np.uint8)
    rgb[:, :64], rgb[:, 64:] = (200, 40, 30), (20, 60, 180)
    with av.open(str(path), "w", format="avif") as out:
        video = out.add_stream("libsvtav1", rate=1, options={"crf": "5", "preset": "10"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1)
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    source = reader.open_source(str(path))
    assert isinstance(source, reader.ImageSource)
    image = next(iter(source)).image
    assert np.abs(image[48, 30].astype(int) - rgb[0, 0]).max() < 12
    convert(path, tmp_path / "out.png")
    assert cv2.imread(str(tmp_path / "out.png")).shape == (96, 256, 3)


def test_suffixes_of_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="a still is written as .*png"):
        prepare(str(tmp_path / "in.png"), tmp_path / "out.mp4", settings())
    film = numbered_film(tmp_path / "in.mp4", 3)
    with pytest.raises(UsageError, match="in.mp4 is a film"):
        prepare(str(film), tmp_path / "out.png", settings())


@pytest.mark.parametrize(
    ("head", "want"),
    [
        (PNG + b"\0\0\0\x08acTL" + b"\0" * 9 + b"IDAT", True),
        (PNG + b"\0\0\0\x08IHDR" + b"\0" * 9 + b"IDAT" + b"acTL", False),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02", True),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10", False),
        (b"RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0\x02", False),
        (b"\0\0\0\x18ftypavis\0\0\0\0avif", True),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1", False),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", False),
        (b"", False),
    ],
)
def test_what_moves(head: bytes, want: bool) -> None:
    assert probe.moves(head) is want


@pytest.mark.parametrize(
    ("shape", "scale", "size", "padding"),
    [
        ((4, 6), 1.0, (6, 4), (0, 0)),
        ((3, 6), 1.0, (6, 4), (1, 0)),
        ((4, 5), 1.0, (6, 4), (0, 1)),
        ((3, 5), 1.0, (6, 4), (1, 1)),
        ((96, 128), 0.5, (64, 48), (0, 0)),
        ((95, 127), 0.5, (64, 48), (0, 0)),
        ((96, 128), 0.01, (2, 2), (0, 0)),
        ((10, 14), 1.5, (20, 16), (0, 0)),  # to the nearest even number, here 21 and 15
    ],
)
@pytest.mark.parametrize(("kind", "pixel_format"), [(np.uint8, PixelFormat.RGB24), (np.uint16, PixelFormat.RGB48)])
def test_stills_get_even_sides(
    shape: tuple[int, int],
    scale: float,
    size: tuple[int, int],
    padding: tuple[int, int],
    kind: type,
    pixel_format: PixelFormat,
) -> None:
    """By a copy of the edge, which is cut off again afterwards, or by scaling."""
    image = np.random.default_rng(1).integers(0, 255, (*shape, 3)).astype(kind)
    source = reader.ImageSource("a.png", scale, image)
    info, (frame,) = source.info, list(source)
    assert ((info.width, info.height), info.padding, info.pixel_format, info.frames) == (size, padding, pixel_format, 1)
    assert frame.image.shape == (size[1], size[0], 3)
    assert frame.image.dtype == kind
    if scale == 1:
        assert (frame.image[: shape[0], : shape[1]] == image).all()
        assert (frame.image[-1, : shape[1]] == image[-1]).all()
        assert (frame.image[: shape[0], -1] == image[:, -1]).all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize(("bits", "kind"), [(8, PixelFormat.RGB24), (10, PixelFormat.RGB48)])
def test_pictures_are_mirrored_then_turned(
    flip: bool, turns: int, bits: int, kind: PixelFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    asked = []
    monkeypatch.setattr(stills.sidedata, "orientation", lambda frame: (flip, turns))
    monkeypatch.setattr(stills.colour, "as_rgb", lambda frame, kind: asked.append(kind) or image)
    frame = SimpleNamespace(format=SimpleNamespace(components=[SimpleNamespace(bits=8), SimpleNamespace(bits=bits)]))
    wanted = np.rot90(np.fliplr(image) if flip else image, turns)
    made = stills.upright(frame)
    assert np.array_equal(made, wanted) and made.flags.c_contiguous
    assert asked == [kind]
