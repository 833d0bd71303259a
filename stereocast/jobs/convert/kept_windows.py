"""Saves the finished windows of the open shot next to the journal: each is minutes of work but is written in seconds.

There is one file per window. It records what it was made for, so the window is sampled again if the film, the settings or
its frames have changed. Chunks save finished shots; these files save work within a shot.
"""

import json
import logging
import os
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from stereocast.jobs.convert.chunks import Identity
from stereocast.media import owned
from stereocast.types import Array

log = logging.getLogger(__name__)
DEPTH = "depth-"
NAMES = re.compile(r"(depth-)?\d+-\d+\.part(\.new)?")
_KEEP = 64  # windows; those of shots encoded long ago are deleted
_MOST = 4 << 30  # bytes on disk; windows beyond this are sampled again on resume


def windows_folder(output: Path) -> Path:
    """The folder for the windows of an unfinished output."""
    return output.with_name(f"{output.stem}.windows.part")


class KeptWindows:
    """The saved windows of one output, of the synthesis or of another `kind`. The sampler looks here first."""

    def __init__(self, folder: Path, identity: Identity, kind: str = "") -> None:
        self.folder, self._key, self._kind = folder, identity.key, kind
        self.found = 0  # windows that weren't sampled again

    def _path(self, place: tuple[int, int]) -> Path:
        return self.folder / f"{self._kind}{place[0]}-{place[1]}.part"

    def _for(self, place: tuple[int, int], pts: Array) -> dict[str, Any]:
        ticks = sha256(np.ascontiguousarray(pts, np.int64).tobytes()).hexdigest()
        return {"key": self._key, "place": list(place), "frames": ticks}

    def load(self, place: tuple[int, int], pts: Array) -> dict[str, Array] | None:
        """The arrays of a window; None where it is missing, damaged, or was made for other frames or settings."""
        try:
            data = self._path(place).read_bytes()
            head, _, body = data[len(owned.MARK) :].partition(b"\n")
            table = json.loads(head)
            if not data.startswith(owned.MARK) or table["for"] != self._for(place, pts):
                return None
            arrays: dict[str, Array] = {}
            at = 0
            for name, kind, shape in table["arrays"]:
                size = int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))
                arrays[name] = np.frombuffer(body[at : at + size], kind).reshape(shape).copy()
                at += size
            if at != len(body) or sha256(body).hexdigest() != table["sum"]:
                return None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s can't be read (%s); sampling its window again", self._path(place), error)
            return None
        return arrays

    def save(self, place: tuple[int, int], pts: Array, arrays: dict[str, Array]) -> None:
        """Saves a finished window. If the disk is full, only the copy is lost and the run continues."""
        body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
        head = {
            "for": self._for(place, pts),
            "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
            "sum": sha256(body).hexdigest(),
        }
        path = self._path(place)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            data = owned.MARK + json.dumps(head).encode() + b"\n" + body
            if not self._room(len(data), place[0]):
                log.info("%s isn't kept: the windows take %d GB already", path, _MOST >> 30)
                return
            owned.write(path, data, beside=path.with_suffix(".part.new"))
            self._thin(place[0])
        except OSError as error:
            log.warning("%s can't be saved: %s", path, owned.reason(error))

    def _room(self, size: int, shot: int) -> bool:
        """Deletes windows of earlier shots to make room for `size` bytes. Returns whether there is room."""
        there = _windows(self.folder)
        taken = sum(path.stat().st_size for path in there)
        for path in there:
            if taken + size <= _MOST or _number(path)[0] >= shot:
                break
            taken -= path.stat().st_size
            owned.discard(path)
        return taken + size <= _MOST

    def _thin(self, shot: int) -> None:
        """Deletes windows of earlier shots where there are more than _KEEP."""
        there = [path for path in _windows(self.folder) if path.name.startswith(DEPTH) == bool(self._kind)]
        for path in there[: max(0, len(there) - _KEEP)]:
            if _number(path)[0] < shot:
                owned.discard(path)


def _windows(folder: Path) -> list[Path]:
    """The saved windows in a folder, in the order of the film."""
    return sorted((path for path in folder.iterdir() if NAMES.fullmatch(path.name)), key=_number)


def _number(path: Path) -> tuple[int, int]:
    first, second = path.name.removeprefix(DEPTH).split(".")[0].split("-")
    return int(first), int(second)


def clear(folder: Path) -> None:
    """Deletes saved windows, and their folder if it is then empty."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in _windows(folder):
        owned.discard(path)
    with suppress(OSError):
        os.rmdir(folder)


def count(folder: Path) -> int:
    """Number of saved windows."""
    return sum(1 for path in folder.iterdir() if NAMES.fullmatch(path.name)) if folder.is_dir() else 0
