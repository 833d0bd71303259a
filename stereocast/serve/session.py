"""One live session: segments of fragmented mp4 appear in its own folder and are listed as they do."""

import logging
import shutil
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stereocast import api
from stereocast.errors import StereocastError
from stereocast.media import filmfacts, soundtrack
from stereocast.pipeline.progress import Progress
from stereocast.settings import ConvertSettings

log = logging.getLogger(__name__)

COALESCE_S = 0.3  # a seek that another one follows sooner never starts work
WINDOW_S = 10.0  # of the speed that is shown
AHEAD_S = 180.0  # how far copied picture runs ahead of who watches it
BEHIND_S = 300.0  # and how long it is kept behind them
CUSHION_S = 4.0  # of film in hand when playing may begin


class Cancelled(Exception):
    """All viewers left or seeked elsewhere."""


@dataclass(slots=True)
class Viewer:
    """A viewer's position in the film, and the time of the last report."""

    at_s: float
    seen: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session should produce."""

    ident: str
    source: Path
    start_s: float
    end_s: float | None = None
    sound: int | None = None  # copy the picture and transcode this track; None: convert to stereo
    has_sound: bool = True
    duration_s: float | None = None
    rate: float = 0.0  # frames a second, to tell how much film a number of frames is

    @property
    def key(self) -> tuple[str, int | None]:
        return self.ident, self.sound


class Session:
    """One conversion, or one copy with other sound, from `start_s` on, in its own thread and folder."""

    def __init__(self, number: int, wanted: Wanted, settings: ConvertSettings, after: "list[Session]") -> None:
        self.number, self.wanted, self.start_s = number, wanted, wanted.start_s
        self.folder = Path(tempfile.mkdtemp(prefix="stereocast-live-"))
        self.error = ""
        self.viewers: dict[str, Viewer] = {}
        self.kept = False  # works on to the end without viewers
        self.waiting = True
        self.whole = False  # made to its end
        self._settings, self._after = settings, after
        self._made: deque[tuple[float, float]] = deque()  # when, seconds of film
        self._cancel = threading.Event()
        self._listed: tuple[tuple[float, int], list[tuple[str, float]], bool] = ((0.0, -1), [], False)
        self._lock = threading.Lock()
        self._dropped, self._mime = 0, ""
        self._thread = threading.Thread(target=self._work, name=f"live-{number}", daemon=True)
        self._thread.start()

    # ---- work ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            if self._cancel.wait(COALESCE_S):
                return
            for other in self._after:
                while other.is_working() and not self._cancel.is_set():
                    other.join(0.1)
            self._after = []
            self.waiting = False
            if not self._cancel.is_set():
                self._sound() if self.wanted.sound is not None else self._stereo()
                self.whole = True
        except Cancelled:
            pass
        except StereocastError as error:
            self.error = str(error)
        except Exception as error:
            log.exception("the live session of %s failed", self.wanted.source)
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self._after = []
            if self._cancel.is_set():
                self.remove()

    def _stereo(self) -> None:
        wanted = self.wanted
        changes = {
            "out_format": "hls",
            "start": f"{wanted.start_s:.3f}" if wanted.start_s > 0 else None,
            "end": f"{wanted.end_s:.3f}" if wanted.end_s is not None else None,
            "audio": "0" if wanted.has_sound else "none",
            "subs": "none",
            "overwrite": True,
            "resume": False,
        }
        api.convert(wanted.source, self.folder, self._settings.model_copy(update=changes), progress=self._tell)

    def _tell(self, progress: Progress) -> None:
        self._check()
        if progress.phase == "frames" and self.wanted.rate:
            self._note(progress.done / self.wanted.rate)

    def _sound(self) -> None:
        wanted = self.wanted
        soundtrack.remux(wanted.source, self.folder, wanted.sound or 0, wanted.start_s, self._began, self._copied)

    def _began(self, seconds: float) -> None:
        self._check()
        self.start_s = seconds

    def _copied(self, seconds: float) -> None:
        self._check()
        self._note(seconds)
        while (watched := self._span()) and self.start_s + seconds > watched[1] + AHEAD_S:
            self._drop_before(watched[0] - BEHIND_S)
            if self._cancel.wait(0.1):
                raise Cancelled

    def _span(self) -> tuple[float, float] | None:
        with self._lock:
            at = [viewer.at_s for viewer in self.viewers.values()]
        return (min(at), max(at)) if at else None

    def _check(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _note(self, seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            if not self._made or now - self._made[-1][0] > 0.1:
                self._made.append((now, seconds))
            while len(self._made) > 2 and self._made[1][0] < now - WINDOW_S:
                self._made.popleft()

    def _drop_before(self, at_s: float) -> None:
        """Removes copied segments that everybody has left behind."""
        listed, _ = self.segments()
        edge = self.start_s + sum(seconds for _, seconds in listed[: self._dropped])
        while self._dropped < len(listed) and edge + listed[self._dropped][1] < at_s:
            name, seconds = listed[self._dropped]
            (self._playlist().parent / name).unlink(missing_ok=True)
            self._dropped, edge = self._dropped + 1, edge + seconds

    def close(self) -> None:
        """Ends the work soon and removes the segments. Doesn't wait; may be called twice."""
        self._cancel.set()
        if not self.is_working():
            self.remove()

    def remove(self) -> None:
        """Removes the segments."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def join(self, seconds: float) -> None:
        """Waits until the work has ended, at most so long."""
        self._thread.join(seconds)

    def is_working(self) -> bool:
        return self._thread.is_alive()

    @property
    def closed(self) -> bool:
        return self._cancel.is_set()

    # ---- what is there --------------------------------------------------------------------------------------------

    def segments(self) -> tuple[list[tuple[str, float]], bool]:
        """(name, seconds) of each segment that is complete, and whether there will be no more."""
        try:
            path = self._playlist()
            stat = path.stat()
            mark = stat.st_mtime, stat.st_size
            if self._listed[0] != mark:
                self._listed = (mark, *_parsed(path.read_text()))
        except OSError:
            return [], False
        return self._listed[1], self._listed[2]

    def _playlist(self) -> Path:
        return next(self.folder.rglob("index.m3u8"), self.folder / "index.m3u8")

    def playlist(self) -> Path:
        """The list of what is made."""
        return self._playlist()

    def file(self, name: str) -> Path | None:
        """A segment or the stream's head; None for anything else."""
        names = {"init.mp4", *(segment for segment, _ in self.segments()[0])}
        path = self._playlist().parent / name
        return path if name in names and path.is_file() else None

    def covers(self, at_s: float) -> bool:
        """Whether that moment is there or comes soon."""
        listed, ended = self.segments()
        first = self.start_s + sum(seconds for _, seconds in listed[: self._dropped])
        edge = self.start_s + sum(seconds for _, seconds in listed)
        soon = 0.0 if ended or self.error else 4.0 + CUSHION_S * (self.speed() or 1.0)
        return first - 0.1 <= at_s <= edge + soon

    def speed(self) -> float | None:
        """Seconds of film made in a second, over the last ten; None where that isn't known yet."""
        now = time.monotonic()
        with self._lock:
            if len(self._made) < 2:
                return None
            (begun, before), (last, after) = self._made[0], self._made[-1]
        end = now if self.is_working() else last
        return (after - before) / (end - begun) if end - begun >= 0.5 else None

    def wait_s(self, at_s: float) -> float | None:
        """How long to wait so that playing from `at_s` on goes through; None where that isn't known yet."""
        listed, ended = self.segments()
        if ended:
            return 0.0
        made_s = self.start_s + sum(seconds for _, seconds in listed)
        speed = self.speed()
        if not listed or speed is None:
            return None
        if speed <= 0:
            return None
        cushion = max(0.0, (CUSHION_S - (made_s - at_s)) / speed)
        end_s = self.wanted.end_s or self.wanted.duration_s
        if end_s is None or self.wanted.sound is not None:
            return cushion
        # what is missing is ready after (end - made) / speed; playing is there after end - at
        through = 1.05 * (end_s - made_s) / speed - (end_s - at_s)
        return max(cushion, through)

    def state(self, at_s: float | None = None, since: int = 0) -> dict[str, Any]:
        """What the page shows and needs to play."""
        listed, ended = self.segments()
        if listed and not self._mime:
            head = self.file("init.mp4")
            self._mime = filmfacts.mime_codecs(head) if head else ""
        done = sum(seconds for _, seconds in listed)
        first = max(since, self._dropped)
        speed, end_s = self.speed(), self.wanted.end_s or self.wanted.duration_s
        wait_s = self.wait_s(self.start_s if at_s is None else at_s)
        return {
            "run": self.number, "start_s": self.start_s, "done_s": round(done, 3), "ended": ended, "error": self.error,
            "codecs": self._mime, "mode": "stereo" if self.wanted.sound is None else "sound",
            "speed": None if speed is None else round(speed, 2), "waiting": self.waiting, "viewers": len(self.viewers),
            "wait_s": None if wait_s is None else round(wait_s, 1),
            "left_s": None if end_s is None else round(max(0.0, 0.0 if ended else end_s - self.start_s - done), 1),
            "first": first, "first_s": round(self.start_s + sum(s for _, s in listed[:first]), 3),
            "segments": [{"name": name, "seconds": seconds} for name, seconds in listed[first:]],
        }  # fmt: skip

    def seen(self, viewer: str, at_s: float | None) -> None:
        """A viewer reports a position."""
        with self._lock:
            known = self.viewers.get(viewer)
            place = at_s if at_s is not None else known.at_s if known else self.start_s
            self.viewers[viewer] = Viewer(place, time.monotonic())

    def forget(self, viewer: str) -> None:
        """A viewer left."""
        with self._lock:
            self.viewers.pop(viewer, None)

    def forget_silent(self, since: float) -> None:
        """Those who haven't been heard of since then have left."""
        with self._lock:
            for name in [name for name, viewer in self.viewers.items() if viewer.seen < since]:
                del self.viewers[name]


def _parsed(text: str) -> tuple[list[tuple[str, float]], bool]:
    found: list[tuple[str, float]] = []
    length = 0.0
    for line in text.splitlines():
        if line.startswith("#EXTINF:"):
            with suppress(ValueError):
                length = float(line[8:].split(",")[0])
        elif line and not line.startswith("#"):
            found.append((line, length))
        elif line == "#EXT-X-ENDLIST":
            return found, True
    return found, False
