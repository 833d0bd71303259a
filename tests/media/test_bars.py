"""Black bars: what may go, and what may not."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast.jobs.convert.prepare import prepare
from stereocast.media import bars
from tests.media.small import settings

SIZE = (120, 160)


def film(path: Path, luma: Callable[[int], np.ndarray], frames: int, gop: int = 1000, **options: str) -> Path:
    with av.open(str(path), "w", options=options) as out:
        video = out.add_stream("libx264", rate=25, options={"g": str(gop), "preset": "ultrafast", "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        for k in range(frames):
            picture = np.full((SIZE[0] * 3 // 2, SIZE[1]), 128, np.uint8)
            picture[: SIZE[0]] = luma(k)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def boxed(top: int, bottom: int, left: int = 0, right: int = 0) -> np.ndarray:
    picture = np.full(SIZE, 16, np.uint8)
    picture[top : SIZE[0] - bottom, left : SIZE[1] - right] = 140
    return picture


@pytest.mark.parametrize(
    ("luma", "want"),
    [(boxed(3, 5, 7, 9), (3, 5, 7, 9)), (boxed(0, 0), (0, 0, 0, 0)), (boxed(60, 60), (0, 0, 0, 0))],
)
def test_dark_rows_and_columns_are_counted(luma: np.ndarray, want: tuple[int, int, int, int]) -> None:
    assert bars.edges(luma) == want


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("gop", [1000, 12])
@pytest.mark.parametrize(
    ("luma", "want"),
    [
        (lambda k: boxed(16, 16), (16, 16, 0, 0)),
        (lambda k: boxed(50, 50, 50, 50) if k < 20 else boxed(0, 0), (0, 0, 0, 0)),  # a logo, then the film
        (lambda k: boxed(50, 50, 50, 50) if k < 20 else boxed(16, 16), (16, 16, 0, 0)),
        (lambda k: boxed(20, 20) if k < 60 else boxed(8, 12), (8, 12, 0, 0)),  # mixed aspect
        (lambda k: boxed(20, 20) if k % 90 else boxed(4, 4), (4, 4, 0, 0)),
        (lambda k: boxed(60, 60), (0, 0, 0, 0)),  # black
        (lambda k: boxed(50, 50, 60, 60), (0, 0, 0, 0)),  # nothing but a logo
        (lambda k: boxed(0, 0, 20, 24), (0, 0, 20, 24)),
    ],
)
def test_only_what_is_dark_all_through_goes(
    tmp_path: Path, suffix: str, gop: int, luma: Callable[[int], np.ndarray], want: tuple[int, int, int, int]
) -> None:
    assert bars.detect(str(film(tmp_path / f"in{suffix}", luma, 100, gop))) == want


@pytest.mark.parametrize("gop", [1000, 25])
def test_long_films_are_looked_at_all_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gop: int) -> None:
    monkeypatch.setattr(bars, "_SHORT", 100)
    path = film(tmp_path / "in.mkv", lambda k: boxed(2, 2) if 380 <= k < 430 else boxed(20, 20), 600, gop)
    assert bars.detect(str(path)) == (2, 2, 0, 0)


def test_a_recording_of_unknown_length(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mkv", lambda k: boxed(20, 20) if k < 70 else boxed(10, 10), 80, live="1")
    assert bars.detect(str(path)) == (10, 10, 0, 0)


def test_what_is_cut_is_said(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mp4", lambda k: boxed(16, 12), 30)
    made, source = prepare(str(path), tmp_path / "out.mp4", settings(crop="auto"))
    source.close()
    assert (made.info.height, made.info.width) == (92, 160)
    assert "black bars cropped: 16 rows at the top, 12 rows at the bottom" in made.notes
    assert bars.described(None).startswith("no black bars")
