"""Compares what a container declares with what was read, to find downloads that stopped or cards that were pulled out."""

from typing import Any

import av

from stereocast.media import clock

_LEAST_S, _LEAST_SHARE = 0.25, 0.01  # containers round; less isn't missing


class Promise:
    """Counts packets, and reports at the end how much is missing."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._stream = stream
        avi = container.format.name == "avi"  # counts pictures that were dropped, too
        counted = avi or "mp4" in container.format.name.split(",")
        self._frames = int(stream.frames or 0) if counted else 0
        self._fewer = self._frames // 50 + 2 if avi else 0
        begin: int = max(0, container.start_time or 0)
        length = 0 if clock.restarts(container) else container.duration or 0
        from_zero = "matroska" in container.format.name  # its length counts from the clock's 0
        self._end_s = float((0 if from_zero else begin) + length) / av.time_base if length else 0.0
        self._begin_s = float(begin) / av.time_base
        if avi and self._frames and stream.average_rate:  # FFmpeg's own figure is cut to the file's size
            self._end_s = begin / av.time_base + float(self._frames / stream.average_rate)
        self._count = 0
        self._latest_s = 0.0

    def seen(self, packet: Any) -> None:
        """Notes a packet."""
        if packet.stream is self._stream and packet.size and not packet.is_corrupt:
            self._count += 1
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is not None and packet.time_base:
            self._latest_s = max(self._latest_s, float((ticks + (packet.duration or 0)) * packet.time_base))

    def missing_s(self, *, whole: bool) -> float:
        """Seconds that are promised but weren't there. `whole`: the file was read from its beginning."""
        length: float = self._end_s - self._begin_s
        if whole and self._count < self._frames - self._fewer and length:
            return length * (self._frames - self._count) / self._frames
        missing: float = self._end_s - self._latest_s
        return missing if missing > max(_LEAST_S, _LEAST_SHARE * length) else 0.0

    def line(self, name: str, missing_s: float) -> str:
        """The warning."""
        have = f"{self._count} of {self._frames} frames, " if self._frames > self._count else ""
        length = self._end_s - self._begin_s
        return (
            f"{name} is truncated or damaged: {have}{max(0.0, length - missing_s):.2f} of {length:.2f} s could be read "
            "and were converted"
        )
