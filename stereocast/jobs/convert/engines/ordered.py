"""A bounded number of tasks at the same time, with results in the order of the tasks."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(tasks: Iterator[Given], submit: "Callable[[Given], Future[Made]]", limit: int) -> Iterator[Made]:
    """Submits ahead until `limit` tasks are open, then yields the oldest result before the next is submitted."""
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
