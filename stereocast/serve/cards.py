"""What the page shows of films: one card each, and pages of cards, searched and sorted."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stereocast.media import posters
from stereocast.serve import titles
from stereocast.serve.library import Item, Library
from stereocast.serve.live import Live
from stereocast.serve.shelf import Entry

SORTS = ("name", "added", "duration", "size", "watched")
_BEGUN, _DONE = 0.01, 0.95  # parts of a film


@dataclass(frozen=True, slots=True)
class Query:
    """Which films are requested."""

    words: str = ""
    sort: str = "name"
    descending: bool = False
    folder: str | None = None  # None: all, flat
    watching: bool = False
    kind: str = ""
    page: int = 1
    size: int = 60

    @classmethod
    def of(cls, given: Any) -> "Query":
        """By the parameters of a request. Raises ValueError with what is wrong."""
        sort, order = given.get("sort", "name"), given.get("order", "")
        if sort not in SORTS:
            raise ValueError(f"sort must be one of {', '.join(SORTS)}")
        if order not in ("", "asc", "desc"):
            raise ValueError("order must be asc or desc")
        page, size = (_whole(given.get(name, default), name) for name, default in (("page", "1"), ("size", "60")))
        if not (1 <= page <= 1_000_000 and 1 <= size <= 200):
            raise ValueError("page must be 1 or more, size 1 to 200")
        down = order == "desc" if order else sort != "name"
        folder = given.get("folder")
        return cls(
            given.get("q", "")[:200], sort, down, folder.strip("/") if folder is not None else None,
            given.get("watching") == "1", given.get("kind", ""), page, size,
        )  # fmt: skip


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise ValueError(f"{name} must be a whole number")
    return int(text)


def page(library: Library, live: Live | None, query: Query, patience_s: float = 0.4) -> dict[str, Any]:
    """One page of the library. Films that nothing is known of are read
    as long as the answer takes no more than `patience_s`."""
    until = time.monotonic() + patience_s
    library.asked()
    entries = library.entries()
    chosen = [entry for entry in entries.values() if _matches(library, entry, query)]
    folders = _folders(chosen, query.folder) if query.folder is not None and not query.words else []
    if query.folder is not None and not query.words:
        chosen = [entry for entry in chosen if entry.folder == query.folder]
    chosen.sort(key=_key(library, query), reverse=query.descending)
    start = (query.page - 1) * query.size
    cards = []
    for entry in chosen[start : start + query.size]:
        if library.facts(entry) is None and time.monotonic() < until:
            library.item(entry)
        facts = library.facts(entry)
        if facts is None:
            cards.append(unread(entry))
        elif "broken" not in facts and (item := library.item(entry)) is not None:
            cards.append(card(item, library, live))
    return {
        "version": library.version, "total": len(chosen), "page": query.page,
        "pages": max(1, -(-len(chosen) // query.size)), "size": query.size, "indexed": round(library.indexed(), 3),
        "folder": query.folder, "folders": folders, "films": cards,
    }  # fmt: skip


def _matches(library: Library, entry: Entry, query: Query) -> bool:
    facts = library.facts(entry)
    if facts is not None and "broken" in facts:
        return False
    if query.kind and entry.kind != query.kind:
        return False
    if query.folder and not (entry.folder == query.folder or entry.folder.startswith(f"{query.folder}/")):
        return False
    if query.words:
        text = f"{entry.words} {titles.plain(facts['name'])}" if facts is not None else entry.words
        if not all(word in text for word in titles.plain(query.words).split()):
            return False
    return not query.watching or _is_begun(library, entry, facts)


def _is_begun(library: Library, entry: Entry, facts: dict[str, Any] | None) -> bool:
    known = library.remembered.get(entry.ident)
    length = (facts or {}).get("duration_s") or 0.0
    at = known["position_s"]
    return not known["seen"] and at > 5 and (not length or _BEGUN * length < at < _DONE * length)


def _key(library: Library, query: Query) -> Callable[[Entry], Any]:
    if query.sort == "added":
        return lambda entry: (entry.changed, entry.order)
    if query.sort == "size":
        return lambda entry: (entry.size, entry.order)
    if query.sort == "duration":
        return lambda entry: ((library.facts(entry) or {}).get("duration_s") or 0.0, entry.order)
    if query.sort == "watched":
        return lambda entry: (library.remembered.get(entry.ident)["at"], entry.order)
    return lambda entry: entry.order


def _folders(chosen: Iterable[Entry], above: str | None) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    base = f"{above}/" if above else ""
    for entry in chosen:
        rest = entry.folder[len(base) :] if entry.folder.startswith(base) and entry.folder != above else ""
        name = rest.partition("/")[0]
        if name:
            known = found.setdefault(
                name, {"path": base + name, "name": name, "films": 0, "poster": f"poster/{entry.ident}"}
            )
            known["films"] += 1
    return sorted(found.values(), key=lambda folder: titles.natural(folder["name"]))


def unread(entry: Entry) -> dict[str, Any]:
    """A card of a film of which the walk alone is known."""
    return {
        "id": entry.ident, "title": entry.below, "name": entry.cleaned, "folder": entry.folder, "file": entry.file,
        "added": entry.changed, "size": entry.size, "kind": entry.kind, "known": False, "live": False,
        "url": f"film/{entry.ident}", "poster": f"poster/{entry.ident}", "width": None, "height": None,
        "duration_s": None, "codec": None, "mime": "", "rotation": 0, "texts": [], "text_tracks": [], "sound_tracks": [],
        "sprite": None, "note": "", "memory": None,
        "views": {
            "layout": "mono", "full": False, "swapped": False, "half_sphere": False, "projection": "flat",
            "source": "none",
        },
    }  # fmt: skip


def card(item: Item, library: Library, live: Live | None) -> dict[str, Any]:
    """All that is known of a film."""
    facts = item.facts
    converted = item.convert and live is not None and live.converts
    sprite = posters.sprite(facts["duration_s"]) if item.kind == "film" else None
    texts = library.texts(item)
    sounds = _sounds(facts["sounds"], converted)
    return {
        "id": item.ident, "title": item.title, "name": facts["name"], "folder": item.title.rpartition("/")[0],
        "file": item.path.name, "added": item.changed, "size": facts["size"], "kind": item.kind, "known": True,
        "url": f"{'film' if item.kind == 'film' else 'picture'}/{item.ident}", "poster": f"poster/{item.ident}",
        "width": facts["width"], "height": facts["height"], "duration_s": facts["duration_s"], "codec": facts["codec"],
        "mime": facts["mime"], "rotation": facts["rotation"],
        "views": live.views() if converted and live is not None else facts["views"], "live": converted,
        "texts": [text["name"] for text in texts],
        "text_tracks": [{"number": n, "url": f"text/{item.ident}/{n}", **text} for n, text in enumerate(texts)],
        "sound_tracks": sounds, "sprite": {"url": f"sprite/{item.ident}", **sprite} if sprite else None,
        "note": note(sounds, converted), "memory": library.remembered.get(item.ident),
    }  # fmt: skip


def _sounds(tracks: list[dict[str, Any]], converted: bool) -> list[dict[str, Any]]:
    """The sound tracks, with the way to hear each: browsers play the default track of a file alone."""
    default = next((n for n, track in enumerate(tracks) if track["default"]), 0)
    made = []
    for number, track in enumerate(tracks):
        way = "direct" if converted or (number == default and track["playable"]) else "session"
        made.append({**track, "default": number == default, "way": way})
    return made


def note(sounds: list[dict[str, Any]], converted: bool) -> str:
    """One line for the card where the sound can't be heard as it is."""
    silent = next((track for track in sounds if track["default"] and not track["playable"]), None)
    if silent is None or converted:
        return ""
    return f"sound: {silent['called']}, transcoded while you watch"
