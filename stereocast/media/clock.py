"""A continuous clock for all packets of a file, even if the file's own clock restarts.

Joined recordings and cameras that restart jump in time: in MPEG-TS, MPEG-PS (MPG, VOB) and HLS a new clock may start
anywhere. Every jump gets one offset for picture and sound, so that they stay in sync and nothing overlaps.
This module knows only the times and streams of packets.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

_BACK_S = Fraction(1, 10)  # a larger step back is a new clock; decoding times never go back otherwise
_AHEAD_S = 10  # a larger step ahead, beyond every stream, is also a new clock
_GATHER_S = 3  # time within which all streams of a new part appear
_GATHER_PACKETS = 4000


def restarts(container: Any) -> bool:
    """Whether the clock of this kind of file may jump."""
    return bool(container.format.flags & av.format.Flags.ts_discont.value)


def origin(container: Any, streams: Iterable[Any]) -> Fraction:
    """The time in seconds of the file's clock at which the earliest of `streams` starts, at least 0.

    mp4's clock starts with the film, so a late first picture there is intended.
    """
    if "mp4" in container.format.name.split(","):
        return Fraction(0)
    starts = [s.start_time * Fraction(s.time_base) for s in streams if s.start_time is not None and s.time_base]
    return max(Fraction(0), min(starts, default=Fraction(0)))


@dataclass(slots=True)
class _Track:
    """The state of one stream, in seconds of the output's clock; `offset` converts from the file's clock."""

    offset: Fraction
    last: Fraction | None = None  # latest decoding time
    end: Fraction = Fraction(0)  # end of the packets seen, by decoding times
    shown: Fraction = Fraction(0)  # the same by display times
    step: Fraction = Fraction(0)  # interval between the last two packets


class Continuous:
    """Gives packets times that continue across every jump; their order doesn't change."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}
        self._offset = Fraction(0)  # offset of the latest part
        self._earlier = Fraction(0)  # offset of the part before
        self._present = Fraction(0)
        self._back: deque[Any] = deque()  # read ahead, not yet processed

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
        """The offset that puts a packet nearest to the present; for subtitles, which are too sparse to show jumps."""
        offsets = {track.offset for track in self._tracks.values()} | {self._offset, self._earlier}
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
        """Reads until every stream has jumped, and continues all of them where the last one ended."""
        begins: dict[int, tuple[Fraction, Fraction]] = {}  # by decoding times, by display times
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
        self._earlier = self._offset
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
        """Records a packet of the old part that came after the jump: the new part starts after it."""
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
    """Packets from the second-last keyframe of `stream` before `tick`; packets of other streams pass.

    It starts one keyframe early, because pictures after an open-GOP keyframe may refer to earlier ones.
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
    """Packets of a video stream, sound and subtitles in file order, on a clock that never goes back."""
    wanted = [s for s in container.streams if s is stream or s.type in ("audio", "subtitle")]
    packets: Iterator[Any] = container.demux(wanted)
    return Continuous()(packets) if restarts(container) else packets
