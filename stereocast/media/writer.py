"""Packed pictures to files: hybrid-fragmented mp4 while writing (readable whenever it stops), ordinary when finished.

The file grows as NAME.part.SUFFIX, in fragments of at most 2 s that are flushed as they close, and gets its name when
it is complete.
"""

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from stereocast.catalog import EncoderProfile
from stereocast.errors import SinkError
from stereocast.media import encoder, sei, spatial, timing
from stereocast.media import profile as profiles
from stereocast.media.encoder import FRAGMENT_S
from stereocast.media.interleave import Interleaver
from stereocast.media.passthrough import Passthrough
from stereocast.media.reader import write_image
from stereocast.pictures.planes import rgb
from stereocast.types import PackedClip, Shot, StereoFormat, StreamInfo

log = logging.getLogger(__name__)

SUFFIXES = {"mp4": ".mp4", "mkv": ".mkv", "fmp4": ".mp4", "hls": ""}
_MUXER = {"mp4": "mp4", "mkv": "matroska", "fmp4": "mp4", "hls": "hls"}


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """How a picture stream is written. `info` is that of the packed picture (its size, time base, colour)."""

    info: StreamInfo
    profile: EncoderProfile
    container: str = "mp4"  # mp4, mkv, fmp4 or hls
    quality: int | None = None
    tags: dict[str, str] = field(default_factory=dict)  # of the video stream
    finish: Callable[[Path], None] | None = None  # runs on the complete file before it gets its name
    form: StereoFormat | None = None  # for the boxes of streams, which can't be tagged afterwards
    sei: bool = False  # also write the frame-packing message
    threads: int = 0
    splitter: "Splitter | None" = None


class Splitter(Protocol):
    """Says where the encoder starts afresh, so that what follows doesn't depend on what came before."""

    def begins(self, pts: int, shot: Shot, /) -> bool: ...

    def end(self) -> None: ...


def part_path(path: Path) -> Path:
    """Where the file grows until it is complete."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


class VideoSink:
    """Encodes clips into one file, a folder (hls) or standard output ('-').

    Raises SinkError where the output can't be opened or written; what was written stays in the part file.
    """

    def __init__(self, path: Path | str, options: SinkOptions, passthrough: Passthrough | None = None) -> None:
        self.options = options
        self.path = None if str(path) == "-" else Path(path)
        self.frames = 0
        self._passthrough = passthrough
        self._durations = timing.Durations(options.info.rate, options.info.time_base)
        self._message = sei.message(options.form, options.profile.family) if options.sei and options.form else b""
        self._closed = False
        self.target = self._target()
        try:
            opener = _tagging_opener(options.form) if options.container == "hls" and options.form else None
            self._output = av.open(
                self._file(), "w", format=_MUXER[options.container], options=self._muxer_options(), io_open=opener
            )
            self._encoder = encoder.opened(
                self._output, options.info, options.profile, options.quality,
                threads=options.threads, tagged=options.container != "mkv",
            )  # fmt: skip
            self._encoder.stream.metadata.update(options.tags)
            if passthrough is not None:
                passthrough.attach(self._output, options.container)
            self._output.start_encoding()
            step = timing.nominal_step(options.info.rate, options.info.time_base)
            decoding = timing.DecodingTimes(profiles.reordering(options.profile), step)
            self._lanes = Interleaver(self._output, decoding, self._durations, matroska=options.container == "mkv")
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error, opening=True) from error

    def _target(self) -> Path | None:
        if self.path is None:
            return None
        if self.options.container == "hls":
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._failure(error, opening=True) from error
            return self.path / "index.m3u8"
        return part_path(self.path)

    def _file(self) -> Any:
        if self.target is not None:
            return str(self.target)
        flight = spatial.InFlight(self.options.form) if self.options.form and self.options.container != "mkv" else None
        return _Pipe(sys.stdout.buffer, flight)

    def _muxer_options(self) -> dict[str, str]:
        info, container = self.options.info, self.options.container
        options = {"max_interleave_delta": "1000000", "flush_packets": "1"}
        if container in ("mp4", "fmp4") and info.time_base.numerator == 1:
            options["video_track_timescale"] = str(info.time_base.denominator)
        if container == "mp4" and self.target is not None:
            options |= {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": str(FRAGMENT_S * 900_000)}
        elif container in ("fmp4", "mp4"):
            options |= {
                "movflags": "+frag_keyframe+delay_moov+default_base_moof",
                "frag_duration": str(FRAGMENT_S * 900_000),
            }
        elif container == "hls":
            options |= {
                "hls_time": str(FRAGMENT_S),
                "hls_segment_type": "fmp4",
                "hls_playlist_type": "event",
                "hls_flags": "independent_segments+temp_file",
                "hls_segment_filename": str(Path(str(self.path)) / "segment_%05d.m4s"),
                "hls_fmp4_init_filename": "init.mp4",
            }
        return options

    def write(self, clip: PackedClip) -> None:
        """Encodes the clip and muxes what has come out, sound included. Raises SinkError."""
        try:
            if self._passthrough is not None:
                self._passthrough.drain(self._lanes)
            for image, pts in zip(clip.frames, clip.pts, strict=True):
                self._write_frame(image, int(pts), clip.shot)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _write_frame(self, image: Any, pts: int, shot: Shot) -> None:
        duration = self._durations(pts)
        splitter = self.options.splitter
        if splitter is not None and splitter.begins(pts, shot):
            self._mux(self._encoder.flush())
            self._encoder.restart()
        self._mux(self._encoder.encode(image, pts, duration))
        self.frames += 1

    def _mux(self, packets: Iterable[Any], *, fresh: bool = True) -> None:
        for packet in packets:
            if fresh and self._message:
                packet = sei.with_message(packet, self._message, self.options.profile.family, av.Packet)
            self._lanes.picture(packet)

    def copy(self, packets: Iterable[Any], before: Callable[[Fraction], None] = lambda seconds: None) -> None:
        """Takes encoded frames as they are, before the first `write`; `before` is told the time of each in seconds,
        so that sound can be fetched that far. Raises SinkError."""
        try:
            for packet in packets:
                before(packet.dts * packet.time_base)
                if self._passthrough is not None:
                    self._passthrough.drain(self._lanes)
                packet.stream = self._encoder.stream
                self._mux([packet], fresh=False)
                self._durations.seen(packet.pts, packet.duration or 0)
                self.frames += 1
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    @property
    def header(self) -> bytes:
        """The parameter sets of the encoder, known once the header is written."""
        return bytes(self._encoder.stream.codec_context.extradata or b"")

    def finish(self) -> None:
        """Flushes, completes the file, and gives it its name. Raises SinkError."""
        try:
            if self._encoder.used:
                self._mux(self._encoder.flush())
            if self.options.splitter is not None:
                self.options.splitter.end()
            if self._passthrough is not None:
                self._passthrough.finish(self._lanes)
            self._lanes.finish()
            self._output.close()
            self._closed = True
            self._encoder.close()
            if self.target is None or self.options.container == "hls":
                return
            if self.options.finish is not None:
                self.options.finish(self.target)
            os.replace(self.target, self.path or self.target)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Ends the open fragment, so that the part file is readable, and keeps it. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for step in (self._flush_quietly, self._output.close, self._encoder.close):
            try:
                step()
            except (av.error.FFmpegError, OSError, ValueError) as error:
                log.debug("while closing %s: %s", self.target, error)

    def _flush_quietly(self) -> None:
        if self._encoder.used:
            self._mux(self._encoder.flush())
        self._lanes.finish()

    def _failure(self, error: Exception, *, opening: bool = False) -> SinkError:
        where = self.path or "standard output"
        code = getattr(error, "errno", None)
        if code == errno.ENOSPC:
            return SinkError(
                f"disk full while writing {where}; what is done is kept in {getattr(self, 'target', None)}; free space and use --resume"
            )
        if code == errno.EPIPE:
            return SinkError("the reader of standard output went away")
        # FFmpeg gives the same numbers for reasons of its own, once the file is open
        if code == errno.EROFS or (opening and code in (errno.EACCES, errno.EPERM)):
            return SinkError(f"{where} can't be written: permission denied")
        if opening and code == errno.ENOENT:
            return SinkError(f"{where} can't be written: no such folder")
        return SinkError(f"writing {where} failed: {getattr(error, 'strerror', None) or error}")


class _Pipe:
    """A stream for FFmpeg that is written, never sought; `flight` puts the boxes in on the way."""

    def __init__(self, stream: Any, flight: spatial.InFlight | None = None) -> None:
        self._stream, self._flight = stream, flight

    def write(self, data: bytes) -> int:
        self._stream.write(data if self._flight is None else self._flight.feed(bytes(data)))
        self._stream.flush()
        return len(data)


class _Init(_Pipe):
    """The head of an HLS stream, tagged as it is written."""

    def close(self) -> None:
        self._stream.close()


def _tagging_opener(form: StereoFormat) -> Callable[[str, int, dict[str, str]], Any]:
    def opened(url: str, flags: int, options: dict[str, str]) -> Any:
        path = url.removeprefix("file:")
        if Path(path).name.startswith("init.mp4"):
            return _Init(open(path, "wb"), spatial.InFlight(form))
        return open(path, "wb" if flags & 2 else "rb")

    return opened


class ImageSink:
    """One picture file. `trim`: rows and columns that are cut away at the bottom and the right."""

    def __init__(self, path: Path, trim: tuple[int, int] = (0, 0)) -> None:
        self.path = path
        self.trim = trim
        self.frames = 0

    def write(self, clip: PackedClip) -> None:
        """Writes the clip's picture (the last one wins). Raises SinkError."""
        part = part_path(self.path)
        scale = (
            65535 if clip.frames.dtype == np.uint16 and self.path.suffix.lower() in (".png", ".tif", ".tiff") else 255
        )
        try:
            for image in clip.frames:
                picture = np.rint(rgb(image, clip.pixel_format, clip.colour) * scale)
                picture = picture[: picture.shape[0] - self.trim[0], : picture.shape[1] - self.trim[1]]
                write_image(part, picture.astype(np.uint16 if scale > 255 else np.uint8))
                os.replace(part, self.path)
                self.frames += 1
        except OSError as error:
            raise SinkError(f"{self.path} can't be written: {error.strerror or error}") from error

    def finish(self) -> None:
        """The file is complete with its picture."""

    def close(self) -> None:
        """Nothing is open."""


class PairSink:
    """Two sinks, one per eye: the packed clip's `frames` and `second`."""

    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right

    @property
    def frames(self) -> int:
        return int(self.left.frames)

    def write(self, clip: PackedClip) -> None:
        self.left.write(replace(clip, second=None))
        self.right.write(replace(clip, frames=clip.second, second=None))

    def finish(self) -> None:
        self.left.finish()
        self.right.finish()

    def close(self) -> None:
        self.left.close()
        self.right.close()
