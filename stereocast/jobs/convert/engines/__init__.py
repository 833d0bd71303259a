"""Where the sections of a film run: in processes of this machine, or on a Ray cluster.

A section is whole shots, so nothing that a stage remembers is lost between two of them, and its encoder starts afresh
at the same frames as in one pipeline: the joined film has the same packets whoever made them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from stereocast.jobs.convert.engines.section import Result, Task


@runtime_checkable
class Engine(Protocol):
    """Runs sections; made from `ConvertSettings`."""

    workers: int

    def map(self, tasks: "Iterator[Task]") -> "Iterator[Result]":
        """Results in the order of the tasks, of which only as many are taken as are under way or wait. An error of the
        film is raised as the kind it is; a worker that dies is replaced."""
        ...

    def close(self) -> None:
        """Ends what still runs. May be called twice."""
        ...
