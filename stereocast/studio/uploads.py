"""Uploads: written in pieces to a `.part` in the folder, so that a lost connection or server costs nothing.

An upload is identified by the file's name, size and modification time: choosing the same file again resumes where it stopped.
"""

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from stereocast.errors import SinkError, SourceError, StereocastError, UsageError
from stereocast.media import owned
from stereocast.models.shelf import human
from stereocast.serve.shelf import ident_of
from stereocast.studio.folder import Folder, check_material, safe_name

SPARE = 64 << 20  # bytes that stay free
LARGEST = 1 << 42  # bytes of a file


class Elsewhere(StereocastError):
    """A piece does not start where the upload ends; `offset` says where that is."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the upload resumes at byte {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Upload:
    """A file being uploaded."""

    ident: str
    name: str
    size: int


class Uploads:
    """The uploads of a folder. Only the list of names is stored; the files themselves hold the rest."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._list = folder.state / "uploads.json"
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._known: dict[str, Upload] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            for row in json.loads(self._list.read_text("utf-8")):
                one = Upload(**row)
                if self._part(one).exists():
                    self._known[one.ident] = one

    def begin(self, name: str, size: int, changed: int) -> dict[str, Any]:
        """An upload, or the one of this very file that was interrupted. Raises UsageError, SinkError."""
        tidy = safe_name(name)
        if not 0 < size <= LARGEST:
            raise UsageError(f"'{tidy}' has {size} bytes; that is not a film")
        ident = hashlib.sha256(f"{tidy}\0{size}\0{changed}".encode()).hexdigest()[:16]
        one = Upload(ident, tidy, size)
        there = self._there(one)
        free = shutil.disk_usage(self._folder.root).free
        if free < size - there + SPARE:
            raise SinkError(
                f"'{tidy}' needs {human(size - there)} but {self._folder.root} has {human(free)} free; free some space there"
            )
        try:
            self._part(one).touch()
            with self._lock:
                self._known[ident] = one
                self._save()
        except OSError as error:
            raise SinkError(f"'{tidy}' can't be written to {self._folder.root}: {owned.reason(error)}") from error
        return self.state(ident)

    def _part(self, one: Upload) -> Path:
        return self._folder.root / f".{one.ident}.part{Path(one.name).suffix}"

    def _there(self, one: Upload) -> int:
        try:
            return self._part(one).stat().st_size
        except OSError:
            return 0

    def _save(self) -> None:
        beside = self._list.with_suffix(".new")
        beside.write_text(json.dumps([asdict(one) for one in self._known.values()]), "utf-8")
        os.replace(beside, self._list)

    def _find(self, ident: str) -> Upload:
        one = self._known.get(ident)
        if one is None:
            raise SourceError("no such upload; choose the file again")
        return one

    def state(self, ident: str) -> dict[str, Any]:
        """How much of a file is there. Raises SourceError."""
        one = self._find(ident)
        return {"id": ident, "name": one.name, "size": one.size, "offset": self._there(one)}

    def listing(self) -> list[dict[str, Any]]:
        """All that were begun and aren't whole."""
        return [self.state(ident) for ident in list(self._known)]

    async def take(self, ident: str, offset: int, pieces: AsyncIterator[bytes]) -> dict[str, Any]:
        """Adds a piece of the file that begins at `offset`. When it is whole it gets its name, and the state says `film`.

        Raises Elsewhere, SourceError, SinkError."""
        one = self._find(ident)
        with self._lock:
            if ident in self._busy:
                raise UsageError(f"'{one.name}' is being uploaded by another page")
            self._busy.add(ident)
        try:
            there = self._there(one)
            if offset != there:
                raise Elsewhere(there)
            await self._write(one, there, pieces)
            if self._there(one) == one.size:
                return {**self.state(ident), "film": await run_in_threadpool(self._finish, one)}
            return self.state(ident)
        finally:
            self._busy.discard(ident)

    async def _write(self, one: Upload, there: int, pieces: AsyncIterator[bytes]) -> None:
        try:
            with self._part(one).open("ab") as file:
                async for piece in pieces:
                    there += len(piece)
                    if there > one.size:
                        raise UsageError(f"'{one.name}' is larger than announced; choose it again")
                    await run_in_threadpool(file.write, piece)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
            advice = (
                "free some space there, then choose the file again to resume"
                if full
                else "choose the file again to resume"
            )
            raise SinkError(
                f"'{one.name}' can't be written to {self._folder.root}: {owned.reason(error)}; {advice}"
            ) from error

    def _finish(self, one: Upload) -> str:
        """Gives a complete file its name; returns its identifier. Raises SourceError if it is not a film, and drops it."""
        part = self._part(one)
        try:
            check_material(part)
        except StereocastError as error:
            self._forget(one)
            raise SourceError(f"'{one.name}' is not a readable film or picture, so it was not kept") from error
        while True:
            path = self._folder.new_path(one.name)
            try:
                os.link(part, path)
                break
            except FileExistsError:
                continue
            except (OSError, NotImplementedError):  # no hard links here
                os.rename(part, path)
                break
        self._forget(one)
        self._folder.materials(afresh=True)
        return ident_of(str(path.resolve()))

    def _forget(self, one: Upload) -> None:
        with self._lock:
            self._part(one).unlink(missing_ok=True)
            self._known.pop(one.ident, None)
            self._save()

    def drop(self, ident: str) -> None:
        """Drops an upload and its file. Raises SourceError, UsageError."""
        one = self._find(ident)
        if ident in self._busy:
            raise UsageError(f"'{one.name}' is being uploaded; stop it first")
        self._forget(one)
