"""Timestamps from every encoder that opens: frame for frame, for any number of frames and any cuts."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast import catalog
from stereocast.media import profile as profiles
from stereocast.media import writer
from stereocast.types import Colour, Layout, PackedClip, PixelFormat, Shot, StereoFormat, StreamInfo
from tests.media.small import packets

MS = Fraction(1, 1000)
FORM = StereoFormat(Layout.MONO)
SIZE = (144, 256)
VFR = [0, 33, 67, 167, 200, 233, 300, 317, 333, 433, 467, 500, 600, 633]

opening = [name for name in catalog.names("encoders") if not profiles.why_not(name)]


def planes(number: int, pixel_format: PixelFormat) -> np.ndarray:
    rows, columns = np.mgrid[0 : SIZE[0] * 3 // 2, 0 : SIZE[1]]
    wave = (np.sin((columns + 5 * number) / 9) * np.cos((rows + number) / 7) + 1) * 100
    return (wave * (4 if pixel_format.bits == 10 else 1)).astype(pixel_format.dtype)


class Cuts:
    def __init__(self, ticks: set[int]) -> None:
        self.ticks = ticks

    def begins(self, pts: int, shot: Shot, /) -> bool:
        return pts in self.ticks

    def end(self) -> None: ...


def write(path: Path, name: str, ticks: list[int], cuts: set[int]) -> Path:
    chosen = catalog.encoder(name)
    info = StreamInfo(SIZE[1], SIZE[0], MS, Fraction(25), chosen.pixel_format, Colour(1, 1, 1))
    container = "mkv" if path.suffix == ".mkv" else "mp4"
    sink = writer.VideoSink(path, writer.SinkOptions(info, chosen, container, splitter=Cuts(cuts) if cuts else None))
    pictures = np.stack([planes(k, chosen.pixel_format) for k in range(len(ticks))])
    sink.write(PackedClip(pictures, np.array(ticks), FORM, chosen.pixel_format, Colour(1, 1, 1)))
    sink.finish()
    return path


def check(path: Path, ticks: list[int], last: int) -> None:
    found = packets(path)["video"]
    assert sorted(round(pts * 1000) for _, pts in found) == ticks
    assert all(dts <= pts for dts, pts in found)
    times = [dts for dts, _ in found]
    assert all(a < b for a, b in zip(times, times[1:], strict=False)) or path.suffix == ".mkv"
    with av.open(str(path)) as film:
        assert [round(f.pts * Fraction(f.time_base) * 1000) for f in film.decode(video=0)] == ticks
        assert abs(film.duration / 1000 - (ticks[-1] + last)) < 2, "the film's length"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 14])
@pytest.mark.parametrize("name", opening)
def test_any_number_of_frames(tmp_path: Path, name: str, count: int, suffix: str) -> None:
    ticks = [40 * k for k in range(count)]
    check(write(tmp_path / f"out{suffix}", name, ticks, set()), ticks, 40)


@pytest.mark.parametrize("name", opening)
@pytest.mark.parametrize("cut", [1, 2, 5, 12, 13])
def test_cuts_anywhere_and_a_variable_rate(tmp_path: Path, name: str, cut: int) -> None:
    path = write(tmp_path / "out.mp4", name, VFR, {VFR[cut], VFR[13]})
    check(path, VFR, VFR[-1] - VFR[-2])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_long_gap_lengthens_nothing(tmp_path: Path, suffix: str) -> None:
    ticks = [0, 40, 80, 120, 20000, 20040, 20080, 20120]
    check(write(tmp_path / f"out{suffix}", "x264", ticks, set()), ticks, 40)
