"""Where the sections of a film run: in local processes, or on a Ray cluster.

A section consists of whole shots, so no stage loses state between two of them, and encoders start at the same frames
as in a single pipeline: the joined film has the same packets either way.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from stereocast.jobs.convert.engines.section import Result, Task


@runtime_checkable
class Engine(Protocol):
    """Runs sections; created from `ConvertSettings`."""

    workers: int

    def map(self, tasks: "Iterator[Task]") -> "Iterator[Result]":
        """Results in the order of the tasks, of which only as many are taken as are under way or wait. An error of the
        film is raised as the kind it is; a worker that dies is replaced."""
        ...

    def close(self) -> None:
        """Ends what still runs. May be called twice."""
        ...
