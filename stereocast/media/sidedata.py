"""Side data of frames, by FFmpeg's names.

PyAV fails on the whole list if FFmpeg knows a kind that PyAV does not (EXIF, the views of MV-HEVC, ...). Unknown kinds
therefore get an unnamed member of its enum and are skipped.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type


def _unknown(cls: type[Type], value: object) -> Any:
    member: Any = object.__new__(cls)
    member._name_, member._value_ = "", value
    return member


def of_frame(frame: Any) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each known kind of side data of a frame."""
    try:
        items = frame.side_data
    except ValueError:
        Type._missing_ = classmethod(_unknown)  # type: ignore[assignment, method-assign]
        items = frame.side_data
    for item in items:
        name = getattr(item.type, "name", "")
        if name:
            yield name, bytes(item)


def orientation(frame: Any) -> tuple[bool, int]:
    """(mirrored, quarter turns counterclockwise) that make a frame upright, from its display matrix."""
    for name, data in of_frame(frame):
        if name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(data, np.int32)[:5]
            mirrored = int(a) * int(d) - int(b) * int(c) < 0
            angle = np.degrees(np.arctan2(-float(b) if mirrored else float(b), -float(a) if mirrored else float(a)))
            return mirrored, round(-angle / 90) % 4
    return False, round(frame.rotation / 90) % 4
