"""Stereo and sphere tags, which tell a player how the views are arranged. This module reads and writes no pictures.

Boxes: `st3d`, `sv3d` (Spherical Video V2), `vexu`, `hfov` (Apple, Stereo Video ISOBMFF Extensions). In the sample entry
they follow the codec's configuration and precede `pasp` and `clap`.
"""

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stereocast.errors import SourceError
from stereocast.media import boxes, ebml, owned
from stereocast.media.boxes import Box, BoxError, Place
from stereocast.pictures.arrangement import TABLE
from stereocast.types import Layout, Projection, StereoFormat

log = logging.getLogger(__name__)

BASELINE_M = 0.063  # mean interpupillary distance, for which the views are made
FOV_DEG = 60.0
_CONFIGURATIONS = {b"avcC", b"hvcC", b"av1C", b"vpcC", b"dvcC", b"dvvC", b"dvwC", b"lhvC", b"esds", b"d263"}
_OURS = {b"st3d", b"sv3d", b"vexu", b"hfov"}
_SOURCE = b"stereocast\0"
_COPY = 1 << 20


@dataclass(frozen=True, slots=True)
class Camera:
    """The camera parameters in the full `vexu` box of spatial video."""

    baseline_m: float = BASELINE_M
    fov_deg: float = FOV_DEG
    disparity_shift: float = 0.0  # share of the width, -1..1; positive moves the picture away


def _full(kind: bytes, body: bytes) -> Box:
    return Box(kind, b"\0\0\0\0" + body)


def st3d(mode: int) -> Box:
    """Stereoscopic 3D Video Box: 0 mono, 1 top-bottom, 2 left-right."""
    return _full(b"st3d", bytes([mode]))


def sv3d() -> Box:
    """Spherical Video Box of an equirectangular half sphere: the bounds cut a quarter of the full width on each side."""
    bounds = (0, 0, 1 << 30, 1 << 30)  # top, bottom, left, right, 0.32 fixed point
    projection = Box(b"proj", children=[
        _full(b"prhd", bytes(12)),
        _full(b"equi", b"".join(value.to_bytes(4, "big") for value in bounds)),
    ])  # fmt: skip
    return Box(b"sv3d", children=[_full(b"svhd", _SOURCE), projection])


def vexu(packing: bytes, *, reversed_eyes: bool, camera: Camera | None = None) -> Box:
    """Video Extended Usage Box; `packing` is b"side" or b"over". With `camera`: hero eye, baseline, comfort, projection."""
    eyes = Box(b"eyes", children=[_full(b"stri", bytes([0b1011 if reversed_eyes else 0b0011]))])
    children = [eyes]
    if camera is not None:
        eyes.children += [
            _full(b"hero", b"\1"),  # the left eye
            Box(b"cams", children=[_full(b"blin", round(camera.baseline_m * 1e6).to_bytes(4, "big"))]),
            Box(b"cmfy", children=[
                _full(b"dadj", round(camera.disparity_shift * 10_000).to_bytes(4, "big", signed=True))
            ]),
        ]  # fmt: skip
        children.append(Box(b"proj", children=[_full(b"prji", b"rect")]))
    children.append(Box(b"pack", children=[_full(b"pkin", packing)]))
    return Box(b"vexu", children=children)


def hfov(degrees: float) -> Box:
    """Horizontal field of view box, in thousandths of a degree."""
    return Box(b"hfov", round(degrees * 1000).to_bytes(4, "big"))


def tags(form: StereoFormat, camera: Camera | None = None) -> list[Box]:
    """The boxes of a format, in writing order. Empty where no tag exists for it."""
    layout = form.layout
    lie = TABLE[layout]
    if lie.views not in ("left-right", "top-bottom"):
        return []
    crossed, above = form.right_first != lie.crossed, lie.views == "top-bottom"
    packing = b"over" if above else b"side"
    found = []
    # mode 4 (right-left) is ignored by FFmpeg and players, and top-bottom has no reversed mode at all
    if not crossed and layout is not Layout.SPATIAL:
        found.append(st3d(1 if above else 2))
    if form.projection is Projection.EQUIRECT_180:
        found.append(sv3d())
    if layout is Layout.SPATIAL:
        camera = camera or Camera(fov_deg=form.fov_deg or FOV_DEG)
        found += [vexu(packing, reversed_eyes=crossed, camera=camera), hfov(camera.fov_deg)]
    elif (lie.full and form.projection is Projection.FLAT) or crossed:
        found.append(vexu(packing, reversed_eyes=crossed))
    return found


def patch(moov: Box, wanted: list[Box]) -> bool:
    """Replaces our boxes in the sample entries of the first video track. Returns False where nothing changed.

    Raises BoxError if there is no video track.
    """
    entries = boxes.video_entries(moov)
    if not entries:
        raise BoxError("no video track to tag")
    before = bytes(moov)
    for entry in entries:
        entry.children = [box for box in entry.children if box.kind not in _OURS]
        last = max((n for n, box in enumerate(entry.children) if box.kind in _CONFIGURATIONS), default=-1)
        entry.children[last + 1 : last + 1] = wanted
    return bytes(moov) != before


def tag_file(path: Path, form: StereoFormat, camera: Camera | None = None) -> None:
    """Writes a format's tags into a finished mp4/mov or Matroska file. The samples don't change.

    For an index at the end, a longer one is appended, and only then is the old one freed. For an index before the samples,
    the whole file is rewritten, and the new file replaces the old one when it is complete.
    Raises SourceError, with nothing changed, where the file is of another type, is truncated, or has no video track.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] == ebml.MAGIC:
        if form.projection is Projection.EQUIRECT_180:
            ebml.add_projection(path)
        return
    wanted = tags(form, camera)
    with path.open("rb") as file:
        places = boxes.top_level(file, str(path))
        place = next((p for p in places if p.kind == b"moov"), None)
        if place is None:
            raise BoxError(f"{path} has no 'moov' box: it is not an mp4, or it was never finished")
        moov = boxes.read(file, place, str(path))
    if patch(moov, wanted):
        replace_index(path, places, place, moov)


def replace_index(path: Path, places: list[Place], place: Place, moov: Box) -> None:
    """Writes a changed index into a finished file, as described in `tag_file`."""
    samples = max((p.end for p in places if p.kind in (b"mdat", b"moof")), default=0)
    if place.start < samples:
        _rewrite(path, places, place, moov)
        return
    with path.open("r+b") as file:
        _append(file, place, moov)


def _append(file: BinaryIO, place: Place, moov: Box) -> None:
    """Appends the new index, then turns the old one into free space; the file is readable after each step."""
    file.seek(0, 2)
    file.write(bytes(moov))
    file.flush()
    os.fsync(file.fileno())
    file.seek(place.start + 4)
    file.write(b"free")


def grow(moov: Box, place: Place) -> tuple[bytes, int]:
    """The bytes of a changed index that was at `place`, and how far everything after it moves."""
    plain = bytes(moov)
    shift = len(plain) - place.size
    while True:  # a 32-bit offset table that overflows makes the index longer still
        copy = boxes.parse(plain)[0]
        boxes.shift_offsets(copy, place.end, shift)
        data = bytes(copy)
        if len(data) - place.size == shift:
            return data, shift
        shift = len(data) - place.size


def tagging_path(path: Path) -> Path:
    """The temporary file for rewriting a file whose new tags don't fit in place."""
    return path.with_name(f"{path.name}.tagging")


def _rewrite(path: Path, places: list[Place], place: Place, moov: Box) -> None:
    data, shift = grow(moov, place)
    part = tagging_path(path)
    owned.make_room(part)
    target = owned.create(part)
    try:
        with path.open("rb") as source, contextlib.closing(target):
            for each in places:
                if each is place:
                    target.write(data)
                elif each.kind in (b"moof", b"mfra"):
                    box = boxes.read(source, each, str(path))
                    boxes.shift_offsets(box, place.end, shift)
                    target.write(bytes(box))
                else:
                    source.seek(each.start)
                    left = each.size
                    while left:
                        left -= target.write(source.read(min(left, _COPY)))
            os.fsync(target.fileno())
        shutil.copymode(path, part)
        os.replace(part, path)
    finally:
        owned.discard(part)


class InFlight:
    """Tags an mp4 stream while it is written: bytes in, bytes out. Only the index and fragment headers are buffered."""

    def __init__(self, form: StereoFormat, camera: Camera | None = None) -> None:
        self._tags = tags(form, camera)
        self._held = bytearray()
        self._through = 0  # bytes of the open box still to pass through
        self._at = 0  # position of `_held` in the stream
        self._end = self._shift = 0

    def feed(self, data: bytes) -> bytes:
        """Adds bytes and returns those ready to be sent. Raises BoxError where the stream isn't mp4."""
        self._held += data
        out = bytearray()
        while self._held:
            if self._through:
                piece = self._held[: self._through]
                self._take(len(piece))
                self._through -= len(piece)
                out += piece
                continue
            if len(self._held) < 16:
                break
            size, kind = int.from_bytes(self._held[:4], "big"), bytes(self._held[4:8])
            size = int.from_bytes(self._held[8:16], "big") if size == 1 else size
            if 0 < size < 8:
                raise BoxError(f"a box of {size} bytes in the stream; it is not an mp4")
            if kind not in (b"moov", b"moof", b"mfra"):
                self._through = size or 1 << 62
            elif len(self._held) < size:
                break
            else:
                out += self._changed(bytes(self._held[:size]), kind)
                self._take(size)
        return bytes(out)

    def rest(self) -> bytes:
        """The bytes still buffered at the end of the stream."""
        return bytes(self._held)

    def _take(self, count: int) -> None:
        del self._held[:count]
        self._at += count

    def _changed(self, data: bytes, kind: bytes) -> bytes:
        box = boxes.parse(data, "stream")[0]
        if kind == b"moov":
            place = Place(kind, self._at, 8, len(data))
            patch(box, self._tags)
            made, self._shift = grow(box, place)
            self._end = place.end
            return made
        boxes.shift_offsets(box, self._end, self._shift)
        return bytes(box)


def read_tags(path: Path) -> dict[str, object]:
    """The stereo and sphere tags of an mp4/mov file as plain values; {} for other files. Raises BoxError if damaged."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] not in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return {}
    entries = boxes.video_entries(boxes.movie(path))
    return {} if not entries else entry_tags(entries[0])


def entry_tags(entry: Box) -> dict[str, object]:
    """The tags present in one sample entry."""
    found: dict[str, object] = {"entry": entry.kind.decode("latin-1")}
    order = [box.kind.decode("latin-1") for box in entry.children]
    found["boxes"] = order
    if box := entry.find(b"st3d"):
        modes = {0: "mono", 1: "top-bottom", 2: "left-right", 3: "custom", 4: "right-left"}
        found["st3d"] = modes.get(_at(box, 4, 1), f"mode {_at(box, 4, 1)}")
    if box := entry.find(b"sv3d", b"svhd"):
        found["sv3d_source"] = box.head[4:].split(b"\0")[0].decode("utf-8", "replace")
    if box := entry.find(b"sv3d", b"proj", b"prhd"):
        found["sv3d_pose_deg"] = [_at(box, at, 4, signed=True) / 65536 for at in (4, 8, 12)]
    if box := entry.find(b"sv3d", b"proj", b"equi"):
        found["sv3d_equi"] = {
            side: _at(box, 4 + 4 * n, 4) / 2**32 for n, side in enumerate(("top", "bottom", "left", "right"))
        }
    if entry.find(b"sv3d", b"proj", b"cbmp"):
        found["sv3d_cubemap"] = True
    if entry.find(b"sv3d", b"proj", b"mshp"):
        found["sv3d_mesh"] = True
    if box := entry.find(b"vexu", b"eyes", b"stri"):
        bits = _at(box, 4, 1)
        names = ("left", "right", "additional", "reversed")
        found["vexu_eyes"] = [name for bit, name in enumerate(names) if bits >> bit & 1]
    if box := entry.find(b"vexu", b"eyes", b"hero"):
        found["vexu_hero"] = {0: "none", 1: "left", 2: "right"}.get(_at(box, 4, 1), str(_at(box, 4, 1)))
    if box := entry.find(b"vexu", b"eyes", b"cams", b"blin"):
        found["vexu_baseline_mm"] = _at(box, 4, 4) / 1000
    if box := entry.find(b"vexu", b"eyes", b"cmfy", b"dadj"):
        found["vexu_disparity_shift"] = _at(box, 4, 4, signed=True) / 10_000
    if box := entry.find(b"vexu", b"proj", b"prji"):
        found["vexu_projection"] = box.head[4:8].decode("latin-1")
    if box := entry.find(b"vexu", b"pack", b"pkin"):
        found["vexu_packing"] = box.head[4:8].decode("latin-1")
    if box := entry.find(b"hfov"):
        found["hfov_deg"] = _at(box, 0, 4) / 1000
    if entry.find(b"lhvC"):
        found["mv_hevc"] = True
    return found


def _at(box: Box, start: int, size: int, *, signed: bool = False) -> int:
    if len(box.head) < start + size:
        raise SourceError(f"the box '{box.kind.decode('latin-1')}' is cut off")
    return int.from_bytes(box.head[start : start + size], "big", signed=signed)
