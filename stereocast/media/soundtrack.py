"""A film whose sound browsers can't play: video packets copied, one sound track as AAC, in HLS pieces."""

import logging
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from stereocast.errors import SinkError, SourceError
from stereocast.media import probe
from stereocast.media.encoder import FRAGMENT_S
from stereocast.media.sound import Rising, Transcoder, aac_rate

log = logging.getLogger(__name__)

_CALLED = {
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "mp2": "MP2",
    "mp2float": "MP2",
    "dts": "DTS",
    "dca": "DTS",
    "truehd": "TrueHD",
}


def called(codec: str) -> str:
    """A codec's name for people."""
    return _CALLED.get(codec, codec.upper())


def remux(
    source: Path, folder: Path, track: int, start_s: float,
    began: Callable[[float], None], made: Callable[[float], None],
) -> None:  # fmt: skip
    """Writes the film from the key frame before `start_s` on into `folder`, with sound track `track` alone.

    `began` is called with the key frame's time, `made` with the seconds written; either may raise to stop.
    Raises SourceError, SinkError.
    """
    with closing(probe.open_input(str(source))) as container:
        picture = probe.video_stream(container, str(source), quiet=True)
        tracks = container.streams.audio
        if track >= len(tracks) or tracks[track].codec_context is None:
            raise SourceError(f"{source} has no sound track {track} that can be decoded")
        if start_s > 0:
            container.seek(int(start_s / picture.time_base), stream=picture)
        try:
            output = _output(folder)
            try:
                _flow(container, output, picture, tracks[track], began, made)
            finally:
                output.close()
        except av.error.FFmpegError as error:
            raise SinkError(f"{source}: its video can't be copied for a browser ({error.strerror or error})") from error


def _output(folder: Path) -> Any:
    options = {
        "hls_time": str(FRAGMENT_S), "hls_segment_type": "fmp4", "hls_playlist_type": "event",
        "hls_flags": "independent_segments+temp_file", "hls_segment_filename": str(folder / "segment_%05d.m4s"),
        "hls_fmp4_init_filename": "init.mp4", "max_interleave_delta": "1000000", "flush_packets": "1",
    }  # fmt: skip
    return av.open(str(folder / "index.m3u8"), "w", format="hls", options=options)


def _flow(
    container: Any, output: Any, picture: Any, sound: Any,
    began: Callable[[float], None], made: Callable[[float], None],
) -> None:  # fmt: skip
    target = output.add_stream_from_template(picture)
    if picture.codec_context.name == "hevc":
        target.codec_context.codec_tag = "hvc1"
    heard = output.add_stream("aac", rate=aac_rate(sound.codec_context.sample_rate or 48000))
    heard.codec_context.layout, heard.codec_context.format = "stereo", "fltp"
    heard.codec_context.bit_rate = 192_000
    transcoder, rising = Transcoder(sound, heard), Rising()
    first: Fraction | None = None
    early: list[Any] = []  # sound that comes before the first picture

    def write(packet: Any) -> None:
        output.mux(rising(packet))

    for packet in container.demux(picture, sound):
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is None or not packet.size:
            continue
        seconds = ticks * Fraction(packet.time_base)
        if packet.stream is sound:
            if first is None:
                early.append(packet)
            elif seconds >= first - Fraction(1, 10):
                for piece in transcoder(_moved(packet, first)):
                    write(piece)
            continue
        if first is None:
            if not packet.is_keyframe:
                continue
            first = seconds
            began(float(first))
            for held in early:
                if held.pts is not None and held.pts * Fraction(held.time_base) >= first - Fraction(1, 10):
                    for piece in transcoder(_moved(held, first)):
                        write(piece)
        packet = _moved(packet, first)
        packet.stream = target
        write(packet)
        made(float(seconds - first))
    if first is None:
        raise SourceError("no key frame was found there")
    for piece in transcoder.finish():
        write(piece)


def _moved(packet: Any, first: Fraction) -> Any:
    """The packet in a clock that begins at `first` seconds."""
    by = round(first / Fraction(packet.time_base))
    if packet.pts is not None:
        packet.pts -= by
    if packet.dts is not None:
        packet.dts -= by
    return packet
