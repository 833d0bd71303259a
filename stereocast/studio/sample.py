"""A few converted seconds to check in the headset before a longer conversion; and copies to a headset.

Neither waits in the queue, because the user waits for both.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stereocast.catalog import settle
from stereocast.errors import StereocastError, UsageError
from stereocast.jobs import plan
from stereocast.pipeline.progress import Progress
from stereocast.serve import push
from stereocast.serve.shelf import ident_of
from stereocast.settings import ConvertSettings
from stereocast.studio import options
from stereocast.studio.folder import SAMPLES, Folder
from stereocast.studio.work import Work

SECONDS = 5


class Sampler:
    """At most one sample at a time; a new one replaces the one in progress."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._path: Path | None = None

    def begin(self, source: Path, at_s: float, given: Mapping[str, Any]) -> dict[str, Any]:
        """Converts a few seconds of a film from `at_s` on. Raises StereocastError."""
        settings = options.checked("convert", given)
        assert isinstance(settings, ConvertSettings)
        options.check_watchable(settings)
        chosen = {**given, "start": f"{at_s:.3f}", "duration": str(SECONDS), "overwrite": True, "subs": "none"}
        chosen.pop("end", None)
        settle(ConvertSettings, chosen)
        folder = self._folder.root / SAMPLES
        path = plan.output_path(str(source), folder / ".", plan.stereo_format(settings), ".mp4", also="_sample")
        path = folder / path.name
        with self._lock:
            if self._work is not None:
                self._work.stop()
                self._work.wait()
            self._path = path
            order = {"kind": "convert", "source": str(source), "options": chosen, "output": str(path)}
            self._work = Work(order)
        return self.state()

    def state(self) -> dict[str, Any]:
        """How far the sample is, and the film that it became."""
        work = self._work
        if work is None or self._path is None:
            return {"state": "none"}
        row: dict[str, Any] = {
            "done": work.done,
            "total": work.total,
            "phase": work.phase,
            "error": work.error,
            "film": "",
        }
        if work.result is not None:
            return {
                **row,
                "state": "done",
                "film": ident_of(str(self._path.resolve())),
                "line": work.result.get("comfort", ""),
            }
        return {**row, "state": "failed" if work.error else "running"}

    def close(self) -> None:
        """Ends what is being made."""
        if self._work is not None:
            self._work.stop()


class Download:
    """At most one download of weights at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._name = ""

    def begin(self, name: str) -> None:
        """Fetches the weights of that name, whose licence was accepted. Raises UsageError."""
        with self._lock:
            if self._work is not None and self._work.result is None and not self._work.error and not self._work.stopped:
                raise UsageError(f"'{self._name}' is being downloaded; wait for it, or stop it")
            self._name = name
            self._work = Work({"kind": "weights", "name": name, "accept_licence": True})

    def stop(self) -> None:
        """Ends the download; what has come is kept, and the next one resumes there."""
        if self._work is not None:
            self._work.stop()

    def state(self) -> dict[str, Any]:
        """What is downloaded, and how much of it is there."""
        work = self._work
        if work is None:
            return {"name": "", "state": "none"}
        state = (
            "done" if work.result is not None else "failed" if work.error else "stopped" if work.stopped else "running"
        )
        rate, left = work.speed()
        return {
            "name": self._name, "state": state, "part": work.phase, "done": work.done, "total": work.total, "rate": rate,
            "eta_s": left, "error": work.error,
        }  # fmt: skip


class Sender:
    """Copies films to the headset, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: dict[str, Any] = {"state": "none"}

    def begin(self, path: Path) -> dict[str, Any]:
        """Copies a film over adb. Raises PushError, UsageError."""
        with self._lock:
            if self._state["state"] == "running":
                raise UsageError("another film is being copied; wait for it")
            headset = push.Adb.find()
            self._state = {"state": "running", "name": path.name, "done": 0, "total": path.stat().st_size, "error": ""}
        threading.Thread(target=self._send, args=(path, headset), name="push", daemon=True).start()
        return self.state()

    def _send(self, path: Path, headset: push.Adb) -> None:
        def tell(progress: Progress) -> None:
            self._state = {**self._state, "done": progress.done, "total": progress.total}

        try:
            push.push(path, headset, progress=tell)
            self._state = {**self._state, "state": "done", "done": self._state["total"]}
        except StereocastError as error:
            self._state = {**self._state, "state": "failed", "error": str(error)}

    def state(self) -> dict[str, Any]:
        """How far the copy is."""
        return self._state
