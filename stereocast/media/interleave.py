"""Muxes pictures and all other packets into one file in decoding order.

An encoder delays dozens of pictures. Sound of that time waits here, because a player that finds it before its pictures
loses it after a seek. This module knows packets and their times, but no codecs.
"""

import errno
import heapq
import logging
from fractions import Fraction
from itertools import count
from typing import Any

import av

from stereocast.media import timing

log = logging.getLogger(__name__)

_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EPIPE,
    errno.EROFS,
    errno.EFBIG,
}  # errors not caused by the packet
_REFUSED_AT_MOST = 100_000  # packets; more than this means a bug, not a damaged source


class Interleaver:
    """Muxes packets into `output`. Raises av.error.FFmpegError where it can't be written.

    Picture packets get new decoding times, and durations that reach to the next one: the mp4 muxer places the first
    picture of a fragment where the earlier durations end, so these must be exact.
    """

    def __init__(
        self, output: Any, decoding: timing.DecodingTimes, durations: timing.Durations, *, matroska: bool
    ) -> None:
        self._output, self._decoding, self._durations, self._matroska = output, decoding, durations, matroska
        self._held: Any = None  # the latest picture packet
        self._waiting: list[tuple[Fraction, int, Any]] = []  # heap of the other packets
        self._number = count()
        self._refused = 0

    def picture(self, packet: Any) -> None:
        """Adds the next picture packet, in coding order."""
        packet.dts = self._decoding(packet.pts)
        self._release(packet.dts)
        self._held = packet

    def mux(self, packet: Any) -> None:
        """Adds a packet of another stream; the packets of each stream must come in order."""
        ticks = packet.dts if packet.dts is not None else packet.pts
        time = Fraction(0) if ticks is None else ticks * Fraction(packet.time_base)
        heapq.heappush(self._waiting, (time, next(self._number), packet))

    def begin(self, packet: Any) -> int:
        """The tick at which the duration of a picture packet begins: display time in Matroska, decoding time in mp4."""
        return int(packet.pts if self._matroska else packet.dts + self._decoding.ahead)

    def finish(self) -> None:
        """Muxes all waiting packets."""
        self._release(None)
        self._others(None)

    def _release(self, dts: int | None) -> None:
        if self._held is None:
            return
        packet, self._held = self._held, None
        packet.duration = self._duration(packet, dts)
        self._others(packet.dts * Fraction(packet.time_base))
        self._output.mux(packet)

    def _duration(self, packet: Any, dts: int | None) -> int:
        if dts is not None:  # Matroska adds durations to display times: a long one would lengthen the film
            return 0 if self._matroska else dts - int(packet.dts)
        if self._durations.last is None:
            return int(packet.duration or 0)
        shown, length = self._durations.last
        begin = self.begin(packet)
        # the edit list of an mp4 ends by decoding times, which run ahead, and its last picture ends by display times; the
        # last packet isn't always the last picture, and then it matters only where that one lasts long
        if packet.pts == shown or 2 * length > 3 * self._decoding.step:
            begin = min(begin, int(packet.pts))
        return max(1, shown + length - begin)

    def _others(self, until: Fraction | None) -> None:
        while self._waiting and (until is None or self._waiting[0][0] <= until):
            packet = heapq.heappop(self._waiting)[2]
            try:
                self._output.mux(packet)
            except av.error.FFmpegError as error:
                if error.errno in _DISK or self._refused >= _REFUSED_AT_MOST:
                    raise
                if not self._refused:
                    reason = str(error.strerror or error).lower()
                    log.warning(
                        "a packet of stream %d can't be written and is left out: %s", packet.stream.index, reason
                    )
                self._refused += 1
