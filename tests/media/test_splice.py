"""Packets of a part that is continued: lengths before NAL units become start codes again."""

from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from stereocast.media import splice

AVCC, HVCC = bytes([1, 100, 0, 40]), bytes([1]) + bytes(20)


@pytest.mark.parametrize(
    ("codec", "extra", "size"),
    [
        ("h264", AVCC + b"\xff", 4), ("h264", AVCC + b"\xfc", 1), ("h264", AVCC, 0), ("h264", b"\0" + AVCC, 0),
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
