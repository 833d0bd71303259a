"""The box structure of mp4 and mov files (ISO 14496-12): reads it into a tree, changes it and writes it.

This module knows nothing about stereo. Sizes are checked when reading: a box that extends past its parent is an error.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from stereocast.errors import SourceError

_CONTAINERS = {
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf", b"mfra",
    b"vexu", b"eyes", b"cams", b"cmfy", b"proj", b"pack", b"sv3d",
}  # fmt: skip
_ENTRY_HEAD = 78  # bytes of a VisualSampleEntry before its boxes
_MAX_MOOV = 1 << 30


class BoxError(SourceError):
    """The boxes of the file are damaged."""


@dataclass(slots=True)
class Box:
    """A box. `head`: the bytes before its children (all bytes of a leaf); `tail`: the bytes after them."""

    kind: bytes
    head: bytes = b""
    children: list["Box"] = field(default_factory=list)
    tail: bytes = b""

    def __bytes__(self) -> bytes:
        body = b"".join((self.head, *map(bytes, self.children), self.tail))
        return (len(body) + 8).to_bytes(4, "big") + self.kind + body  # what is read fits: see _MAX_MOOV

    def find(self, *path: bytes) -> "Box | None":
        """The first box below this one along `path`."""
        return next(self.all(*path), None)

    def all(self, *path: bytes) -> Iterator["Box"]:
        """Every box below this one along `path`."""
        for child in self.children:
            if child.kind == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a top-level box in its file."""

    kind: bytes
    start: int
    head: int  # bytes of size and kind
    size: int  # with the header

    @property
    def end(self) -> int:
        return self.start + self.size


def header(data: bytes, at: int, end: int, name: str) -> tuple[bytes, int, int]:
    """(kind, header bytes, size) of the box at `at` in `data`; size 0 means to `end`. Raises BoxError."""
    if end - at < 8:
        raise BoxError(f"{name}: {end - at} stray bytes where a box should be")
    size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
    if size == 1:
        if len(data) < at + 16:
            raise BoxError(f"{name}: the box '{_text(kind)}' is cut off")
        size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
    elif size == 0:
        size = end - at
    if size < head or at + size > end:
        raise BoxError(f"{name}: the box '{_text(kind)}' of {size} bytes doesn't fit; the file is truncated or damaged")
    return kind, head, size


def _text(kind: bytes) -> str:
    return kind.decode("latin-1")


def parse(data: bytes, name: str = "mp4") -> list[Box]:
    """The boxes in `data`. Raises BoxError."""
    return _children(data, 0, len(data), name, visual=False)


def _children(data: bytes, start: int, end: int, name: str, *, visual: bool) -> list[Box]:
    found = []
    at = start
    while at < end:
        kind, head, size = header(data, at, end, name)
        found.append(_box(data, kind, at + head, at + size, name, visual))
        at += size
    return found


def _box(data: bytes, kind: bytes, start: int, end: int, name: str, visual: bool) -> Box:
    if kind in _CONTAINERS:
        if kind == b"mdia":
            visual = _is_video(data[start:end])
        return Box(kind, b"", _children(data, start, end, name, visual=visual))
    if kind == b"stsd" and visual:
        if end - start < 8:
            raise BoxError(f"{name}: the box 'stsd' is cut off")
        return Box(kind, data[start : start + 8], [
            _entry(data, entry, at, stop, name) for entry, at, stop in _spans(data, start + 8, end, name)
        ])  # fmt: skip
    return Box(kind, data[start:end])


def _spans(data: bytes, start: int, end: int, name: str) -> Iterator[tuple[bytes, int, int]]:
    at = start
    while at < end:
        kind, head, size = header(data, at, end, name)
        yield kind, at + head, at + size
        at += size


def _entry(data: bytes, kind: bytes, start: int, end: int, name: str) -> Box:
    first = start + _ENTRY_HEAD
    if first > end:
        raise BoxError(f"{name}: the sample entry '{_text(kind)}' is cut off")
    stop = end
    at = first
    while at < end:  # QuickTime may end an entry with four zero bytes
        if end - at < 8:
            stop = at
            break
        at += header(data, at, end, name)[2]
    return Box(kind, data[start:first], _children(data, first, stop, name, visual=False), data[stop:end])


def _is_video(mdia: bytes) -> bool:
    at = mdia.find(b"hdlr")
    return at >= 0 and mdia[at + 12 : at + 16] == b"vide"


def top_level(file: BinaryIO, name: str) -> list[Place]:
    """The positions of a file's top-level boxes; only headers are read. Raises BoxError."""
    end = file.seek(0, 2)
    places = []
    at = 0
    while at < end:
        file.seek(at)
        data = file.read(16)
        kind, head, size = header(data, 0, end - at, name)
        places.append(Place(kind, at, head, size))
        at += size
    return places


def read(file: BinaryIO, place: Place, name: str) -> Box:
    """The tree of one top-level box. Raises BoxError."""
    if place.size > _MAX_MOOV:
        raise BoxError(f"{name}: a '{_text(place.kind)}' box of {place.size} bytes is implausible")
    file.seek(place.start + place.head)
    body = file.read(place.size - place.head)
    return _box(body, place.kind, 0, len(body), name, False)


def movie(path: Path) -> Box:
    """The `moov` of a file. Raises BoxError where there is none, or it is damaged."""
    with path.open("rb") as file:
        for place in top_level(file, str(path)):
            if place.kind == b"moov":
                return read(file, place, str(path))
    raise BoxError(f"{path} has no 'moov' box: it is not an mp4, or it was never finished")


def video_entries(moov: Box) -> list[Box]:
    """The sample entries of the first video track. Empty where there is none."""
    for track in moov.all(b"trak"):
        stsd = track.find(b"mdia", b"minf", b"stbl", b"stsd")
        if stsd is not None and stsd.children:
            return stsd.children
    return []


def shift_offsets(box: Box, after: int, by: int) -> None:
    """Shifts every absolute file offset at or after `after` by `by` bytes, in a moov, moof or mfra.

    A 32-bit table that would overflow becomes a 64-bit one.
    """
    for child in box.children:
        if child.kind == b"stco":
            _shift_stco(child, after, by)
        elif child.kind == b"co64":
            child.head = _shifted(child.head, 8, 8, after, by)
        elif child.kind == b"saio" and box.kind == b"stbl":
            _shift_saio(child, after, by)
        elif child.kind == b"tfhd" and int.from_bytes(child.head[1:4], "big") & 1:
            base = int.from_bytes(child.head[8:16], "big")
            child.head = child.head[:8] + (base + by * (base >= after)).to_bytes(8, "big") + child.head[16:]
        elif child.kind == b"tfra":
            _shift_tfra(child, after, by)
        shift_offsets(child, after, by)


def _shifted(head: bytes, start: int, width: int, after: int, by: int) -> bytes:
    values = [int.from_bytes(head[at : at + width], "big") for at in range(start, len(head) - width + 1, width)]
    wide = 8 if max(values, default=0) + by >= 1 << 32 else width
    return head[:start] + b"".join((v + by * (v >= after)).to_bytes(wide, "big") for v in values)


def _shift_stco(box: Box, after: int, by: int) -> None:
    before = len(box.head)
    box.head = _shifted(box.head, 8, 4, after, by)
    if len(box.head) != before:
        box.kind = b"co64"


def _shift_saio(box: Box, after: int, by: int) -> None:
    start = 16 if box.head[3] & 1 else 8
    box.head = _shifted(box.head, start, 8 if box.head[0] else 4, after, by)
    if box.head[0] == 0 and len(box.head) - start > 4 * int.from_bytes(box.head[start - 4 : start], "big"):
        box.head = b"\1" + box.head[1:]


def _shift_tfra(box: Box, after: int, by: int) -> None:
    head = bytearray(box.head)
    width, count = (16 if head[0] else 8), int.from_bytes(head[12:16], "big")
    sizes = int.from_bytes(head[8:12], "big")
    extra = sum((sizes >> bit & 3) + 1 for bit in (0, 2, 4))
    for number in range(count):
        at = 16 + number * (width + extra) + width // 2
        offset = int.from_bytes(head[at : at + width // 2], "big")
        head[at : at + width // 2] = (offset + by * (offset >= after)).to_bytes(width // 2, "big")
    box.head = bytes(head)
