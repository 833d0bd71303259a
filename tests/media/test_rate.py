"""The rate of streams whose container doesn't tell it."""

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stereocast.media import rate, reader
from tests.media.small import convert, packets

pytestmark = pytest.mark.usefixtures("small_stages")


class Packet:
    def __init__(self, pts: int | None, stream: Any) -> None:
        self.pts, self.stream, self.size = pts, stream, 9


class Stream:
    time_base = Fraction(1, 1000)


@pytest.mark.parametrize(
    ("ticks", "want"),
    [
        (range(0, 4000, 40), Fraction(25)),
        ([round(k * 1001 / 30) for k in range(90)], Fraction(30000, 1001)),
        ([round(k * 1000 / 60) for k in range(90)], Fraction(60)),
        ([*range(0, 1000, 40), *range(21000, 22000, 40)], Fraction(25)),
        ([k for n in range(0, 4000, 120) for k in (n, n + 80, n + 40)], Fraction(25)),
        ([0, 250], Fraction(4)),
        ([7], None),
        ([None, None], None),
    ],
)
def test_measured_rates(ticks: Any, want: Fraction | None) -> None:
    stream, other = Stream(), Stream()
    given = [Packet(pts, where) for pts in ticks for where in (stream, other)]
    found, left = rate.measured(iter(given), stream)
    assert found == want
    assert list(left) == given, "every packet is handed on"


@pytest.mark.parametrize(
    ("rate_", "want"),
    [
        (Fraction(25), 25), (Fraction(25124, 1000), 25), (Fraction(25126, 1000), Fraction(12563, 500)),
        (Fraction(19000, 1001), Fraction(19000, 1001)), (Fraction(19000, 1003), Fraction(17333, 915)),
    ],
)  # fmt: skip
def test_rates_within_half_a_percent_of_a_usual_one(rate_: Fraction, want: Fraction) -> None:
    assert rate.usual(rate_) == want


@pytest.mark.parametrize(
    ("stated", "found", "want"),
    [(1000, 25, 25), (None, 25, 25), (24, 25, 24), (30, 25, 30), (120, 120, 120), (25, None, 25), (None, None, None)],
)
def test_a_stated_rate_is_believed_unless_it_is_far_too_high(stated: Any, found: Any, want: Any) -> None:
    assert rate.believed(stated and Fraction(stated), found and Fraction(found)) == want


def recording(path: Path) -> list[int]:
    """A browser's recording: a live webm without frame durations."""
    rng, now, ticks = random.Random(1), 0, []
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as out:
        video = out.add_stream("libvpx", rate=1000, options={"deadline": "realtime", "cpu-used": "8"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for k in range(60):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 60 + k, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = now, Fraction(1, 1000)
            ticks.append(now)
            out.mux(video.encode(frame))
            now += rng.choice([17, 33, 33, 34, 50])
        out.mux(video.encode(None))
    return ticks


def test_a_browsers_recording_is_converted(tmp_path: Path) -> None:
    ticks = recording(tmp_path / "in.webm")
    source = reader.VideoSource(str(tmp_path / "in.webm"))
    source.close()
    assert source.info.rate is not None
    assert 20 < source.info.rate < 40
    output = convert(tmp_path / "in.webm", tmp_path / "out.mp4").plan.outputs[0]
    assert sorted(round(pts * 1000) for _, pts in packets(output)["video"]) == ticks


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (25, 25),
        (29.97, Fraction(2997, 100)),
        (0.5, Fraction(1, 2)),
        (1 / 3, Fraction(1, 3)),
        (0.0003, Fraction(3, 10000)),
    ],
)
def test_a_rate_given_as_a_number(given: float, found: Fraction) -> None:
    assert rate.of_number(given) == pytest.approx(found, rel=1e-3)
    assert rate.of_number(given) > 0
