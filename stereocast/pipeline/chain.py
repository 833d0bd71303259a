"""Runs a chain of stages: closing, prefetching, timing, cancellation. It does not know what flows through."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from queue import Empty, Full, Queue
from typing import Any, TypeVar

Item = TypeVar("Item")
Stage = Callable[[Iterator[Any]], Iterator[Any]]


class Clock:
    """Seconds of wall time that each named stage spent on its own work, waiting for its input left out."""

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
            del item  # not held while the next one is made: its memory can serve for that

    def source(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """`items`, with the time that each took to arrive added to this clock."""
        waited = [0.0]
        for item in self._timed(items, waited):
            self.add(name, waited[0])
            waited[0] = 0.0
            yield item
            del item

    def stage(self, name: str, stage: Stage) -> Stage:
        """`stage`, with the time of its work added to this clock."""

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
        """`work`, with its time added to this clock."""

        def run(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return work(*arguments)
            finally:
                self.add(name, time.perf_counter() - begun)

        return run


def _close(iterator: Iterator[Any]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None and not getattr(iterator, "gi_running", False):  # it runs in a thread that was left behind
        close()


@contextmanager
def chain(source: Iterator[Any], *stages: Stage) -> Generator[Iterator[Any], None, None]:
    """The last stage's iterator. On leaving, every stage is closed, last first: a generator doesn't close its
    upstream by itself, and a decoder's thread must not outlive an error."""
    with ExitStack() as stack:
        items = source
        stack.callback(_close, items)
        for stage in stages:
            items = stage(items)
            stack.callback(_close, items)
        yield items


class _End:
    """Marks the end of the queue inside `prefetch` (never seen outside)."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterator[Item], depth: int = 1, patience_s: float | None = None) -> Iterator[Item]:
    """Runs what is upstream in a thread, `depth` items ahead (and one in hand at each end). Errors come out where the item would have.

    Closing this iterator stops the thread, waits for it (at most `patience_s`, then it is left behind: it may sit in a
    read of a server that sends nothing), and closes the upstream in it.
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
                del item  # not held while the next one is made: it would count twice in peak memory
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
