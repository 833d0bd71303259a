"""What is kept between starts: facts of films (rebuilt if lost), and the progress and settings of each film."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FACTS = 3  # counts up when what is kept of a film changes
_KEYS, _LONGEST, _BYTES = 60, 200, 8192


class _Table:
    """One SQLite file, or memory if there is none or it can't be used; safe to call from any thread."""

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
                log.warning("%s can't be used (%s); progress and settings are lost after this run", name, error)
        raise AssertionError("memory can always be used")

    def _run(self, words: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._lock:
            try:
                self._base.executemany(words, rows)
                self._base.commit()
            except sqlite3.Error as error:
                log.warning("not remembered: %s", error)

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
    """Facts of files by identifier; those of a changed file are ignored."""

    def __init__(self, path: Path | None = None) -> None:
        create = "CREATE TABLE IF NOT EXISTS facts (id TEXT PRIMARY KEY, version INT, time REAL, size INT, json TEXT)"
        super().__init__(path, create)

    def load(self) -> dict[str, tuple[float, int, dict[str, Any]]]:
        """All of them: identifier to (time of change, size, facts)."""
        rows = self._all("SELECT id, time, size, json FROM facts WHERE version = ?", (FACTS,))
        return {ident: (changed, size, json.loads(text)) for ident, changed, size, text in rows}

    def save(self, rows: list[tuple[str, float, int, dict[str, Any]]]) -> None:
        """Keeps (identifier, time of change, size, facts)."""
        self._run(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)",
            [(ident, FACTS, changed, size, json.dumps(facts)) for ident, changed, size, facts in rows],
        )


class Remembered(_Table):
    """Progress and settings of each film, for all devices of a household."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path, "CREATE TABLE IF NOT EXISTS films (id TEXT PRIMARY KEY, at REAL, json TEXT)")
        self._known = {ident: json.loads(text) for ident, text in self._all("SELECT id, json FROM films")}

    def get(self, ident: str) -> dict[str, Any]:
        """What is remembered of a film."""
        empty: dict[str, Any] = {"position_s": 0.0, "seen": False, "at": 0, "settings": {}}
        return {**empty, **self._known.get(ident, {})}

    def merge(self, ident: str, change: Any) -> dict[str, Any]:
        """Takes over what `change` says. Raises ValueError with what is wrong."""
        if not isinstance(change, dict):
            raise ValueError("an object is expected")
        made = self.get(ident)
        for key, value in change.items():
            if key == "position_s" and _is_number(value) and 0 <= value < 1e7:
                made[key] = round(float(value), 3)
            elif key == "seen" and isinstance(value, bool):
                made[key] = value
            elif key == "settings" and isinstance(value, dict):
                made[key] = _settings(made["settings"], value)
            elif key != "at":
                raise ValueError(f"'{key}' is unknown or has a wrong value")
        made["at"] = round(time.time(), 3)
        text = json.dumps(made)
        if len(text) > _BYTES:
            raise ValueError("that is too much to store")
        self._known[ident] = made
        self._run("INSERT OR REPLACE INTO films VALUES (?, ?, ?)", [(ident, made["at"], text)])
        return made


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
            raise ValueError(f"settings.{key}: a number, a short text, true, false or null is expected")
    if len(made) > _KEYS:
        raise ValueError(f"at most {_KEYS} settings per film are stored")
    return made
