"""Opens sources, and says in one line what is wrong with those that can't be converted."""

import io
import logging
import re
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from stereocast.errors import SourceError, UsageError
from stereocast.media import names, spatial
from stereocast.media.names import is_sequence, local
from stereocast.media.standard_input import Piped

log = logging.getLogger(__name__)

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".exr"}
ITEMS = {".heic", ".heif", ".avif"}  # stills in a film's container
VIDEOS = {
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv",
    ".3gp", ".vob", ".mxf", ".gif", ".h264", ".hevc", ".y4m", ".divx", ".dv", ".3g2", ".f4v", ".asf", ".ogm", ".mk3d",
    ".m2t", ".m2v", ".qt", ".rm", ".rmvb", ".wtv", ".264", ".265", ".h265",
}  # fmt: skip
# protocols that playlists may refer to; remote ones never refer to files on this machine
_REMOTE = "http,https,httpproxy,tcp,tls,crypto,data"
_LOCAL = f"file,{_REMOTE},pipe,fd"
SILENCE_S = 20  # timeout for a server that sends nothing
_TIME = re.compile(r"([0-9]{1,9}:){0,2}([0-9]{1,9}(\.[0-9]{0,30})?|\.[0-9]{1,30})")


@dataclass(frozen=True, slots=True)
class Track:
    """A stream of a file, for display."""

    index: int
    kind: str
    codec: str
    language: str = ""
    title: str = ""
    default: bool = False
    details: dict[str, Any] = field(default_factory=dict)


is_url = names.is_url


def flows(name: str) -> bool:
    """Whether reading may block: a URL or standard input."""
    return name == "-" or is_url(name)


def is_image(name: str) -> bool:
    """Whether a name belongs to a still. Animated PNG and AVIF are films, read through FFmpeg."""
    suffix = Path(name).suffix.lower()
    if is_url(name) or is_sequence(name) or suffix not in IMAGES | ITEMS:
        return False
    return not (suffix in (".png", *ITEMS) and moves(_head(name)))


def _head(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read(4096)
    except OSError:
        return b""


def moves(head: bytes) -> bool:
    """Whether the first bytes belong to an animated PNG, WebP, AVIF or HEIF."""
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        before = head.find(b"IDAT")
        return b"acTL" in head[: before if before > 0 else None]
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
        return bool(head[20] & 2)
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        return brands[:4] in (b"avis", b"msf1", b"hevc")
    return False


def open_input(name: str) -> Any:
    """An open PyAV container for a file, an http(s) or file URL, or '-'. Raises SourceError, UsageError."""
    target: Any = name
    protocols, patience_s = _LOCAL, None
    if name == "-":
        target = sys.stdin.buffer if hasattr(sys.stdin, "buffer") else io.BytesIO()
        if not target.seekable():  # a redirected file is seekable
            target = Piped(target)
        protocols = _REMOTE
    elif is_url(name):
        scheme = name.split("://", 1)[0].lower()
        if scheme not in ("http", "https", "file"):
            raise UsageError(f"{name}: only http, https and file URLs are read, not {scheme}://")
        if scheme != "file":
            protocols, patience_s = _REMOTE, float(SILENCE_S)
    else:
        path = Path(name)
        if path.is_dir():
            raise UsageError(f"{name} is a folder; to convert its files: stereocast convert {name}")
        if not is_sequence(name):
            if not path.exists():
                raise SourceError(f"no such file: {name}")
            if path.stat().st_size == 0 and path.is_file():
                raise SourceError(f"{name} is empty (0 bytes)")
            target = f"file:{name}"  # otherwise FFmpeg reads text before a colon as a protocol
    try:
        options = {"protocol_whitelist": protocols}
        return av.open(target, metadata_errors="replace", options=options, timeout=patience_s)
    except av.error.ExitError as error:
        raise SourceError(silent(name)) from error
    except av.error.FileNotFoundError as error:
        raise SourceError(f"no such file: {name}") from error
    except av.error.PermissionError as error:
        raise SourceError(f"{name} can't be read: permission denied") from error
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise SourceError(f"{name} is not a video, or its header is damaged") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{name} can't be opened: {_reason(error)}") from error


def silent(name: str) -> str:
    """The message for a server that sends nothing."""
    return f"{name}: the server sent nothing for {SILENCE_S} s"


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).strip() or type(error).__name__


def video_stream(container: Any, name: str, *, quiet: bool = False) -> Any:
    """The video stream to convert: the default one, otherwise the first that isn't a cover picture.

    Other video streams are named in a warning, unless `quiet`. Raises SourceError when there is none, or it is encrypted.
    """
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type or "unknown data" for s in container.streams}))
        what = f"no video stream (only {kinds})" if kinds else "no readable streams"
        raise SourceError(f"{name} holds {what}; there is nothing to convert")
    chosen = next((s for s in streams if s.disposition & av.stream.Disposition.default), streams[0])
    for other in streams:
        if other is not chosen and not quiet:
            log.warning("%s: video stream %d is left out (stream %d is converted)", name, other.index, chosen.index)
    if _encrypted(chosen, name):
        raise SourceError(f"{name} is encrypted (DRM); it can't be decoded")
    if chosen.codec_context is None:
        raise SourceError(f"{name}: no decoder for video stream {chosen.index}")
    return chosen


def _encrypted(stream: Any, name: str) -> bool:
    """Whether the stream is encrypted, from its sample entry (encv, drmi: FFmpeg may report the codec inside) or
    Matroska's key id."""
    tag = str(getattr(stream.codec_context, "codec_tag", "")).lower()
    if tag.startswith(("encv", "drmi")) or any(key.lower() == "enc_key_id" for key in stream.metadata):
        return True
    path = local(name)
    if path is None or not path.is_file():
        return False
    try:
        return spatial.read_tags(path).get("entry") in ("encv", "drmi")
    except (SourceError, OSError):
        return False


def tracks(container: Any) -> list[Track]:
    """All streams of an open container."""
    result = []
    for stream in container.streams:
        context = stream.codec_context
        details: dict[str, Any] = {}
        if stream.type == "video" and context is not None:
            rate = stream.average_rate or stream.guessed_rate
            details = {
                "width": context.width,
                "height": context.height,
                "rate": str(Fraction(rate)) if rate else None,
                "pixel_format": context.pix_fmt,
                "profile": context.profile,
                "level": getattr(context, "level", None),
                "tag": str(context.codec_tag),
                "frames": stream.frames or None,
            }
        elif stream.type == "audio" and context is not None:
            details = {"rate": context.sample_rate, "layout": context.layout.name}
        result.append(
            Track(
                stream.index,
                stream.type,
                context.name if context is not None else "unknown",
                stream.metadata.get("language", ""),
                stream.metadata.get("title", ""),
                bool(stream.disposition & av.stream.Disposition.default),
                details,
            )
        )
    return result


def parse_time(text: str, option: str) -> Fraction:
    """'90', '1:30', '0:01:30.5' as exact seconds. Raises UsageError naming the option."""
    if text.strip().startswith("-"):
        raise UsageError(f"--{option} {text}: must not be negative")
    if not _TIME.fullmatch(text.strip()):
        raise UsageError(f"--{option} {text}: give seconds or [HH:]MM:SS[.mmm], such as 90 or 1:30.5")
    seconds = Fraction(0)
    for part in text.strip().split(":"):
        seconds = seconds * 60 + Fraction(part)
    return seconds
