"""Converts subtitles to WebVTT, from all common file formats (parsed by pysubs2) and from a film's tracks.

Tags that a browser shows (bold, italic, underline) are kept, others are removed. ASS positions become cue settings.
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from stereocast.errors import SourceError
from stereocast.media import filmfacts, probe

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".sub", ".smi")
_ASS = re.compile(r"\{([^{}]*)\}")
_KEPT = re.compile(r"<(/?)([biu])>", re.I)
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,200}>")
_HIDDEN = "\x01{}\x02"  # protects a kept tag while the rest is escaped


def text_of(data: bytes) -> str:
    """The text of a subtitle file, decoded by its byte order mark, as UTF-8, or in the most likely old code page."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    # most old files are Western: other code pages must fit much better
    best = from_bytes(data, cp_isolation=["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256"]).best()
    foreign = best is not None and best.encoding in ("cp1251", "cp1253", "cp1255", "cp1256") and best.chaos < 0.1
    return data.decode(best.encoding if best is not None and foreign else "cp1252", "replace")


def from_file(path: Path) -> str:
    """A subtitle file as WebVTT. Raises SourceError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} can't be read") from error
    text = text_of(data)
    if path.suffix.lower() == ".vtt" and text.lstrip("\ufeff").startswith("WEBVTT"):
        return text.lstrip("\ufeff").replace("\r\n", "\n")
    return from_text(text, path.suffix.lower())


def from_text(text: str, suffix: str = ".srt") -> str:
    """Subtitles in another format as WebVTT. Raises SourceError."""
    import pysubs2

    kinds = {".ass": "ass", ".ssa": "ssa", ".sub": "microdvd", ".smi": "sami", ".vtt": "vtt"}
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    try:
        found = pysubs2.SSAFile.from_string(
            text, format_=kinds.get(suffix, "srt"), keep_unknown_html_tags=True, fps=None
        )
    except (pysubs2.exceptions.Pysubs2Error, ValueError, IndexError, KeyError) as error:
        raise SourceError(f"these subtitles ({suffix}) can't be read: {error}") from error
    size = _number(found.info.get("PlayResX"), 384), _number(found.info.get("PlayResY"), 288)
    aligns = _aligns(text) if suffix == ".ass" else {}
    lines = ["WEBVTT", ""]
    for event in sorted(found.events, key=lambda e: (e.start, e.end)):
        if event.is_comment or not event.text.strip():
            continue
        style = found.styles.get(event.style)
        align = aligns.get(event.style) or (int(style.alignment) if style is not None and suffix == ".ssa" else 2)
        shown = _cue(event.text, align, size)
        if shown is not None:
            body, settings = shown
            lines += [
                f"{_time(Fraction(event.start, 1000))} --> {_time(Fraction(event.end, 1000))}{settings}",
                body,
                "",
            ]
    return "\n".join(lines)


def _number(text: Any, default: int) -> int:
    try:
        return max(1, int(text))
    except (TypeError, ValueError):
        return default


def _cue(text: str, align: int, size: tuple[int, int]) -> tuple[str, str] | None:
    """(text, settings) of an ASS line; None where it shows nothing."""
    place: tuple[float, float] | None = None
    drawn = ""
    at = drawing = 0
    for match in [*_ASS.finditer(text), None]:
        piece = text[at : match.start() if match else len(text)]
        drawn += "" if drawing else piece
        if match is None:
            break
        at = match.end()
        for name, value in re.findall(r"\\(an?|pos|move|i|b|u|p)(\([^)]*\)|\d+)", match[1]):
            if name in ("pos", "move"):
                numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", value)]
                place = (numbers[0] / size[0], numbers[1] / size[1]) if len(numbers) >= 2 else place
                continue
            value = value.strip("() ")  # players also accept \an(8)
            if not value.isdecimal():
                continue
            if name == "an":
                align = int(value[0]) or align
            elif name == "a":
                align = {1: 1, 2: 2, 3: 3, 5: 7, 6: 8, 7: 9, 9: 4, 10: 5, 11: 6}.get(int(value), align)
            elif name == "p":
                drawing = int(value)
            else:
                drawn += f"<{'' if int(value) else '/'}{name}>"
    body = _body(drawn.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", "\u00a0"))
    return (body, _settings(align, place)) if body else None


def _body(text: str) -> str:
    """A cue's text: everything but kept tags is escaped, tags are closed, and empty lines, which would end it, removed."""
    text = _KEPT.sub(lambda m: _HIDDEN.format(m[1] + m[2].lower()), text)
    text = _TAG.sub("", text)
    text = text.replace("&nbsp;", "\u00a0").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    text = text.replace("-->", "→").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    open_tags: list[str] = []
    out = ""
    for part in re.split("(\x01[^\x02]*\x02)", text):
        if not part.startswith("\x01"):
            out += part
        elif part[1] != "/":
            open_tags.append(part[1:-1])
            out += f"<{part[1:-1]}>"
        elif part[2:-1] in open_tags:
            open_tags.remove(part[2:-1])
            out += f"<{part[1:-1]}>"
    out += "".join(f"</{tag}>" for tag in reversed(open_tags))
    lines = [line.strip() for line in out.split("\n")]
    return "\n".join(line for line in lines if re.sub(r"</?[biu]>", "", line))


def _settings(align: int, place: tuple[float, float] | None) -> str:
    """Cue settings for a numpad alignment (1..9), or for a point (x, y) in 0..1 of the picture."""
    across, up = (align - 1) % 3, (align - 1) // 3
    if place is not None:
        x, y = (100 * min(max(value, 0.0), 1.0) for value in place)
        edge = ("end", "center", "start")[up]
        side = ("line-left", "center", "line-right")[across]
        return f" line:{y:.0f}%,{edge} position:{x:.0f}%,{side} align:{('left', 'center', 'right')[across]}"
    words = ("", " line:50%,center", " line:5%,start")[up]
    return words + (" position:5%,line-left align:left", "", " position:95%,line-right align:right")[across]


def webvtt(path: Path, track: int) -> str:
    """Text track `track` of a film (counted among its text tracks) as WebVTT. Raises SourceError."""
    container = probe.open_input(str(path))
    try:
        streams = filmfacts.text_streams(container)
        if track >= len(streams):
            raise SourceError(f"{path} has no text track {track}")
        stream, lines = streams[track], ["WEBVTT", ""]
        codec = stream.codec_context.name
        head = (
            bytes(stream.codec_context.extradata or b"").decode("utf-8", "replace") if codec in ("ass", "ssa") else ""
        )
        size = _number(_field(head, "PlayResX"), 384), _number(_field(head, "PlayResY"), 288)
        aligns = _aligns(head)
        for packet in container.demux(stream):
            if packet.pts is None or not packet.size:
                continue
            text, style = _packet_text(bytes(packet), codec)
            shown = _cue(text, aligns.get(style, 2), size)
            if shown is not None:
                start = packet.pts * Fraction(packet.time_base)
                stop = start + (packet.duration or 0) * Fraction(packet.time_base)
                lines += [f"{_time(start)} --> {_time(stop)}{shown[1]}", shown[0], ""]
        return "\n".join(lines)
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: the subtitles can't be read") from error
    finally:
        container.close()


def _field(head: str, name: str) -> str | None:
    found = re.search(rf"^{name}:\s*(\d+)", head, re.M)
    return found[1] if found else None


def _aligns(head: str) -> dict[str, int]:
    """Numpad alignment of each style in the header of an ASS track."""
    order: list[str] = []
    found: dict[str, int] = {}
    for line in head.splitlines():
        if line.startswith("Format:") and "Alignment" in line:
            order = [word.strip() for word in line[7:].split(",")]
        elif line.startswith("Style:") and order:
            values = dict(zip(order, (word.strip() for word in line[6:].split(",")), strict=False))
            found[values.get("Name", "")] = _number(values.get("Alignment"), 2)
    return found


def _packet_text(body: bytes, codec: str) -> tuple[str, str]:
    """(text, style) of one packet."""
    if codec == "mov_text":
        return body[2 : 2 + int.from_bytes(body[:2], "big")].decode("utf-8", "replace").strip(), ""
    text = body.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        parts = text.split(",", 8)
        return parts[-1].strip(), parts[2].strip() if len(parts) == 9 else ""
    return text.strip(), ""


def _time(seconds: Fraction) -> str:
    milli = max(0, round(seconds * 1000))
    return f"{milli // 3600000:02d}:{milli // 60000 % 60:02d}:{milli // 1000 % 60:02d}.{milli % 1000:03d}"
