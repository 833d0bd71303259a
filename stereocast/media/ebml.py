"""Matroska elements (RFC 8794, RFC 9559): writes the projection of a finished file into space reserved by the muxer.

The muxer itself writes StereoMode (from its key `stereo_mode`), but it can't write the Projection element.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stereocast.errors import SinkError, SourceError

MAGIC = b"\x1a\x45\xdf\xa3"
_SEGMENT, _SEEK_HEAD, _SEEK, _SEEK_POSITION = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AC
_VOID, _TRACKS, _ENTRY, _TYPE, _VIDEO, _CLUSTER = 0xEC, 0x1654AE6B, 0xAE, 0x83, 0xE0, 0x1F43B675
_PROJECTION, _PROJECTION_TYPE, _PROJECTION_PRIVATE, _STEREO_MODE = 0x7670, 0x7671, 0x7672, 0x53B8
_MODES = (  # by their numbers, as FFmpeg names them
    "mono", "left_right", "bottom_top", "top_bottom", "checkerboard_rl", "checkerboard_lr", "row_interleaved_rl",
    "row_interleaved_lr", "col_interleaved_rl", "col_interleaved_lr", "anaglyph_cyan_red", "right_left",
    "anaglyph_green_magenta", "block_lr", "block_rl",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Element:
    """The position of an element in `data` or a file."""

    ident: int
    start: int
    body: int
    end: int  # end of the body; an unknown size extends to the parent's end


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int, bool]:
    """A variable-length number: its value, its length in bytes, and whether it means 'unknown'."""
    if at >= len(data) or not data[at]:
        raise SourceError("the Matroska header is damaged")
    length = 9 - data[at].bit_length()
    raw = int.from_bytes(data[at : at + length], "big")
    if at + length > len(data):
        raise SourceError("the Matroska header is cut off")
    value = raw & ((1 << 7 * length) - 1)
    return (raw if keep_marker else value), length, value == (1 << 7 * length) - 1


def elements(data: bytes, start: int, end: int) -> Iterator[Element]:
    """The elements in a part of `data`. Raises SourceError where they are damaged."""
    at = start
    while at < end:
        ident, first, _ = _number(data, at, keep_marker=True)
        size, second, unknown = _number(data, at + first, keep_marker=False)
        body = at + first + second
        stop = end if unknown else body + size
        yield Element(ident, at, body, stop)
        at = stop


def _coded(ident: int, body: bytes, width: int = 0) -> bytes:
    """An encoded element; `width`: bytes of its size field (0: as few as possible)."""
    if not width:
        width = next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1)
    size = (len(body) | 1 << 7 * width).to_bytes(width, "big")
    return ident.to_bytes((ident.bit_length() + 7) // 8, "big") + size + body


def projection() -> bytes:
    """The Projection element of an equirectangular half sphere: the bounds cut a quarter of the width on each side."""
    bounds = b"\0\0\0\0" + b"".join(value.to_bytes(4, "big") for value in (0, 0, 1 << 30, 1 << 30))
    return _coded(_PROJECTION, _coded(_PROJECTION_TYPE, b"\1") + _coded(_PROJECTION_PRIVATE, bounds))


def _head(file: BinaryIO, name: str) -> tuple[bytes, list[Element], int]:
    """The file's head up to the first cluster, its level-1 elements, and the start of the segment's body."""
    file.seek(0)
    data = file.read(1 << 22)
    top = elements(data, 0, len(data))
    next(top)
    segment = next(top)
    if segment.ident != _SEGMENT:
        raise SourceError(f"{name}: the Matroska file has no segment")
    found = []
    for element in elements(data, segment.body, len(data)):
        if element.ident == _CLUSTER or element.end > len(data):
            break
        found.append(element)
    return data, found, segment.body


def _with_projection(data: bytes, tracks: Element) -> bytes:
    made, done = b"", False
    for entry in elements(data, tracks.body, tracks.end):
        raw = data[entry.start : entry.end]
        children = list(elements(data, entry.body, entry.end)) if entry.ident == _ENTRY else []
        kind = next((data[c.body] for c in children if c.ident == _TYPE and c.end > c.body), 0)
        if kind == 1 and not done:
            done = True
            raw = _coded(_ENTRY, b"".join(_video_projection(data, child) for child in children))
        made += raw
    if not done:
        raise SourceError("no video track to tag")
    return _coded(_TRACKS, made)


def _video_projection(data: bytes, child: Element) -> bytes:
    if child.ident != _VIDEO:
        return data[child.start : child.end]
    kept = [data[c.start : c.end] for c in elements(data, child.body, child.end) if c.ident != _PROJECTION]
    return _coded(_VIDEO, b"".join(kept) + projection())


def add_projection(path: Path) -> None:
    """Writes the Projection element into a finished Matroska file: the tracks grow into the space after the seek head.

    Raises SourceError where the file is damaged, SinkError where the muxer left no space; in both cases the file is
    unchanged.
    """
    with path.open("r+b") as file:
        data, found, base = _head(file, str(path))
        kinds = [element.ident for element in found]
        if _TRACKS not in kinds or _VOID not in kinds or kinds.index(_VOID) > kinds.index(_TRACKS):
            raise SinkError(f"{path}: no space for the Projection element; write mp4 instead")
        void, tracks = found[kinds.index(_VOID)], found[kinds.index(_TRACKS)]
        grown = _with_projection(data, tracks)
        by = len(grown) - (tracks.end - tracks.start)
        room = void.end - void.start - by
        if by == 0:
            return
        if room < 9:
            raise SinkError(f"{path}: no space for the Projection element; write mp4 instead")
        filler = _coded(_VOID, bytes(room - 9), 8)
        made = filler + data[void.end : tracks.start] + grown
        moved = {e.start - base: e.start - base - by for e in found if void.end <= e.start <= tracks.start}
        file.seek(void.start)
        file.write(made)
        for at, size, position in _seeks(data, found):
            if position in moved:
                file.seek(at)
                file.write(moved[position].to_bytes(size, "big"))


def _seeks(data: bytes, found: list[Element]) -> Iterator[tuple[int, int, int]]:
    """(offset, bytes, value) of every position in the seek head."""
    for head in found:
        if head.ident == _SEEK_HEAD:
            for seek in elements(data, head.body, head.end):
                for part in elements(data, seek.body, seek.end) if seek.ident == _SEEK else ():
                    if part.ident == _SEEK_POSITION:
                        yield part.body, part.end - part.body, int.from_bytes(data[part.body : part.end], "big")


def read_tags(path: Path) -> dict[str, object]:
    """StereoMode and Projection of the first video track of a Matroska file; {} for other files."""
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            return {}
        data, found, _ = _head(file, str(path))
    for tracks in (e for e in found if e.ident == _TRACKS):
        for entry in elements(data, tracks.body, tracks.end):
            if entry.ident != _ENTRY:
                continue
            for child in elements(data, entry.body, entry.end):
                if child.ident == _VIDEO:
                    return _video_tags(data, child)
    return {}


def _video_tags(data: bytes, video: Element) -> dict[str, object]:
    tags: dict[str, object] = {}
    for part in elements(data, video.body, video.end):
        value = data[part.body : part.end]
        if part.ident == _STEREO_MODE:
            mode = int.from_bytes(value, "big")
            tags["stereo_mode"] = _MODES[mode] if mode < len(_MODES) else str(mode)
        elif part.ident == _PROJECTION:
            for inner in elements(data, part.body, part.end):
                value = data[inner.body : inner.end]
                if inner.ident == _PROJECTION_TYPE:
                    kind = int.from_bytes(value, "big")
                    tags["projection"] = ("rectangular", "equirectangular", "cubemap", "mesh")[min(kind, 3)]
                elif inner.ident == _PROJECTION_PRIVATE and len(value) == 20:
                    sides = ("top", "bottom", "left", "right")
                    tags["bounds"] = {
                        s: int.from_bytes(value[4 + 4 * n : 8 + 4 * n], "big") / 2**32 for n, s in enumerate(sides)
                    }
    return tags
