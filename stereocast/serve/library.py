"""The films of a folder, by identifiers that no request can turn into a path outside of it.

The folder is scanned when it changes. A file is opened once, and its facts are kept between starts.
"""

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stereocast.errors import SourceError
from stereocast.media import captions, filmfacts, posters, probe, stereoinfo
from stereocast.serve import shelf, titles
from stereocast.serve.shelf import Entry, ident_of
from stereocast.serve.store import Index, Remembered
from stereocast.serve.thumbnails import Thumbnails

log = logging.getLogger(__name__)

_UNWATCHED_S = 60.0  # a folder without change notifications (a network share) is scanned again
_BATCH = 50
_GIVES_WAY_S = 0.2  # reading ahead waits while a page is asked for


@dataclass(frozen=True, slots=True)
class Item:
    """One film or picture; `convert`: it is converted while it is watched."""

    ident: str
    path: Path
    title: str
    convert: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    kind: str = "film"
    pair: Path | None = None
    changed: float = 0.0


class Library:
    """The films below `root`. With `watch`, changes are noticed as they happen and facts are read ahead."""

    def __init__(
        self, root: Path | None, convert: tuple[Path, ...] = (), *, index: Index | None = None,
        remembered: Remembered | None = None, thumbnails: Thumbnails | None = None, watch: bool = False,
    ) -> None:  # fmt: skip
        self.root = root.resolve() if root is not None else None
        self.remembered = remembered or Remembered()
        self.thumbnails = thumbnails or Thumbnails()
        self._convert = [path.resolve() for path in convert]
        self._index = index or Index()
        self._facts = self._index.load()
        self._entries: dict[str, Entry] = {}
        self._texts: dict[str, list[str]] = {}  # subtitle files by folder
        self._lock, self._walking = threading.Lock(), threading.Lock()
        self._unsaved: list[tuple[str, float, int, dict[str, Any]]] = []
        self._changed, self._walked, self._asked = True, 0.0, 0.0
        self._news = threading.Condition()
        self.version = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._watched = watch
        if watch:
            tasks = {"library-facts": self._read_ahead, "library-watch": self._watch}
            self._threads = [threading.Thread(target=task, name=name, daemon=True) for name, task in tasks.items()]
            for thread in self._threads:
                thread.start()

    # ---- what is there --------------------------------------------------------------------------------------------

    def entries(self) -> dict[str, Entry]:
        """The current films, by identifier."""
        with self._walking:
            if self._changed or not self._watched or time.monotonic() - self._walked > _UNWATCHED_S:
                self._changed = False
                found, self._texts = shelf.walk(self.root, self._entries) if self.root is not None else ({}, {})
                for path in self._convert:
                    entry = self._converted(path)
                    if entry is not None:
                        found[entry.ident] = entry
                if found.keys() != self._entries.keys() or any(found[i] is not self._entries[i] for i in found):
                    self._entries = found
                    self._tell()
                self._walked = time.monotonic()
            return self._entries

    def convert_live(self, path: Path) -> None:
        """That film is turned into stereo while it is watched, from now on."""
        with self._walking:
            if path.resolve() not in self._convert:
                self._convert.append(path.resolve())
                self._changed = True
        self.entries()

    def _converted(self, path: Path) -> Entry | None:
        ident = ident_of(str(path))
        old = self._entries.get(ident)
        try:
            stat = path.stat()
        except OSError:
            return None
        if old is not None and old.convert and (old.changed, old.size) == (stat.st_mtime, stat.st_size):
            return old
        below = self.root is not None and path.is_relative_to(self.root)
        name = path.relative_to(self.root).as_posix() if below and self.root is not None else path.name
        return Entry(ident, str(path), name, stat.st_mtime, stat.st_size, convert=True)

    def _tell(self) -> None:
        with self._news:
            self.version += 1
            self._news.notify_all()

    def wait(self, since: int, seconds: float) -> int:
        """The version of what is known, as soon as it differs from `since`."""
        with self._news:
            self._news.wait_for(lambda: self.version != since or self._stop.is_set(), seconds)
            return self.version

    def get(self, ident: str) -> Item | None:
        """The film of that identifier, None if there is none, or it can't be read."""
        entry = self._entries.get(ident) or self.entries().get(ident)
        if entry is None or not entry.path.is_file():
            return None
        return self.item(entry)

    def films(self) -> list[Item]:
        """Every film that can be read, by name."""
        entries = sorted(self.entries().values(), key=lambda entry: entry.below.lower())
        return [item for item in map(self.item, entries) if item is not None]

    # ---- facts ----------------------------------------------------------------------------------------------------

    def facts(self, entry: Entry) -> dict[str, Any] | None:
        """What is known of a file by now; None where it hasn't been read."""
        known = self._facts.get(entry.ident)
        return known[2] if known is not None and known[:2] == (entry.changed, entry.size) else None

    def item(self, entry: Entry) -> Item | None:
        """The film with its facts, read where they aren't known; None where it can't be read."""
        facts = self.facts(entry)
        if facts is None:
            facts = self._read(entry)
        if "broken" in facts:
            return None
        return Item(entry.ident, entry.path, entry.below, entry.convert, facts, entry.kind, entry.pair, entry.changed)

    def _read(self, entry: Entry) -> dict[str, Any]:
        try:
            made = filmfacts.of_film(entry.path) if entry.kind == "film" else filmfacts.of_picture(entry.path)
            views = self._views(entry, made)
            if entry.pair is not None:
                made["width"] *= 2
            facts = {**made, "views": views.plain(), "size": entry.size}
            facts["name"] = titles.shown(made["title"], entry.path.stem, (made["width"], made["height"]))
        except SourceError as error:
            log.warning("%s", error)
            facts = {"broken": str(error)}
        except Exception as error:  # a damaged file must not end the list
            log.warning("%s can't be read: %s", entry.path, error)
            facts = {"broken": str(error)}
        with self._lock:
            self._facts[entry.ident] = (entry.changed, entry.size, facts)
            self._unsaved.append((entry.ident, entry.changed, entry.size, facts))
            if len(self._unsaved) < _BATCH and self._watched:
                return facts
        self._save()
        return facts

    @staticmethod
    def _views(entry: Entry, facts: dict[str, Any]) -> stereoinfo.Views:
        if entry.pair is not None:
            return stereoinfo.Views("left-right", True, source="name")
        if entry.kind == "picture":
            if entry.path.suffix.lower() == ".jps":
                return stereoinfo.Views("left-right", True, swapped=True, source="name")
            return stereoinfo.from_name(entry.path.name, facts["width"], facts["height"]) or stereoinfo.Views()
        return stereoinfo.views(entry.path, facts["width"], facts["height"], facts["packed"])

    def _save(self) -> None:
        with self._lock:
            rows, self._unsaved = self._unsaved, []
        if rows:
            self._index.save(rows)

    def asked(self) -> None:
        """A request is waiting: reading ahead pauses."""
        self._asked = time.monotonic()

    def indexed(self) -> float:
        """The share of the films that has been read, 0..1."""
        entries = self._entries
        known = sum(self.facts(entry) is not None for entry in entries.values())
        return known / len(entries) if entries else 1.0

    def _read_ahead(self) -> None:
        """Reads new files one after another, while no request is waiting."""
        seen = -1
        while not self._stop.is_set():
            self.entries()
            if seen != self.version:
                seen = self.version
                told, unsaid = time.monotonic(), False
                for entry in sorted(self._entries.values(), key=lambda entry: entry.order):
                    if self._stop.is_set():
                        break
                    while time.monotonic() < self._asked + _GIVES_WAY_S and not self._stop.wait(0.05):
                        pass
                    if self.facts(entry) is None:
                        self._read(entry)
                        unsaid = True
                        if time.monotonic() - told > 2:
                            told, unsaid = time.monotonic(), False
                            self._tell()
                            seen = self.version
                    if self._changed:
                        break
                if unsaid:
                    self._tell()
                    seen = self.version
                self._save()
            self._stop.wait(0.5)

    def _watch(self) -> None:
        if self.root is None:
            return
        import watchfiles

        try:
            # many folders at once, as a copy makes them, are one change
            for _ in watchfiles.watch(self.root, stop_event=self._stop, debounce=500, yield_on_timeout=False):
                self._changed = True
        except (OSError, RuntimeError) as error:
            log.warning("%s can't be watched (%s); it is scanned once a minute", self.root, error)

    # ---- what belongs to a film -----------------------------------------------------------------------------------

    def poster(self, item: Item) -> bytes:
        """A JPEG of one view. Raises SourceError."""
        views = item.facts["views"]
        key = f"{item.ident}-{item.changed:.3f}-poster"
        if item.kind == "picture":
            paths = (item.path, item.pair) if item.pair is not None else (item.path,)
            return self.thumbnails.get(key, lambda: posters.of_picture(paths, views))
        return self.thumbnails.get(key, lambda: posters.of_film(item.path, views))

    def sprite(self, item: Item) -> bytes:
        """A JPEG of thumbnails for the seek bar. Raises SourceError."""
        key = f"{item.ident}-{item.changed:.3f}-sprite"
        views, length = item.facts["views"], item.facts["duration_s"] or 0.0
        return self.thumbnails.get(key, lambda: posters.of_sprite(item.path, views, length), slow=True)

    def texts(self, item: Item) -> list[dict[str, Any]]:
        """The subtitles: files beside the film first, then those inside."""
        beside = [
            {"name": path.name, "language": _language(path, item.path), "forced": ".forced" in path.name.lower()}
            for path in self._beside(item)
        ]
        return [*beside, *item.facts["text_tracks"]]

    def webvtt(self, item: Item, number: int) -> str:
        """Subtitles as WebVTT. Raises SourceError."""
        beside = self._beside(item)
        if number < len(beside):
            return captions.from_file(beside[number])
        return captions.webvtt(item.path, number - len(beside))

    def _beside(self, item: Item) -> list[Path]:
        folder = item.path.parent
        names = self._texts.get(str(folder))
        if names is None:  # a film outside of the folder
            try:
                names = sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(captions.SUFFIXES))
            except OSError:
                return []
        found = [folder / name for name in shelf.beside(names, item.path.stem)]
        inside = (not path.is_symlink() or path.resolve().is_relative_to(self.root or folder) for path in found)
        return [path for path, ours in zip(found, inside, strict=True) if ours]

    def close(self) -> None:
        """Ends watching and reading, and keeps what was learned. May be called twice."""
        self._stop.set()
        with self._news:
            self._news.notify_all()
        for thread in self._threads:
            thread.join(10)
        self._threads = []
        self._save()


def _language(path: Path, film: Path) -> str:
    """The language in `film.en.srt`."""
    rest = path.stem[len(film.stem) :].lower().replace("_", ".").replace("-", ".")
    return next(
        (word for word in rest.split(".") if len(word) in (2, 3) and word.isalpha() and word not in ("sdh", "cc")), ""
    )


def views_of(item: Item, settings: dict[str, Any]) -> dict[str, Any]:
    """How the views lie, with what was set by hand."""
    by_hand = {key: settings[key] for key in ("layout", "full", "swapped", "projection") if key in settings}
    made = {**item.facts["views"], **by_hand}
    made["half_sphere"] = made["projection"] == "180"
    return made


def check_folder(path: Path) -> Path:
    """The folder, or a SourceError."""
    if not path.is_dir():
        raise SourceError(f"{path} is not a folder; give a folder of films, or --convert {path}")
    return path


def check_film(path: Path) -> Path:
    """The film, or a SourceError."""
    probe.open_input(str(path)).close()
    return path
