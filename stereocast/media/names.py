"""What a name means: a URL, a numbered sequence, or a file, with any characters in its name."""

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')  # in the names of some file system
ROOM = 16  # bytes: .part.mp4.tagging, .kept.part.mp4, _L
_NUMBER = re.compile(r"%(?:0(\d+))?d")


def is_url(name: str) -> bool:
    """Whether the name has a scheme, such as https://; an existing file of that name is a file."""
    return bool(_URL.match(name)) and not os.path.exists(name)


def local(name: str) -> Path | None:
    """The file that a name or a file URL means; None for standard input and remote ones."""
    if name == "-":
        return None
    if not is_url(name):
        return Path(name)
    parts = urlsplit(name)
    return Path(url2pathname(unquote(parts.path))) if parts.scheme.lower() == "file" else None


def is_sequence(name: str) -> bool:
    """Whether the name is a printf pattern (frame_%04d.png) that files match; a file of that very name is a file."""
    return not is_url(name) and next(sequence_files(name), None) is not None


def sequence_files(name: str) -> Iterator[Path]:
    """The files that a printf pattern matches, in order of their numbers; none for any other name."""
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
    """What a result is called after: a file's name without its suffix, a sequence's without its number, a URL's last part."""
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
    """`stem` + `rest` as a file's name that the file system takes, with room for what is put into it while it grows.

    A stem that is too long is cut at a character and gets a checksum.
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
    """Bytes of a file's name in a folder, or in the nearest one that exists."""
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        return min(255, os.pathconf(folder, "PC_NAME_MAX"))
    except (OSError, AttributeError, ValueError):
        return 255
