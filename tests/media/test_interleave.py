"""Sound waits for its pictures, and pictures last until the next one."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from stereocast.media import timing
from stereocast.media.interleave import Interleaver

BASE = Fraction(1, 1000)


def packet(name: str, pts: int | None, dts: int | None = None, base: Fraction = BASE, duration: int = 0) -> Any:
    return SimpleNamespace(name=name, pts=pts, dts=dts, time_base=base, duration=duration)


def muxed(steps: list[Any], matroska: bool = False, delay: int = 0) -> list[tuple[str, int | None, int]]:
    """(name, dts, duration) of the packets in the order of the file; pictures are those called p."""
    found: list[Any] = []
    output = SimpleNamespace(mux=lambda given: found.append((given.name, given.dts, given.duration)))
    durations = timing.Durations(Fraction(25), BASE)
    lanes = Interleaver(output, timing.DecodingTimes(delay, 40), durations, matroska=matroska)
    for pts in sorted(step.pts for step in steps if step.name == "p"):
        durations(pts)
    for step in steps:
        (lanes.picture if step.name == "p" else lanes.mux)(step)
    lanes.finish()
    lanes.finish()
    return found


def test_packets_come_in_the_order_of_their_decoding() -> None:
    steps = [packet("s", 0, 0), packet("s", 41, 41), packet("s", None), packet("s", 5, None, Fraction(1, 125))]
    steps += [packet("p", 0), packet("p", 40), packet("p", 80)]
    assert [name for name, *_ in muxed(steps)] == ["s", "s", "p", "s", "p", "s", "p"]
    assert [dts for name, dts, _ in muxed(steps) if name == "p"] == [0, 40, 80]


def test_what_comes_at_the_same_time_keeps_its_order() -> None:
    steps = [packet(name, 40, 40) for name in "abc"] + [packet("p", 0), packet("p", 40)]
    assert [name for name, *_ in muxed(steps)] == ["p", "a", "b", "c", "p"]


@pytest.mark.parametrize(
    ("ticks", "delay", "matroska", "lengths"),
    [
        ([0, 40, 80], 0, False, [40, 40, 40]),
        ([0, 40, 200], 0, False, [40, 160, 160]),
        ([0, 40, 200], 0, True, [0, 0, 160]),
        ([0], 0, False, [40]),
        ([0], 0, True, [40]),
        ([0, 80, 40, 160, 120], 1, False, [40, 40, 40, 40, 40]),
        ([0, 80, 40, 160, 120], 1, True, [0, 0, 0, 0, 80]),
    ],
)
def test_durations_reach_to_the_next_picture(ticks: list[int], delay: int, matroska: bool, lengths: list[int]) -> None:
    """mp4 adds them up; in Matroska a long one would lengthen the film, and only the last has one."""
    found = muxed([packet("p", pts) for pts in ticks], matroska, delay)
    assert [length for *_, length in found] == lengths
    assert [dts for _, dts, _ in found] == [
        40 * k - 40 * delay if len(ticks) != 3 else ticks[k] for k in range(len(ticks))
    ]


def test_a_film_without_pictures_of_its_own_keeps_their_lengths() -> None:
    output: list[Any] = []
    lanes = Interleaver(
        SimpleNamespace(mux=output.append), timing.DecodingTimes(0, 1), timing.Durations(None, BASE), matroska=False
    )
    lanes.picture(packet("p", 0, duration=7))
    lanes.finish()
    assert [each.duration for each in output] == [7]
