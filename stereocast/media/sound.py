"""Sound tracks into a container: copied if its muxer accepts them, otherwise transcoded, otherwise left out.

Whether a muxer accepts a track is tried on a file in memory, before work starts: no table of codecs says that mp4
refuses MP3 at 11 kHz or TrueHD. Each change is one warning with its cause.
"""

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

log = logging.getLogger(__name__)

Route = Callable[[Any], Iterator[Any]]  # a packet of the source to packets of the output

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
# by FFmpeg's names: what Chromium, and with it the Quest's browser, decodes
HEARD = {"aac", "mp3", "mp3float", "opus", "vorbis", "flac"}
_MUXER = {"mkv": "matroska"}  # every other container of ours holds mp4
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_GAP_S = Fraction(1, 10)  # a longer hole in the sound stays a hole when it is transcoded


def attach(output: Any, stream: Any, container: str, sample: Iterable[Any] = ()) -> tuple[Any, Route, Route] | None:
    """Adds the track `stream` to `output`. `sample`: packets that have come already, for the trial.

    Returns the output's stream, the way of its packets, and what to call with None at the end; None: it is left out.
    """
    context = stream.codec_context
    if context is None:
        log.warning("audio track %d has no decoder here and is left out", stream.index)
        return None
    if not (context.sample_rate and context.channels):
        log.warning("audio track %d (%s) is too damaged to tell its format and is left out", stream.index, context.name)
        return None
    packets = [packet for packet in sample if packet.stream_index == stream.index and packet.size][:8]
    reason = refusal(stream, container, packets)
    if not reason:
        target = output.add_stream_from_template(stream)
        return target, *_copying(stream, target, container)
    rate, layout = aac_rate(context.sample_rate), _LAYOUTS.get(context.layout.nb_channels, "stereo")
    worse = _no_encoder(rate, layout)
    if worse:
        log.warning("audio track %d (%s) is left out: %s, and AAC: %s", stream.index, context.name, reason, worse)
        return None
    detail = "" if rate == context.sample_rate else f" at {rate} Hz"
    log.warning(
        "audio track %d (%s) is transcoded to AAC%s, because %s can't hold it: %s",
        stream.index, context.name, detail, container, reason,
    )  # fmt: skip
    target = output.add_stream("aac", rate=rate)
    _configure(target.codec_context, rate, layout)
    transcoder = Transcoder(stream, target)
    return target, transcoder, transcoder.finish


def _configure(context: Any, rate: int, layout: str) -> None:
    context.layout, context.format, context.sample_rate = layout, "fltp", rate
    context.bit_rate = min(96_000 * context.layout.nb_channels, 6 * rate * context.layout.nb_channels)


def _no_encoder(rate: int, layout: str) -> str:
    try:
        context = av.CodecContext.create("aac", "w")
        context.time_base = Fraction(1, rate)
        _configure(context, rate, layout)
        context.open()
    except (av.error.FFmpegError, ValueError) as error:
        return reason_of(error)
    return ""


def aac_rate(rate: int) -> int:
    """The sampling rate to encode sound of `rate` Hz with: the same where AAC knows it, else one that loses nothing
    that can be heard."""
    if rate in _AAC_RATES:
        return rate
    if rate > _AAC_RATES[-1]:
        return 44100 if rate % 44100 == 0 else 48000
    return next(known for known in _AAC_RATES if known >= rate)


def refusal(stream: Any, container: str, sample: Iterable[Any] = ()) -> str:
    """Why the packets of a sound track can't go into `container` as they are; '' if they can."""
    names = {stream.codec_context.name, stream.codec_context.codec.canonical_name}
    muxer = _MUXER.get(container, "mp4")
    if container == "hls" and not names & HEARD:
        return "browsers can't play it"
    if muxer == "mp4" and any(name.startswith("pcm_") for name in names):
        return "headsets don't play PCM in mp4"
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        if not names & set(trial.supported_codecs):
            return f"{muxer} can't hold this codec"
        try:
            target = trial.add_stream_from_template(stream)
            route, _ = _copying(stream, target, container)
            trial.start_encoding()
            time = 0
            for packet in sample:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.duration, copy.time_base = time, time, packet.duration, packet.time_base
                time += max(1, packet.duration or 0)
                trial.mux(list(route(copy)))
        except (av.error.FFmpegError, ValueError) as error:
            return f"{muxer} refuses it at {stream.codec_context.sample_rate} Hz ({reason_of(error)})"
    return ""


def reason_of(error: BaseException) -> str:
    """FFmpeg's words for an error, without file names."""
    return str(getattr(error, "strerror", None) or error).strip().lower() or type(error).__name__


def _copying(stream: Any, target: Any, container: str) -> tuple[Route, Route]:
    """The way of packets that are copied, and of the end. mp4 wants AAC without ADTS headers (ISO 14496-3), as
    MPEG-TS has them."""
    filtered: Any = None
    if stream.codec_context.name == "aac" and container != "mkv" and not stream.codec_context.extradata:
        filtered = BitStreamFilterContext("aac_adtstoasc", in_stream=stream)

    def copy(packet: Any) -> Iterator[Any]:
        try:
            made = [packet] if filtered is None else filtered.filter(packet)
        except av.error.FFmpegError as error:
            log.debug("a damaged sound packet is left out: %s", error)
            return
        for one in made:
            one.stream = target
            yield one

    return copy, lambda packet: iter(())


class Transcoder:
    """Sound packets decoded and encoded again as AAC; times and gaps are kept."""

    def __init__(self, stream: Any, target: Any) -> None:
        self._stream, self._target = stream, target
        self._fifo = av.AudioFifo()
        self._next: int | None = None  # sample number of the next frame
        context = target.codec_context
        self._rate = context.sample_rate
        self._resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=context.sample_rate)

    def __call__(self, packet: Any) -> Iterator[Any]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            log.debug("a sound packet can't be decoded: %s", error)
            return
        for frame in frames:
            yield from self._take(frame)

    def _take(self, frame: Any) -> Iterator[Any]:
        if frame.pts is not None and frame.time_base:
            due = round(frame.pts * Fraction(frame.time_base) * self._rate)
            if self._next is None:
                self._next = due
            elif due - self._next - self._fifo.samples > max(self._size, self._rate * _GAP_S):
                yield from self._jump(due)
        frame.pts = None
        yield from self._push(self._resampler.resample(frame))

    def _jump(self, due: int) -> Iterator[Any]:
        """Fills the open frame with silence, and continues at the sample `due`."""
        missing = -self._fifo.samples % self._size
        if missing:
            layout = self._target.codec_context.layout
            silence = np.zeros((layout.nb_channels, missing), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout=layout.name)
            frame.sample_rate = self._rate
            yield from self._push([frame])
        self._next = due

    @property
    def _size(self) -> int:
        return int(self._target.codec_context.frame_size or 1024)

    def _push(self, frames: list[Any]) -> Iterator[Any]:
        for frame in frames:
            frame.pts = None
            self._fifo.write(frame)
        while self._fifo.samples >= self._size:
            yield from self._encode(self._fifo.read(self._size))

    def _encode(self, frame: Any) -> Iterator[Any]:
        frame.pts, frame.time_base = self._next or 0, Fraction(1, frame.sample_rate)
        self._next = frame.pts + frame.samples
        yield from self._target.encode(frame)

    def finish(self, packet: None = None) -> Iterator[Any]:
        """What the decoder, the resampler and the encoder still hold."""
        try:
            for frame in self._stream.codec_context.decode(None):
                yield from self._take(frame)
        except av.error.FFmpegError as error:
            log.debug("the decoder's last sound: %s", error)
        yield from self._push(self._resampler.resample(None))
        rest = self._fifo.read() if self._fifo.samples else None
        if rest is not None:
            yield from self._encode(rest)
        yield from self._target.encode(None)


class Rising:
    """Gives a track's packets rising decoding times, which every muxer needs and a damaged source may lack."""

    def __init__(self, *, strictly: bool = True) -> None:
        self._last: dict[int, tuple[int, Fraction]] = {}
        self._least = 1 if strictly else 0

    def __call__(self, packet: Any) -> Any:
        base = Fraction(packet.time_base)
        ticks = packet.dts if packet.dts is not None else packet.pts
        last, old_base = self._last.get(packet.stream.index, (None, base))
        if last is not None and old_base == base and ticks < last + self._least:
            ticks = last + self._least
            packet.pts = max(ticks, packet.pts if packet.pts is not None else ticks)
        packet.dts = ticks
        self._last[packet.stream.index] = (ticks, base)
        return packet
