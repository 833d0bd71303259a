"""Times of any film: variable, negative, missing, repeated, stepping back, and clocks that wrap or begin again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast.media import timing
from stereocast.media.clock import Continuous

BASES = [Fraction(1, 1000), Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 15360), Fraction(1, 25)]
WRAP = 1 << 33  # MPEG's clocks have 33 bits
bases = st.sampled_from(BASES)
variable = st.lists(st.integers(1, 4000), min_size=1, max_size=60)  # ticks between pictures


def stamped(ticks: Sequence[int | None], source: Fraction, target: Fraction, first: int, step: int) -> list[int]:
    return [pts for _, pts in timing.rising(ticks, lambda pts: (pts, source), target, first, step)]


@given(variable, st.integers(-(10**7), 10**7), bases, bases)
def test_a_variable_rate_keeps_its_times_in_any_base(
    steps: list[int], start: int, source: Fraction, target: Fraction
) -> None:
    """Each picture is at most half a tick from its own time: nothing adds up, however long the film."""
    given_ = list(accumulate(steps, initial=start))
    made = stamped(given_, source, target, 0, 1)
    assert all(a < b for a, b in pairwise(made))
    if min(steps) * source >= target:  # no two of them round to one tick
        assert all(abs(a * source - b * target) <= target / 2 for a, b in zip(given_, made, strict=True))


@given(st.lists(st.one_of(st.none(), st.integers(-500, 500)), min_size=1, max_size=60), st.integers(-100, 100))
def test_bad_stamps_are_forgotten_once_good_ones_come(ticks: list[int | None], first: int) -> None:
    """Missing, repeated and falling stamps move only themselves: a film that goes on past them is on time again."""
    later = 10_000 + 1000 * len(ticks)
    good = [later + 40 * k for k in range(5)]
    made = stamped([*ticks, *good], Fraction(1, 1000), Fraction(1, 1000), first, 40)
    assert all(a < b for a, b in pairwise(made))
    assert made[len(ticks) :] == good


@given(variable, st.integers(-(10**6), 10**6), st.sampled_from([Fraction(24), Fraction(30000, 1001), Fraction(25, 2)]))
def test_a_constant_rate_is_exact_and_shows_what_is_on_screen(steps: list[int], start: int, rate: Fraction) -> None:
    base = Fraction(1, 1000)
    given_ = list(accumulate(steps, initial=start))
    made = list(timing.resampled([(pts, pts) for pts in given_], rate, base))
    step = 1 / (rate * base)
    assert [pts for _, pts in made] == [round(start + k * step) for k in range(len(made))], "no drift"
    assert start + (len(made) - 1) * step <= given_[-1] < start + len(made) * step, "as long as the film"
    for k, (shown, _) in enumerate(made):
        assert shown == max(pts for pts in given_ if pts <= start + k * step)


@given(variable, st.integers(-(10**6), 10**6), st.one_of(st.none(), st.integers(0, 4000)))
def test_durations_fill_the_film_without_gaps(steps: list[int], start: int, cut: int | None) -> None:
    """Their sum is the film's length and one nominal step, also where the first pictures were copied."""
    given_ = list(accumulate(steps, initial=start))
    durations = timing.Durations(Fraction(25), Fraction(1, 1000))
    copied = 0 if cut is None else cut % len(given_)
    for pts, following in pairwise(given_[: copied + 1]):
        durations.seen(pts, following - pts)
    made = [durations(pts) for pts in given_[copied:]]
    assert all(length > 0 for length in made)
    lead = 40 if copied == 0 else steps[copied - 1]
    assert sum(made) == given_[-1] - given_[copied] + lead
    assert durations.last == (given_[-1], made[-1])


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 500), min_size=8, max_size=8), st.integers(-500, 500))
def test_copied_pictures_without_durations_last_until_the_next(order: list[int], steps: list[int], start: int) -> None:
    """In whatever order they come, the latest is known to last as long as what lies between it and the one before."""
    times = list(accumulate(steps, initial=start))
    durations = timing.Durations(Fraction(25), Fraction(1, 1000))
    for place in [0, *order]:
        durations.seen(times[place], 0)
    assert durations.last == (times[8], times[8] - times[7])


@given(st.lists(st.integers(-200, 200), min_size=1, max_size=40), st.integers(0, 4), st.integers(0, 50))
def test_decoding_times_rise_whatever_an_encoder_gives(shown: list[int], delay: int, step: int) -> None:
    """Also where pictures repeat their times, or are overtaken by more than was said; and by no more than is needed."""
    times = timing.DecodingTimes(delay, step)
    made = [times(pts) for pts in shown]
    assert all(a < b for a, b in pairwise(made))
    assert made[0] == shown[0] - times.ahead == shown[0] - delay * max(1, step)
    one_by_one = timing.DecodingTimes(0, step)
    assert [one_by_one(pts) for pts in (5, 5, 4, 9)] == [5, 6, 7, 9]


@given(variable, st.integers(-500, 500), st.integers(0, 60), st.integers(1, 60))
def test_parts_of_a_film_join_without_a_seam(steps: list[int], start: int, begin: int, length: int) -> None:
    """What lies between two ticks and what lies after them are the whole, each picture once and with its own time."""
    frames = [(k, pts) for k, pts in enumerate(accumulate(steps, initial=start))]
    low = frames[min(begin, len(frames) - 1)][1]
    high = frames[min(begin + length, len(frames) - 1)][1]
    first = list(timing.between(frames, None, Fraction(low), 0))
    middle = list(timing.between(frames, low, Fraction(high), start))
    last = list(timing.between(frames, high, None, 0))
    assert [*first, *((k, pts + start) for k, pts in middle), *last] == frames


@dataclass
class Packet:
    stream: SimpleNamespace
    pts: int | None
    dts: int | None
    duration: int
    time_base: Fraction = Fraction(1, 90000)
    known: int = 0  # its place in the whole film, in ticks
    part: int = field(default=0)

    @property
    def stream_index(self) -> int:
        return int(self.stream.index)


VIDEO, SOUND = SimpleNamespace(type="video", index=0), SimpleNamespace(type="audio", index=1)


def recording(part: int, start: int, lengths: list[int]) -> list[Packet]:
    """A piece of film by its clock, which begins at `start` and wraps: pictures of these lengths, sound of 24 ms."""
    pictures = [
        Packet(VIDEO, (start + at) % WRAP, (start + at) % WRAP, length, known=at, part=part)
        for at, length in zip(accumulate(lengths, initial=0), lengths, strict=False)
    ]
    end = pictures[-1].known + pictures[-1].duration
    sound = [
        Packet(SOUND, (start + at) % WRAP, (start + at) % WRAP, 2160, known=at, part=part) for at in range(0, end, 2160)
    ]
    return sorted([*pictures, *sound], key=lambda packet: (packet.known, packet.stream.index))


starts = st.one_of(st.integers(0, 10**9), st.integers(WRAP - 300_000, WRAP - 1))
jumps = st.one_of(st.integers(-(10**7), -200_000), st.integers(2 * 10**6, 10**8))  # less is a pause
lengths = st.lists(st.integers(3000, 9000), min_size=12, max_size=40)


@settings(max_examples=60)
@given(starts, lengths, st.lists(st.tuples(jumps, lengths), max_size=3))
def test_a_clock_that_wraps_or_begins_again_goes_on(
    start: int, first: list[int], more: list[tuple[int, list[int]]]
) -> None:
    """Nothing falls, nothing overlaps, no second is lost, and sound stays with its pictures on each side of a jump."""
    parts, packets = [(start, first)], []
    for jump, steps in more:
        parts.append(((parts[-1][0] + sum(parts[-1][1]) + jump) % WRAP, steps))
    for k, (begin, steps) in enumerate(parts):
        packets += recording(k, begin, steps)
    made = list(Continuous()(iter(packets)))
    assert len(made) == len(packets)
    for stream in (VIDEO, SOUND):
        mine = [packet for packet in made if packet.stream is stream]
        assert all(a.dts < b.dts for a, b in pairwise(mine))
        for a, b in pairwise(mine):
            if a.part == b.part:
                assert b.dts - a.dts == b.known - a.known, "a step of its own film"
            else:
                assert b.dts >= a.dts + a.duration, "they overlap"
                assert b.dts - a.dts - a.duration <= 9000 + 2160, "a hole"
    for part in range(len(parts)):
        assert len({packet.dts - packet.known for packet in made if packet.part == part}) == 1, "out of step"
        assert all(packet.pts == packet.dts for packet in made if packet.part == part)
