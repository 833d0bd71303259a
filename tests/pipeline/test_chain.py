"""Chaining, prefetching, closing."""

import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from stereocast.pipeline import chain as chains
from stereocast.pipeline.chain import Clock, chain, prefetch


class Source:
    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.count, self.fail_at, self.closed, self.given = count, fail_at, False, 0

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                if number == self.fail_at:
                    raise ValueError("broken")
                self.given += 1
                yield number
        finally:
            self.closed = True


def double(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        yield 2 * item


def test_everything_passes_in_order() -> None:
    with chain(iter(Source(50)), prefetch, double, prefetch) as items:
        assert list(items) == list(range(0, 100, 2))


@pytest.mark.parametrize("stages", [(double,), (prefetch, double), (double, prefetch), (prefetch, double, prefetch)])
def test_leaving_early_closes_the_source(stages: tuple) -> None:
    source = Source(10_000)
    with chain(iter(source), *stages) as items:
        assert next(items) == 0
    assert source.closed
    assert source.given < 10
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def test_an_error_upstream_arrives_in_its_place() -> None:
    collected = []
    with pytest.raises(ValueError, match="broken"), chain(iter(Source(10, fail_at=4)), prefetch, double) as items:
        for item in items:
            collected.append(item)
    assert collected == [0, 2, 4, 6]


def test_prefetch_runs_a_bounded_way_ahead() -> None:
    source = Source(100)
    items = prefetch(iter(source), 2)
    next(items)
    (thread,) = (t for t in threading.enumerate() if t.name == "prefetch")
    thread.join(0.2)
    assert thread.is_alive(), "all was read at once"
    assert source.given <= 4  # the one that was taken, a queue of two, and one in its hand
    items.close()  # type: ignore[attr-defined]


def test_the_clock_leaves_waiting_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(chains.time, "perf_counter", lambda: now[0])

    def working(cost: float) -> Callable[[Iterator[int]], Iterator[int]]:
        def stage(items: Iterator[int]) -> Iterator[int]:
            for item in items:
                now[0] += cost
                yield item

        return stage

    clock = Clock()
    with chain(iter(Source(5)), clock.stage("slow", working(2.0)), clock.stage("fast", working(0.25))) as items:
        list(items)
    assert clock.seconds["slow"] == pytest.approx(10)
    assert clock.seconds["fast"] == pytest.approx(1.25)


def test_a_reader_that_never_returns_is_left_behind() -> None:
    release = threading.Event()

    def stuck() -> Iterator[int]:
        yield 1
        release.wait(600)

    source = stuck()
    with chain(source, partial(prefetch, patience_s=0.2)) as items:
        assert next(items) == 1
        (reader,) = (t for t in threading.enumerate() if t.name == "prefetch")
    assert not release.is_set()  # the chain is closed although the reader still waits
    release.set()
    reader.join()  # the tests that follow count such threads


class _Picture:
    """Something large."""


def test_nothing_is_held_that_was_handed_on() -> None:
    """While the next item is made, the one before is nobody's but the one's who asked for it."""
    alive: list[int] = []
    born: list[weakref.ref[_Picture]] = []

    def source() -> Iterator[_Picture]:
        for _ in range(5):
            alive.append(sum(ref() is not None for ref in born))
            item = _Picture()
            born.append(weakref.ref(item))
            yield item
            del item

    clock = Clock()
    timed = clock.stage("stage", lambda items: iter(clock.source("more", items)))
    with chain(clock.source("source", source()), timed) as items:
        for item in items:
            del item
    assert alive == [0] * 5
