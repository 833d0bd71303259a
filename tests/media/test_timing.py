"""What becomes of ticks: rising, cut, resampled, copied, made up where they are missing."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stereocast.media import timing

MS = Fraction(1, 1000)


def plain(pts: int | None) -> tuple[int | None, Fraction | None]:
    return pts, None


def rising(ticks: list[int | None], first: int = 0, step: int = 40) -> list[int]:
    return [pts for _, pts in timing.rising(ticks, plain, MS, first, step)]


@pytest.mark.parametrize(
    ("rate", "base", "step"),
    [
        (Fraction(25), MS, 40),
        (Fraction(30000, 1001), Fraction(1, 90000), 3003),
        (None, MS, 40),
        (Fraction(5000), MS, 1),
        (Fraction(25), Fraction(1, 25), 1),
    ],
)
def test_nominal_step(rate: Fraction | None, base: Fraction, step: int) -> None:
    assert timing.nominal_step(rate, base) == step


@given(st.lists(st.one_of(st.none(), st.integers(-100, 1000)), max_size=30), st.integers(-50, 50), st.integers(1, 50))
def test_ticks_always_rise_and_good_ones_stay(ticks: list[int | None], first: int, step: int) -> None:
    made = rising(ticks, first, step)
    assert len(made) == len(ticks)
    assert all(a < b for a, b in zip(made, made[1:], strict=False))
    highest = -(1 << 60)
    for given_, out in zip(ticks, made, strict=True):
        if given_ is not None and given_ > highest:
            assert out == given_
        highest = out


def test_missing_and_repeated_ticks() -> None:
    assert rising([None, None, 100, None], first=7) == [7, 47, 100, 140]
    assert rising([0, 40, 40, 30, 80]) == [0, 40, 41, 42, 80]
    assert rising([5, 5]) == [5, 6]


def test_ticks_of_another_base_are_converted() -> None:
    stamps: dict[str, tuple[int | None, Fraction | None]] = {
        "a": (90, Fraction(1, 90)), "b": (1500, MS), "c": (2, Fraction(0)), "d": (181, Fraction(1, 90)), "e": (None, MS),
    }  # fmt: skip
    made = dict(timing.rising(stamps, stamps.__getitem__, MS, 0, 40))
    assert made == {"a": 1000, "b": 1500, "c": 1501, "d": 2011, "e": 2051}


def test_between_is_half_open_and_counts_from_the_origin() -> None:
    frames = [(n, 10 * n) for n in range(6)]
    assert list(timing.between(frames, 20, Fraction(40), 20)) == [(2, 0), (3, 10)]
    assert list(timing.between(frames, 15, Fraction(81, 2), 15)) == [(2, 5), (3, 15), (4, 25)]
    assert list(timing.between(frames, None, None, 0)) == frames
    source = iter(frames)
    assert list(timing.between(source, None, Fraction(10), 0)) == [(0, 0)]
    assert next(source) == (2, 20), "reading ends at the first frame beyond"


@pytest.mark.parametrize(
    ("ticks", "rate", "want"),
    [
        ([0, 40, 80, 120], 25, [(0, 0), (1, 40), (2, 80), (3, 120)]),
        ([0, 40, 80, 120], 50, [(0, 0), (0, 20), (1, 40), (1, 60), (2, 80), (2, 100), (3, 120)]),
        ([0, 40, 80, 120], Fraction(25, 2), [(0, 0), (2, 80)]),
        ([7, 47, 207], 25, [(0, 7), (1, 47), (1, 87), (1, 127), (1, 167), (2, 207)]),
        ([0, 100], 30, [(0, 0), (0, 33), (0, 67), (1, 100)]),
        ([0, 30, 70], 25, [(0, 0), (1, 40)]),
        ([3], 25, [(0, 3)]),
        ([], 25, []),
    ],
)
def test_resampling_shows_what_is_on_screen_then(ticks: list[int], rate: Any, want: list[tuple[int, int]]) -> None:
    assert list(timing.resampled(enumerate_ticks(ticks), Fraction(rate), MS)) == want


def enumerate_ticks(ticks: list[int]) -> list[tuple[int, int]]:
    return list(enumerate(ticks))


def test_a_picture_lasts_until_the_next() -> None:
    durations = timing.Durations(Fraction(25), MS)
    assert durations.last is None
    assert [durations(pts) for pts in (100, 150, 160)] == [40, 50, 10]
    assert durations.last == (160, 10)
    assert timing.Durations(None, MS)(5) == 0
    copied = timing.Durations(Fraction(25), MS)
    for pts in (0, 80, 40):  # coding order
        copied.seen(pts, 40)
    assert copied.last == (80, 40)
    copied.seen(120, 30)
    assert copied.last == (120, 30)
    assert copied(160) == 40


def coding_order(groups: list[int], pyramid: bool) -> list[int]:
    """Places in order of display, as an encoder gives them out: each group's last first, then its middle, then the rest."""
    order, start = [], 0
    for length in groups:
        inside = list(range(start, start + length))
        last, rest = inside[-1], inside[:-1]
        middle = rest[len(rest) // 2 : len(rest) // 2 + 1] if pyramid else []
        order += [last, *middle, *(k for k in rest if k not in middle)]
        start += length
    return order


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=6),
    st.booleans(),
    st.lists(st.integers(1, 50), min_size=49, max_size=49),
)
def test_decoding_times_rise_and_come_before_what_is_shown(groups: list[int], pyramid: bool, steps: list[int]) -> None:
    shown = list(accumulate(steps, initial=7))
    order = [shown[k] for k in coding_order([1, *groups], pyramid)]
    times = timing.DecodingTimes(2, 40)
    made = [times(pts) for pts in order]
    assert all(dts <= pts for dts, pts in zip(made, order, strict=True))
    assert all(a < b for a, b in zip(made, made[1:], strict=False))


def test_decoding_times_are_those_of_x264() -> None:
    times = timing.DecodingTimes(2, 40)
    assert [times(pts) for pts in (0, 160, 80, 40, 120, 320)] == [-80, -40, 0, 40, 80, 120]
    assert [timing.DecodingTimes(0, 40)(5)] == [5]


def moved(pts: int | None, dts: int | None, shift: Any = 0, stop: Any = None, clamp: bool = False) -> Any:
    return timing.moved(pts, dts, MS, shift=Fraction(shift), stop=None if stop is None else Fraction(stop), clamp=clamp)


def test_copied_packets_are_cut_and_moved() -> None:
    assert moved(None, None) is None
    assert moved(70, 60) == (70, 60)
    assert moved(70, None) == (70, None)
    assert moved(None, 60) == (None, 60)
    assert moved(2000, 1900, stop=2) is None
    assert moved(2500, 1900, stop=2) is None
    assert moved(1999, 1900, stop=2) == (1999, 1900)
    assert moved(None, 2000, stop=2) is None
    assert moved(1500, 1400, shift=1) == (500, 400)
    assert moved(1000, 900, shift=1) == (0, -100)
    assert moved(999, 900, shift=1) is None
    assert moved(None, 1500, shift=1) == (None, 500)
    assert moved(1500, None, shift=1) == (500, None)
    assert moved(1500, 1500, shift=Fraction(1, 3)) == (1167, 1167)
    assert moved(-20, -20) == (-20, -20)
    assert moved(-20, -20, clamp=True) == (0, 0)
    assert moved(0, 0, clamp=True) == (0, 0)
    assert moved(20, 10, clamp=True) == (20, 10)
    assert moved(20, -10, clamp=True) == (20, -10)


def test_missing_decoding_times_come_from_the_order_of_display() -> None:
    # I P B B P: display 0 3 1 2 4
    pts = [0, 120, 40, 80, 160]
    made = timing.decoding_times(pts, [None] * 5)
    assert made == [-40, 0, 40, 80, 120]
    assert timing.decoding_times(pts, [-7, None, 1, None, 99]) == [-7, 0, 1, 80, 99]
    assert timing.decoding_times([0, 40, 80], [None] * 3) == [0, 40, 80]
    assert timing.decoding_times([10], [None]) == [10]
    assert timing.decoding_times([], []) == []
    assert timing.decoding_times([50, 50], [None, None]) == [49, 50]
    assert timing.decoding_times([9, 8], [None, None]) == [7, 8]


@given(st.permutations(range(9)))
def test_made_up_decoding_times_rise_and_come_before_display(order: list[int]) -> None:
    pts = [20 * n for n in order]
    made = timing.decoding_times(pts, [None] * 9)
    assert all(a < b for a, b in zip(made, made[1:], strict=False))
    assert all(d <= p for d, p in zip(made, pts, strict=True))
    assert min(p - d for d, p in zip(made, pts, strict=True)) == 0, "no later than it has to be"


@dataclass
class Packet:
    pts: int
    dts: int | None
    duration: int | None
    time_base: Fraction | None = None


def test_retiming_a_group() -> None:
    group = [Packet(0, 0, 40), Packet(40, 40, None)]
    timing.retime(group, MS, MS, 1000)
    assert group == [Packet(1000, 1000, 40, MS), Packet(1040, 1040, None, MS)]
    fine = Fraction(1, 90000)
    group = [Packet(0, None, 33), Packet(67, None, None), Packet(33, None, 34)]
    timing.retime(group, MS, fine, 7)
    assert group == [
        Packet(7, -33 * 90 + 7, 2970, fine), Packet(6037, 7, 0, fine), Packet(2977, 2977, 3060, fine),
    ]  # fmt: skip
