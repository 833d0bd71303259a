"""The films of a folder, by identifiers that no request can turn into a path outside of it."""

import hashlib
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stereocast.errors import SourceError
from stereocast.media import captions, probe, stereoinfo

log = logging.getLogger(__name__)

_PLAYABLE = {".mp4", ".m4v", ".mov", ".webm", ".mkv"}
_POSTERS_KEPT = 500


@dataclass(frozen=True, slots=True)
class Item:
    """One film; `convert` means that it is turned into stereo while it is watched."""

    ident: str
    path: Path
    title: str
    convert: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


class Library:
    """What lies below `root`, read when it is listed. Links that lead out of the folder are left out."""

    def __init__(self, root: Path | None, convert: tuple[Path, ...] = ()) -> None:
        self.root = root.resolve() if root is not None else None
        self._convert = {self._ident(path.resolve()): path.resolve() for path in convert}
        self._items: dict[tuple[str, float], Item | None] = {}
        self._posters: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @staticmethod
    def _ident(path: Path) -> str:
        return hashlib.sha256(str(path).encode()).hexdigest()[:16]

    def _paths(self) -> dict[str, Path]:
        found = dict(self._convert)
        if self.root is not None:
            for path in sorted(self.root.rglob("*")):
                if path.suffix.lower() not in _PLAYABLE or ".part" in path.suffixes or not path.is_file():
                    continue
                real = path.resolve()
                if real.is_relative_to(self.root):
                    found.setdefault(self._ident(real), real)
        return found

    def films(self) -> list[Item]:
        """Every film that can be read, by name."""
        items = (self._item(ident, path) for ident, path in self._paths().items())
        return sorted((item for item in items if item is not None), key=lambda item: item.title.lower())

    def get(self, ident: str) -> Item | None:
        """The film of that identifier, None if there is none."""
        path = self._paths().get(ident)
        return None if path is None else self._item(ident, path)

    def _item(self, ident: str, path: Path) -> Item | None:
        try:
            key = (ident, path.stat().st_mtime)
        except OSError:
            return None
        with self._lock:
            if key in self._items:
                return self._items[key]
        item: Item | None = None
        try:
            facts = captions.facts(path)
            views = stereoinfo.views(path, facts["width"], facts["height"])
            facts["views"] = views.plain()
            facts["size"] = path.stat().st_size
            title = str(path.relative_to(self.root)) if self.root and path.is_relative_to(self.root) else path.name
            item = Item(ident, path, title, ident in self._convert, facts)
        except SourceError as error:
            log.warning("%s", error)
        with self._lock:
            self._items[key] = item
        return item

    def poster(self, item: Item) -> bytes:
        """A JPEG of one view. Raises SourceError."""
        with self._lock:
            if item.ident in self._posters:
                return self._posters[item.ident]
        data = captions.poster(item.path, item.facts["views"]["layout"])
        with self._lock:
            while len(self._posters) >= _POSTERS_KEPT:
                self._posters.pop(next(iter(self._posters)))
            self._posters[item.ident] = data
        return data

    def texts(self, item: Item) -> list[str]:
        """Names of the subtitles: files beside the film first, then those inside."""
        return [*(path.name for path in self._beside(item)), *item.facts["texts"]]

    def webvtt(self, item: Item, number: int) -> str:
        """Subtitles as WebVTT. Raises SourceError."""
        beside = self._beside(item)
        if number < len(beside):
            text = beside[number].read_text("utf-8", errors="replace")
            return text if beside[number].suffix.lower() == ".vtt" else captions.from_srt(text)
        return captions.webvtt(item.path, number - len(beside))

    def _beside(self, item: Item) -> list[Path]:
        found = []
        for path in sorted(item.path.parent.iterdir()):
            if path.suffix.lower() not in (".srt", ".vtt") or not path.stem.startswith(item.path.stem):
                continue
            if self.root is None or path.resolve().is_relative_to(self.root):
                found.append(path)
        return found


def check_folder(path: Path) -> Path:
    """The folder, or a SourceError."""
    if not path.is_dir():
        raise SourceError(f"{path} is no folder; give a folder of films, or --convert {path}")
    return path


def check_film(path: Path) -> Path:
    """The film, or a SourceError."""
    probe.open_input(str(path)).close()
    return path
