"""Encoded chunks from the files of an interrupted or divided conversion, packet by packet, without decoding.

A part file may end anywhere; a chunk counts only if all its packets are present.
"""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av

from stereocast.errors import SourceError
from stereocast.media import clock, probe, timing
from stereocast.media.packets import copied

log = logging.getLogger(__name__)


class Span(Protocol):
    """What is known of a chunk: the ticks of its first and last frame, and how many packets it has."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def frames(self) -> int: ...


def complete(path: Path, spans: Sequence[Span], time_base: Fraction) -> int:
    """How many of `spans`, from the first on, are complete in the file."""
    count = 0
    for _ in _groups(path, spans, time_base):
        count += 1
    return count


def packets(path: Path, spans: Sequence[Span], time_base: Fraction) -> Iterator[Any]:
    """The packets of `spans` in coding order, pts and dts in ticks of `time_base`. Raises SourceError."""
    found = 0
    for group in _groups(path, spans, time_base):
        found += 1
        yield from group
    if found < len(spans):
        raise SourceError(
            f"{path}: only {found} of {len(spans)} finished chunks can be read; convert again without --resume"
        )


def header(path: Path) -> bytes:
    """The codec's parameter sets of a file's video stream; b'' where the file can't be read."""
    try:
        with av.open(str(path)) as container:
            return bytes(container.streams.video[0].codec_context.extradata or b"")
    except (av.error.FFmpegError, OSError, IndexError):
        return b""


def _groups(path: Path, spans: Sequence[Span], time_base: Fraction) -> Iterator[list[Any]]:
    if not spans or not path.is_file():
        return
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            coarse = Fraction(stream.time_base or time_base)
            source = _whole(container, stream)
            prefix = _prefix_bytes(stream.codec_context)
            shift: int | None = None
            for span in spans:
                group = [packet for _, packet in zip(range(span.frames), source, strict=False)]
                if len(group) < span.frames or not group[0].is_keyframe:
                    return
                times = [round(packet.pts * coarse / time_base) for packet in group]
                if shift is None:
                    shift = span.first - min(times)
                slack = coarse / time_base if coarse > time_base else 1
                if abs(min(times) + shift - span.first) > slack or abs(max(times) + shift - span.last) > slack:
                    return
                timing.retime(group, coarse, time_base, shift)
                yield [_start_coded(packet, prefix) for packet in group] if prefix else group
    except (av.error.FFmpegError, OSError, IndexError) as error:
        log.debug("%s: %s", path, error)


def _whole(container: Any, stream: Any) -> Iterator[Any]:
    try:
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and not packet.is_corrupt:
                yield packet
    except (av.error.FFmpegError, OSError) as error:
        log.debug("a part file ends early: %s", error)


def _prefix_bytes(context: Any) -> int:
    """Bytes of the length before each NAL unit in an mp4 or Matroska file; 0 for codecs without (ISO 14496-15)."""
    extra = bytes(context.extradata or b"")
    if context.name == "h264" and len(extra) > 4 and extra[0] == 1:
        return (extra[4] & 3) + 1
    if context.name == "hevc" and len(extra) > 21 and extra[0] == 1:
        return (extra[21] & 3) + 1
    return 0


def _start_coded(packet: Any, prefix: int) -> Any:
    """The packet as an encoder would give it, with start codes; the muxer turns them back into lengths."""
    data, parts, at = bytes(packet), [], 0
    while at + prefix <= len(data):
        size = int.from_bytes(data[at : at + prefix], "big")
        at += prefix
        parts += [b"\0\0\0\1", data[at : at + size]]
        at += size
    changed = av.Packet(b"".join(parts))
    changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
    changed.time_base, changed.is_keyframe = packet.time_base, packet.is_keyframe
    return changed


class Beside:
    """Reads the other streams of a source from a second opening of the file, as far as the picture has come.

    A resumed film's picture begins in the middle; its sound is copied from the start.
    """

    def __init__(self, name: str) -> None:
        self.container = probe.open_input(name)
        self._queues: list[deque[Any]] = []
        # picture packets come too, since both tell when the file's clock jumps
        self._picture = probe.video_stream(self.container, name, quiet=True)
        self._packets = clock.demux(self.container, self._picture)
        self._ended = False

    def until(self, seconds: Fraction | None) -> None:
        """Queues the packets up to that time of the file's clock; None: all."""
        while not self._ended:
            try:
                packet = next(self._packets)
            except (StopIteration, av.error.FFmpegError, OSError):
                self._ended = True
                return
            ticks = packet.dts if packet.dts is not None else packet.pts
            if ticks is None or packet.stream is self._picture:
                continue
            for queue in self._queues:
                queue.append(packet if queue is self._queues[0] else copied(packet))
            if seconds is not None and ticks * Fraction(packet.time_base) > seconds:
                return

    def share(self) -> deque[Any]:
        """A separate queue for one output; request it before reading starts."""
        queue: deque[Any] = deque()
        self._queues.append(queue)
        return queue

    def close(self) -> None:
        """Closes the file. May be called twice."""
        self._ended = True
        self.container.close()
