"""Runs a bounded number of tasks at a time and yields their results in order."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(tasks: Iterator[Given], submit: "Callable[[Given], Future[Made]]", limit: int) -> Iterator[Made]:
    """Submits ahead until `limit` tasks are open, then yields the oldest result before submitting the next task."""
    waiting: deque[Future[Made]] = deque()
    try:
        for task in tasks:
            waiting.append(submit(task))
            while len(waiting) >= limit or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
