"""Progress of a job: one value, one kind of callback."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """A phase of a job is at `done` of `total` (None: unknown until the end).

    Of a film, phase "frames" counts what is written. Between two of these, "window" tells of a step that takes minutes:
    `frames` frames become ready when it is done.
    """

    phase: str  # "frames", "window", "matrix", "second view" ...
    done: int
    total: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)  # of work by stage, where stages run side by side
    frames: int = 0


OnProgress = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Nobody asked."""
