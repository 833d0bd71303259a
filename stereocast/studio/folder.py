"""The studio's folder: films and stills by identifier, safe file names, and a place for its state.

No request contains a path: films are requested by identifier, and uploads are only written to this folder.
"""

import re
import sys
import threading
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from stereocast.errors import SinkError, SourceError, UsageError
from stereocast.jobs.convert.inputs import left_out
from stereocast.media import names, owned, probe
from stereocast.serve.shelf import ident_of

Kind = Literal["film", "still"]
STATE = ".stereocast"
SAMPLES = "samples"
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_FRESH_S = 2.0  # time until a listing is read again
_MOST = 2000  # most files in a listing


class Gone(SourceError):
    """What a request names no longer exists."""


@dataclass(frozen=True, slots=True)
class Material:
    """A film or a still that can be converted."""

    ident: str
    path: Path
    title: str  # the path below the folder
    kind: Kind
    size: int
    changed: float


class Folder:
    """`root` and everything below it; links that lead out of it are left out. Raises SinkError where it can't be written or
    is open in another studio."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.state = self.root / STATE
        self._lock = threading.Lock()
        self._read = 0.0
        self._items: dict[str, Material] = {}
        try:
            self.state.mkdir(exist_ok=True)
            self._held: BinaryIO = (self.state / "lock").open("ab")
        except OSError as error:
            raise SinkError(
                f"{self.root} can't be written: {owned.reason(error)}; give the studio another folder"
            ) from error
        self._hold()

    def _hold(self) -> None:
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._held.close()
            raise SinkError(f"{self.root} is open in another studio; stop that one, or give another folder") from None
        except OSError:  # a file system without locks
            return

    def close(self) -> None:
        """Releases the folder for other studios."""
        self._held.close()

    def materials(self, *, afresh: bool = False) -> list[Material]:
        """Films and stills that can be converted, newest first; our own results are left out."""
        with self._lock:
            if afresh or time.monotonic() - self._read > _FRESH_S:
                self._items = {item.ident: item for item in self._found()}
                self._read = time.monotonic()
            return sorted(self._items.values(), key=lambda item: -item.changed)

    def _found(self) -> list[Material]:
        found: list[Material] = []
        for path in sorted(self.root.rglob("*")):
            below = path.relative_to(self.root)
            if any(part.startswith(".") for part in below.parts) or below.parts[0] == SAMPLES or left_out(path):
                continue
            real = path.resolve()
            if not real.is_relative_to(self.root):
                continue
            try:
                status = real.stat()
            except OSError:  # removed since the folder was read
                continue
            kind: Kind = "film" if path.suffix.lower() in probe.VIDEOS else "still"
            found.append(Material(ident_of(str(real)), real, str(below), kind, status.st_size, status.st_mtime))
            if len(found) >= _MOST:
                break
        return found

    def get(self, ident: str) -> Material:
        """The film or still with that identifier. Raises SourceError."""
        with self._lock:
            item = self._items.get(ident)
        if item is None or not item.path.is_file():
            self.materials(afresh=True)
            with self._lock:
                item = self._items.get(ident)
        if item is None:
            raise Gone("this film is no longer in the folder")
        return item

    def below(self, path: Path) -> str:
        """A path relative to this folder, for the saved state."""
        return str(path.resolve().relative_to(self.root))

    def inside(self, name: str) -> Path:
        """The path of a saved name. Raises UsageError where it leads out of the folder."""
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root):
            raise UsageError(f"{name} isn't in {self.root}")
        return path

    def new_path(self, name: str) -> Path:
        """An unused path for an uploaded file of that name. Raises UsageError."""
        checked = safe_name(name)
        stem, suffix = Path(checked).stem, Path(checked).suffix
        path, number = self.root / checked, 1
        while path.exists():
            number += 1
            path = self.root / names.fitted(stem, f" ({number}){suffix}", self.root)
        return path


def safe_name(name: str) -> str:
    """The normalised name of an uploaded file. Raises UsageError for a path, a hidden file, or another file type."""
    tidy = unicodedata.normalize("NFC", name).strip()
    if not tidy or _FORBIDDEN.search(tidy) or tidy.startswith(".") or tidy.endswith(".") or _RESERVED.fullmatch(tidy):
        raise UsageError(f"{_shown(name)} isn't allowed as a file name; rename it")
    if len(tidy.encode()) > 200:
        raise UsageError(f"{_shown(name)} is too long for a file name; rename it")
    suffix = Path(tidy).suffix.lower()
    if suffix not in probe.VIDEOS | probe.IMAGES | {".heic", ".heif", ".avif"} or suffix == ".m3u8":
        raise UsageError(f"{_shown(name)} is not a film or picture that can be converted")
    if Path(tidy).stem.endswith(".part"):
        raise UsageError(f"{_shown(name)} is an unfinished part; choose the whole film")
    return tidy


def _shown(name: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in name)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


def check_material(path: Path) -> dict[str, Any]:
    """Size, length and rate of a film or picture. Raises SourceError where it can't be read."""
    from stereocast.media import reader

    source = reader.open_source(str(path))
    try:
        info = source.info
        return {
            "width": info.width, "height": info.height, "frames": info.frames,
            "duration_s": float(info.duration) if info.duration is not None else None,
            "rate": float(info.rate) if info.rate else None,
        }  # fmt: skip
    finally:
        source.close()
