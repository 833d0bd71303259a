"""A strip of thumbnails, one per shot, read in the background. Reading pauses while a moment is being drawn."""

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from stereocast.errors import StereocastError
from stereocast.jobs.preview.moments import Warm
from stereocast.media import reader
from stereocast.pictures import planes
from stereocast.shots import cuts
from stereocast.studio import looks
from stereocast.types import Frame

log = logging.getLogger(__name__)

WIDTH = 192  # pixels of a thumbnail
EXACT = 4000  # frames; longer films are sampled at moments instead of reading every frame
_MOMENTS = 96
_MOST = 240  # thumbnails
_KEPT = 8  # films
_QUIET_S = 0.4  # pause after a moment was drawn


@dataclass(slots=True)
class Strip:
    """The shots found so far: start, a moment to show, and picture of each."""

    shots: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    done: bool = False
    exact: bool = True
    error: str = ""

    def state(self) -> dict[str, Any]:
        return {"shots": list(self.shots), "done": self.done, "exact": self.exact, "error": self.error}


class Strips:
    """The strips of the most recent films."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm
        self._lock = threading.Lock()
        self._strips: OrderedDict[str, Strip] = OrderedDict()
        self._closed = threading.Event()

    def of(self, ident: str, path: Path) -> Strip:
        """The strip of a film; the first request starts reading it."""
        key = f"{ident}-{path.stat().st_mtime_ns}"
        with self._lock:
            strip = self._strips.get(key)
            if strip is None:
                strip = self._strips[key] = Strip()
                while len(self._strips) > _KEPT:
                    self._strips.popitem(last=False)
                threading.Thread(target=self._read, args=(strip, path, key), name="strip", daemon=True).start()
            self._strips.move_to_end(key)
            return strip

    def close(self) -> None:
        """Stops reading."""
        self._closed.set()

    def _read(self, strip: Strip, path: Path, key: str) -> None:
        try:
            source = reader.open_source(str(path), reader.ReadOptions(tonemap=True))
            try:
                info = source.info
                length = float(info.duration) if info.duration else None
                strip.exact = info.frames is None or info.frames <= EXACT or length is None
                if strip.exact:
                    self._every(strip, source, float(info.time_base), length, key)
            finally:
                source.close()
            if not strip.exact and length is not None:
                self._some(strip, path, length, key)
        except StereocastError as error:
            strip.error = str(error)
        except Exception as error:
            log.exception("the shots of %s can't be read", path)
            strip.error = f"internal error: {type(error).__name__}: {error}"
        strip.done = True

    def _gone(self, key: str) -> bool:
        """Whether the strip is no longer needed; waits while a moment is being drawn."""
        while time.monotonic() - self._warm.used < _QUIET_S and not self._closed.wait(0.1):
            pass
        return self._closed.is_set() or key not in self._strips

    def _every(self, strip: Strip, source: Any, time_base: float, length: float | None, key: str) -> None:
        for number, (frame, shot) in enumerate(cuts.mark_shots(iter(source))):
            if shot is not None:
                self._add(strip, float(frame.pts) * time_base, frame)
            if len(strip.shots) >= _MOST or (number % 8 == 0 and self._gone(key)):
                return
        ends = [shot["start_s"] for shot in strip.shots[1:]] + [length or strip.shots[-1]["start_s"]]
        for row, end in zip(strip.shots, ends, strict=True):  # show the middle: a shot may start dark or in a dissolve
            row["time_s"] = round((row["start_s"] + max(end, row["start_s"])) / 2, 3)

    def _some(self, strip: Strip, path: Path, length: float, key: str) -> None:
        before = None
        for number in range(_MOMENTS):
            at = length * (2 * number + 1) / (2 * _MOMENTS)
            if self._gone(key):
                return
            begin = Fraction(at).limit_denominator(1000)
            source = reader.open_source(str(path), reader.ReadOptions(start=begin, tonemap=True))
            try:
                frame = next(iter(source), None)
            finally:
                source.close()
            if frame is None:
                continue
            small = cuts.thumbnail(frame)
            if before is None or cuts.difference(before, small) >= cuts.CutOptions().at_least:
                self._add(strip, at, frame)
            before = small

    @staticmethod
    def _add(strip: Strip, at: float, frame: Frame) -> None:
        height, width = planes.size(frame.image, frame.pixel_format)
        shape = (max(2, round(height * WIDTH / width)), WIDTH)
        picture = planes.rgb(frame.image, frame.pixel_format, frame.colour, shape)
        strip.pictures.append(looks.jpeg((picture * 255).astype("uint8")))
        strip.shots.append({"number": len(strip.shots), "start_s": round(at, 3), "time_s": round(at, 3)})
