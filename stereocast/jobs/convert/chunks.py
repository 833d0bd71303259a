"""The finished part of a film: chunks, the shots they end in, and their list on disk.

A film is encoded in chunks, each with its own encoder, so packets don't depend on earlier chunks. The
journal beside the part file lists the finished ones. Depth and stereo carry state within a shot and reset it at a
cut. A resumed run therefore starts at the shot that was open, and drops its already encoded frames after packing.
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
SHORTEST_S, LONGEST_S = 4, 20  # a chunk ends at the first cut after the first limit, and at the second at the latest
_FREE = {
    "overwrite",
    "spool",
    "resume",
    "engine",
    "workers",
    "ray_address",
    "accept_licence",
    "sidecars",
    "recipe",  # its options are compared themselves
}  # settings that don't change the picture
_ENDS = 1 << 20  # bytes of the source's head and tail that are hashed


@dataclass(frozen=True, slots=True)
class Chunk:
    """The frames of one encoder, and the shot to which the frame after them belongs (None: the film ends)."""

    first: int  # tick
    last: int
    frames: int
    after: Shot | None
    file: str = ""  # name of the file that holds it, when it isn't the part file


@dataclass(frozen=True, slots=True)
class Identity:
    """What a journal must match to be used: the same settings and the same source."""

    settings: dict[str, Any]
    source: dict[str, Any]
    time_base: str
    program: str = __version__

    @property
    def key(self) -> str:
        """One hash of all of it."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def fingerprint(name: str) -> dict[str, Any]:
    """Size, time of change and a hash of the head and tail of a local file; the name alone for anything else."""
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
    """What these settings make of this source."""
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
    """Where a new state of a journal is written before it takes the old one's place."""
    return journal.with_suffix(".json.new")


class Journal:
    """The list of finished chunks on disk. It is replaced atomically."""

    def __init__(self, path: Path, identity: Identity, chunks: tuple[Chunk, ...] = ()) -> None:
        self.path = path
        self.identity = identity
        self.chunks = list(chunks)
        self.comfort: list[dict[str, Any]] = []  # figures of the shots that have passed (`comfort.ShotFigures`)

    @classmethod
    def load(cls, path: Path, identity: Identity) -> "Journal | None":
        """The journal at `path`; None where there is none. Raises UsageError for one that was made for something else."""
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
        """The chunks of a journal of any film and version; empty if it can't be read."""
        try:
            table = json.loads(path.read_text("utf-8"))
            found = table["chunks"] if "chunks" in table else table["segments"]  # their name in version 0.1
            return tuple(Chunk(**{**item, "after": None}) for item in found)
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def add(self, chunk: Chunk) -> None:
        """Takes a finished chunk in and saves the list."""
        self.chunks.append(chunk)
        self.save()

    def save(self) -> None:
        """Writes the list beside the old one and puts it in its place."""
        table = {
            "stereocast": "journal",  # first: it is the mark by which the file is known as ours
            "version": VERSION,
            "identity": asdict(self.identity),
            "chunks": [asdict(item) for item in self.chunks],
            "comfort": self.comfort,
        }
        owned.write(self.path, json.dumps(table).encode(), beside=beside_journal(self.path))

    def remove(self) -> None:
        """The film is complete."""
        owned.discard(self.path)


def _compare(found: Identity, wanted: Identity) -> None:
    for name, value in wanted.settings.items():
        before = found.settings.get(name)
        if before != value:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"--resume: {flag} was {before} before and is {value} now; use the same options, or omit --resume"
            )
    if found.source != wanted.source or found.time_base != wanted.time_base:
        raise UsageError("--resume: the source has changed since it was interrupted; omit --resume to start over")


class Chunker:
    """Decides where a chunk ends, and adds finished ones to the journal. The sink asks it for every frame."""

    def __init__(self, time_base: Fraction, journal: Journal | None = None) -> None:
        self._shortest, self._longest = SHORTEST_S / time_base, LONGEST_S / time_base
        self._journal = journal
        self._open: list[int] | None = None  # first tick, last tick, frames
        self.done: list[Chunk] = []

    def begins(self, pts: int, shot: Shot) -> bool:
        """Whether a new chunk begins at the frame of that tick and shot; ask once for each frame, in order."""
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
        """The last frame was encoded."""
        if self._open is not None:
            self._close(None)
            self._open = None

    def _close(self, after: Shot | None) -> None:
        assert self._open is not None
        chunk = Chunk(self._open[0], self._open[1], self._open[2], after)
        self.done.append(chunk)
        if self._journal is not None and after is not None:
            self._journal.add(chunk)
