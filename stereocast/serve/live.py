"""Live sessions and their viewers: viewers of one film share a session, and the last one to leave ends it.

A seek to an unconverted place moves the session of a lone viewer there. With other viewers, a second session starts.
"""

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stereocast.errors import StereocastError
from stereocast.jobs import plan
from stereocast.media import joined
from stereocast.pictures.arrangement import TABLE
from stereocast.serve.session import Session, Wanted
from stereocast.settings import ConvertSettings
from stereocast.types import Layout

log = logging.getLogger(__name__)

GONE_S = 20.0  # a viewer who says nothing for so long has left
STEREO_PLACES, SOUND_PLACES = 2, 8  # sessions at once; a conversion takes the whole machine


class Busy(Exception):
    """All places for sessions are taken."""


@dataclass(slots=True)
class Keep:
    """A film to keep after watching."""

    wanted: Wanted
    parts: list[Session] = field(default_factory=list)
    file: Path | None = None
    error: str = ""
    joining: bool = False
    dropped: bool = False


class Live:
    """All live sessions of a server. Without `settings` films are copied with other sound, but none is converted."""

    def __init__(self, settings: ConvertSettings | None) -> None:
        self._settings = settings or ConvertSettings()
        self.converts = settings is not None
        self._lock = threading.RLock()
        self._sessions: list[Session] = []
        self._ending: list[Session] = []
        self._keeps: dict[str, Keep] = {}
        self._count = 0
        self._stop = threading.Event()
        self._watch: threading.Thread | None = None

    def open(self, wanted: Wanted, viewer: str = "") -> Session:
        """A session that has or soon will have `wanted.start_s`: an existing or a new one. Raises Busy."""
        with self._lock:
            mine = [s for s in self._sessions if s.wanted.ident == wanted.ident and viewer in s.viewers]
            there = [
                s for s in self._sessions if s.wanted.key == wanted.key and not s.error and s.covers(wanted.start_s)
            ]
            session = max(there, key=lambda s: s.number, default=None)
            left = [s for s in mine if s is not session and set(s.viewers) == {viewer} and not s.kept]
            if session is None:
                self._check_places(wanted, left)
            for old in mine:
                if old is not session:
                    old.forget(viewer)
            for old in left:
                self._end(old)
            session = session or self._begin(wanted)
            session.seen(viewer, wanted.start_s)
            return session

    def use(self, settings: ConvertSettings) -> None:
        """Converts with these settings from now on; what was converted with others ends, unless it is kept."""
        with self._lock:
            if self.converts and settings == self._settings:
                return
            for session in [s for s in self._sessions if s.wanted.sound is None and not s.kept]:
                self._end(session)
            self._settings, self.converts = settings, True

    def listing(self) -> list[dict[str, Any]]:
        """The conversions that are being watched, for a list of jobs; times in seconds of film."""
        with self._lock:
            sessions = [s for s in self._sessions if s.wanted.sound is None]
        return [
            {
                "number": s.number, "film": s.wanted.ident, "name": s.wanted.source.name, "viewers": len(s.viewers),
                "done_s": round(s.start_s + sum(seconds for _, seconds in s.segments()[0]), 1), "error": s.error,
                "duration_s": s.wanted.duration_s, "speed": s.speed(),
            }
            for s in sessions
        ]  # fmt: skip

    def stop(self, number: int) -> None:
        """Ends the session of that number, regardless of viewers."""
        with self._lock:
            for session in [s for s in self._sessions if s.number == number]:
                self._end(session)

    def _check_places(self, wanted: Wanted, left: list[Session]) -> None:
        sound = wanted.sound is not None
        same = [s for s in self._sessions if (s.wanted.sound is not None) == sound and s.is_working() and s not in left]
        if len(same) >= (SOUND_PLACES if sound else STEREO_PLACES):
            raise Busy(f"{len(same)} films are being converted for others; try again when one of them has ended")

    def _begin(self, wanted: Wanted) -> Session:
        self._count += 1
        self._ending = [s for s in self._ending if s.is_working()]
        after = [s for s in self._ending if (s.wanted.sound is None) == (wanted.sound is None)]
        session = Session(self._count, wanted, self._settings, after)
        self._sessions.append(session)
        if self._watch is None:
            self._watch = threading.Thread(target=self._watching, name="live-watch", daemon=True)
            self._watch.start()
        return session

    def _end(self, session: Session) -> None:
        session.close()
        if session in self._sessions:
            self._sessions.remove(session)
        if session.is_working():
            self._ending.append(session)

    def get(self, ident: str, number: int | None = None, viewer: str | None = None) -> Session | None:
        """The session of that number, or the one a viewer is in, or the newest of that film; None if there is none."""
        with self._lock:
            found = [s for s in self._sessions if s.wanted.ident == ident and number in (None, s.number)]
            own = [s for s in found if viewer is not None and viewer in s.viewers]
            return max(own or found, key=lambda s: s.number, default=None)

    def leave(self, ident: str, viewer: str) -> None:
        """A viewer leaves; a session without viewers ends, unless its film is kept."""
        with self._lock:
            for session in [s for s in self._sessions if s.wanted.ident == ident]:
                if viewer in session.viewers:
                    session.forget(viewer)
                    if not session.viewers and not session.kept:
                        self._end(session)

    def _watching(self) -> None:
        while not self._stop.wait(0.5):
            now = time.monotonic()
            with self._lock:
                for session in list(self._sessions):
                    session.forget_silent(now - GONE_S)
                    if not session.viewers and not session.kept:
                        self._end(session)
                keeps = [(ident, keep) for ident, keep in self._keeps.items() if not (keep.file or keep.error)]
            for ident, keep in keeps:
                try:
                    self._go_on(ident, keep)
                except StereocastError as error:
                    keep.error = str(error)
                    self._release(keep)

    # ---- films that stay ------------------------------------------------------------------------------------------

    def keep(self, ident: str, wanted: bool) -> None:
        """Whether what is made of that film becomes a film beside its source."""
        with self._lock:
            known = self._keeps.get(ident)
            if not wanted:
                if known is not None and not known.joining:
                    known.dropped = True
                    self._release(self._keeps.pop(ident))
                return
            session = self.get(ident)
            if session is None or session.wanted.sound is not None or (known is not None and not known.error):
                return
            self._keeps[ident] = Keep(session.wanted, [session])
            session.kept = True

    def _release(self, keep: Keep) -> None:
        with self._lock:
            for session in keep.parts:
                session.kept = False

    def _go_on(self, ident: str, keep: Keep) -> None:
        """The next step of a film that is kept: convert the rest, then the part before it, then join them."""
        first = keep.parts[0]
        if any(part.error for part in keep.parts):
            raise StereocastError(next(part.error for part in keep.parts if part.error))
        if any(not part.whole for part in keep.parts):
            return
        with self._lock:
            if keep.dropped:
                return
            if first.wanted.start_s > 0:
                before = replace(keep.wanted, start_s=0.0, end_s=first.wanted.start_s)
                made = self._begin(before)
                made.kept = True
                keep.parts.insert(0, made)
                return
            keep.joining = True
        form = plan.stereo_format(self._settings)
        path = plan.output_path(str(keep.wanted.source), None, form, ".mp4")
        joined.join([(part.playlist(), part.start_s) for part in keep.parts], path, form)
        keep.file = path
        log.info("kept: %s", path)
        self._release(keep)

    def kept(self, ident: str) -> dict[str, Any]:
        """How far a film that is kept has come."""
        with self._lock:
            keep = self._keeps.get(ident)
        if keep is None:
            return {"wanted": False, "done": 0.0, "file": "", "error": ""}
        total = keep.wanted.duration_s or 0.0
        made = sum(seconds for part in keep.parts for _, seconds in part.segments()[0])
        done = 1.0 if keep.file else min(0.99, made / total) if total else 0.0
        return {
            "wanted": True,
            "done": round(done, 3),
            "file": keep.file.name if keep.file else "",
            "error": keep.error,
        }

    # ---- the whole --------------------------------------------------------------------------------------------------

    def views(self) -> dict[str, Any]:
        """How the views are arranged in the converted film."""
        layout = self._settings.format
        lie = TABLE[layout]
        around = layout is Layout.VR180
        return {
            "layout": lie.views if lie.views in ("top-bottom", "anaglyph") else "left-right",
            "full": lie.full,
            "swapped": lie.crossed,
            "half_sphere": around,
            "projection": "180" if around else "flat",
            "source": "tags",
        }

    def close(self) -> None:
        """Ends everything and waits for it. May be called twice."""
        self._stop.set()
        if self._watch is not None:
            self._watch.join(60)  # a film that is being joined is let finish
        with self._lock:
            for session in list(self._sessions):
                self._end(session)
            ending, self._ending = self._ending, []
        for session in ending:
            session.join(30)
            session.remove()  # one that is in the middle of a step dies with the process
