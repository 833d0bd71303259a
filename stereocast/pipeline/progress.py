"""How far a job is, told to whoever asked for it: one value, one kind of callback."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """A phase of a job is at `done` of `total` (None: not known before its end)."""

    phase: str  # "frames", "matrix", "second view" ...
    done: int
    total: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)  # of work by stage, where stages run side by side


OnProgress = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Nobody asked."""
