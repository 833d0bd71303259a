"""LiveFilm while one watches: segments of fragmented mp4 appear in a folder and are listed as they do.

A seek to where nothing is yet ends the conversion and begins one there.
"""

import logging
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from stereocast import api
from stereocast.errors import StereocastError
from stereocast.media import captions
from stereocast.pictures.arrangement import TABLE
from stereocast.pipeline.progress import Progress
from stereocast.settings import ConvertSettings
from stereocast.types import Layout

log = logging.getLogger(__name__)


class _Cancelled(Exception):
    """Somebody seeks, or leaves."""


class LiveFilm:
    """One conversion from `start_s` on, in a thread and a folder of its own."""

    def __init__(self, number: int, source: Path, settings: ConvertSettings, start_s: float, has_sound: bool) -> None:
        self.number, self.start_s = number, start_s
        self.folder = Path(tempfile.mkdtemp(prefix="stereocast-live-"))
        self.error = ""
        self.frames = 0
        self.views: dict[str, Any] = {}
        self._begun = time.monotonic()
        self._cancel = threading.Event()
        self._mime = ""
        self._settings = settings.model_copy(
            update={
                "out_format": "hls",
                "start": f"{start_s:.3f}" if start_s > 0 else None,
                "audio": "0" if has_sound else "none",
                "subs": "none",
                "overwrite": True,
                "resume": False,
            }
        )
        self._source = source
        self._thread = threading.Thread(target=self._work, name=f"live-{number}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            api.convert(self._source, self.folder, self._settings, progress=self._tell)
        except _Cancelled:
            pass
        except StereocastError as error:
            self.error = str(error)
        except Exception as error:
            log.exception("live conversion of %s failed", self._source)
            self.error = f"{type(error).__name__}: {error}"

    def _tell(self, progress: Progress) -> None:
        self.frames = progress.done
        if self._cancel.is_set():
            raise _Cancelled

    def close(self) -> None:
        """Ends the conversion and removes its segments."""
        self._cancel.set()
        self._thread.join(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def segments(self) -> tuple[list[tuple[str, float]], bool]:
        """(name, seconds) of each segment that is complete, and whether there will be no more."""
        found: list[tuple[str, float]] = []
        length = 0.0
        with suppress(OSError):
            for line in self._playlist().read_text().splitlines():
                if line.startswith("#EXTINF:"):
                    length = float(line[8:].split(",")[0])
                elif line and not line.startswith("#"):
                    found.append((line, length))
                elif line == "#EXT-X-ENDLIST":
                    return found, True
        return found, False

    def _playlist(self) -> Path:
        return next(self.folder.rglob("index.m3u8"), self.folder / "index.m3u8")

    def file(self, name: str) -> Path | None:
        """A segment or the stream's head; None for anything else."""
        names = {"init.mp4", *(segment for segment, _ in self.segments()[0])}
        path = self._playlist().parent / name
        return path if name in names and path.is_file() else None

    def state(self) -> dict[str, Any]:
        """What the page shows and needs to play."""
        segments, ended = self.segments()
        if segments and not self._mime:
            head = self.file("init.mp4")
            self._mime = captions.mime_codecs(head) if head else ""
        done = sum(seconds for _, seconds in segments)
        spent = max(1e-3, time.monotonic() - self._begun)
        return {
            "run": self.number, "start_s": self.start_s, "done_s": round(done, 3), "ended": ended,
            "speed": round(done / spent, 2), "error": self.error, "codecs": self._mime,
            "segments": [{"name": name, "seconds": seconds} for name, seconds in segments],
        }  # fmt: skip


class Live:
    """At most one conversion at a time: this machine has one film to watch."""

    def __init__(self, settings: ConvertSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._film: LiveFilm | None = None
        self._ident = ""
        self._count = 0

    def open(self, ident: str, source: Path, start_s: float, has_sound: bool) -> LiveFilm:
        """A conversion of that film from `start_s` on, in place of the one that runs."""
        with self._lock:
            if self._film is not None:
                self._film.close()
            self._count += 1
            self._ident = ident
            self._film = LiveFilm(self._count, source, self._settings, start_s, has_sound)
            return self._film

    def get(self, ident: str, number: int | None = None) -> LiveFilm | None:
        """The conversion of that film, if it is the one that runs."""
        run = self._film
        return run if run is not None and self._ident == ident and number in (None, run.number) else None

    def views(self) -> dict[str, Any]:
        """How the views lie in what this converts to."""
        layout = self._settings.format
        lie = TABLE[layout]
        return {
            "layout": lie.views if lie.views in ("top-bottom", "anaglyph") else "left-right",
            "full": lie.full,
            "swapped": lie.crossed,
            "half_sphere": layout is Layout.VR180,
        }

    def close(self) -> None:
        """Ends what runs. May be called twice."""
        with self._lock:
            if self._film is not None:
                self._film.close()
                self._film = None
