"""Records which parts of a film are finished: its chunks, the shots they end in, and a journal of them on disk.

A film is encoded in chunks. Each has a separate encoder, so its packets don't depend on earlier chunks. The journal,
stored next to the part file, lists the finished ones. Depth and stereo carry state within a shot and reset it at a cut,
so a resumed run starts at the shot that was open and drops, after packing, the frames that were already encoded.
"""

import json
import logging
from dataclasses import asdict, dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

from stereocast import __version__
from stereocast.errors import UsageError
from stereocast.media import owned
from stereocast.settings import ConvertSettings
from stereocast.types import Shot

log = logging.getLogger(__name__)

VERSION = 2
SHORTEST_S, LONGEST_S = 4, 20  # a chunk ends at the first cut after SHORTEST_S, or after LONGEST_S
_FREE = {
    "overwrite",
    "spool",
    "resume",
    "engine",
    "workers",
    "ray_address",
    "accept_licence",
    "sidecars",
    "recipe",  # the options it sets are compared instead
}  # settings that don't change the picture
_ENDS = 1 << 20  # bytes of the source's head and tail that are hashed


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive frames from one encoder, and the shot that the next frame belongs to (None: the film ends)."""

    first: int  # tick
    last: int
    frames: int
    after: Shot | None
    file: str = ""  # name of the file that holds the chunk, if not the part file


@dataclass(frozen=True, slots=True)
class Identity:
    """What must match for a journal to be used: the same picture from the same source."""

    settings: dict[str, Any]
    source: dict[str, Any]
    time_base: str
    program: str = __version__

    @property
    def key(self) -> str:
        """SHA-256 of all fields, in hex."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def fingerprint(name: str) -> dict[str, Any]:
    """Size, modification time and hash of the head and tail of a local file; only the name for anything else."""
    path = Path(name)
    if not path.is_file():
        return {"name": name}
    digest = sha256()
    with path.open("rb") as file:
        digest.update(file.read(_ENDS))
        file.seek(max(0, path.stat().st_size - _ENDS))
        digest.update(file.read(_ENDS))
    return {"size": path.stat().st_size, "changed_ns": path.stat().st_mtime_ns, "ends": digest.hexdigest()}


def identity(settings: ConvertSettings, name: str, encoder: str, time_base: Fraction) -> Identity:
    """The identity of a conversion of `name` with these settings."""
    values = {k: v for k, v in settings.model_dump(mode="json").items() if k not in _FREE}
    brought = [path for path in (settings.depth_path, settings.disparity) if path and Path(path).is_file()]
    values["encoder"] = encoder
    return Identity(
        values, {**fingerprint(name), **{str(path): fingerprint(str(path)) for path in brought}}, str(time_base)
    )


def journal_path(output: Path) -> Path:
    """The journal of an output file."""
    return output.with_name(f"{output.stem}.part.json")


def beside_journal(journal: Path) -> Path:
    """Temporary file for a new version of the journal, before it replaces the old one."""
    return journal.with_suffix(".json.new")


class Journal:
    """The list of finished chunks on disk. The file is replaced as a whole, so it is never half written."""

    def __init__(self, path: Path, identity: Identity, chunks: tuple[Chunk, ...] = ()) -> None:
        self.path = path
        self.identity = identity
        self.chunks = list(chunks)
        self.comfort: list[dict[str, Any]] = []  # figures of finished shots (`comfort.ShotFigures`)

    @classmethod
    def load(cls, path: Path, identity: Identity) -> "Journal | None":
        """The journal at `path`; None where it is missing, unreadable or from another version.

        Raises UsageError where it belongs to other settings or another source.
        """
        try:
            table = json.loads(path.read_text("utf-8"))
            made_for = table.get("identity", {})  # another name in version 0.1
            if table.get("version") != VERSION or made_for.get("program") != identity.program:
                log.warning("%s was written by another version of stereocast; starting from the beginning", path)
                return None
            found = Identity(**made_for)
            chunks = tuple(
                Chunk(**{**item, "after": Shot(**item["after"]) if item["after"] else None}) for item in table["chunks"]
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s can't be read (%s); starting from the beginning", path, error)
            return None
        _compare(found, identity)
        journal = cls(path, identity, chunks)
        journal.comfort = list(table.get("comfort", []))
        return journal

    @staticmethod
    def chunks_of(path: Path) -> tuple[Chunk, ...]:
        """The chunks of a journal of any film and version; empty where it can't be read."""
        try:
            table = json.loads(path.read_text("utf-8"))
            found = table["chunks"] if "chunks" in table else table["segments"]  # the key used by version 0.1
            return tuple(Chunk(**{**item, "after": None}) for item in found)
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def add(self, chunk: Chunk) -> None:
        """Adds a finished chunk and saves the journal."""
        self.chunks.append(chunk)
        self.save()

    def save(self) -> None:
        """Writes the journal to a temporary file, then replaces the old one."""
        table = {
            "stereocast": "journal",  # must come first: it marks the file as ours
            "version": VERSION,
            "identity": asdict(self.identity),
            "chunks": [asdict(item) for item in self.chunks],
            "comfort": self.comfort,
        }
        owned.write(self.path, json.dumps(table).encode(), beside=beside_journal(self.path))

    def remove(self) -> None:
        """Deletes the journal of a complete film."""
        owned.discard(self.path)


def _compare(found: Identity, wanted: Identity) -> None:
    for name, value in wanted.settings.items():
        before = found.settings.get(name)
        if before != value:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"--resume: {flag} was {before} and is now {value}; use the same options, or omit --resume"
            )
    if found.source != wanted.source or found.time_base != wanted.time_base:
        raise UsageError("--resume: the source has changed since the interruption; omit --resume to start over")


class Chunker:
    """Decides where a chunk ends and adds finished chunks to the journal. The sink calls it for every frame."""

    def __init__(self, time_base: Fraction, journal: Journal | None = None) -> None:
        self._shortest, self._longest = SHORTEST_S / time_base, LONGEST_S / time_base
        self._journal = journal
        self._open: list[int] | None = None  # first tick, last tick, frames
        self.done: list[Chunk] = []

    def begins(self, pts: int, shot: Shot) -> bool:
        """Whether a new chunk starts at the frame with this tick and shot; call once per frame, in order."""
        if self._open is None:
            self._open = [pts, pts, 1]
            return False
        long = pts - self._open[0]
        if long >= self._longest or (long >= self._shortest and shot.pts == pts):
            self._close(shot)
            self._open = [pts, pts, 1]
            return True
        self._open[1] = pts
        self._open[2] += 1
        return False

    def end(self) -> None:
        """Closes the last chunk, after the last frame was encoded."""
        if self._open is not None:
            self._close(None)
            self._open = None

    def _close(self, after: Shot | None) -> None:
        assert self._open is not None
        chunk = Chunk(self._open[0], self._open[1], self._open[2], after)
        self.done.append(chunk)
        if self._journal is not None and after is not None:
            self._journal.add(chunk)
