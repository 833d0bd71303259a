"""Cover pictures, data tracks and attachments: kept if the container can hold them, otherwise named in a message."""

import logging
from typing import Any

import av

log = logging.getLogger(__name__)

_KINDS = {"mjpeg": ("image/jpeg", ".jpg"), "png": ("image/png", ".png"), "bmp": ("image/bmp", ".bmp")}
_CHAPTERS = {"SubtitleHandler", "Chapters"}  # a text track that mp4 keeps its chapters in


def is_cover(stream: Any) -> bool:
    """Whether a video stream is a picture that belongs to the film."""
    return bool(stream.type == "video" and stream.disposition & av.stream.Disposition.attached_pic)


def pictures(name: str) -> list[tuple[bytes, str, dict[str, str]]]:
    """The cover pictures of a source: data, codec (mjpeg, png or bmp) and tags; none where it can't be read again."""
    found: dict[int, tuple[bytes, str, dict[str, str]]] = {}
    try:
        with av.open(name, metadata_errors="replace") as container:
            wanted = [stream for stream in container.streams if is_cover(stream)]
            for packet in container.demux(wanted) if wanted else ():
                stream = packet.stream
                if packet.size and stream.index not in found and stream.codec_context is not None:
                    found[stream.index] = bytes(packet), stream.codec_context.name, dict(stream.metadata)
                if len(found) == len(wanted):
                    break
    except (av.error.FFmpegError, OSError, ValueError) as error:
        log.debug("no cover from %s: %s", name, error)
    return [picture for picture in found.values() if picture[1] in _KINDS]


def attach(source: Any, output: Any, container: str) -> None:
    """Puts the cover pictures of an open source into an mkv (mp4 gets them when it is complete), and says what is left out."""
    count = sum(map(is_cover, source.streams))
    made = pictures(source.name) if count and container in ("mkv", "mp4") else []
    if len(made) < count:
        why = "it can't be read again" if container in ("mkv", "mp4") else f"{container} can't hold it"
        log.warning("%d cover picture(s) left out: %s", count - len(made), why)
    for data, codec, tags in made if container == "mkv" else ():
        kind, suffix = _KINDS[codec]
        added = output.add_attachment(tags.get("filename", f"cover{suffix}"), tags.get("mimetype", kind), data)
        added.metadata.update({k: v for k, v in tags.items() if k.lower() in ("title", "description")})
    for stream in source.streams:
        handler = stream.metadata.get("handler_name", "").strip("\0 ")
        if stream.type == "data" and handler not in _CHAPTERS:
            log.warning("data track %d (%s) is left out", stream.index, handler or "timecode or sensor data")
        elif stream.type == "attachment" and container != "mkv":
            name = stream.metadata.get("filename", stream.index)
            log.warning("attachment %s is left out: %s can't hold it", name, container)
