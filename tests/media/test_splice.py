"""Packets of a part that is continued: lengths before NAL units become start codes again."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from stereocast.errors import SourceError
from stereocast.media import splice
from tests.films import make_film
from tests.media.small import flash_film, packets

AVCC, HVCC = bytes([1, 100, 0, 40]), bytes([1]) + bytes(20)


@pytest.mark.parametrize(
    ("codec", "extra", "size"),
    [
        ("h264", AVCC + b"\xff", 4), ("h264", AVCC + b"\xfc", 1), ("h264", AVCC, 0), ("h264", b"\0" + AVCC, 0),
        ("h264", b"\2" + AVCC[1:] + b"\xff", 0), ("hevc", b"\2" + HVCC[1:] + b"\3", 0),
        ("hevc", HVCC + b"\x03", 4), ("hevc", HVCC + b"\x01", 2), ("hevc", HVCC, 0), ("hevc", b"\0" + HVCC + b"\x03", 0),
        ("hevc", HVCC + b"\x03\0\0", 4), ("hevc", b"\0" + HVCC[1:] + b"\x03\1", 0),
        ("av1", AVCC + b"\xff", 0), ("h264", None, 0),
    ],
)  # fmt: skip
def test_the_length_field_before_a_unit(codec: str, extra: bytes | None, size: int) -> None:
    assert splice._prefix_bytes(SimpleNamespace(name=codec, extradata=extra)) == size


def test_lengths_become_start_codes() -> None:
    packet = av.Packet(b"\0\3abc\0\1d")
    packet.pts, packet.dts, packet.duration, packet.time_base, packet.is_keyframe = 7, 5, 2, Fraction(1, 25), True
    made = splice._start_coded(packet, 2)
    assert bytes(made) == b"\0\0\0\1abc\0\0\0\1d"
    assert (made.pts, made.dts, made.duration, made.time_base, made.is_keyframe) == (7, 5, 2, Fraction(1, 25), True)


def span(first: int, last: int, frames: int) -> SimpleNamespace:
    return SimpleNamespace(first=first, last=last, frames=frames)


BASE = Fraction(1, 24)
WHOLE = [span(0, 7, 8), span(8, 15, 8), span(16, 23, 8)]


@pytest.fixture(scope="module", params=[".mp4", ".mkv"])
def part(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures, every eighth of them a key frame; Matroska counts them in milliseconds."""
    path = tmp_path_factory.mktemp("part") / f"in{request.param}"
    return make_film(path, options={"preset": "ultrafast", "g": "8", "x264-params": "keyint=8:scenecut=0"})


@pytest.mark.parametrize(
    ("spans", "count"),
    [
        ([], 0),
        (WHOLE[:1], 1),
        (WHOLE, 3),
        ([span(100, 107, 8), span(108, 115, 8)], 2),
        ([span(0, 7, 8), span(9, 15, 8)], 2),  # times may have been rounded by a tick
        ([span(0, 7, 8), span(10, 15, 8)], 1),
        ([span(0, 7, 8), span(7, 15, 8)], 2),
        ([span(0, 7, 8), span(6, 15, 8)], 1),
        ([span(0, 8, 8)], 1),
        ([span(0, 9, 8)], 0),
        ([span(0, 8, 9), span(9, 15, 7)], 1),  # the second doesn't begin at a key frame
        ([span(0, 23, 24), span(24, 31, 8)], 1),
        ([span(0, 24, 25)], 0),
    ],
)
def test_chunks_that_are_complete(part: Path, spans: list[Any], count: int) -> None:
    assert splice.complete(part, spans, BASE) == count
    if count == len(spans):
        made = list(splice.packets(part, spans, BASE))
        begin = spans[0].first if spans else 0
        assert [packet.pts for packet in made] == list(range(begin, begin + sum(each.frames for each in spans)))
        assert all(packet.time_base == BASE and packet.dts <= packet.pts for packet in made)
        assert not made or bytes(made[0]).startswith(b"\0\0\0\1"), "start codes, as from an encoder"
    else:
        with pytest.raises(SourceError, match=f"only {count} of {len(spans)} finished chunks can be read"):
            list(splice.packets(part, spans, BASE))


def test_parts_that_hold_nothing(tmp_path: Path, part: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no film")
    for name in ("none.mp4", "text.mp4"):
        assert splice.complete(tmp_path / name, WHOLE, BASE) == 0
        assert splice.header(tmp_path / name) == b""
    assert splice.header(part)[:1] == b"\1"
    (tmp_path / "cut.mkv").write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    assert splice.complete(tmp_path / "cut.mkv", WHOLE, BASE) < 3


def test_sound_beside_a_picture_that_begins_in_the_middle(tmp_path: Path) -> None:
    path = flash_film(tmp_path / "in.mkv", seconds=3)
    beside = splice.Beside(str(path))
    queues = [beside.share() for _ in range(2)]
    assert not queues[0]
    beside.until(Fraction(1))
    times = [packet.pts * packet.time_base for packet in queues[0]]
    assert times[-2] <= 1 < times[-1] < Fraction(11, 10)
    count = len(times)
    beside.until(None)
    assert len(queues[0]) == len(packets(path)["audio"]) > count
    beside.until(None)
    found = [[(packet.pts, bytes(packet)) for packet in queue] for queue in queues]
    assert found[0] == found[1]
    assert not any(one is other for one, other in zip(*queues, strict=True)), "each output changes its own"
    beside.close()
    beside.until(None)
