"""The frame-packing SEI message of H.264 (D.1.25) and HEVC (D.2.16), inserted before the first slice of key frames.

Desktop players that support it show one eye, so it is written only on request.
"""

from itertools import islice
from typing import Any

import av

from stereocast.pictures.arrangement import TABLE
from stereocast.types import StereoFormat

_TYPES = {"left-right": 3, "top-bottom": 4}
_LAYOUTS = {number: layout for layout, number in _TYPES.items()}


def message(form: StereoFormat, family: str) -> bytes:
    """The NAL unit with its start code; b'' for layouts and codecs (`family`) without such a message."""
    lie = TABLE[form.layout]
    kind = _TYPES.get(lie.views)
    if kind is None or family not in ("h264", "hevc"):
        return b""
    crossed = form.right_first != lie.crossed
    # id 0, not cancelled, type, no quincunx, which frame is left, six flags, four grid positions, a reserved byte
    bits = "1" + "0" + f"{kind:07b}" + "0" + f"{2 if crossed else 1:06b}" + "000000" + "0" * 16 + "0" * 8
    bits += "0100" if family == "h264" else "10"  # holds until the next one; no extension
    bits += "1"  # stop bit, because the payload isn't byte-aligned
    payload = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    head = b"\x06" if family == "h264" else b"\x4e\x01"
    return b"\0\0\0\1" + head + _escaped(bytes([45, len(payload)]) + payload + b"\x80")


def _escaped(data: bytes) -> bytes:
    """Emulation prevention: no three bytes look like a start code."""
    out = bytearray()
    zeros = 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        zeros = zeros + 1 if byte == 0 else 0
        out.append(byte)
    return bytes(out)


def insert(data: bytes, unit: bytes, family: str) -> bytes:
    """Inserts `unit` before the first slice of a picture with start codes (Annex B)."""
    at = data.find(b"\0\0\1")
    while at >= 0:
        head = data[at + 3]
        slice_ = 1 <= head & 31 <= 5 if family == "h264" else head >> 1 & 63 < 32
        if slice_:
            start = at - 1 if at and data[at - 1] == 0 else at
            return data[:start] + unit + data[start:]
        at = data.find(b"\0\0\1", at + 3)
    return data


def with_message(packet: Any, unit: bytes, family: str, make: Any) -> Any:
    """A key frame's packet with the message inserted; other packets unchanged. `make` makes a packet from bytes."""
    if not unit or not packet.is_keyframe or bytes(packet)[:3] not in (b"\0\0\0", b"\0\0\1"):
        return packet
    changed = make(insert(bytes(packet), unit, family))
    changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
    changed.time_base, changed.is_keyframe = packet.time_base, packet.is_keyframe
    if packet.stream is not None:
        changed.stream = packet.stream
    return changed


def of_film(container: Any, stream: Any) -> tuple[str, bool] | None:
    """The message in a film's first picture, see `read`. Advances `container`."""
    family = stream.codec_context.name
    if family not in ("h264", "hevc"):
        return None
    try:
        for packet in islice(container.demux(stream), 2):
            if packet.size and (found := read(bytes(packet), family)):
                return found
    except (av.error.FFmpegError, OSError):
        pass
    return None


def read(data: bytes, family: str) -> tuple[str, bool] | None:
    """(layout, whether the right eye comes first) from the message in a picture's bytes; None without a message."""
    for unit in _units(data):
        kind, head = (unit[0] & 31, 1) if family == "h264" else (unit[0] >> 1 & 63, 2)
        if kind == (6 if family == "h264" else 39):
            body = unit[head:].replace(b"\0\0\3", b"\0\0")
            at = 0
            while at + 2 <= len(body) and body[at:] != b"\x80":
                number, at = _sum(body, at)
                size, at = _sum(body, at)
                if number == 45:
                    return _packing(body[at : at + size])
                at += size
    return None


def _sum(body: bytes, at: int) -> tuple[int, int]:
    total = 0
    while at < len(body) and body[at] == 255:
        total, at = total + 255, at + 1
    return total + (body[at] if at < len(body) else 0), at + 1


def _units(data: bytes) -> list[bytes]:
    """The NAL units of a picture: preceded by four-byte lengths, where these fill it exactly, or separated by start codes.

    A length of 256 to 511 bytes looks like a start code.
    """
    found: list[bytes] = []
    at = 0
    while at + 4 < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    if at == len(data):
        return [unit for unit in found if unit]
    return [unit for unit in data[: 1 << 16].split(b"\0\0\1")[1:] if unit]


def _packing(payload: bytes) -> tuple[str, bool] | None:
    bits = "".join(f"{byte:08b}" for byte in payload)
    zeros = len(bits) - len(bits.lstrip("0"))
    rest = bits[2 * zeros + 1 :]  # after the id, an Exp-Golomb number
    if len(rest) < 15 or rest[0] == "1":
        return None
    layout = _LAYOUTS.get(int(rest[1:8], 2))
    return (layout, int(rest[9:15], 2) == 2) if layout else None
