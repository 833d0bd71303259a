"""Posters and thumbnails, made once: in memory, and in a folder of bounded size."""

import contextlib
import hashlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

_MEMORY, _DISK = 64 << 20, 1 << 30  # bytes
_AT_ONCE = 2  # files that are decoded at the same time


class Thumbnails:
    """Pictures by key; without a folder they are kept only in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._places, self._slow = threading.Semaphore(_AT_ONCE), threading.Semaphore(1)
        self._making: dict[str, threading.Lock] = {}
        self._written = 0

    def get(self, key: str, make: Callable[[], bytes], *, slow: bool = False) -> bytes:
        """The picture of that key, made where there is none yet: by one caller while others wait."""
        if (data := self._known(key)) is not None:
            return data
        with self._lock:
            mine = self._making.setdefault(key, threading.Lock())
        try:
            with mine:
                if (data := self._known(key)) is not None:
                    return data
                with self._slow if slow else self._places:
                    data = make()
                self._keep(key, data)
                return data
        finally:
            with self._lock:
                self._making.pop(key, None)

    def _path(self, key: str) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.jpg"

    def _known(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        path = self._path(key)
        if path is None:
            return None
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if not data.endswith(b"\xff\xd9"):
            return None
        self._remember(key, data)
        return data

    def _remember(self, key: str, data: bytes) -> None:
        with self._lock:
            self._kept[key] = data
            total = sum(map(len, self._kept.values()))
            while total > _MEMORY:
                total -= len(self._kept.popitem(last=False)[1])

    def _keep(self, key: str, data: bytes) -> None:
        self._remember(key, data)
        path = self._path(key)
        if path is None:
            return
        part = path.with_name(f"{path.stem}.{threading.get_ident()}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(data)
            os.replace(part, path)
        except OSError as error:
            log.debug("not kept: %s", error)
            with contextlib.suppress(OSError):
                part.unlink()
        self._written += 1
        if self._written % 200 == 1:
            self._clear()

    def _clear(self) -> None:
        """Removes the oldest where there are too many."""
        if self._folder is None:
            return
        found = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                stat = entry.stat()
                found.append((stat.st_mtime, stat.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= _DISK:
                return
            with contextlib.suppress(OSError):
                os.unlink(path)
                total -= size
