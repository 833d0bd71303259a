"""Finished parts of stage 1 on disk, so that an interrupted run resumes after its last part."""

import os
import shutil
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stereocast.types import Array

SAVE_S = 60.0


@dataclass(slots=True)
class Keep:
    """Named arrays in a folder. Without a folder nothing is saved."""

    folder: Path | None = None
    _saved: dict[str, float] = field(default_factory=dict)

    def load(self, name: str) -> dict[str, Array] | None:
        """The arrays saved under this name, or None if the file is missing or damaged."""
        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            with path.open("rb") as file, np.load(file) as table:
                return {key: table[key] for key in table.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, name: str, **arrays: Array) -> None:
        """Writes arrays to disk atomically."""
        path = self._path(name)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{name}.part.npz")
        np.savez(part, **arrays)
        os.replace(part, path)

    def save_now_and_then(self, name: str, **arrays: Array) -> None:
        """Like `save`, at most once a minute."""
        now = time.monotonic()
        if now - self._saved.setdefault(name, now) >= SAVE_S:
            self.save(name, **arrays)
            self._saved[name] = now

    def drop(self) -> None:
        """Deletes the folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{name}.npz"
