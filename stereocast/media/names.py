"""Interprets names of sources: a URL, a numbered sequence, or a file with any characters in its name."""

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')  # forbidden in names by some file systems
ROOM = 16  # bytes: .part.mp4.tagging, .kept.part.mp4, _L
_NUMBER = re.compile(r"%(?:0(\d+))?d")


def is_url(name: str) -> bool:
    """Whether the name has a scheme, such as https://, and no file has exactly that name."""
    return bool(_URL.match(name)) and not os.path.exists(name)


def local(name: str) -> Path | None:
    """The local file of a name or a file URL; None for standard input and remote URLs."""
    if name == "-":
        return None
    if not is_url(name):
        return Path(name)
    parts = urlsplit(name)
    return Path(url2pathname(unquote(parts.path))) if parts.scheme.lower() == "file" else None


def is_sequence(name: str) -> bool:
    """Whether the name is a printf pattern (frame_%04d.png) that files match, and no file has exactly that name."""
    return not is_url(name) and next(sequence_files(name), None) is not None


def sequence_files(name: str) -> Iterator[Path]:
    """The files that a printf pattern matches, in numerical order; empty for other names."""
    path = Path(name)
    found = _NUMBER.search(path.name)
    if found is None or len(_NUMBER.findall(path.name)) != 1 or os.path.exists(name) or not os.path.isdir(path.parent):
        return
    digits = rf"(\d{{{int(found[1])},}})" if found[1] else r"(\d+)"
    before, after = (part.replace("%%", "%") for part in (path.name[: found.start()], path.name[found.end() :]))
    pattern = re.compile(re.escape(before) + digits + re.escape(after))
    numbered = ((pattern.fullmatch(each.name), each) for each in path.parent.iterdir())
    yield from (each for _, each in sorted((int(match[1]), each) for match, each in numbered if match))


def stem_of(name: str) -> str:
    """The base of a result's name: a file's name without suffix, a sequence's without number, or a URL's last part."""
    if name == "-":
        return "stream"
    if is_url(name):
        parts = urlsplit(name)
        last = unquote(parts.path.rstrip("/")).rsplit("/", 1)[-1]
        return _FORBIDDEN.sub("_", Path(last).stem) or _FORBIDDEN.sub("_", parts.netloc) or "stream"
    path = Path(name)
    if is_sequence(name):
        return _NUMBER.sub("", path.stem).replace("%%", "%").rstrip("_-. ") or path.absolute().parent.name or "sequence"
    return path.stem


def fitted(stem: str, rest: str, folder: Path) -> str:
    """`stem` + `rest` as a file name short enough for the file system, including the suffixes of temporary files.

    A stem that is too long is cut between characters and gets a checksum to stay unique.
    """
    longest = _longest(folder) - ROOM
    if len(os.fsencode(stem + rest)) <= longest:
        return stem + rest
    mark = f"~{zlib.crc32(os.fsencode(stem)):08x}"
    room = longest - len(os.fsencode(mark + rest))
    while stem and len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem.rstrip() + mark + rest


def _longest(folder: Path) -> int:
    """Longest file name in bytes in a folder, or in its nearest existing parent."""
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        return min(255, os.pathconf(folder, "PC_NAME_MAX"))
    except (OSError, AttributeError, ValueError):
        return 255
