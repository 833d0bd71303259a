"""Progress on the terminal: frames, fps, ETA, time per stage. Silent where there is no terminal."""

import json
import sys
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stereocast.cli.plain import plain

EVERY_S = 1.0


class _Shown:
    """Shown while the block runs."""

    _progress: Progress

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class Bar(_Shown):
    """A progress bar on standard error for `total` frames (None: unknown)."""

    def __init__(self, name: str, total: int | None, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[stages]}"),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task(escape(plain(name)), total=total, rate="", stages="")

    def __call__(self, frames: int, clock: Any) -> None:
        """`frames` more are done."""
        task = self._progress.tasks[0]
        done = task.completed + frames
        rate = f"{done / task.elapsed:.1f} fps" if task.elapsed else ""
        stages = " ".join(f"{name} {seconds / max(done, 1) * 1000:.0f}" for name, seconds in clock.seconds.items())
        self._progress.update(self._task, advance=frames, rate=rate, stages=f"{stages} ms" if stages else "")


def summary(rows: list[tuple[str, str, str, float]]) -> None:
    """A table on standard error: source, status, result or reason, seconds."""
    from rich.table import Table

    table = Table("source", "status", "result", "seconds", box=None)
    for source, status, result, seconds in rows:
        table.add_row(plain(source), status, plain(result), f"{seconds:.1f}" if seconds else "")
    Console(stderr=True, markup=False).print(table)


class Steps(_Shown):
    """Progress of named phases, one bar each, on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._tasks: dict[str, Any] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """`what` is at `done` of `total`."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(escape(plain(what)), total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)


class Lines:
    """Progress as a line of JSON on standard error, about once a second: for programs, and for pipes."""

    def __init__(self, source: str, total: int | None) -> None:
        self._source, self._total = source, total
        self._done = 0
        self._begun = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._tell("begin")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell("end" if error is None else "stopped")

    def __call__(self, frames: int, clock: Any) -> None:
        """`frames` more are done."""
        self._done += frames
        if time.monotonic() - self._told >= EVERY_S:
            self._tell("progress")

    def _tell(self, event: str) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._begun
        fps = self._done / seconds if seconds > 0 else 0.0
        left = (self._total - self._done) / fps if self._total and fps else None
        line = {
            "event": event, "source": self._source, "frames": self._done, "total": self._total,
            "seconds": round(seconds, 2), "fps": round(fps, 2),
            "eta_s": round(max(0.0, left), 1) if left is not None else None,
        }  # fmt: skip
        print(json.dumps(line), file=sys.stderr, flush=True)
