"""Progress on the terminal: frames, fps, ETA, time per stage. Silent where there is no terminal."""

from types import TracebackType
from typing import Any, Self

from rich import progress as rich
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stereocast.pipeline.progress import Progress


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
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[stages]}"),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=total, rate="", stages="")

    def __call__(self, progress: Progress) -> None:
        """So many frames are done."""
        task, done = self._progress.tasks[0], progress.done
        rate = f"{done / task.elapsed:.1f} fps" if task.elapsed else ""
        stages = " ".join(f"{name} {spent / max(done, 1) * 1000:.0f}" for name, spent in progress.seconds.items())
        self._progress.update(self._task, completed=done, rate=rate, stages=f"{stages} ms" if stages else "")


def summary(rows: list[tuple[str, str, str, float]]) -> None:
    """A table on standard error: source, status, result or reason, seconds."""
    from rich.table import Table

    table = Table("source", "status", "result", "seconds", box=None)
    for source, status, result, seconds in rows:
        table.add_row(source, status, result, f"{seconds:.1f}" if seconds else "")
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
            self._tasks[progress.phase] = self._progress.add_task(progress.phase, total=progress.total)
        self._progress.update(self._tasks[progress.phase], completed=progress.done, total=progress.total)
