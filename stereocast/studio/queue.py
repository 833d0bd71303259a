"""The queue: one job after another, across stops and restarts.

Its file lists the jobs; their progress is in the part and the journal beside the output. A job that was running when
the studio ended, for whatever reason, resumes at the next start.
"""

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from stereocast import api
from stereocast.errors import OutputExists, SinkError, StereocastError
from stereocast.jobs.convert import resume
from stereocast.jobs.convert.chunks import Journal, journal_path
from stereocast.media import owned
from stereocast.media.owned import part_path
from stereocast.serve.shelf import ident_of
from stereocast.settings import ConvertSettings
from stereocast.studio import options
from stereocast.studio.folder import Folder, Gone
from stereocast.studio.work import Work, Working

log = logging.getLogger(__name__)

State = Literal["waiting", "running", "stopped", "failed", "done"]
_BUSY_S = 60.0  # to wait for the worker of a studio that was killed
_TRIES = 15  # a second apart, if that one had just started


@dataclass(slots=True)
class Entry:
    """A job in the queue; file names are relative to the folder."""

    ident: str
    kind: str
    source: str
    options: dict[str, Any]
    state: State = "waiting"
    begun: bool = False
    outputs: list[str] = field(default_factory=list)
    frames: int = 0  # that are done
    total: int | None = None
    error: str = ""
    comfort: str = ""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0  # of work, over all its runs


class Queue:
    """The jobs of a folder, in order. `begin` starts the work of an order (tests replace it)."""

    def __init__(self, folder: Folder, begin: Callable[[dict[str, Any]], Working] = Work) -> None:
        self._folder, self._begin = folder, begin
        self._file = folder.state / "queue.json"
        self._news = threading.Condition()
        self._entries: list[Entry] = self._load()
        self._work: Working | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="queue", daemon=True)
        self._thread.start()

    # ---- what is asked for

    def add(self, kind: str, source: Path, given: Mapping[str, Any], *, overwrite: bool = False) -> str:
        """A job at the end of the queue; returns its identifier. Raises what the job itself would say before it begins,
        and OutputExists if its result exists or is being made."""
        settings = options.checked(kind, given)
        outputs: list[str] = []
        chosen = {**given, **({"overwrite": True} if overwrite else {})}
        if isinstance(settings, ConvertSettings):
            made = api.plan(source, None, settings.model_copy(update={"overwrite": overwrite}))
            outputs = [self._folder.below(path.parent / path.name) for path in made.outputs]
        entry = Entry(secrets.token_hex(6), kind, self._folder.below(source), chosen, outputs=outputs)
        with self._news:
            open_ones = [one for one in self._entries if one.state in ("waiting", "running", "stopped")]
            if any(one.kind == kind and one.source == entry.source and (one.outputs == outputs) for one in open_ones):
                raise OutputExists(f"{source.name} is already in the queue; remove it there, or wait for it")
            self._entries = [one for one in self._entries if not (outputs and one.outputs == outputs)]
            self._entries.append(entry)
            self._changed()
        return entry.ident

    def stop(self, ident: str) -> None:
        """A job waits until it is resumed; its finished part is kept. Raises Gone."""
        with self._news:
            entry = self._find(ident)
            if entry.state == "running" and self._work is not None:
                self._work.stop()
            if entry.state in ("running", "waiting"):
                entry.state = "stopped"
            self._changed()

    def go_on(self, ident: str) -> None:
        """A job that was stopped or failed is tried again. Raises SourceError."""
        with self._news:
            entry = self._find(ident)
            if entry.state in ("stopped", "failed"):
                entry.state, entry.error = "waiting", ""
            self._changed()

    def replace(self, ident: str) -> None:
        """A job that failed because its result exists is tried again and replaces it. Raises Gone."""
        with self._news:
            entry = self._find(ident)
            if entry.state == "failed":
                entry.options = {**entry.options, "overwrite": True}
                entry.state, entry.error = "waiting", ""
            self._changed()

    def remove(self, ident: str) -> None:
        """A job leaves the list; the result of a finished one stays, the part of any other goes. Raises SourceError."""
        with self._news:
            entry = self._find(ident)
            self._entries.remove(entry)
            running = entry.state == "running"
            if running and self._work is not None:
                self._work.stop()
            self._changed()
        if not running:
            self._discard(entry)

    def move(self, ident: str, place: int) -> None:
        """A job gets another place in the list. Raises SourceError."""
        with self._news:
            entry = self._find(ident)
            self._entries.remove(entry)
            self._entries.insert(max(0, place), entry)
            self._changed()

    def _find(self, ident: str) -> Entry:
        for entry in self._entries:
            if entry.ident == ident:
                return entry
        raise Gone("this job is no longer in the queue")

    def _discard(self, entry: Entry) -> None:
        if entry.state == "done" or entry.kind != "convert":
            return
        outputs = [self._folder.inside(name) for name in entry.outputs]
        for path in outputs:
            for part in (part_path(path), resume.kept_path(path)):
                try:
                    owned.discard(part)
                except SinkError as error:
                    log.info("%s", error)
        if outputs:
            owned.discard(journal_path(outputs[0]))

    # ---- what is told

    def listing(self) -> list[dict[str, Any]]:
        """All jobs in order, for a page."""
        with self._news:
            return [self._row(entry) for entry in self._entries]

    def _row(self, entry: Entry) -> dict[str, Any]:
        row: dict[str, Any] = {
            "id": entry.ident, "kind": entry.kind, "source": entry.source, "state": entry.state, "outputs": entry.outputs,
            "films": [ident_of(str(self._folder.root / name)) for name in entry.outputs], "error": entry.error,
            "done": entry.frames, "total": entry.total, "phase": "", "fps": None, "eta_s": None, "stages": {},
            "comfort": entry.comfort, "notes": entry.notes, "seconds": round(entry.seconds, 1), "options": entry.options,
            "command": options.command(entry.kind, self._folder.inside(entry.source), entry.options),
        }  # fmt: skip
        if entry.state == "running" and self._work is not None:
            work = self._work
            rate, left = work.speed()
            row |= {
                "done": work.done, "total": work.total, "phase": work.phase, "fps": rate, "eta_s": left,
                "stages": work.seconds, "notes": work.notes,
            }  # fmt: skip
        return row

    # ---- the work

    def _run(self) -> None:
        while True:
            with self._news:
                entry = self._next()
                while entry is None and not self._closed:
                    self._news.wait()
                    entry = self._next()
                if self._closed or entry is None:
                    return
                entry.state, entry.error, entry.notes = "running", "", []
                self._changed()
            begun = time.monotonic()
            try:
                self._one(entry)
            except Exception as error:  # a defect of ours must not end the other films
                log.exception("the queue")
                entry.error = f"internal error: {type(error).__name__}: {error}"
            with self._news:
                self._settle(entry, time.monotonic() - begun)

    def _next(self) -> Entry | None:
        return next((entry for entry in self._entries if entry.state == "waiting"), None)

    def _one(self, entry: Entry) -> None:
        source = self._folder.inside(entry.source)
        if not source.is_file():
            entry.error = f"no such file: {source}"
            return
        self._wait_for_others(entry)
        order = {
            "kind": entry.kind, "source": str(source), "options": entry.options, "begun": entry.begun,
            "output": str(self._folder.inside(entry.outputs[0])) if len(entry.outputs) == 1 else None,
        }  # fmt: skip
        for _ in range(_TRIES):
            with self._news:
                if entry.state != "running" or self._closed or entry not in self._entries:
                    return
                self._work = self._begin(order)
                entry.begun = True
                self._changed()
            self._work.wait()
            if "being written by another run" not in self._work.error:
                return
            time.sleep(1)

    def _wait_for_others(self, entry: Entry) -> None:
        """The worker of a studio that was killed may still be writing its last lines."""
        until = time.monotonic() + _BUSY_S
        for name in entry.outputs:
            while time.monotonic() < until and entry.state == "running" and not self._closed:
                try:
                    owned.check_idle(part_path(self._folder.inside(name)))
                    break
                except SinkError:
                    time.sleep(0.2)

    def _settle(self, entry: Entry, seconds: float) -> None:
        """What came of a job that ran."""
        work, self._work = self._work, None
        entry.seconds += seconds
        if work is not None:
            entry.frames, entry.total, entry.notes = work.done, work.total, list(work.notes)
            entry.error = entry.error or (work.error if entry.state == "running" else "")
            if work.result is not None:
                entry.state = "done"
                entry.error = ""
                entry.comfort = work.result.get("comfort", "")
                entry.notes += work.result.get("notes", [])
                entry.outputs = [self._folder.below(Path(name)) for name in work.result["files"]] or entry.outputs
                self._folder.materials(afresh=True)
        if entry.state == "running":
            entry.state = "waiting" if self._closed else "failed"
        if entry not in self._entries:
            self._discard(entry)
        self._changed()

    def close(self) -> None:
        """Ends the job that runs, which resumes at the next start, and waits for that."""
        with self._news:
            self._closed = True
            if self._work is not None:
                self._work.stop()
            self._news.notify_all()
        self._thread.join(30)

    # ---- the file

    def _changed(self) -> None:
        """Saves the list and wakes waiting threads. The lock is held."""
        table = {"stereocast": "queue", "version": 1, "jobs": [asdict(entry) for entry in self._entries]}
        beside = self._file.with_suffix(".new")
        try:
            beside.write_text(json.dumps(table, indent=1), "utf-8")
            os.replace(beside, self._file)
        except OSError as error:
            log.warning("%s can't be written (%s); the queue won't survive a restart", self._file, owned.reason(error))
        self._news.notify_all()

    def _load(self) -> list[Entry]:
        try:
            rows = json.loads(self._file.read_text("utf-8"))["jobs"]
            entries = [Entry(**row) for row in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s can't be read (%s); starting with an empty queue", self._file, error)
            return []
        return [entry for entry in entries if self._still_there(entry)]

    def _still_there(self, entry: Entry) -> bool:
        """Whether a job of the list still means something, with what its files say of it."""
        try:
            outputs = [self._folder.inside(name) for name in entry.outputs]
            self._folder.inside(entry.source)
            options.checked(entry.kind, {k: v for k, v in entry.options.items() if k != "overwrite"})
        except StereocastError as error:
            log.warning("a job of the queue is left out: %s", error)
            return False
        if entry.state == "done":
            return any(path.exists() for path in outputs)
        if entry.state == "running":
            entry.state = "waiting"
        if outputs and entry.kind == "convert":
            kept = sum(chunk.frames for chunk in Journal.chunks_of(journal_path(outputs[0])))
            entry.frames = kept or entry.frames
        return True
