"""Progress on the terminal: frames, fps, ETA, time per stage. Silent where there is no terminal."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


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
        self._task = self._progress.add_task(name, total=total, rate="", stages="")

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
        table.add_row(source, status, result, f"{seconds:.1f}" if seconds else "")
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
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)
