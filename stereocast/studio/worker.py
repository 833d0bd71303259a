"""A process that runs one job and reports in lines of JSON: `python -m stereocast.studio.worker`.

The order comes on standard input. When that ends, because the studio stops the job or is gone, the job stops and keeps its
finished work. A separate process keeps the page responsive, and protects the studio from crashes and lack of memory.
"""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stereocast.errors import StereocastError, UsageError
from stereocast.media import faults
from stereocast.pipeline.progress import Progress

EVERY_S = 0.25  # interval between lines of progress
PATIENCE_S = 15  # time allowed for work that doesn't check for a stop

_told = threading.Lock()


class _Stopped(Exception):
    """The studio stopped the job."""


def tell(**line: Any) -> None:
    """Sends a line to the studio, which may be gone."""
    try:
        with _told:
            print(json.dumps(line), flush=True)
    except (BrokenPipeError, ValueError):
        pass


class _Telling:
    """Reports progress as lines, and raises _Stopped when a stop was requested."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self._at, self._phase = stop, 0.0, ""

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        ended = progress.total is not None and progress.done >= progress.total
        if now - self._at >= EVERY_S or progress.phase != self._phase or ended:
            self._at, self._phase = now, progress.phase
            seconds = {step: round(value, 3) for step, value in progress.seconds.items()}
            tell(phase=progress.phase, done=progress.done, total=progress.total, seconds=seconds)
        if self._stop.is_set():
            raise _Stopped


class _Notes(logging.Handler):
    """Sends warnings to the page."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(note=record.getMessage())


def _convert(order: dict[str, Any], telling: _Telling) -> dict[str, Any]:
    from stereocast import api
    from stereocast.settings import ConvertSettings

    settings = api.settle(ConvertSettings, order["options"])
    output = order.get("output")
    try:
        made = api.convert(order["source"], output, settings, progress=telling, resume=True)
    except UsageError as error:  # the part has other options, but this is a new job
        if order.get("begun") or not str(error).startswith("--resume:"):
            raise
        tell(note=f"replacing an unfinished part made with other options ({error})")
        made = api.convert(order["source"], output, settings, progress=telling)
    return {
        "files": [str(path) for path in made.plan.outputs], "frames": made.frames,
        "comfort": made.comfort.line() if made.comfort else "", "verdict": made.comfort.verdict if made.comfort else "",
    }  # fmt: skip


def _gen(order: dict[str, Any], telling: _Telling) -> dict[str, Any]:
    from stereocast import api
    from stereocast.settings import GenSettings

    made = api.generate(order["source"], None, api.settle(GenSettings, order["options"]), progress=telling)
    return {"files": [str(path) for path in made.plan.outputs], "frames": made.frames, "notes": list(made.notes)}


def _four_d(order: dict[str, Any], telling: _Telling) -> dict[str, Any]:
    from stereocast import api
    from stereocast.pictures.pages import TENSORS, keep_pages
    from stereocast.settings import FourDSettings

    keep_pages(TENSORS)
    settings = api.settle(FourDSettings, {**order["options"], "resume": order.get("begun", False)})
    made = api.reconstruct(order["source"], None, settings, progress=telling)
    return {"files": [str(path) for path in made.files], "notes": [made.note] if made.note else []}


def _weights(order: dict[str, Any], telling: _Telling) -> dict[str, Any]:
    """Downloads weights and reports the bytes received."""
    from stereocast.models import shelf, weights

    for entry in shelf.with_needs(order["name"]):
        ended = threading.Event()

        def watch(entry: shelf.Weights = entry, ended: threading.Event = ended) -> None:
            while not ended.wait(0.5):
                tell(phase=entry.name, done=weights.arrived(entry), total=entry.size, seconds={})

        threading.Thread(target=watch, daemon=True).start()
        try:
            weights.download(entry, accept_licence=order["accept_licence"], progress=lambda text: tell(note=text))
        finally:
            ended.set()
    return {"files": []}


_WORK: dict[str, Callable[[dict[str, Any], _Telling], dict[str, Any]]] = {
    "convert": _convert, "gen": _gen, "4d": _four_d, "weights": _weights,
}  # fmt: skip


def _await_end(stop: threading.Event) -> None:
    """Requests a stop at the end of standard input, and ends the process if the work doesn't stop."""
    sys.stdin.read()
    stop.set()
    time.sleep(PATIENCE_S)
    os._exit(130)


def main() -> int:
    """Runs one order. Returns 0, or the exit code that the command line would have."""
    order = json.loads(sys.stdin.readline())
    stop = threading.Event()
    threading.Thread(target=_await_end, args=(stop,), daemon=True).start()
    logger = logging.getLogger("stereocast")
    logger.addHandler(_Notes(logging.WARNING))
    logger.propagate = False
    try:
        result = _WORK[order["kind"]](order, _Telling(stop))
    except _Stopped:
        tell(stopped=True)
        return 130
    except StereocastError as error:
        tell(error=str(error))
        return error.exit_code
    except (OSError, MemoryError) as error:
        tell(error=faults.line(error))
        return 1
    except Exception as error:
        tell(error=f"internal error: {type(error).__name__}: {error}")
        return 1
    tell(finished={**result, "files": [str(Path(name).resolve()) for name in result["files"]]})
    return 0


if __name__ == "__main__":
    from stereocast.pictures.pages import keep_pages

    keep_pages()
    os.environ.setdefault("SVT_LOG", "1")
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the thread reading standard input would keep the process alive
