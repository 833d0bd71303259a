"""Subtitles as WebVTT, posters and codec strings: what a browser wants beside a film."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2

from stereocast.errors import SourceError
from stereocast.media import boxes, probe

_TEXT = {"subrip", "srt", "mov_text", "ass", "ssa", "webvtt", "text"}
_AUDIO = {"aac": "mp4a.40.2", "mp3": "mp4a.6B", "mp3float": "mp4a.6B", "opus": "opus", "flac": "flac", "ac3": "ac-3", "eac3": "ec-3"}  # fmt: skip


def webvtt(path: Path, track: int) -> str:
    """The text track number `track` (counted among the text tracks) of a film. Raises SourceError."""
    container = probe.open_input(str(path))
    try:
        streams = [s for s in container.streams.subtitles if s.codec_context and s.codec_context.name in _TEXT]
        if track >= len(streams):
            raise SourceError(f"{path} has no text track {track}")
        stream, lines = streams[track], ["WEBVTT", ""]
        for packet in container.demux(stream):
            if packet.pts is None or not packet.size:
                continue
            start = packet.pts * Fraction(packet.time_base)
            text = _text(bytes(packet), stream.codec_context.name)
            if text:
                stop = start + (packet.duration or 0) * Fraction(packet.time_base)
                lines += [f"{_time(start)} --> {_time(stop)}", text, ""]
        return "\n".join(lines)
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: its subtitles can't be read") from error
    finally:
        container.close()


def from_srt(text: str) -> str:
    """SubRip text as WebVTT."""
    body = re.sub(r"(\d\d:\d\d:\d\d),(\d\d\d)", r"\1.\2", text.replace("\r\n", "\n").lstrip("\ufeff"))
    return "WEBVTT\n\n" + body


def _text(body: bytes, codec: str) -> str:
    if codec == "mov_text":
        return body[2 : 2 + int.from_bytes(body[:2], "big")].decode("utf-8", "replace").strip()
    text = body.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = text.split(",", 8)[-1]
        text = re.sub(r"\{[^}]*\}", "", text).replace("\\N", "\n")
    return text.replace("-->", "→").strip()


def _time(seconds: Fraction) -> str:
    milli = max(0, round(seconds * 1000))
    return f"{milli // 3600000:02d}:{milli // 60000 % 60:02d}:{milli // 1000 % 60:02d}.{milli % 1000:03d}"


def facts(path: Path) -> dict[str, Any]:
    """Size, duration, codecs and text tracks of a film. Raises SourceError."""
    container = probe.open_input(str(path))
    try:
        stream = probe.video_stream(container, str(path))
        context = stream.codec_context
        return {
            "width": context.width,
            "height": context.height,
            "codec": context.name,
            "duration_s": container.duration / av.time_base if container.duration else None,
            "audio": [s.codec_context.name for s in container.streams.audio if s.codec_context],
            "texts": [
                s.metadata.get("title") or s.metadata.get("language") or f"track {n}"
                for n, s in enumerate(
                    s for s in container.streams.subtitles if s.codec_context and s.codec_context.name in _TEXT
                )
            ],
        }
    finally:
        container.close()


def poster(path: Path, layout: str, width: int = 480) -> bytes:
    """A JPEG of one view, a tenth into the film. Raises SourceError."""
    container = probe.open_input(str(path))
    try:
        stream = probe.video_stream(container, str(path))
        stream.codec_context.skip_frame = "NONKEY"
        if container.duration:
            container.seek(container.duration // 10)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise SourceError(f"{path}: no frame could be decoded")
        image = frame.to_ndarray(format="bgr24")
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: no frame could be decoded") from error
    finally:
        container.close()
    height, full = image.shape[:2]
    if layout == "left-right":
        image = image[:, : full // 2]
    elif layout == "top-bottom":
        image = image[: height // 2]
    shape = (width, max(2, round(width * 9 / 16)))
    return bytes(cv2.imencode(".jpg", cv2.resize(image, shape, interpolation=cv2.INTER_AREA))[1])


def mime_codecs(path: Path) -> str:
    """The `codecs` of a film or of the head of a stream, as a browser wants them (RFC 6381). '' if unknown."""
    with av.open(str(path)) as container:
        sound = [_AUDIO.get(s.codec_context.name, "") for s in container.streams.audio if s.codec_context]
    entry = boxes.video_entries(boxes.movie(path))[0]
    parts = [_video(entry), *sound]
    return ",".join(parts) if all(parts) else ""


def _video(entry: boxes.Box) -> str:
    kind = entry.kind.decode("latin-1")
    if box := entry.find(b"avcC"):
        return f"{kind}.{box.head[1:4].hex()}"
    if box := entry.find(b"hvcC"):
        head = box.head
        flags = int(f"{int.from_bytes(head[2:6], 'big'):032b}"[::-1], 2)
        tier = "H" if head[1] >> 5 & 1 else "L"
        constraints = head[6:12].rstrip(b"\0")
        tail = "".join(f".{byte:X}" for byte in constraints)
        return f"{kind}.{('', 'A', 'B', 'C')[head[1] >> 6]}{head[1] & 31}.{flags:X}.{tier}{head[12]}{tail}"
    if box := entry.find(b"av1C"):
        profile, level, tier = box.head[1] >> 5, box.head[1] & 31, "H" if box.head[2] >> 7 else "M"
        return f"{kind}.{profile}.{level:02d}{tier}.{10 if box.head[2] >> 6 & 1 else 8:02d}"
    return ""
