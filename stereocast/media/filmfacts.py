"""What a player needs to know about a film: sizes, tracks, titles, codec strings. The file is opened once; nothing is
decoded."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from stereocast.errors import SourceError
from stereocast.media import boxes, photos, probe, sei, sound, soundtrack

_TEXT = {"subrip", "srt", "mov_text", "ass", "ssa", "webvtt", "text"}
_AUDIO = {
    "aac": "mp4a.40.2", "mp3": "mp4a.6B", "mp3float": "mp4a.6B", "opus": "opus", "flac": "flac", "vorbis": "vorbis",
    "ac3": "ac-3", "eac3": "ec-3",
}  # fmt: skip
_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm", ".mkv": "video/x-matroska",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".avif": "image/avif",
}  # fmt: skip
_PLAIN = {"vp8": "vp8", "vp9": "vp9", "av1": "av01.0.08M.08", "libdav1d": "av01.0.08M.08"}


def of_film(path: Path) -> dict[str, Any]:
    """Upright size, duration, codecs, tracks and title of a film, as plain values. Raises SourceError."""
    container = probe.open_input(str(path))
    try:
        stream = probe.video_stream(container, str(path), quiet=True)
        context = stream.codec_context
        sounds = [_track(n, s) for n, s in enumerate(container.streams.audio) if s.codec_context]
        texts = [_text(n, s) for n, s in enumerate(text_streams(container))]
        turn, entry = _index(path)
        width, height = context.width, context.height
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        if aspect != 1:
            width = round(width * aspect)
        rate = stream.average_rate or stream.guessed_rate
        return {
            "width": height if turn % 180 else width,
            "height": width if turn % 180 else height,
            "rotation": turn,
            "codec": context.name,
            "rate": float(rate) if rate else 0.0,
            "duration_s": container.duration / av.time_base if container.duration else None,
            "title": (container.metadata.get("title") or "").strip(),
            "audio": [sound["codec"] for sound in sounds],
            "sounds": sounds,
            "texts": [text["name"] for text in texts],
            "text_tracks": texts,
            "mime": _mime(path, context.name, entry, sounds),
            "packed": sei.of_film(container, stream),
        }
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path} can't be read: {error}") from error
    finally:
        container.close()


def text_streams(container: Any) -> list[Any]:
    """The subtitle tracks that consist of text."""
    return [s for s in container.streams.subtitles if s.codec_context and s.codec_context.name in _TEXT]


def _language(stream: Any) -> str:
    found = stream.metadata.get("language", "")
    return "" if found == "und" else str(found)


def _track(number: int, stream: Any) -> dict[str, Any]:
    codec = stream.codec_context.name
    return {
        "number": number, "codec": codec, "called": soundtrack.called(codec), "language": _language(stream),
        "title": stream.metadata.get("title", ""), "channels": stream.codec_context.channels,
        "default": bool(stream.disposition & av.stream.Disposition.default), "playable": codec in sound.HEARD,
    }  # fmt: skip


def _text(number: int, stream: Any) -> dict[str, Any]:
    name = stream.metadata.get("title") or _language(stream) or f"track {number}"
    forced = bool(stream.disposition & av.stream.Disposition.forced)
    return {"name": name, "language": _language(stream), "forced": forced}


def _index(path: Path) -> tuple[int, boxes.Box | None]:
    """(clockwise rotation in degrees, sample entry) from an mp4's index; (0, None) for other files."""
    with path.open("rb") as file:
        if file.read(8)[4:] not in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            return 0, None
    try:
        moov = boxes.movie(path)
    except SourceError:
        return 0, None
    for track in moov.all(b"trak"):
        stsd, head = track.find(b"mdia", b"minf", b"stbl", b"stsd"), track.find(b"tkhd")
        if stsd is None or not stsd.children:
            continue
        if head is None or len(head.head) < 84:
            return 0, stsd.children[0]
        at = 52 if head.head[0] == 1 else 40
        a, b = (int.from_bytes(head.head[at + n : at + n + 4], "big", signed=True) for n in (0, 4))
        return round(math.degrees(math.atan2(b, a)) / 90) % 4 * 90, stsd.children[0]
    return 0, None


def _mime(path: Path, codec: str, entry: boxes.Box | None, sounds: list[dict[str, Any]]) -> str:
    """The MIME type with the codecs of picture and default sound (RFC 6381); '' if unknown."""
    kind = _TYPES.get(path.suffix.lower(), "")
    picture = _video(entry) if entry is not None else _PLAIN.get(codec, "")
    heard = next((s for s in sounds if s["default"]), sounds[0] if sounds else None)
    sound = [_AUDIO.get(heard["codec"], "")] if heard else []
    return f'{kind}; codecs="{",".join([picture, *sound])}"' if kind and picture and all(sound) else ""


def mime_codecs(path: Path) -> str:
    """The `codecs` parameter (RFC 6381) for the head of a stream; '' if unknown."""
    with av.open(str(path)) as container:
        sound = [_AUDIO.get(s.codec_context.name, "") for s in container.streams.audio if s.codec_context]
    entry = boxes.video_entries(boxes.movie(path))[0]
    parts = [_video(entry), *sound]
    return ",".join(parts) if all(parts) else ""


def _video(entry: boxes.Box) -> str:
    kind = entry.kind.decode("latin-1")
    if (box := entry.find(b"avcC")) and len(box.head) > 3:
        return f"{kind}.{box.head[1:4].hex()}"
    if (box := entry.find(b"hvcC")) and len(box.head) > 12:
        head = box.head
        flags = int(f"{int.from_bytes(head[2:6], 'big'):032b}"[::-1], 2)
        tier = "H" if head[1] >> 5 & 1 else "L"
        constraints = head[6:12].rstrip(b"\0")
        tail = "".join(f".{byte:X}" for byte in constraints)
        return f"{kind}.{('', 'A', 'B', 'C')[head[1] >> 6]}{head[1] & 31}.{flags:X}.{tier}{head[12]}{tail}"
    if (box := entry.find(b"av1C")) and len(box.head) > 2:
        profile, level, tier = box.head[1] >> 5, box.head[1] & 31, "H" if box.head[2] >> 7 else "M"
        bits = 8 + 2 * (box.head[2] >> 6 & 1) + 2 * (box.head[2] >> 5 & 1)
        return f"{kind}.{profile}.{level:02d}{tier}.{bits:02d}"
    return "vp09.00.41.08" if kind == "vp09" else ""


def of_picture(path: Path) -> dict[str, Any]:
    """The same values for a still, from its header. Raises SourceError."""
    try:
        size = photos.size(path)
    except OSError as error:
        raise SourceError(f"{path} can't be read") from error
    if size is None:
        size = photos.read(str(path))[0].shape[1::-1]
    return {
        "width": size[0], "height": size[1], "rotation": 0, "codec": path.suffix.lower()[1:], "rate": 0.0, "duration_s": None,
        "title": "", "audio": [], "sounds": [], "texts": [], "text_tracks": [], "packed": None,
        "mime": _TYPES.get(path.suffix.lower(), "image/jpeg"),
    }  # fmt: skip
