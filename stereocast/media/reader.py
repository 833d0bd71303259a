"""Reads video and images as upright, progressive, even-sized frames with exact timestamps.

A single demuxer serves all streams: `share_packets` hands on the packets of the other streams, so a pipe or a URL is
read once and sound needs no second open. Damaged packets are skipped and counted. The module is long because seeking,
decoding and rotating share one open container.
"""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from math import ceil
from typing import Any

import av
import numpy as np

from stereocast.errors import SourceError, UsageError
from stereocast.media import clock, interlace, multiview, probe, promise, sidedata, sizes, timing
from stereocast.media import colour as colours
from stereocast.media import rate as rates
from stereocast.media.packets import copied
from stereocast.media.stills import ImageSource, read_image, upright, write_image
from stereocast.pictures import planes, tone
from stereocast.pictures.pool import Pool
from stereocast.types import Array, Colour, Frame, PixelFormat, StreamInfo

log = logging.getLogger(__name__)

__all__ = [
    "ImageSource", "ReadOptions", "VideoSource", "copied", "open_source",
    "read_image", "write_image",
]  # fmt: skip

_RESAMPLED_HZ = 90_000  # fewest ticks a second for a new rate: a clock may count in frames of the old one (AVI)
_DIRECT = {"yuv420p": PixelFormat.YUV420P, "yuvj420p": PixelFormat.YUV420P, "yuv420p10le": PixelFormat.YUV420P10}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Which part of the source is read, and how."""

    pixel_format: PixelFormat | None = None  # None: 10 bit where the source has more than 8
    start: Fraction | None = None  # seconds from the first frame
    end: Fraction | None = None
    scale: float = 1.0
    rate: Fraction | None = None  # resample to a constant rate
    tonemap: bool = False
    crop: tuple[int, int, int, int] | None = None  # top, bottom, left, right in pixels, even
    first: int | None = None  # tick of the first frame to yield; ticks and `info` still describe the whole film
    deinterlace: interlace.Mode = "auto"
    multiview: bool = False  # MV-HEVC: both views side by side; `info` still describes one view
    seek: bool = True  # False: decode from the start of the file instead


class VideoSource:
    """Frames of one video stream. `info` comes from the first frame, which is decoded on construction.

    Raises SourceError where the file has no video that can be decoded.
    """

    def __init__(self, name: str, options: ReadOptions | None = None) -> None:
        self.name = name
        self.options = options or ReadOptions()
        self._queues: list[deque[Any]] = []  # packets of the other streams, in file order
        self._early: list[Any] | None = []  # packets read before `share_packets` was called
        self.damaged = 0
        self._reading = False
        self.spool: Any = None  # temporary folder with a copy of standard input
        self.missing_s = 0.0  # set after reading: seconds that the container promised but didn't hold
        self.shown_until: int | None = None  # set after reading: the tick at which the last frame ends, if known
        self._pool, self._closed = Pool(), False
        self.container = probe.open_input(name)
        try:
            self.stream = probe.video_stream(self.container, name)
            self.stream.thread_type = "AUTO"
            self.time_base: Fraction = Fraction(self.stream.time_base or Fraction(1, 90000))
            self.first_pts = self._first_pts()
            self.origin = clock.origin(self.container, (self.stream, *self.container.streams.audio))
            self._others: dict[Any, Any] = {}  # second views by pts
            self._graph: Any = None  # of FFmpeg's filters
            self._graph_shape: Any = None
            self._decoded, self._head = self._begin()
            self.info = self._describe(self._head)
        except BaseException:
            self.close()
            raise

    # -- describing the stream

    def _first_pts(self) -> int:
        return int(self.stream.start_time or 0)

    def _begin(self) -> tuple[Iterator[Any], Any]:
        """The decoder's frames and the first of them, which lies at or before the tick where reading begins."""
        tick = self._begin_tick
        if tick is None:
            decoded = self._start()
            return decoded, self._first_frame(decoded)
        tries = [0, 10] if self.options.seek and not clock.restarts(self.container) else []
        for back_s in tries:
            if not self._seek(tick - int(back_s / self.time_base)):
                break
            decoded = self._start()
            with suppress(UsageError, SourceError):
                head = self._first_frame(decoded)
                if (_stamp(head)[0] or 0) <= tick:
                    return decoded, head
            self._forget()
            log.info("%s: the seek to %.3f s went too far", self.name, float(tick * self.time_base))
        if tries:
            self._rewind()
        decoded = self._start(tick)
        return decoded, self._first_frame(decoded)

    @property
    def _begin_tick(self) -> int | None:
        """The first tick needed, in the file's clock; None: the beginning."""
        first = self.options.first if self.options.rate is None else None  # resampling counts from the first frame
        if not (self.options.start or first):
            return None
        ticks = self.first_pts + int((self.options.start or 0) / self.time_base)
        return ticks if first is None else max(ticks, self.start_pts + first // self._fine)

    def _seek(self, tick: int) -> bool:
        try:
            self.container.seek(tick, stream=self.stream, backward=True)
        except av.error.FFmpegError as error:
            log.debug("%s: can't seek (%s); reading up to the start", self.name, error)
            return False
        return True

    def _forget(self) -> None:
        """Drops everything read after a failed seek."""
        self._graph = None
        self._early = []
        for queue in self._queues:
            queue.clear()

    def _rewind(self) -> None:
        self._forget()
        if self.name == "-":
            self._seek(self.first_pts)
            return
        index = self.stream.index  # closing the container frees its streams
        self.container.close()
        self.container = probe.open_input(self.name)
        self.stream = self.container.streams[index]
        self.stream.thread_type = "AUTO"

    @property
    def start_pts(self) -> int:
        """The tick that becomes 0 in the output."""
        if not self.options.start:
            return int(self.origin / self.time_base)
        return self.first_pts + round(self.options.start / self.time_base)

    @property
    def stop_s(self) -> Fraction | None:
        """Where reading stops, in seconds of the file's clock; None: at the end of the file."""
        return None if self.options.end is None else self.options.end + self.first_pts * self.time_base

    def _first_frame(self, decoded: Iterator[Any]) -> Any:
        try:
            return next(decoded)
        except StopIteration:
            if self.options.start:
                raise UsageError(f"--start {float(self.options.start):g}: {self.name} ends before that time") from None
            raise SourceError(f"{self.name}: no frame could be decoded ({self.stream.codec_context.name})") from None

    def _describe(self, frame: Any) -> StreamInfo:
        colour = colours.of_frame(frame)
        hdr = colours.hdr_of_frame(frame)
        bits = max((component.bits for component in frame.format.components), default=8)
        wanted = self.options.pixel_format or (PixelFormat.YUV420P10 if bits > 8 else PixelFormat.YUV420P)
        self.tone_mapped = tone.is_hdr(colour) and (self.options.tonemap or wanted is PixelFormat.YUV420P)
        self._source_format = PixelFormat.YUV420P10 if self.tone_mapped else wanted
        self._source_colour = colour
        self._hdr = hdr
        if self.tone_mapped:
            wanted, colour, hdr = PixelFormat.YUV420P, Colour(1, 1, 1), None
        self.first_frame = frame  # `prepare` reads its side data
        self._flip, self._turns = sidedata.orientation(frame)
        self._coded, self._resized = (frame.width, frame.height), False
        height, width = frame.height, frame.width
        aspect = Fraction(self.stream.sample_aspect_ratio or 1) or Fraction(1)
        if self._turns % 2:
            height, width, aspect = width, height, 1 / aspect
        if self.options.crop:
            top, bottom, left, right = self.options.crop
            height, width = height - top - bottom, width - left - right
        self._pad = (height % 2, width % 2)
        height, width = height + height % 2, width + width % 2
        if self.options.scale != 1:
            height, width = (max(2, round(side * self.options.scale / 2) * 2) for side in (height, width))
        stated = self.stream.average_rate or self.stream.guessed_rate
        rate = rates.believed(Fraction(stated) if stated else None, self._rate)
        frames = int(self.stream.frames) or None
        duration = Fraction(self.stream.duration) * self.time_base if self.stream.duration else None
        if duration is None and self.container.duration:
            duration = Fraction(self.container.duration, av.time_base)
        if duration is not None and (self.options.start or self.options.end):
            begin = self.options.start or Fraction(0)
            if begin >= duration and not clock.restarts(self.container):
                raise UsageError(
                    f"--start {float(begin):g}: {self.name} ends before that time, at {float(duration):.3f} s"
                )
            duration = max(Fraction(0), min(duration, self.options.end or duration) - begin)
            frames = None
        if self.options.rate:
            rate, frames = self.options.rate, None
        if frames is None and duration is not None and rate:
            frames = max(1, round(duration * Fraction(rate)))
        if not self.options.rate:
            rate = rate and Fraction(rate) * interlace.factor(self.options.deinterlace)
            frames = frames and round(frames * interlace.factor(self.options.deinterlace))
        return StreamInfo(
            width, height, self.time_base / self._fine, Fraction(rate) if rate else None, wanted, colour, hdr,
            self._turns * 90 % 360, aspect, frames, duration,
        )  # fmt: skip

    # -- decoding

    def _start(self, tick: int | None = None) -> Iterator[Any]:
        """Decoded frames from the current position, or from the keyframe before `tick`."""
        self._demuxed = clock.demux(self.container, self.stream)
        if tick is not None:
            self._demuxed = clock.from_keyframe(self._demuxed, self.stream, tick)
        self._promise = promise.Promise(self.container, self.stream)
        self._rate, self._demuxed = rates.measured(self._demuxed, self.stream)
        if not self.options.multiview:
            return self._decode()
        self.stream.codec_context.options = multiview.OPTIONS
        return multiview.paired(self._decode(), self._others, self.name)

    def _next(self) -> Any:
        self._reading = True
        try:
            return next(self._demuxed)
        finally:
            self._reading = False

    def _packets(self) -> Iterator[Any]:
        while True:
            try:
                packet = self._next()
            except StopIteration:
                return
            except av.error.ExitError as error:
                raise SourceError(f"{probe.silent(self.name)}; finished work is kept") from error
            except (av.error.FFmpegError, OSError) as error:  # OSError too: a false size field can exhaust memory
                self.damaged += 1
                log.warning("%s: reading stopped early: %s; the frames read so far are kept", self.name, error)
                with suppress(av.error.FFmpegError):
                    yield from self.stream.codec_context.decode(None)  # flush
                return
            self._promise.seen(packet)
            if packet.stream is self.stream:
                yield packet
            elif packet.dts is not None or packet.pts is not None:
                if self._early is not None:
                    self._early.append(packet)
                for number, queue in enumerate(self._queues):
                    queue.append(copied(packet) if number else packet)

    def _decode(self) -> Iterator[Any]:
        """FFmpeg's frames, deinterlaced where flagged as interlaced; damaged packets are skipped."""
        for packet in self._packets():
            if isinstance(packet, av.VideoFrame):
                yield from self._progressive(packet)
                continue
            try:
                frames = packet.decode()
            except (av.error.InvalidDataError, av.error.FFmpegError) as error:
                self.damaged += 1
                log.debug("%s: a packet can't be decoded: %s", self.name, error)
                continue
            for frame in frames:
                yield from self._progressive(frame)
        if self._graph is not None:
            yield from self._progressive(None)

    def _both(self, frame: Any) -> Array:
        image, other = self._upright(frame), self._others.pop(frame.pts, None)
        planar = self.info.pixel_format.planar
        return image if other is None else multiview.beside(image, self._upright(other), planar=planar)

    def _progressive(self, frame: Any) -> Iterator[Any]:
        shape = None if frame is None else (frame.width, frame.height, frame.format.name)
        if self._graph is not None and shape != self._graph_shape:  # end of stream, or a new frame size
            yield from self._graph(None)
            self._graph = None
        mode = self.options.deinterlace
        if frame is not None and self._graph is None and interlace.wanted(mode, frame):
            self._graph = interlace.Deinterlacer(mode, frame, self.time_base, self._rate)
            self._graph_shape = shape
            log.info("%s: interlaced, deinterlacing", self.name)
        if self._graph is not None:
            yield from self._graph(frame)
        elif frame is not None:
            yield frame

    def _timed(self) -> Iterator[tuple[Any, int]]:
        """Frames from `start` to `end` with strictly rising ticks; missing ticks are guessed from the rate."""
        head, self._head = self._head, None
        fine, base = self._fine, self.info.time_base
        step = timing.nominal_step(self.info.rate, base)
        frames = timing.rising(chain([head], self._decoded), _stamp, base, self.first_pts * fine, step)
        begin = self.start_pts * fine if self.options.start else None
        stop = self.first_pts * fine + self.options.end / base if self.options.end is not None else None
        return timing.between(frames, begin, stop, self.start_pts * fine)

    @property
    def _fine(self) -> int:
        """Ticks of `info.time_base` per tick of the stream."""
        fine = interlace.fineness(self.options.deinterlace)
        return fine if self.options.rate is None else fine * ceil(self.time_base * _RESAMPLED_HZ)

    def __iter__(self) -> Iterator[Frame]:
        self._early = None
        frames = self._timed()
        if self.options.rate is not None:
            frames = timing.resampled(frames, self.options.rate, self.info.time_base, self._end_of)
        last: tuple[Any, int] | None = None
        for frame, pts in frames:
            last = frame, pts
            if self.options.first is None or pts >= self.options.first:
                self.damaged += frame.is_corrupt  # the decoder concealed missing data
                yield Frame(self._both(frame), pts, self.info.pixel_format, self.info.colour)
        for _ in self._packets():  # the remaining sound, after the last picture
            if self.options.end is not None:
                break
        if self.options.end is None:
            self.missing_s = self._promise.missing_s(whole=self._begin_tick is None)
            if self.missing_s:
                log.warning("%s", self._promise.line(self.name, self.missing_s))
        self.shown_until = self._end_of(*last) if last is not None and self.options.rate is None else None

    def _end_of(self, frame: Any, pts: int) -> int:
        """The tick at which a decoded frame at `pts` ends, within the selected part; `pts` where that isn't known."""
        if not frame.duration or not frame.time_base or self._graph is not None:
            return pts
        base, options = self.info.time_base, self.options
        end: int = pts + round(frame.duration * Fraction(frame.time_base) / base)
        if options.end is not None:
            end = min(end, int((options.end - (options.start or 0)) / base))
        if self.info.duration is not None:  # a false duration must not lengthen the film
            end = min(end, round(self.info.duration / base))
        return max(pts, end)

    def _upright(self, frame: Any) -> Array:
        if (frame.width, frame.height) != self._coded:
            if not self._resized:
                self._resized = True
                log.warning("%s: the frame size changes; all frames are scaled to %dx%d", self.name, *self._coded)
            parts = sizes.fitted(frame, *self._coded, self._source_format, self._source_colour)
        else:
            if _DIRECT.get(frame.format.name) is not self._source_format:
                frame = colours.converted(frame, self._source_format, self._source_colour)
            parts = sizes.plane_views(frame, self._source_format)
        if self._flip:
            parts = [part[:, ::-1] for part in parts]
        if self._turns:
            parts = [np.rot90(part, self._turns) for part in parts]
        if self.options.crop:
            top, bottom, left, right = self.options.crop
            parts = [
                part[top // k : part.shape[0] - bottom // k, left // k : part.shape[1] - right // k]
                for part, k in zip(parts, (1, 2, 2), strict=True)
            ]
        if any(self._pad):
            parts[0] = np.pad(parts[0], ((0, self._pad[0]), (0, self._pad[1])), "edge")
        image = self._pool.empty((parts[0].shape[0] * 3 // 2, parts[0].shape[1]), parts[0].dtype)
        for target, part in zip(planes.planes(image), parts, strict=True):
            target[...] = part
        if self.tone_mapped:
            image = colours.tone_map(image, self._source_format, self._source_colour, self._hdr)
        return planes.resize_picture(image, self.info.height, self.info.width, self.info.pixel_format)

    def retarget(
        self, *, pixel_format: PixelFormat | None = None, crop: tuple[int, int, int, int] | None = None
    ) -> None:  # fmt: skip
        """Changes the pixel format or the crop of the frames; call it before reading. Nothing is reopened."""
        self.options = replace(
            self.options,
            pixel_format=pixel_format or self.options.pixel_format,
            crop=crop if crop and any(crop) else self.options.crop,
        )
        self.info = self._describe(self._head)

    def as_still(self) -> ImageSource:
        """The only frame as a still; closes this source. Raises UsageError where there are more frames."""
        if next(self._decoded, None) is not None:
            raise UsageError(f"{self.name} is a film; the output needs a video suffix, such as .mp4")
        image = upright(self._head)
        self.close()
        return ImageSource(self.name, self.options.scale, image)

    def share_packets(self) -> deque[Any]:
        """A queue that receives the packets of the other streams, in file order; call it before reading begins."""
        queue = deque(map(copied, self._early or ()))
        self._queues.append(queue)
        return queue

    def close(self) -> None:
        """Closes the file. May be called twice."""
        if not self._closed:
            self._closed = True
            if not self._reading:  # a thread still waiting for a server uses the container
                self.container.close()
            if self.spool is not None:
                self.spool.cleanup()


def _stamp(frame: Any) -> tuple[int | None, Fraction | None]:
    ticks = frame.pts if frame.pts is not None else frame.dts
    return ticks, Fraction(frame.time_base) if frame.time_base else None


def open_source(name: str, options: ReadOptions | None = None) -> VideoSource | ImageSource:
    """The reader for `name`: `ImageSource` for an image suffix, otherwise `VideoSource`."""
    options = options or ReadOptions()
    return ImageSource(name, options.scale) if probe.is_image(name) else VideoSource(name, options)
