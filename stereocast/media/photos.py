"""Picture files: reads them upright with EXIF and colour profile, and writes them with both.

OpenCV decodes and encodes. A picture that is too large is rejected by its header, before it takes memory.
"""

import logging
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stereocast.errors import SinkError, SourceError
from stereocast.media import exif, owned
from stereocast.types import Array

log = logging.getLogger(__name__)

LARGEST = 250_000_000  # pixels; both views, the depth and the packed picture take about 14 times as many bytes
LONGEST = 1 << 20  # OpenCV's limit for a side
_EXIF, _ICC = cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP
_KEEPING = (".jpg", ".jpeg", ".png", ".webp", ".avif")  # formats in which OpenCV writes both
_TIFF_ICC = 34675


@dataclass(frozen=True, slots=True)
class Extras:
    """Metadata of a picture file; b"" where there is none."""

    exif: bytes = b""
    profile: bytes = b""  # ICC


def size(path: Path) -> tuple[int, int] | None:
    """(width, height) from the header alone; None where the format is unknown. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
        if head.startswith(b"\xff\xd8"):
            return _jpeg_size(head + file.read(1 << 20))
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        width, height = struct.unpack_from(">II", head, 16)
        return width, height
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    if head[:2] == b"BM" and len(head) >= 26:
        width, height = struct.unpack_from("<ii", head, 18)
        return abs(width), abs(height)
    return _tiff_size(path, head) if head[:4] in (b"II*\0", b"MM\0*") else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff_entries(path: Path) -> dict[int, tuple[int, int, int]]:
    """Type, count and value (or offset) of the first directory's entries, by tag."""
    with path.open("rb") as file:
        head = file.read(8)
        order = "<" if head[:2] == b"II" else ">"
        file.seek(struct.unpack(order + "I", head[4:8])[0])
        (count,) = struct.unpack(order + "H", file.read(2))
        table = file.read(12 * count)
    found = {}
    for n in range(len(table) // 12):
        tag, kind, number = struct.unpack_from(order + "HHI", table, 12 * n)
        (value,) = struct.unpack_from(order + ("H" if kind == 3 and number == 1 else "I"), table, 12 * n + 8)
        found[tag] = (kind, number, value)
    return found


def _tiff_size(path: Path, head: bytes) -> tuple[int, int] | None:
    try:
        entries = _tiff_entries(path)
        return entries[256][2], entries[257][2]
    except (struct.error, KeyError):
        return None


def check_size(name: str) -> None:
    """Rejects a picture that is too large to convert. Raises SourceError."""
    found = size(Path(name))
    if found is None:
        return
    width, height = found
    if width * height > LARGEST or max(found) > LONGEST:
        raise SourceError(
            f"{name} has {width}x{height} pixels; the limit is {LARGEST // 1_000_000} megapixels and "
            f"{LONGEST} pixels per side; make it smaller first"
        )


def read(name: str) -> tuple[Array, Extras]:
    """RGB [H, W, 3] uint8 or uint16, upright, transparent parts on black; and its extras. Raises SourceError."""
    path = Path(name)
    try:
        check_size(name)
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise SourceError(f"no such file: {name}") from None
    except OSError as error:
        raise SourceError(f"{name} can't be read: {owned.reason(error)}") from error
    image, found = _decoded(data)
    if image is None:
        raise SourceError(f"{name} is not a readable image, or it is damaged")
    if image.dtype not in (np.uint8, np.uint16):
        image = np.clip(np.rint(np.nan_to_num(image) * 255.0), 0, 255).astype(np.uint8)
    image = _on_black(image)
    profile = bytes(found.get(_ICC, b"")) or _tiff_profile(path)
    extras = Extras(bytes(found.get(_EXIF, b"")), profile if profile[16:20] == b"RGB " else b"")
    return np.ascontiguousarray(_turned(image, exif.orientation(extras.exif))[..., ::-1]), extras


def _decoded(data: Array) -> tuple[Array | None, dict[int, bytes]]:
    if not data.size:
        return None, {}
    try:
        image, kinds, blocks = cv2.imdecodeWithMetadata(data, flags=cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        log.debug("not decoded: %s", error)
        return None, {}
    return image, {int(kind): np.ravel(block).tobytes() for kind, block in zip(kinds, blocks, strict=False)}


def _on_black(image: Array) -> Array:
    """BGR [H, W, 3] from grey, BGR or BGRA; transparent parts on black."""
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, 2)
    if image.shape[2] < 4:
        return image[..., :3]
    top = np.iinfo(image.dtype).max
    alpha = image[..., 3:]
    if (alpha == top).all():
        return image[..., :3]
    return ((image[..., :3].astype(np.uint32) * alpha + top // 2) // top).astype(image.dtype)


def _turned(image: Array, orientation: int) -> Array:
    """The picture upright (EXIF orientation 1 to 8)."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image[::-1] if orientation in (3, 4, 7, 8) else image


def _tiff_profile(path: Path) -> bytes:
    if path.suffix.lower() not in (".tif", ".tiff"):
        return b""
    try:
        _, count, at = _tiff_entries(path)[_TIFF_ICC]
        with path.open("rb") as file:
            file.seek(at)
            return file.read(min(count, 1 << 24))
    except (OSError, struct.error, KeyError):
        return b""


def encoded(path: Path, image: Array, extras: Extras | None = None) -> bytes:
    """RGB [H, W, 3] (or grey [H, W]) with its extras, encoded in the format of `path`'s suffix. Raises SinkError."""
    suffix = path.suffix.lower() or ".png"
    stored = np.ascontiguousarray(image[..., ::-1] if image.ndim == 3 else image)
    blocks = [] if extras is None else [(_EXIF, exif.upright(extras.exif)), (_ICC, extras.profile)]
    if suffix not in _KEEPING:
        lost = [
            what
            for what, data in (("EXIF", extras and extras.exif), ("colour profile", extras and extras.profile))
            if data
        ]
        if lost:
            log.warning("%s: its %s can't be kept in %s; a .png keeps it", path, " and ".join(lost), suffix[1:])
        blocks = []
    return _coded(suffix, stored, [(kind, data) for kind, data in blocks if data], path)


def _coded(suffix: str, stored: Array, blocks: list[tuple[int, bytes]], path: Path) -> bytes:
    try:
        if blocks:
            arrays: list[Any] = [np.frombuffer(data, np.uint8) for _, data in blocks]
            ok, data = cv2.imencodeWithMetadata(suffix, stored, [kind for kind, _ in blocks], arrays)
        else:
            ok, data = cv2.imencode(suffix, stored)
    except cv2.error:
        ok, data = False, None
    if not ok and len(blocks) > 1:  # the encoder rejects a damaged profile
        log.warning("%s: the colour profile is damaged and is left out", path)
        return _coded(suffix, stored, blocks[:1], path)
    if not ok:
        raise SinkError(f"{path} can't be written as an image of {stored.shape[1]}x{stored.shape[0]}; use .png")
    return bytes(np.asarray(data).tobytes())


def made_by_us(path: Path) -> bool:
    """Whether a picture's EXIF names stereocast as its processing software."""
    try:
        check_size(str(path))
        with path.open("rb") as file:
            data = file.read()
    except (OSError, SourceError):
        return False
    at = data.find(exif.SOFTWARE)
    if at < 0:
        return False
    _, found = _decoded(np.frombuffer(data, np.uint8))
    return exif.made_by_us(found.get(_EXIF, b""))
