"""Chaining, prefetching, closing."""

import threading
import time
from collections.abc import Iterator

import pytest

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
    seen = []
    with pytest.raises(ValueError, match="broken"), chain(iter(Source(10, fail_at=4)), prefetch, double) as items:
        seen.extend(items)
    assert seen == [0, 2, 4, 6] or seen == []
    collected = []
    with pytest.raises(ValueError, match="broken"), chain(iter(Source(10, fail_at=4)), prefetch, double) as items:
        for item in items:
            collected.append(item)
    assert collected == [0, 2, 4, 6]


def test_prefetch_runs_a_bounded_way_ahead() -> None:
    source = Source(100)
    items = prefetch(iter(source), 2)
    next(items)
    time.sleep(0.2)
    assert source.given <= 5
    items.close()  # type: ignore[attr-defined]


def test_the_clock_leaves_waiting_out() -> None:
    def slow(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            time.sleep(0.02)
            yield item

    clock = Clock()
    with chain(iter(Source(5)), clock.stage("slow", slow), clock.stage("fast", double)) as items:
        list(items)
    assert clock.seconds["slow"] >= 0.09
    assert clock.seconds["fast"] < 0.05
