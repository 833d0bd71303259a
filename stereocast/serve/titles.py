"""Display names: from a film's tags, otherwise from its file name; and how names are searched and sorted."""

import re
import unicodedata
from typing import Any

from stereocast.media import marks

_TECHNICAL = re.compile(
    r"(?i)(?<![^\W_])(?:\d{3,4}[pi]|4k|8k|uhd|hdr10?|blu-?ray|bdrip|brrip|web-?dl|web-?rip|hdtv|dvdrip|remux|x26[45]|h\.?26[45]|"
    r"hevc|avc|av1|10bit|aac(?:\d\.\d)?|ac3|dts(?:-hd)?|3d|mvhevc)(?![^\W_])"
)
_YEAR = re.compile(r"[ (\[]((?:19|20)\d\d)[)\]]?(?= |$)")
_NUMBERS = re.compile(r"(\d+)")


def shown(title: str, stem: str, size: tuple[int, int]) -> str:
    """What a film is called: its own title, else its file's name without marks and technical words."""
    if title and not re.fullmatch(r"[\w.-]+\.(mp4|mkv|mov|m4v|webm)", title, re.I):
        return " ".join(title.split())
    return cleaned(stem, size) or stem


def cleaned(stem: str, size: tuple[int, int] = (0, 0)) -> str:
    """A file's name as a title: `Big.Film.2010.3D.HSBS.1080p.x264-GROUP` is Big Film (2010)."""
    found = marks.read(stem, *size)
    text = stem
    for a, b in reversed(found.spans if found else ()):
        text = text[:a] + "\0" * (b - a) + text[b:]
    dotted = "." in text and " " not in text
    text = re.sub(r"[_\s]+", " ", text.replace(".", " ") if dotted else text)
    technical = [m.start() for m in (re.search("\0", text), _TECHNICAL.search(text)) if m]
    year = next((m for m in _YEAR.finditer(text) if m.start() > 0), None)
    if technical and (year is None or year.start() < min(technical)):
        text = text[: min(technical)] if min(technical) > 0 else text.replace("\0", "")
    if year is not None and year.end() <= len(text) and technical:
        text = f"{text[: year.start()].rstrip(' ([-')} ({year[1]})"
    text = text.replace("\0", " ")
    return re.sub(r"\s+", " ", text).strip(" -_.([")


def plain(text: str) -> str:
    """Text as it is searched: without case and accents."""
    if text.isascii():
        return text.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def natural(text: str) -> tuple[Any, ...]:
    """A key by which `Part 2` stands before `Part 10`."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in _NUMBERS.split(plain(text)))
