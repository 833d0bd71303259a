"""What of a film is finished: segments, the shots they end in, and a list of them on disk.

A film is encoded in segments, each by an encoder of its own, so their packets don't depend on what came before. The
journal beside the part file lists the finished ones. Depth and stereo carry state within a shot and forget it at a
cut; so a resumed run begins at the shot that was open, and what was already encoded of it is dropped after packing.
"""

import json
import logging
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from stereocast import __version__, owned
from stereocast.errors import UsageError
from stereocast.settings import ConvertSettings
from stereocast.types import Array, Clip

log = logging.getLogger(__name__)

VERSION = 1
SHORTEST_S, LONGEST_S = 4, 20  # a segment ends at the first cut after the one, at the latest after the other
_FREE = {
    "overwrite",
    "resume",
    "engine",
    "workers",
    "ray_address",
    "accept_licence",
}  # settings that don't change the picture
_ENDS = 1 << 20  # bytes of the source's head and tail that are hashed


@dataclass(frozen=True, slots=True)
class Shot:
    """Where a shot begins: its first frame's tick, its number, and a checksum of that frame."""

    pts: int
    number: int
    check: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames that one encoder made, and the shot to which the frame after them belongs (None: the film ends)."""

    first: int  # tick
    last: int
    frames: int
    after: Shot | None
    file: str = ""  # name of the file that holds it, when it isn't the part file


@dataclass(frozen=True, slots=True)
class Job:
    """What a journal must have been made for to be used: the same picture from the same source."""

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


def job(settings: ConvertSettings, name: str, encoder: str, time_base: Fraction) -> Job:
    """The job of these settings on this source."""
    values = {k: v for k, v in settings.model_dump(mode="json").items() if k not in _FREE}
    brought = [
        path for path in (settings.depth_path, settings.disparity, settings.subs_file) if path and Path(path).is_file()
    ]
    values["encoder"] = encoder
    return Job(values, {**fingerprint(name), **{str(path): fingerprint(str(path)) for path in brought}}, str(time_base))


def journal_path(output: Path) -> Path:
    """The journal of an output file."""
    return output.with_name(f"{output.stem}.part.json")


def beside_journal(journal: Path) -> Path:
    """Where a new state of a journal is written before it takes the old one's place."""
    return journal.with_suffix(".json.new")


class Journal:
    """The list of finished segments on disk. It is replaced as a whole, so it is never half written."""

    def __init__(self, path: Path, job: Job, segments: tuple[Segment, ...] = ()) -> None:
        self.path = path
        self.job = job
        self.segments = list(segments)
        self.comfort: list[dict[str, Any]] = []  # figures of the shots that have passed (`report.Shot`)

    @classmethod
    def load(cls, path: Path, job: Job) -> "Journal | None":
        """The journal at `path`; None where there is none. Raises UsageError for one of another job."""
        try:
            table = json.loads(path.read_text("utf-8"))
            found = Job(**table["job"])
            segments = tuple(
                Segment(**{**item, "after": Shot(**item["after"]) if item["after"] else None})
                for item in table["segments"]
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s can't be read (%s); starting from the beginning", path, error)
            return None
        if table.get("version") != VERSION or found.program != job.program:
            log.warning("%s was written by another version of stereocast; starting from the beginning", path)
            return None
        _compare(found, job)
        journal = cls(path, job, segments)
        journal.comfort = list(table.get("comfort", []))
        return journal

    @staticmethod
    def segments_of(path: Path) -> tuple[Segment, ...]:
        """The segments of a journal of whatever job; none where it can't be read."""
        try:
            table = json.loads(path.read_text("utf-8"))
            return tuple(Segment(**{**item, "after": None}) for item in table["segments"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def add(self, segment: Segment) -> None:
        """Takes a finished segment in and saves the list."""
        self.segments.append(segment)
        self.save()

    def save(self) -> None:
        """Writes the list beside the old one and puts it in its place."""
        table = {
            "stereocast": "journal",  # first: it is the mark by which the file is known as ours
            "version": VERSION,
            "job": asdict(self.job),
            "segments": [asdict(item) for item in self.segments],
            "comfort": self.comfort,
        }
        owned.write(self.path, json.dumps(table).encode(), beside=beside_journal(self.path))

    def remove(self) -> None:
        """The film is complete."""
        owned.discard(self.path)


def _compare(found: Job, wanted: Job) -> None:
    for name, value in wanted.settings.items():
        before = found.settings.get(name)
        if before != value:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"--resume: {flag} was {before} before and is {value} now; use the same options, or leave --resume out"
            )
    if found.source != wanted.source or found.time_base != wanted.time_base:
        raise UsageError("--resume: the source has changed since it was interrupted; leave --resume out to begin again")


class Sections:
    """Decides where a segment ends, and enters the finished ones into the journal.

    `watch` sees the shots pass at the front of the pipeline; the sink asks `begins` for every frame at its end.
    """

    def __init__(self, time_base: Fraction, journal: Journal | None = None) -> None:
        self._shortest, self._longest = SHORTEST_S / time_base, LONGEST_S / time_base
        self._journal = journal
        self._shots: list[Shot] = []
        self._open: list[int] | None = None  # first tick, last tick, frames
        self.done: list[Segment] = []

    def watch(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        """A stage: notes where shots begin."""
        for clip in clips:
            if clip.first:
                self.note(Shot(int(clip.pts[0]), clip.segment, checksum(clip.frames[0])))
            yield clip

    def note(self, shot: Shot) -> None:
        """A shot begins; said before any of its frames is asked for."""
        self._shots.append(shot)

    def begins(self, pts: int) -> bool:
        """Whether a new segment begins at the frame of that tick; ask once for each frame, in order."""
        while len(self._shots) > 1 and self._shots[1].pts <= pts:
            self._shots.pop(0)
        shot = self._shots[0] if self._shots else None
        if self._open is None:
            self._open = [pts, pts, 1]
            return False
        long = pts - self._open[0]
        if long >= self._longest or (long >= self._shortest and shot is not None and shot.pts == pts):
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
        segment = Segment(self._open[0], self._open[1], self._open[2], after)
        self.done.append(segment)
        if self._journal is not None and after is not None:
            self._journal.add(segment)


def checksum(image: Array) -> int:
    """A checksum of one picture."""
    return zlib.crc32(np.ascontiguousarray(image).data)
