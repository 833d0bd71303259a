"""The files of a folder, found quickly: one scan, no file opened, entries kept until the file changes."""

import bisect
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stereocast.media import captions, marks
from stereocast.serve import titles

FILMS = {".mp4", ".m4v", ".mov", ".webm", ".mkv"}
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".jps"}


def ident_of(where: str) -> str:
    """An identifier that no request can turn into another path."""
    return hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class Entry:
    """One film or picture as the scan finds it; `pair` is the right eye's picture."""

    ident: str
    where: str
    below: str  # the path below the root, with /
    changed: float
    size: int
    kind: str = "film"
    convert: bool = False
    pair: Path | None = None

    @cached_property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.where)

    @property
    def folder(self) -> str:
        return self.below.rpartition("/")[0]

    @property
    def file(self) -> str:
        return self.below.rpartition("/")[2]

    @cached_property
    def cleaned(self) -> str:
        """A title by the name alone."""
        return titles.cleaned(self.path.stem) or self.path.stem

    @cached_property
    def order(self) -> tuple[Any, ...]:
        """By the file's name."""
        return titles.natural(os.path.splitext(self.file)[0]), self.below

    @cached_property
    def words(self) -> str:
        """What is searched."""
        return titles.plain(self.below.replace("_", " ").replace(".", " ") + self.below)


def walk(root: Path, known: dict[str, Entry]) -> tuple[dict[str, Entry], dict[str, list[str]]]:
    """All films and pictures below `root`, by identifier, and the names of subtitle files in each folder, in order.

    Links that lead out, hidden files and parts are left out.
    """
    found: dict[str, Entry] = {}
    texts: dict[str, list[str]] = {}
    pictures: list[Entry] = []
    todo = [(str(root), "")]
    while todo:
        folder, below = todo.pop()
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError:
            continue
        texts[folder] = sorted(item.name for item in listed if item.name.lower().endswith(captions.SUFFIXES))
        for item in listed:
            name = item.name
            if name.startswith("."):
                continue
            suffix = os.path.splitext(name)[1].lower()
            try:
                if suffix not in FILMS and suffix not in PICTURES:
                    if item.is_dir(follow_symlinks=False):
                        todo.append((item.path, f"{below}{name}/"))
                    continue
                made = _entry(root, item, f"{below}{name}", suffix, known)
            except OSError:
                continue
            if made is not None and made.kind == "film":
                found.setdefault(made.ident, made)
            elif made is not None:
                pictures.append(made)
    for made in _stereo(pictures):
        found.setdefault(made.ident, made)
    return found, texts


def beside(names: list[str], stem: str) -> list[str]:
    """Of names in order those of subtitles for the film `stem`: `film.srt`, `film.en.srt`, not `film 2.srt`."""
    at = bisect.bisect_left(names, stem)
    found = []
    while at < len(names) and names[at].startswith(stem):
        if names[at][len(stem) : len(stem) + 1] in tuple("._-[("):
            found.append(names[at])
        at += 1
    return found


def _entry(root: Path, item: os.DirEntry[str], below: str, suffix: str, known: dict[str, Entry]) -> Entry | None:
    if ".part." in item.name:
        return None
    where = item.path
    if item.is_symlink():
        path = Path(where).resolve()
        if not path.is_relative_to(root):
            return None
        where, below = str(path), path.relative_to(root).as_posix()
    if item.is_dir():
        return None
    stat = item.stat()
    ident = ident_of(where)
    old = known.get(ident)
    if old is not None and (old.changed, old.size, old.pair) == (stat.st_mtime, stat.st_size, None):
        return old
    return Entry(ident, where, below, stat.st_mtime, stat.st_size, "film" if suffix in FILMS else "picture")


def _stereo(pictures: list[Entry]) -> list[Entry]:
    """Of the pictures those that hold two views by their names, and pairs of them as one."""
    by_path = {entry.path: entry for entry in pictures}
    made = []
    for entry in pictures:
        stem, suffix = entry.path.stem, entry.path.suffix
        if stem.endswith("_R") and entry.path.with_name(f"{stem[:-2]}_L{suffix}") in by_path:
            continue
        right = entry.path.with_name(f"{stem[:-2]}_R{suffix}") if stem.endswith("_L") else None
        if right in by_path:
            made.append(Entry(entry.ident, entry.where, entry.below, entry.changed, entry.size, "picture", pair=right))
        elif suffix.lower() == ".jps" or ((said := marks.read(stem)) is not None and (said.layout or said.projection)):
            made.append(entry)
    return made
