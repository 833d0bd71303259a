"""Writes packed pictures to files: a fragmented mp4 while writing (readable at any time), an ordinary one when finished.

The file grows as NAME.part.SUFFIX, in fragments of at most 2 s that are flushed as they close, and is renamed when it is
complete.
"""

import errno
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av

from stereocast.catalog import EncoderProfile
from stereocast.errors import SinkError
from stereocast.media import encoder, hls, owned, priority, sei, spatial, timing
from stereocast.media import profile as profiles
from stereocast.media.encoder import FRAGMENT_S
from stereocast.media.interleave import Interleaver
from stereocast.media.passthrough import Passthrough
from stereocast.types import PackedClip, Shot, StereoFormat, StreamInfo

log = logging.getLogger(__name__)

SUFFIXES = {"mp4": ".mp4", "mkv": ".mkv", "fmp4": ".mp4", "hls": ""}
_MUXER = {"mp4": "mp4", "mkv": "matroska", "fmp4": "mp4", "hls": "hls"}


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """How a picture stream is written. `info` describes the packed picture (size, time base, colour)."""

    info: StreamInfo
    profile: EncoderProfile
    container: str = "mp4"  # mp4, mkv, fmp4 or hls
    quality: int | None = None
    tags: dict[str, str] = field(default_factory=dict)  # of the video stream
    finish: Callable[[Path], None] | None = None  # runs on the complete file before it is renamed
    form: StereoFormat | None = None  # for streamed output, which can't be tagged afterwards
    sei: bool = False  # also write the frame-packing SEI message
    threads: int = 0
    splitter: "Splitter | None" = None
    overwrite: bool = True


class Splitter(Protocol):
    """Decides where the encoder restarts, so that later packets don't depend on earlier ones."""

    def begins(self, pts: int, shot: Shot, /) -> bool: ...

    def end(self) -> None: ...


part_path = owned.part_path


class VideoSink:
    """Encodes clips into a file, a folder (hls) or standard output ('-').

    Raises SinkError where the output can't be opened or written; the part file keeps what was written.
    """

    def __init__(self, path: Path | str, options: SinkOptions, passthrough: Passthrough | None = None) -> None:
        self.options = options
        self.path = None if str(path) == "-" else Path(path)
        self.frames = 0
        self._passthrough = passthrough
        self._durations = timing.Durations(options.info.rate, options.info.time_base)
        self._message = sei.message(options.form, options.profile.family) if options.sei and options.form else b""
        self._closed = False
        self._part: owned.Part | None = None
        self._feed: owned.Feed | None = None
        self._opener = hls.Opener(options.form) if options.container == "hls" else None
        self.target = self._target()
        try:
            self._output = av.open(
                self._file(), "w", format=_MUXER[options.container], options=self._muxer_options(), io_open=self._opener
            )
            self._encoder = encoder.opened(
                self._output, options.info, options.profile, options.quality,
                threads=options.threads, tagged=options.container != "mkv",
            )  # fmt: skip
            self._encoder.stream.metadata.update(options.tags)
            if passthrough is not None:
                passthrough.attach(self._output, options.container)
            with priority.kept():
                self._output.start_encoding()
            step = timing.nominal_step(options.info.rate, options.info.time_base)
            decoding = timing.DecodingTimes(profiles.reordering(options.profile), step)
            self._lanes = Interleaver(self._output, decoding, self._durations, matroska=options.container == "mkv")
        except BaseException as error:
            self._drop()
            if isinstance(error, (av.error.FFmpegError, OSError)):
                raise self._failure(error) from error
            raise

    def _target(self) -> Path | None:
        if self.path is None:
            return None
        hls = self.options.container == "hls"
        try:
            (self.path if hls else self.path.parent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failure(error) from error
        return self.path / "index.m3u8" if hls else part_path(self.path)

    def _file(self) -> Any:
        if self.target is not None and self.options.container == "hls":
            return str(self.target)
        if self.target is not None:
            owned.make_room(self.target)
            self._part = owned.create(self.target)
            self._feed = owned.Feed(self._part)
            return self._feed
        flight = spatial.InFlight(self.options.form) if self.options.form and self.options.container != "mkv" else None
        self._feed = owned.Feed(sys.stdout.buffer, flight.feed if flight else None)
        return self._feed

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
        """Encodes the clip and muxes finished packets, including sound. Raises SinkError."""
        try:
            if self._passthrough is not None:
                self._passthrough.drain(self._lanes)
            for image, pts in zip(clip.frames, clip.pts, strict=True):
                self._write_frame(image, int(pts), clip.shot)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        source = self._opener or self._feed
        if source is not None and source.interrupted:
            raise KeyboardInterrupt

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
        """Copies encoded frames without re-encoding; only before the first `write`. `before` is called with the time of
        each in seconds, so that the caller can read sound up to there. Raises SinkError."""
        try:
            for packet in packets:
                before(packet.dts * packet.time_base)
                if self._passthrough is not None:
                    self._passthrough.drain(self._lanes)
                packet.stream = self._encoder.stream
                begin = self._lanes.begin(packet)
                self._mux([packet], fresh=False)
                self._durations.seen(packet.pts, packet.duration or 0, begin)
                self.frames += 1
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def last_until(self, end: int) -> None:
        """Lets the last picture last until tick `end`, if that is later; call it before `finish`."""
        self._durations.until(end)

    @property
    def header(self) -> bytes:
        """The encoder's parameter sets, known once the header is written."""
        return bytes(self._encoder.stream.codec_context.extradata or b"")

    def finish(self) -> None:
        """Flushes, completes and renames the file. Raises SinkError."""
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
            if self._write_error is not None:  # FFmpeg doesn't report errors of the last write
                raise self._write_error
            if self.target is None or self.path is None or self._part is None:
                return
            self._part.close()
            if self.options.finish is not None:
                self.options.finish(self.target)
            owned.publish(self.target, self.path, overwrite=self.options.overwrite)
        except (av.error.FFmpegError, OSError) as error:
            self._drop()
            raise self._failure(error) from error

    def close(self) -> None:
        """Ends the open fragment, so that the part file is readable, and keeps that file. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for step in (self._flush_quietly, self._output.close, self._encoder.close):
            try:
                step()
            except (av.error.FFmpegError, OSError, ValueError) as error:
                log.debug("while closing %s: %s", self.target, error)
        self._drop()

    @property
    def _write_error(self) -> OSError | None:
        """The original error of the file system or pipe, which FFmpeg's error code may hide."""
        source = self._opener or self._feed
        return None if source is None else source.error

    def _drop(self) -> None:
        """Closes the part file, and removes it where nothing was written."""
        if self._opener is not None:
            self._opener.clear()
        if self._part is not None:
            self._part.close()
            if not self._part.touched:
                owned.discard(self._part.path)

    def _flush_quietly(self) -> None:
        if self._encoder.used:
            self._mux(self._encoder.flush())
        self._lanes.finish()

    def _failure(self, error: Exception) -> SinkError:
        where = self.path or "standard output"
        own = self._write_error or error
        if isinstance(own, av.error.FFmpegError):
            return SinkError(f"writing {where} failed: {own.strerror or own}")
        code = getattr(own, "errno", None)
        if code in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            what = "disk full" if code == errno.ENOSPC else "disk quota used up"
            return SinkError(f"{what} while writing {where}; {self._how_to_resume()}")
        if code == errno.EPIPE:
            return SinkError("the program reading standard output has closed it")
        if code is not None:
            return SinkError(f"{where} can't be written: {owned.reason(own)}")
        return SinkError(f"writing {where} failed: {owned.reason(own)}")

    def _how_to_resume(self) -> str:
        if self._part is None or not self._part.touched:
            return "free some space and run again"
        return f"finished work is kept in {self.target}; free some space and run again with --resume"


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

    def last_until(self, end: int) -> None:
        self.left.last_until(end)
        self.right.last_until(end)

    def finish(self) -> None:
        self.left.finish()
        self.right.finish()

    def close(self) -> None:
        self.left.close()
        self.right.close()
