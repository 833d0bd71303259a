"""Data kept between starts: facts about films (read again if lost), and the viewers' progress and settings per film."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stereocast.serve.messages import parsed

log = logging.getLogger(__name__)

FACTS = 3  # format version of the facts; increased when they change
_KEYS, _LONGEST, _BYTES = 60, 200, 8192


class _Table:
    """An SQLite file, or memory if there is none or it can't be used. Thread-safe."""

    def __init__(self, path: Path | None, create: str) -> None:
        self._lock = threading.Lock()
        self._base = self._opened(path, create)

    @staticmethod
    def _opened(path: Path | None, create: str) -> sqlite3.Connection:
        for name in (path, None):
            try:
                if name is not None:
                    name.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                base = sqlite3.connect(str(name or ":memory:"), check_same_thread=False, timeout=5)
                base.execute("PRAGMA journal_mode=WAL")
                base.execute("PRAGMA synchronous=NORMAL")
                base.execute(create)
                base.commit()
                return base
            except (sqlite3.Error, OSError) as error:
                log.warning("%s can't be used (%s); nothing will be saved after this run", name, error)
        raise AssertionError("memory can always be used")

    def _run(self, words: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._lock:
            try:
                self._base.executemany(words, rows)
                self._base.commit()
            except sqlite3.Error as error:
                log.warning("not saved: %s", error)

    def _all(self, words: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._base.execute(words, values).fetchall()
            except sqlite3.Error as error:
                log.warning("can't be read: %s", error)
                return []

    def close(self) -> None:
        """May be called twice."""
        with self._lock:
            self._base.close()


class Index(_Table):
    """Facts of files by identifier, valid as long as a file's time and size don't change."""

    def __init__(self, path: Path | None = None) -> None:
        create = "CREATE TABLE IF NOT EXISTS facts (id TEXT PRIMARY KEY, version INT, time REAL, size INT, json TEXT)"
        super().__init__(path, create)

    def load(self) -> dict[str, tuple[float, int, dict[str, Any]]]:
        """All entries: identifier to (modification time, size, facts)."""
        rows = self._all("SELECT id, time, size, json FROM facts WHERE version = ?", (FACTS,))
        return {ident: (changed, size, facts) for ident, changed, size, text in rows if (facts := _parsed(text))}

    def save(self, rows: list[tuple[str, float, int, dict[str, Any]]]) -> None:
        """Saves rows of (identifier, modification time, size, facts)."""
        self._run(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)",
            [(ident, FACTS, changed, size, json.dumps(facts)) for ident, changed, size, facts in rows],
        )


class Remembered(_Table):
    """Progress and settings of each film, shared by all devices."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path, "CREATE TABLE IF NOT EXISTS films (id TEXT PRIMARY KEY, at REAL, json TEXT)")
        rows = self._all("SELECT id, json FROM films")
        self._known = {ident: known for ident, text in rows if (known := _parsed(text))}

    def get(self, ident: str) -> dict[str, Any]:
        """The saved progress and settings of a film."""
        empty: dict[str, Any] = {"position_s": 0.0, "seen": False, "at": 0, "settings": {}}
        return {**empty, **self._known.get(ident, {})}

    def merge(self, ident: str, change: Any) -> dict[str, Any]:
        """Applies and saves the values in `change`. Raises ValueError, with the reason, where one is invalid."""
        if not isinstance(change, dict):
            raise ValueError("send a JSON object")
        made = self.get(ident)
        for key, value in change.items():
            if key == "position_s" and _is_number(value) and 0 <= value < 1e7:
                made[key] = round(float(value), 3)
            elif key == "seen" and isinstance(value, bool):
                made[key] = value
            elif key == "settings" and isinstance(value, dict):
                made[key] = _settings(made["settings"], value)
            elif key != "at":
                raise ValueError(f"'{key}' is unknown or has an invalid value")
        made["at"] = round(time.time(), 3)
        text = json.dumps(made)
        if len(text) > _BYTES:
            raise ValueError("the data is too long to save")
        self._known[ident] = made
        self._run("INSERT OR REPLACE INTO films VALUES (?, ?, ?)", [(ident, made["at"], text)])
        return made


def _parsed(text: Any) -> dict[str, Any]:
    """The JSON object in a row; empty if the row is damaged."""
    try:
        found = parsed(text.encode())
    except (AttributeError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _settings(known: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    made = dict(known)
    for key, value in change.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _LONGEST):
            made[str(key)[:_LONGEST]] = value
        else:
            raise ValueError(f"settings.{key} must be a number, a short text, true, false or null")
    if len(made) > _KEYS:
        raise ValueError(f"at most {_KEYS} settings per film can be saved")
    return made
