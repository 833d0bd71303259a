"""Progress of a job: one value, one kind of callback."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """A phase of a job has reached `done` of `total` (None: unknown until the end).

    In a conversion, phase "frames" counts frames written. In between, "window" reports on a step that takes minutes
    and yields `frames` frames when done.
    """

    phase: str  # "frames", "window", "matrix", "second view" ...
    done: int
    total: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)  # work per stage, when stages run in parallel
    frames: int = 0


OnProgress = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Ignores all progress: the default callback."""
