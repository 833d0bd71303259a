"""Timestamps between the source and the output. This module knows only the times of frames and packets.

Times are whole ticks of a time base (Fraction, seconds); nothing here rounds through floats.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeVar

F = TypeVar("F")
_PRIMING_S = Fraction(3, 20)  # longest priming of an encoder
Stamp = Callable[[F], tuple[int | None, Fraction | None]]


def nominal_step(rate: Fraction | None, time_base: Fraction) -> int:
    """Ticks between frames at `rate` frames per second (25 if unknown), at least 1."""
    return max(1, round(1 / (Fraction(rate or 25) * time_base)))


def rising(frames: Iterable[F], stamp: Stamp[F], time_base: Fraction, first: int, step: int) -> Iterator[tuple[F, int]]:
    """Frames with strictly rising ticks of `time_base`.

    `stamp` gives a frame's ticks and their time base (None: unknown, and as `time_base`). A frame without ticks comes
    `step` after the last one, or at `first`; one that isn't later than the last comes one tick after it.
    """
    last: int | None = None
    for frame in frames:
        pts, base = stamp(frame)
        if pts is None:
            pts = first if last is None else last + step
        elif base and base != time_base:
            pts = round(pts * base / time_base)
        if last is not None and pts <= last:
            pts = last + 1
        last = pts
        yield frame, pts


def between(
    frames: Iterable[tuple[F, int]], begin: int | None, stop: Fraction | None, origin: int
) -> Iterator[tuple[F, int]]:
    """The frames from tick `begin` until before `stop` (None: no bound), with ticks relative to `origin`."""
    for frame, pts in frames:
        if stop is not None and pts >= stop:
            return
        if begin is None or pts >= begin:
            yield frame, pts - origin


def resampled(
    frames: Iterable[tuple[F, int]], rate: Fraction, time_base: Fraction, end_of: Callable[[F, int], int] | None = None
) -> Iterator[tuple[F, int]]:
    """Resamples to a constant rate by repeating and dropping: each output time gets the frame on screen at that time.

    `end_of` gives the tick at which a frame at a tick ends; only the last frame is asked."""
    step = 1 / (rate * time_base)
    origin: int | None = None
    shown: F | None = None
    count = pts = 0
    for frame, pts in frames:
        if origin is None:
            origin = pts
        while shown is not None and origin + count * step < pts:
            yield shown, round(origin + count * step)
            count += 1
        shown = frame
    if shown is None or origin is None:
        return
    end = pts if end_of is None else end_of(shown, pts)
    while (at := origin + count * step) <= pts or at < end:
        yield shown, round(at)
        count += 1


class Durations:
    """Durations of pictures: the time since the previous one; the first lasts a nominal step."""

    def __init__(self, rate: Fraction | None, time_base: Fraction) -> None:
        self._first = nominal_step(rate, time_base) if rate else 0
        self.last: tuple[int, int] | None = None  # tick and duration of the latest

    def __call__(self, pts: int) -> int:
        """The duration of a picture at `pts`."""
        self.last = (pts, self._first if self.last is None else pts - self.last[0])
        return self.last[1]

    def until(self, end: int) -> None:
        """Lets the latest picture last until `end`, if that is later."""
        if self.last is not None and end > sum(self.last):
            self.last = (self.last[0], end - self.last[0])

    def seen(self, pts: int, duration: int, begin: int | None = None) -> None:
        """Records a copied packet (duration 0: unknown); packets come in coding order.

        begin: the tick at which the duration begins (`Interleaver.begin`), where that isn't `pts`.
        """
        if self.last is None or pts > self.last[0]:
            gap = self._first if self.last is None else pts - self.last[0]
            self.last = (pts, duration or gap)
            return
        shown, length = self.last
        if not duration:
            self.last = (shown, min(length, shown - pts))
        elif begin is None or begin == pts:
            self.until(pts + duration)
        else:
            late = begin + duration - shown
            self.last = (shown, max(1, late if late < 2 * length else min(begin, pts) + duration - shown))


class DecodingTimes:
    """Decoding times for packets in coding order, from their display times.

    The encoders' own times are ignored: x265 returns garbage for a film of one or two frames, and a restarted encoder
    repeats the times from the end of the last one. The n-th packet is decoded at the time of the picture shown `delay`
    places earlier. That time rises and is never later than the packet's own, as long as no packet is overtaken by more than
    `delay` others. Before the first picture, the times are `step` ticks apart.
    """

    def __init__(self, delay: int, step: int) -> None:
        self._delay, self.step = delay, max(1, step)
        self.ahead = delay * self.step  # ticks from the first decoding time to the first picture
        self._waiting: list[int] = []  # sorted display times that are still to come
        self._last: int | None = None

    def __call__(self, pts: int) -> int:
        """The decoding time of the next packet, displayed at `pts`."""
        if not self._waiting:
            self._waiting = [pts - k * self.step for k in range(self._delay, 0, -1)]
        insort(self._waiting, pts)
        dts = self._waiting.pop(0)
        if self._last is not None:
            dts = max(dts, self._last + 1)
        self._last = dts
        return dts


def moved(
    pts: int | None, dts: int | None, base: Fraction, *, shift: Fraction, stop: Fraction | None, clamp: bool
) -> tuple[int | None, int | None] | None:
    """Ticks (pts, dts) of a packet copied from a film of which a part is converted; None: it lies outside.

    `shift` seconds become 0; packets at `stop` seconds or later are left out. `clamp`: negative times, which can only be an
    encoder's priming, become 0. Matroska has no negative times, so its muxer would shift the pictures too.
    """
    ticks = pts if pts is not None else dts
    if ticks is None or (stop is not None and ticks * base >= stop):
        return None
    if shift:
        by = round(shift / base)
        if ticks < by:
            return None
        pts, dts = None if pts is None else pts - by, None if dts is None else dts - by
    elif ticks * base < -_PRIMING_S:
        return None  # hidden by an edit list of the source
    elif clamp and ticks < 0:
        return 0, 0
    return pts, dts


def trim(cue: Any, begin: Fraction, stop: Fraction | None) -> None:
    """Shortens a subtitle packet to the part from `begin` to `stop` seconds, if it lies partly inside and its duration is
    known."""
    if cue.pts is None or not cue.duration:
        return
    base = Fraction(cue.time_base)
    first, last = round(begin / base), None if stop is None else round(stop / base)
    end = cue.pts + cue.duration
    if begin and cue.pts < first < end:
        cue.pts = cue.dts = first
    if last is not None and cue.pts < last < end:
        end = last
    cue.duration = end - cue.pts


def decoding_times(pts: Sequence[int], dts: Sequence[int | None]) -> list[int]:
    """Decoding times of a group in coding order; missing ones (Matroska stores none) are derived from the order of `pts`."""
    order = sorted(pts)
    late = max((k - order.index(p) for k, p in enumerate(pts)), default=0)
    step = (order[-1] - order[0]) // max(1, len(order) - 1) or 1 if order else 1
    made = [order[k - late] if k >= late else order[0] - (late - k) * step for k in range(len(order))]
    return [m if d is None else d for m, d in zip(made, dts, strict=True)]


def retime(group: Sequence[Any], coarse: Fraction, time_base: Fraction, shift: int) -> None:
    """Converts the times of packets from ticks of `coarse` to ticks of `time_base`, adds `shift`, and sets each dts."""
    times = decoding_times([packet.pts for packet in group], [packet.dts for packet in group])
    for packet, dts in zip(group, times, strict=True):
        pts, duration = packet.pts, packet.duration
        if coarse != time_base:
            pts, dts, duration = (round((ticks or 0) * coarse / time_base) for ticks in (pts, dts, duration))
        packet.pts, packet.dts, packet.duration, packet.time_base = pts + shift, dts + shift, duration, time_base
