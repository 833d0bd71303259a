"""Measures the real frame rate of a stream. For containers without frame durations, FFmpeg guesses rates of up to 1000."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from typing import Any

import av

_WHOLE = (12, 15, 24, 25, 30, 48, 50, 60, 90, 120)
_USUAL = (*map(Fraction, _WHOLE), *(Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)))
_PICTURES, _PACKETS, _BYTES = 64, 1000, 16_000_000  # limits of reading ahead
_REORDERED = 4  # pictures at the end of the read-ahead that reordering may leave incomplete
_TRUSTED = Fraction(5, 4)  # a stated rate is used up to this multiple of the measured one


def measured(packets: Iterator[Any], stream: Any) -> tuple[Fraction | None, Iterator[Any]]:
    """The rate of the first pictures of `stream` (None where their times don't show one), and all packets."""
    ahead: list[Any] = []
    times: list[int] = []
    size = 0
    while len(times) < _PICTURES and len(ahead) < _PACKETS and size < _BYTES:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            packets = _failing(error)  # raised again when reading reaches this place
            break
        if packet is None:
            break
        ahead.append(packet)
        size += packet.size
        if packet.stream is stream and packet.size and packet.pts is not None:
            times.append(packet.pts)
    times.sort()
    if len(times) > 2 * _REORDERED and len(times) == _PICTURES:
        del times[-_REORDERED:]
    return _of(times, Fraction(stream.time_base or 1)), chain(ahead, packets)


def _failing(error: Exception) -> Iterator[Any]:
    raise error
    yield


def _of(times: list[int], base: Fraction) -> Fraction | None:
    gaps = sorted(b - a for a, b in pairwise(times) if b > a)
    if not gaps:
        return None
    middle = gaps[len(gaps) // 2]  # the median ignores pauses and repeated pictures
    near = [gap for gap in gaps if middle <= 2 * gap <= 4 * middle]
    return usual(len(near) / (sum(near) * base))


def usual(rate: Fraction) -> Fraction:
    """The nearest common rate if within half a percent, since times are rounded to milliseconds; otherwise `rate` as a short
    fraction."""
    near = min(_USUAL, key=lambda known: abs(known - rate))
    return near if abs(near - rate) < near / 200 else rate.limit_denominator(1001)


def believed(stated: Fraction | None, found: Fraction | None) -> Fraction | None:
    """The rate to use: the stated one, unless it is far above the measured one."""
    if not stated or found is None:
        return stated or found
    return found if stated > found * _TRUSTED else stated


def of_number(fps: float) -> Fraction:
    """A rate given in frames per second as a short fraction; slow ones as one picture in so many seconds."""
    return Fraction(fps).limit_denominator(1001) if fps >= 1 else 1 / Fraction(1 / fps).limit_denominator(1001)
