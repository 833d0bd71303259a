"""Progress on the terminal: frames, fps, ETA, time per stage. Silent where there is no terminal."""

import json
import sys
import time
from types import TracebackType
from typing import Any, Self

from rich import progress as rich
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stereocast.cli.plain import plain
from stereocast.pipeline.progress import Progress

EVERY_S = 1.0


class _Shown:
    """Shown while the block runs."""

    _progress: rich.Progress

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
        self._progress = rich.Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[window]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("[dim]{task.fields[stages]}"),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task(escape(plain(name)), total=total, rate="", stages="", window="")
        self._frames = 0

    def __call__(self, progress: Progress) -> None:
        """How many frames are done, and how much of the window being sampled."""
        if progress.phase == "window":
            share = progress.done / max(progress.total or 1, 1)
            self._progress.update(
                self._task, completed=self._frames + share * progress.frames, window=f"window {share:.0%}"
            )
            return
        task, done = self._progress.tasks[0], progress.done
        self._frames = done
        rate = f"{done / task.elapsed:.1f} fps" if task.elapsed else ""
        stages = " ".join(f"{name} {spent / max(done, 1) * 1000:.0f}" for name, spent in progress.seconds.items())
        self._progress.update(self._task, completed=done, rate=rate, stages=f"{stages} ms" if stages else "")


def summary(rows: list[tuple[str, str, str, float]]) -> None:
    """A table on standard error: source, status, result or reason, seconds."""
    from rich.table import Table

    table = Table("source", "status", "result", "seconds", box=None)
    for source, status, result, seconds in rows:
        table.add_row(plain(source), status, plain(result), f"{seconds:.1f}" if seconds else "")
    Console(stderr=True, markup=False).print(table)


class Phases(_Shown):
    """Progress of named phases, one bar each, on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._progress = rich.Progress(
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

    def __call__(self, progress: Progress) -> None:
        """A phase is so far."""
        if progress.phase not in self._tasks:
            self._tasks[progress.phase] = self._progress.add_task(escape(plain(progress.phase)), total=progress.total)
        self._progress.update(self._tasks[progress.phase], completed=progress.done, total=progress.total)


class Lines:
    """Progress as a line of JSON on standard error, about once a second: for programs, and for pipes."""

    def __init__(self, source: str, total: int | None) -> None:
        self._source, self._total = source, total
        self._done = 0
        self._window: Progress | None = None
        self._begun = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._tell("begin")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell("end" if error is None else "stopped")

    def __call__(self, progress: Progress) -> None:
        """How many frames are done, and how much of the window being sampled."""
        if progress.phase == "window":
            self._window = progress
        else:
            self._done, self._window = progress.done, None
        if time.monotonic() - self._told >= EVERY_S:
            self._tell("progress")

    def _tell(self, event: str) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._begun
        part = 0.0 if self._window is None else self._window.done / max(self._window.total or 1, 1)
        done = self._done + part * (self._window.frames if self._window else 0)
        fps = done / seconds if seconds > 0 else 0.0
        left = (self._total - done) / fps if self._total and fps else None
        line = {
            "event": event, "source": self._source, "frames": self._done, "total": self._total,
            "seconds": round(seconds, 2), "fps": round(fps, 2),
            "eta_s": round(max(0.0, left), 1) if left is not None else None,
        }  # fmt: skip
        if self._window is not None:
            line["window"] = round(part, 3)
        print(json.dumps(line), file=sys.stderr, flush=True)
