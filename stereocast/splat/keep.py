"""What stage 1 has made so far, on disk: an interrupted run resumes after its last part."""

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
    """Arrays by name in a folder; without a folder nothing is kept."""

    folder: Path | None = None
    _saved: dict[str, float] = field(default_factory=dict)

    def load(self, name: str) -> dict[str, Array] | None:
        """What was saved under that name, None where nothing whole is."""
        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            with np.load(path) as table:
                return {key: table[key] for key in table.files}
        except (OSError, ValueError, zipfile.BadZipFile):
            return None

    def save(self, name: str, **arrays: Array) -> None:
        """Puts arrays on disk, whole or not at all."""
        path = self._path(name)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{name}.part.npz")
        np.savez(part, **arrays)
        os.replace(part, path)

    def save_now_and_then(self, name: str, **arrays: Array) -> None:
        """The same, at most once a minute."""
        now = time.monotonic()
        if now - self._saved.setdefault(name, now) >= SAVE_S:
            self.save(name, **arrays)
            self._saved[name] = now

    def drop(self) -> None:
        """Deletes everything."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{name}.npz"
