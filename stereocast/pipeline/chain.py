"""Runs a chain of stages: closing, prefetching, timing, cancellation. It doesn't know what flows through the chain."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from queue import Empty, Full, Queue
from typing import Any, TypeVar

Item = TypeVar("Item")
Stage = Callable[[Iterator[Any]], Iterator[Any]]


class Clock:
    """Wall time in seconds that each named stage spent on its own work, without the wait for its input."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @staticmethod
    def _timed(items: Iterator[Item], total: list[float]) -> Iterator[Item]:
        while True:
            begun = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                total[0] += time.perf_counter() - begun
            yield item
            del item  # so that making the next item can reuse its memory

    def source(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """Passes `items` on and adds the wait for each to this clock."""
        waited = [0.0]
        for item in self._timed(items, waited):
            self.add(name, waited[0])
            waited[0] = 0.0
            yield item
            del item

    def stage(self, name: str, stage: Stage) -> Stage:
        """Wraps `stage` so that the time of its own work is added to this clock."""

        def timed(items: Iterator[Any]) -> Iterator[Any]:
            waited, spent = [0.0], [0.0]
            output = stage(self._timed(items, waited))
            try:
                for item in self._timed(output, spent):
                    self.add(name, spent[0] - waited[0])
                    spent[0] = waited[0] = 0.0
                    yield item
                    del item
            finally:
                _close(output)
                self.add(name, max(0.0, spent[0] - waited[0]))

        return timed

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps `work` so that its time is added to this clock."""

        def run(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return work(*arguments)
            finally:
                self.add(name, time.perf_counter() - begun)

        return run


def _close(iterator: Iterator[Any]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None and not getattr(iterator, "gi_running", False):  # still running in an abandoned thread
        close()


@contextmanager
def chain(source: Iterator[Any], *stages: Stage) -> Generator[Iterator[Any], None, None]:
    """The last stage's iterator. On exit every stage is closed, last first.

    A generator doesn't close its upstream by itself, and a decoder's thread must not outlive an error.
    """
    with ExitStack() as stack:
        items = source
        stack.callback(_close, items)
        for stage in stages:
            items = stage(items)
            stack.callback(_close, items)
        yield items


class _End:
    """Marks the end of the queue inside `prefetch`."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterator[Item], depth: int = 1, patience_s: float | None = None) -> Iterator[Item]:
    """Runs the upstream in a thread, `depth` items ahead (plus one in progress at each end).

    An error is raised in place of the item it prevented. Closing this iterator stops the thread, which closes the
    upstream. The wait for it ends after `patience_s`, if given: the thread may be reading from a silent server.
    """
    queue: Queue[Any] = Queue(depth)
    stop = threading.Event()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                queue.put(item, timeout=0.05)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    break
                del item  # or it would add to peak memory while the next one is made
        except BaseException as caught:
            error = caught
        finally:
            try:
                _close(items)
            except BaseException as caught:
                error = error or caught
            put(_End(error))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item
    finally:
        stop.set()
        begun = time.monotonic()
        while thread.is_alive() and (patience_s is None or time.monotonic() - begun < patience_s):
            try:
                queue.get_nowait()
            except Empty:
                thread.join(0.02)
