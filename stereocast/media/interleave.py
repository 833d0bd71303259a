"""Pictures and everything else into one file, in the order of decoding.

An encoder holds back dozens of pictures. The sound of that time waits here, because a player that finds it before its
pictures loses it after a seek. It handles packets and their times, not codecs.
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

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE, errno.EROFS, errno.EFBIG}  # not the packet's fault
_REFUSED_AT_MOST = 100_000  # packets; more would be our own fault, not damage


class Interleaver:
    """Muxes into `output`. Raises av.error.FFmpegError where it can't be written.

    Picture packets get their decoding times here, regardless of the encoder, and last until the next one's: the mp4
    muxer moves the first picture of a fragment to where the durations before it end, so they have to be exact.
    """

    def __init__(
        self, output: Any, decoding: timing.DecodingTimes, durations: timing.Durations, *, matroska: bool
    ) -> None:
        self._output, self._decoding, self._durations, self._matroska = output, decoding, durations, matroska
        self._held: Any = None  # the latest picture packet
        self._waiting: list[tuple[Fraction, int, Any]] = []  # a heap of the other packets
        self._number = count()
        self._refused = 0

    def picture(self, packet: Any) -> None:
        """Takes the next picture packet in coding order."""
        packet.dts = self._decoding(packet.pts)
        self._release(packet.dts)
        self._held = packet

    def mux(self, packet: Any) -> None:
        """Takes a packet of another stream; those of one stream come in order."""
        ticks = packet.dts if packet.dts is not None else packet.pts
        time = Fraction(0) if ticks is None else ticks * Fraction(packet.time_base)
        heapq.heappush(self._waiting, (time, next(self._number), packet))

    def finish(self) -> None:
        """Muxes all that waits."""
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
        if dts is not None:  # Matroska adds durations to the times of what is shown: a long one would lengthen the film
            return 0 if self._matroska else dts - int(packet.dts)
        if self._durations.last is None:
            return int(packet.duration or 0)
        # the last packet need not be the last picture: the film lasts as long as that is shown, and mp4 adds up
        # decoding times, which run ahead of what is shown
        since = packet.pts if self._matroska else packet.dts + self._decoding.ahead
        return max(1, sum(self._durations.last) - int(since))

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
