"""Compressed packets, read once and given to several outputs."""

from typing import Any

import av


def copied(packet: Any) -> Any:
    """A separate packet for a second output."""
    copy = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    copy.stream, copy.is_keyframe = packet.stream, packet.is_keyframe
    return copy
