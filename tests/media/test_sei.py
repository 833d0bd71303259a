"""The frame-packing message: its bytes, its place before the first slice, and how it is found again among others."""

from fractions import Fraction

import av
import pytest

from stereocast.media import sei
from stereocast.types import Layout, StereoFormat

PACKED = {
    Layout.SBS: ("left-right", False), Layout.HALF_SBS: ("left-right", False), Layout.OU: ("top-bottom", False),
    Layout.HALF_OU: ("top-bottom", False), Layout.CROSS_EYED: ("left-right", True),
}  # fmt: skip
START = b"\0\0\0\1"
FAMILIES = ("h264", "hevc")
SLICE = {"h264": b"\x65\x88\x84", "hevc": b"\x26\x01\xaf"}
PARAMETERS = {"h264": b"\x67\x64\0\x0a", "hevc": b"\x40\x01\x0c\x01"}


def bits_of(unit: bytes, family: str) -> str:
    """The payload of a message's unit, without start code, NAL header, type, size and emulation prevention."""
    body = unit[4 + (1 if family == "h264" else 2) :].replace(b"\0\0\3", b"\0\0")
    assert (body[0], body[1], body[-1]) == (45, len(body) - 3, 0x80)
    return "".join(f"{byte:08b}" for byte in body[2:-1])


@pytest.mark.parametrize("layout", PACKED)
@pytest.mark.parametrize(("family", "head", "tail"), [("h264", b"\x06", "0100"), ("hevc", b"\x4e\x01", "10")])
def test_the_message_has_the_standards_fields(layout: Layout, family: str, head: bytes, tail: str) -> None:
    """In their order: id, cancel, type, quincunx, interpretation, flags, grid, reserved; then what follows in each standard."""
    unit = sei.message(StereoFormat(layout), family)
    assert unit.startswith(START + head)
    assert not any(code in unit[4:] for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
    kind, swapped = PACKED[layout]
    number, interpretation = {"left-right": 3, "top-bottom": 4}[kind], 2 if swapped else 1
    fields = f"10{number:07b}0{interpretation:06b}" + "0" * 6 + "0" * 16 + "0" * 8 + tail
    assert bits_of(unit, family) == (fields + "1").ljust(56, "0")


@pytest.mark.parametrize("layout", PACKED)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("long", [0, 1, 251, 252, 400, 507, 508, 70000])
def test_the_message_is_found_in_streams_and_in_files(layout: Layout, family: str, long: int) -> None:
    """Units come after start codes or after their lengths; a length of 256 to 511 looks like a start code."""
    before = PARAMETERS[family] + b"\x55" * long
    unit = sei.message(StereoFormat(layout), family)
    for start in (b"\0\0\1", START):
        data = START + PARAMETERS[family] + start + SLICE[family] + start + before
        assert sei.read(sei.insert(data, unit, family), family) == PACKED[layout]
        assert sei.read(data, family) is None
    in_file = [before, unit[4:], SLICE[family]]
    assert sei.read(b"".join(len(part).to_bytes(4, "big") + part for part in in_file), family) == PACKED[layout]
    del in_file[1]
    assert sei.read(b"".join(len(part).to_bytes(4, "big") + part for part in in_file), family) is None


@pytest.mark.parametrize(
    ("family", "head", "is_slice"),
    [("h264", bytes([0x60 | kind]), 1 <= kind <= 5) for kind in (0, 1, 5, 6, 7, 8, 9, 20)]
    + [("hevc", bytes([kind << 1, 1]), kind < 32) for kind in (0, 1, 19, 20, 31, 32, 34, 35, 39)],
)
@pytest.mark.parametrize("start", [b"\0\0\1", START])
def test_the_message_stands_before_the_first_slice(family: str, head: bytes, is_slice: bool, start: bytes) -> None:
    first, slices = START + PARAMETERS[family], start + SLICE[family] + start + SLICE[family]
    unit = start + head + b"\x11"
    made = sei.insert(first + unit + slices, b"*", family)
    assert made == (first + b"*" + unit + slices if is_slice else first + unit + b"*" + slices)
    assert sei.insert(unit, b"*", family) == (b"*" + unit if is_slice else unit)


def packet(data: bytes, key: bool) -> av.Packet:
    made = av.Packet(data)
    made.pts, made.dts, made.duration, made.time_base, made.is_keyframe = 7, 5, 3, Fraction(1, 50), key
    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_only_key_frames_with_start_codes_carry_it(family: str) -> None:
    unit = sei.message(StereoFormat(Layout.SBS), family)
    for start in (b"\0\0\1", START):
        before = packet(start + SLICE[family], True)
        made = sei.with_message(before, unit, family, av.Packet)
        assert bytes(made) == unit + start + SLICE[family]
        assert (made.pts, made.dts, made.duration, made.time_base, made.is_keyframe) == (7, 5, 3, Fraction(1, 50), True)
        assert sei.with_message(before, b"", family, av.Packet) is before
    for other in (packet(START + SLICE[family], False), packet(b"\0\0\x20" + bytes(30), True)):
        assert sei.with_message(other, unit, family, av.Packet) is other


def coded(number: int, payload: bytes) -> bytes:
    """A message: its type and size as the standards write them, in steps of 255."""
    return b"".join(b"\xff" * (value // 255) + bytes([value % 255]) for value in (number, len(payload))) + payload


PACKING = "1" + "0" + "0000011" + "0" + "000010" + "0" * 33


def payload(bits: str) -> bytes:
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (coded(45, payload(PACKING)), ("left-right", True)),
        (coded(5, b"\x80" * 30) + coded(45, payload(PACKING)), ("left-right", True)),
        (coded(255, b"") + coded(45, payload(PACKING)), ("left-right", True)),
        (coded(300, b"\x33" * 255) + coded(45, payload(PACKING)), ("left-right", True)),
        (coded(4, b"\x33" * 700) + coded(45, payload(PACKING)), ("left-right", True)),
        (coded(45, payload("00110" + PACKING[1:])), ("left-right", True)),
        (coded(45, payload("000010001" + PACKING[1:])), ("left-right", True)),
        (coded(45, payload(PACKING[:16])), ("left-right", True)),
        (coded(45, payload("011" + PACKING[1:15])[:2]), None),
        (coded(45, payload("11" + PACKING[2:])), None),
        (coded(45, payload("10" + "0000101" + PACKING[9:])), None),
        (coded(45, b""), None),
        (coded(300, payload(PACKING)), None),
        (b"\x2d", None),
        (b"\xff\xff", None),
        (b"", None),
    ],
    ids=["alone", "after another", "type 255", "size 255", "size 700", "id 5", "id 16", "all that is read", "cut short",
         "cancelled", "other type", "empty", "type 300", "no size", "no end", "nothing"],
)  # fmt: skip
@pytest.mark.parametrize(("family", "head"), [("h264", b"\x06"), ("hevc", b"\x4e\x01")])
def test_messages_of_other_encoders(family: str, head: bytes, messages: bytes, found: tuple[str, bool] | None) -> None:
    """The message may come after others, of any type and size, and with any id."""
    assert sei.read(START + head + sei._escaped(messages + b"\x80") + START + SLICE[family], family) == found


@pytest.mark.parametrize(
    ("family", "others"),
    [("h264", (b"\x05", b"\x07", b"\x0e", b"\x16")), ("hevc", (b"\x4c\x01", b"\x50\x01", b"\x0e\x01"))],
)
def test_other_units_with_the_same_bytes_say_nothing(family: str, others: tuple[bytes, ...]) -> None:
    for head in others:
        assert sei.read(START + head + coded(45, payload(PACKING)) + b"\x80", family) is None


@pytest.mark.parametrize(
    ("data", "escaped"),
    [
        ("0000", "0000"), ("000004", "000004"), ("000000", "00000300"), ("000001", "00000301"), ("000002", "00000302"),
        ("000003", "00000303"), ("0000000000", "000003000003 00"), ("01000100000001", "010001000003 0001"), ("00030003", "00030003"),
    ],
)  # fmt: skip
def test_nothing_looks_like_a_start_code(data: str, escaped: str) -> None:
    assert sei._escaped(bytes.fromhex(data)) == bytes.fromhex(escaped)
