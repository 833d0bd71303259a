"""One clock for all packets of a file, however often the clock of the file restarts.

Joined recordings and restarted cameras jump in time: in MPEG-TS, MPEG-PS (MPG, VOB) and HLS a new clock may
start anywhere. Every jump gets one offset for picture and sound, so that they stay in step and nothing overlaps.
It knows packets by their times and streams alone.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

_BACK_S = Fraction(1, 10)  # a step back by more is a new clock; decoding times never go back by themselves
_AHEAD_S = 10  # a step ahead by more, beyond every stream, is a new clock too
_GATHER_S = 3  # all streams of a new part show up within
_GATHER_PACKETS = 4000


def restarts(container: Any) -> bool:
    """Whether the clock of this kind of file may jump."""
    return bool(container.format.flags & av.format.Flags.ts_discont.value)


def origin(container: Any, streams: Iterable[Any]) -> Fraction:
    """The second of the file's clock at which the earliest of `streams` begins, at least 0.

    mp4's clock counts from the film's beginning; a first picture that is late there is meant to be late.
    """
    if "mp4" in container.format.name.split(","):
        return Fraction(0)
    starts = [s.start_time * Fraction(s.time_base) for s in streams if s.start_time is not None and s.time_base]
    return max(Fraction(0), min(starts, default=Fraction(0)))


@dataclass(slots=True)
class _Track:
    """One stream's place: all in seconds of the output's clock but `offset`, which leads there from the file's."""

    offset: Fraction
    last: Fraction | None = None  # latest decoding time
    end: Fraction = Fraction(0)  # where what was seen of it ends, by decoding times
    shown: Fraction = Fraction(0)  # and by the times of what is shown
    step: Fraction = Fraction(0)  # between the latest two packets


class Continuous:
    """Packets with times that continue over every jump, in the order they come."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}
        self._offset = Fraction(0)  # of the latest part
        self._present = Fraction(0)
        self._back: deque[Any] = deque()  # read ahead, still to be judged

    def __call__(self, packets: Iterable[Any]) -> Iterator[Any]:
        source = iter(packets)
        while True:
            packet = self._back.popleft() if self._back else next(source, None)
            if packet is None:
                return
            time = _time(packet)
            if time is None:
                yield packet
                continue
            track = self._tracks.get(packet.stream_index)
            if track is None:
                track = self._tracks[packet.stream_index] = _Track(self._offset)
            if not _leads(packet):
                yield _moved(packet, self._nearest(time))
            elif self._jumps(track, time):
                if track.offset != self._offset and not self._jumps(track, time, self._offset):
                    track.offset = self._offset
                    yield self._placed(packet, track, time)
                else:
                    yield from self._across(packet, source)
            else:
                yield self._placed(packet, track, time)

    def _jumps(self, track: _Track, time: Fraction, offset: Fraction | None = None) -> bool:
        if track.last is None and not any(other.last is not None for other in self._tracks.values()):
            return False
        time += track.offset if offset is None else offset
        back = track.last if track.last is not None else self._present - _AHEAD_S
        return time < back - _BACK_S or time > max(self._present, track.end, track.shown) + _AHEAD_S

    def _nearest(self, time: Fraction) -> Fraction:
        """For subtitles, which say too little of the clock: the offset that puts them nearest to the present."""
        offsets = {track.offset for track in self._tracks.values()} | {self._offset}
        return min(offsets, key=lambda offset: abs(time + offset - self._present))

    def _placed(self, packet: Any, track: _Track, time: Fraction) -> Any:
        time += track.offset
        if track.last is not None and 0 < time - track.last < 1:
            track.step = time - track.last
        base = Fraction(packet.time_base)
        length = packet.duration * base if packet.duration else track.step
        shown = _shown(packet, time - track.offset) + track.offset
        track.last = time if track.last is None else max(track.last, time)
        track.end, track.shown = max(track.end, time + length), max(track.shown, shown + length)
        self._present = max(self._present, track.last)
        return _moved(packet, track.offset)

    def _across(self, first: Any, source: Iterator[Any]) -> Iterator[Any]:
        """Reads on until every stream has jumped, then continues all from where the last of them ended."""
        begins: dict[int, tuple[Fraction, Fraction]] = {}  # by decoding times, by what is shown
        gathered: list[tuple[Any, bool]] = []
        packet, spread = first, Fraction(0)
        active = {
            index for index, track in self._tracks.items()
            if track.last is not None and track.last > self._present - _GATHER_S
        }  # fmt: skip
        while packet is not None:
            time = _time(packet)
            index = packet.stream_index
            new = False
            if time is not None and _leads(packet):
                track = self._tracks.setdefault(index, _Track(self._offset))
                new = index in begins or self._jumps(track, time)
                if new:
                    low, high = min(begins.values(), default=(time,))[0], max(begins.values(), default=(time,))[0]
                    if begins and not low - _AHEAD_S < time < high + _AHEAD_S:
                        self._back.appendleft(packet)  # yet another clock
                        break
                    spread = max(spread, time - low)
                    shown = _shown(packet, time)
                    before = begins.get(index, (time, shown))
                    begins[index] = min(before[0], time), min(before[1], shown)
                elif track.last is not None:
                    self._placed_later(track, packet, time)
            gathered.append((packet, new))
            if (begins.keys() >= active and len(gathered) > 8 * len(active)) or spread > _GATHER_S:
                break
            if len(gathered) >= _GATHER_PACKETS:
                break
            packet = self._back.popleft() if self._back else next(source, None)
        self._offset = max(
            end - begin for index, both in begins.items() for end, begin in zip(self._ends(index), both, strict=True)
        )
        for packet, new in gathered:
            time, known = _time(packet), self._tracks.get(packet.stream_index)
            if time is None or known is None:
                yield packet
                continue
            if new and known.offset != self._offset:
                known.offset, known.last = self._offset, None
            yield self._placed(packet, known, time) if _leads(packet) else _moved(packet, self._nearest(time))

    def _placed_later(self, track: _Track, packet: Any, time: Fraction) -> None:
        """A packet of the old part that came after the jump: the new part begins after it."""
        length = packet.duration * Fraction(packet.time_base) if packet.duration else track.step
        track.end = max(track.end, time + track.offset + length)
        track.shown = max(track.shown, _shown(packet, time) + track.offset + length)

    def _ends(self, index: int) -> tuple[Fraction, Fraction]:
        track = self._tracks[index]
        return (track.end, track.shown) if track.last is not None else (self._present, self._present)


def _leads(packet: Any) -> bool:
    return packet.stream.type in ("video", "audio")


def _time(packet: Any) -> Fraction | None:
    ticks = packet.dts if packet.dts is not None else packet.pts
    return None if ticks is None else ticks * Fraction(packet.time_base)


def _shown(packet: Any, time: Fraction) -> Fraction:
    return time if packet.pts is None else packet.pts * Fraction(packet.time_base)


def _moved(packet: Any, offset: Fraction) -> Any:
    if offset:
        by = round(offset / Fraction(packet.time_base))
        pts, dts = packet.pts, packet.dts
        packet.pts = None if pts is None else pts + by
        packet.dts = None if dts is None else dts + by
    return packet


def from_keyframe(packets: Iterable[Any], stream: Any, tick: int) -> Iterator[Any]:
    """Packets from the last but one keyframe of `stream` before `tick` on; those of other streams pass.

    One keyframe more than needed, because pictures after an open one may refer to what came before it.
    """
    groups: deque[list[Any]] = deque([[]])
    waiting = True
    for packet in packets:
        if packet.stream is not stream or not waiting:
            yield packet
            continue
        time = packet.pts if packet.pts is not None else packet.dts
        if packet.is_keyframe and time is not None and time <= tick:
            groups.append([])
            if len(groups) > 2:
                groups.popleft()
        groups[-1].append(packet)
        reached = packet.dts is not None and packet.dts > tick
        if reached or not packet.size or sum(map(len, groups)) > _GATHER_PACKETS:
            waiting = False
            for group in groups:
                yield from group
    if waiting:
        for group in groups:
            yield from group


def demux(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of a video stream, of sound and of subtitles, in file order, on a clock that never goes back."""
    wanted = [s for s in container.streams if s is stream or s.type in ("audio", "subtitle")]
    packets: Iterator[Any] = container.demux(wanted)
    return Continuous()(packets) if restarts(container) else packets
