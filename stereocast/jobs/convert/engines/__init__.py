"""Engines that run the sections of a film: processes on this machine, or a Ray cluster.

A section consists of whole shots, so no stage loses state between two sections. Its encoder restarts at the same frames
as in a single pipeline, so the joined film has the same packets whichever workers made them.
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
        """Yields results in the order of the tasks and takes tasks only as fast as it can run or queue them. An error of
        the film is raised with its original type; a worker that dies is replaced."""
        ...

    def close(self) -> None:
        """Ends all running tasks. May be called twice."""
        ...
