"""Passes through everything but the picture: sound, subtitles, chapters, tags, attachments.

Packets are copied byte for byte. Only what the container can't hold is converted, and each change is logged as a warning.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av

from stereocast.errors import UsageError
from stereocast.media import covers, sound, timing

log = logging.getLogger(__name__)

_TEXT = {"subrip", "srt", "mov_text", "ass", "ssa", "webvtt", "text"}
_SKIP_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "stereo_mode", "alpha_mode", "vendor_id"}
_ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, "
    b"PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, "
    b"Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\nStyle: Default,Arial,16,&Hffffff,"
    b"&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
    b"MarginR, MarginV, Effect, Text\n"
)


def select(streams: list[Any], wanted: str, option: str) -> list[Any]:
    """The streams that `wanted` selects: all, none, or numbers counted within their type. Raises UsageError."""
    if wanted == "all":
        return streams
    if wanted == "none":
        return []
    chosen = []
    for part in wanted.split(","):
        if not part.strip().isdecimal() or int(part) >= len(streams):
            have = f"0..{len(streams) - 1}" if streams else "none in this file"
            raise UsageError(f"--{option} {wanted}: give all, none, or track numbers ({have})")
        if streams[int(part)] not in chosen:
            chosen.append(streams[int(part)])
    return chosen


class Passthrough:
    """Copies the other streams of `source` (an open input container) to an output.

    The reader fills `packets` while it demuxes; `drain` muxes what has arrived. `shift` is the time in seconds that
    becomes 0, `stop` the time at which to end.
    """

    def __init__(
        self, source: Any, packets: deque[Any], *, audio: str = "all", subs: str = "all",
        shift: Fraction = Fraction(0), stop: Fraction | None = None,
    ) -> None:  # fmt: skip
        self._source = source
        self._packets = packets
        self._audio = select(list(source.streams.audio), audio, "audio")
        self._subs = select(list(source.streams.subtitles), subs, "subs")
        self._shift = shift
        self._stop = stop
        self._routes: dict[int, Callable[[Any], Iterator[Any]]] = {}
        self._finishers: list[sound.Route] = []
        self._cues = {stream.index for stream in self._subs}

    def attach(self, output: Any, container: str) -> None:
        """Adds the streams to `output` ('mp4', 'mkv', 'fmp4' or 'hls'); call before the first packet is muxed."""
        self._clamp = container == "mkv"
        self._rising = sound.Rising(strictly=container != "mkv")
        output.metadata.update({k: v for k, v in self._source.metadata.items() if k.lower() not in _SKIP_TAGS})
        for stream in self._audio:
            self._attach_audio(output, stream, container)
        for stream in self._subs:
            self._attach_subtitle(output, stream, container)
        if container == "mkv":
            for stream in self._source.streams:
                if stream.type == "attachment":
                    _copy_tags(stream, output.add_stream_from_template(stream))
        covers.attach(self._source, output, container)
        chapters = self._chapters()
        if chapters:
            output.set_chapters(chapters)

    def _chapters(self) -> list[Any]:
        result = []
        for chapter in self._source.chapters():
            base = Fraction(chapter["time_base"])
            stop = chapter["end"] if self._stop is None else min(chapter["end"], self._stop / base)
            begin, end = chapter["start"] - self._shift / base, stop - self._shift / base
            if end <= 0 or (self._stop is not None and chapter["start"] * base >= self._stop):
                continue
            result.append({**chapter, "start": max(0, round(begin)), "end": round(end)})
        return result

    def _attach_audio(self, output: Any, stream: Any, container: str) -> None:
        way = sound.attach(output, stream, container, self._packets)
        if way is not None:
            target, self._routes[stream.index], finisher = way
            self._finishers.append(finisher)
            _copy_tags(stream, target)

    def _attach_subtitle(self, output: Any, stream: Any, container: str) -> None:
        name = stream.codec_context.name if stream.codec_context else "unknown"
        if container in ("fmp4", "hls"):
            log.warning("subtitle track %d (%s) is left out: %s can't store it", stream.index, name, container)
            return
        text = "mov_text" if container == "mp4" else "subrip"
        foreign = name in _TEXT if container == "mp4" else name in ("mov_text", "text")
        if foreign and name not in (text, "srt" if text == "subrip" else text):
            target = output.add_stream(text)
            target.codec_context.subtitle_header = _ASS_HEADER
            self._routes[stream.index] = _SubtitleChange(stream, target)
        elif stream.codec_context is not None and (
            container == "mkv" or name in ("mov_text", "dvdsub", "dvd_subtitle")
        ):
            target = output.add_stream_from_template(stream)
            self._routes[stream.index] = lambda packet: iter([_retarget(packet, target)])
        else:
            why = "isn't supported in mp4 and is left out; --out-format mkv keeps it"
            if stream.codec_context is None:
                why = "has no decoder and is left out"
            log.warning("subtitle track %d (%s) %s", stream.index, name, why)
            return
        if container == "mp4":
            closing = _Closing(self._routes[stream.index], target)
            self._routes[stream.index] = closing
            self._finishers.append(closing.finish)
        _copy_tags(stream, target)

    def drain(self, output: Any) -> None:
        """Muxes all packets that have arrived."""
        while self._packets:
            packet = self._packets.popleft()
            route = self._routes.get(packet.stream_index)
            if route is None or not self._within(packet):
                continue
            for muxed in route(packet):
                output.mux(self._rising(muxed))

    def finish(self, output: Any) -> None:
        """Muxes the remaining packets, after the last picture."""
        self.drain(output)
        for finisher in self._finishers:
            for packet in finisher(None):
                output.mux(self._rising(packet))

    def _within(self, packet: Any) -> bool:
        if packet.stream_index in self._cues:
            timing.trim(packet, self._shift, self._stop)
        times = timing.moved(
            packet.pts, packet.dts, Fraction(packet.time_base), shift=self._shift, stop=self._stop, clamp=self._clamp
        )
        if times is None:
            return False
        packet.pts, packet.dts = times
        return True


def _retarget(packet: Any, target: Any) -> Any:
    packet.stream = target
    return packet


def _copy_tags(stream: Any, target: Any) -> None:
    target.metadata.update({k: v for k, v in stream.metadata.items() if k.lower() not in _SKIP_TAGS})
    target.disposition = stream.disposition


class _SubtitleChange:
    """Converts subtitle packets from one text codec to another with FFmpeg's decoders and encoders."""

    def __init__(self, stream: Any, target: Any) -> None:
        self._decoder = av.CodecContext.create(stream.codec_context.name, "r")
        if stream.codec_context.extradata:
            self._decoder.extradata = stream.codec_context.extradata
        self._target = target

    def __call__(self, packet: Any) -> Iterator[Any]:
        if packet.size <= 2:  # an empty mov_text cue
            return
        try:
            text = self._decoder.decode2(packet)
            made = self._target.codec_context.encode_subtitle(text) if text is not None else None
        except av.error.FFmpegError as error:
            log.warning("a subtitle at %s s is left out: %s", float(packet.pts * packet.time_base), error)
            return
        if made is None:
            return
        made.pts, made.dts, made.duration = packet.pts, packet.pts, packet.duration
        made.time_base = packet.time_base
        made.stream = self._target
        yield made


class _Closing:
    """Ends each cue of a mov_text track with an empty one. Otherwise the muxer would add one after the last cue that is as
    long as that cue, and lengthen the film."""

    def __init__(self, route: sound.Route, target: Any) -> None:
        self._route, self._target = route, target
        self._end: tuple[int, Fraction] | None = None  # end of the cue being shown

    def __call__(self, packet: Any) -> Iterator[Any]:
        for cue in self._route(packet):
            if self._end is not None and cue.pts > self._end[0]:
                yield self._empty(cue.pts - self._end[0])
            self._end = (cue.pts + cue.duration, Fraction(cue.time_base)) if cue.size > 2 and cue.duration else None
            yield cue

    def finish(self, packet: None = None) -> Iterator[Any]:
        if self._end is not None:
            yield self._empty(1)

    def _empty(self, duration: int) -> Any:
        assert self._end is not None
        made = av.Packet(b"\0\0")
        made.stream, made.duration = self._target, duration
        made.pts = made.dts = self._end[0]
        made.time_base = self._end[1]
        return made
