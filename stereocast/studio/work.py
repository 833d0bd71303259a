"""A worker process as the studio sees it: progress, speed, and result."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import stereocast

_WINDOW_S = 15.0  # over which speed is taken
_GRACE_S = 20.0  # after which a worker that doesn't end is killed


class Working(Protocol):
    """Running work."""

    phase: str
    done: int
    total: int | None
    seconds: dict[str, float]
    notes: list[str]
    error: str
    result: dict[str, Any] | None

    def stop(self) -> None: ...

    def wait(self) -> None: ...

    def speed(self) -> tuple[float | None, float | None]: ...


class Work:
    """One worker process. `changed` is called from a separate thread whenever there is news."""

    def __init__(self, order: dict[str, Any], changed: Callable[[], None] = lambda: None) -> None:
        self.phase, self.done = "starting", 0
        self.total: int | None = None
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []
        self.error, self.stopped = "", False
        self.result: dict[str, Any] | None = None
        self._changed = changed
        self._seen: deque[tuple[float, int]] = deque()
        here = str(Path(stereocast.__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stereocast.studio.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # a process that ends at once reports why, or is reported as ended
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        self._reader = threading.Thread(target=self._read, name="work", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self._take(json.loads(line))
            except ValueError:  # a library printed something
                continue
            self._changed()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        if self.result is None and not self.error and not self.stopped:
            cause = "memory ran out, or it was killed" if code == -9 else f"it ended with {code}"
            self.error = f"the work ended unexpectedly ({cause}); the finished part is kept"
        self._changed()

    def _take(self, line: dict[str, Any]) -> None:
        if "phase" in line:
            if line["phase"] != self.phase:
                self._seen.clear()
            self.phase, self.done, self.total = line["phase"], line["done"], line["total"]
            self.seconds = line["seconds"]
            now = time.monotonic()
            self._seen.append((now, self.done))
            while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
                self._seen.popleft()
        elif "note" in line:
            self.notes = [*self.notes, str(line["note"])][-5:]
        elif "error" in line:
            self.error = line["error"]
        elif "stopped" in line:
            self.stopped = True
        elif "finished" in line:
            self.result = line["finished"]

    def speed(self) -> tuple[float | None, float | None]:
        """Frames (or bytes) a second over the last seconds, and the seconds that are left; None until known."""
        seen = list(self._seen)
        if len(seen) < 2 or seen[-1][0] - seen[0][0] < 0.5:
            return None, None
        rate = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
        left = (self.total - self.done) / rate if self.total is not None and rate > 0 else None
        return round(rate, 2), None if left is None else round(max(0.0, left), 1)

    def stop(self) -> None:
        """Asks the worker to end, which keeps what is done. Returns at once."""
        self.stopped = True
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        timer = threading.Timer(_GRACE_S, self._process.kill)
        timer.daemon = True
        timer.start()

    def wait(self) -> None:
        """Returns when the worker has ended and all of its lines were read."""
        self._reader.join()
