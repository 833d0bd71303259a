"""Video and images to upright, progressive, even-sized frames with exact timestamps.

One demuxer serves everything: packets of the other streams are handed on through `share_packets`, so a pipe or a URL
is read once and sound needs no second open. Damaged packets are skipped and counted; what can be decoded comes out.
"""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from stereocast.errors import SourceError, UsageError
from stereocast.media import colour as colours
from stereocast.media import probe, timing
from stereocast.pictures import planes
from stereocast.types import Array, Clip, Colour, Frame, PixelFormat, StreamInfo

log = logging.getLogger(__name__)

_DIRECT = {"yuv420p": PixelFormat.YUV420P, "yuvj420p": PixelFormat.YUV420P, "yuv420p10le": PixelFormat.YUV420P10}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What of the source is read, and how."""

    pixel_format: PixelFormat | None = None  # None: 10 bit where the source has more than 8
    start: Fraction | None = None  # seconds from the first frame
    end: Fraction | None = None
    scale: float = 1.0
    rate: Fraction | None = None  # resample to a constant rate
    tonemap: bool = False
    crop: tuple[int, int, int, int] | None = None  # top, bottom, left, right in pixels, even
    first: int | None = None  # tick of the first frame to give out; ticks and `info` stay those of the whole
    seek: bool = True  # False: get there by decoding from the start


class VideoSource:
    """Frames of one video stream. `info` is known from the first frame, which is decoded on construction.

    Raises SourceError where the file holds no video that can be decoded.
    """

    def __init__(self, name: str, options: ReadOptions | None = None) -> None:
        self.name = name
        self.options = options or ReadOptions()
        self._queues: list[deque[Any]] = []  # packets of the other streams, in file order
        self._early: list[Any] | None = []  # those that came before anybody asked
        self.damaged = 0
        self.container = probe.open_input(name)
        self._closed = False
        try:
            self.stream = probe.video_stream(self.container, name)
            self.stream.thread_type = "AUTO"
            self.time_base: Fraction = Fraction(self.stream.time_base or Fraction(1, 90000))
            self.first_pts = self._first_pts()
            self._seek()
            self._graph: Any = None
            self._decoded = self._decode()
            self._head = self._first_frame()
            self.info = self._describe(self._head)
        except BaseException:
            self.close()
            raise

    # -- what the stream is

    def _first_pts(self) -> int:
        return int(self.stream.start_time or 0)

    def _seek(self) -> None:
        first = self.options.first if self.options.rate is None else None  # a new rate counts from the first frame
        if self.options.seek and (self.options.start or first):
            ticks = self.first_pts + int((self.options.start or 0) / self.time_base)
            if first is not None:
                ticks = max(ticks, self.start_pts + first)
            try:
                self.container.seek(ticks, stream=self.stream, backward=True)
            except av.error.FFmpegError as error:
                log.debug("%s: can't seek (%s); reading up to the start", self.name, error)

    @property
    def start_pts(self) -> int:
        """The tick that becomes 0 in the output when `start` is given; else 0, so timestamps stay as they are."""
        if not self.options.start:
            return 0
        return self.first_pts + round(self.options.start / self.time_base)

    @property
    def stop_s(self) -> Fraction | None:
        """Where reading ends, in seconds of the file's own clock; None: at its end."""
        return None if self.options.end is None else self.options.end + self.first_pts * self.time_base

    def _first_frame(self) -> Any:
        try:
            return next(self._decoded)
        except StopIteration:
            if self.options.start:
                raise UsageError(f"--start {float(self.options.start):g}: {self.name} ends before that") from None
            raise SourceError(f"{self.name}: no frame could be decoded ({self._codec()})") from None

    def _codec(self) -> str:
        return str(self.stream.codec_context.name)

    def _describe(self, frame: Any) -> StreamInfo:
        colour = colours.of_frame(frame)
        hdr = colours.hdr_of_frame(frame)
        bits = max((component.bits for component in frame.format.components), default=8)
        wanted = self.options.pixel_format or (PixelFormat.YUV420P10 if bits > 8 else PixelFormat.YUV420P)
        self.tone_mapped = colours.is_hdr(colour) and (self.options.tonemap or wanted is PixelFormat.YUV420P)
        self._source_format = PixelFormat.YUV420P10 if self.tone_mapped else wanted
        self._source_colour = colour
        self._hdr = hdr
        if self.tone_mapped:
            wanted, colour, hdr = PixelFormat.YUV420P, Colour(1, 1, 1), None
        self._flip, self._turns = _orientation(frame)
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
        rate = self.stream.average_rate or self.stream.guessed_rate
        frames = int(self.stream.frames) or None
        duration = Fraction(self.stream.duration) * self.time_base if self.stream.duration else None
        if duration is None and self.container.duration:
            duration = Fraction(self.container.duration, av.time_base)
        if duration is not None and (self.options.start or self.options.end):
            begin = self.options.start or Fraction(0)
            if begin >= duration:
                raise UsageError(f"--start {float(begin):g}: {self.name} ends before that, at {float(duration):.3f} s")
            duration = max(Fraction(0), min(duration, self.options.end or duration) - begin)
            frames = None
        if self.options.rate:
            rate, frames = self.options.rate, None
        if frames is None and duration is not None and rate:
            frames = max(1, round(duration * Fraction(rate)))
        return StreamInfo(
            width, height, self.time_base, Fraction(rate) if rate else None, wanted, colour, hdr,
            self._turns * 90 % 360, aspect, frames, duration,
        )  # fmt: skip

    # -- decoding

    def _packets(self) -> Iterator[Any]:
        wanted = [s for s in self.container.streams if s is self.stream or s.type in ("audio", "subtitle")]
        demuxed = self.container.demux(wanted)
        while True:
            try:
                packet = next(demuxed)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:  # a size that is a lie asks for more memory than there is
                self.damaged += 1
                log.warning("%s: reading stopped early: %s; what was read is kept", self.name, error)
                with suppress(av.error.FFmpegError):
                    yield from self.stream.codec_context.decode(None)  # flush
                return
            if packet.stream is self.stream:
                yield packet
            elif packet.dts is not None or packet.pts is not None:
                if self._early is not None:
                    self._early.append(packet)
                for number, queue in enumerate(self._queues):
                    queue.append(copied(packet) if number else packet)

    def _decode(self) -> Iterator[Any]:
        """Frames as FFmpeg gives them, deinterlaced where they are flagged; damaged packets are skipped."""
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

    def _progressive(self, frame: Any) -> Iterator[Any]:
        if frame is not None and self._graph is None and frame.interlaced_frame:
            self._graph = _deinterlacer(frame, self.time_base)
            log.info("%s: interlaced, deinterlacing", self.name)
        if self._graph is None:
            yield frame
            return
        self._graph.push(frame)
        while True:
            try:
                output = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield output

    def _timed(self) -> Iterator[tuple[Any, int]]:
        """Frames with strictly rising ticks from `start` to `end`; missing ticks are guessed from the rate."""
        head, self._head = self._head, None
        step = timing.nominal_step(self.info.rate, self.time_base)
        frames = timing.rising(chain([head], self._decoded), _stamp, self.time_base, self.first_pts, step)
        begin = self.start_pts if self.options.start else None
        stop = self.first_pts + self.options.end / self.time_base if self.options.end is not None else None
        return timing.between(frames, begin, stop, self.start_pts)

    def __iter__(self) -> Iterator[Frame]:
        self._early = None
        frames = self._timed()
        if self.options.rate is not None:
            frames = timing.resampled(frames, self.options.rate, self.time_base)
        for frame, pts in frames:
            if self.options.first is None or pts >= self.options.first:
                yield Frame(self._upright(frame), pts, self.info.pixel_format, self.info.colour)
        for _ in self._packets():  # the rest of the sound, after --end or the last picture
            if self.options.end is not None:
                break

    def _upright(self, frame: Any) -> Array:
        if frame.format.name not in _DIRECT or _DIRECT[frame.format.name] is not self._source_format:
            frame = frame.reformat(format=self._source_format.value)
        parts = list(_plane_views(frame, self._source_format))
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
        image = np.concatenate([part.reshape(-1) for part in parts]).reshape(-1, parts[0].shape[1])
        if self.tone_mapped:
            image = colours.tone_map(image, self._source_format, self._source_colour, self._hdr)
        return planes.resize_picture(image, self.info.height, self.info.width, self.info.pixel_format)

    def retarget(self, pixel_format: PixelFormat) -> None:
        """Gives frames of another format; before the first one is read (a pipe can't be opened twice)."""
        self.options = replace(self.options, pixel_format=pixel_format)
        self.info = self._describe(self._head)

    def share_packets(self) -> deque[Any]:
        """A queue that will hold the packets of the other streams, in file order; ask before reading begins."""
        queue = deque(map(copied, self._early or ()))
        self._queues.append(queue)
        return queue

    def close(self) -> None:
        """Closes the file. May be called twice."""
        if not self._closed:
            self._closed = True
            self.container.close()


def copied(packet: Any) -> Any:
    """A packet of its own for a second output."""
    copy = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    copy.stream, copy.is_keyframe = packet.stream, packet.is_keyframe
    return copy


def _stamp(frame: Any) -> tuple[int | None, Fraction | None]:
    ticks = frame.pts if frame.pts is not None else frame.dts
    return ticks, Fraction(frame.time_base) if frame.time_base else None


def _plane_views(frame: Any, pixel_format: PixelFormat) -> Iterator[Array]:
    for plane in frame.planes:
        width = plane.line_size // np.dtype(pixel_format.dtype).itemsize
        yield np.frombuffer(plane, pixel_format.dtype).reshape(plane.height, width)[:, : plane.width]


def _orientation(frame: Any) -> tuple[bool, int]:
    """(mirrored, quarter turns counterclockwise) that make a frame upright, from its display matrix."""
    for item in frame.side_data:
        if getattr(item.type, "name", "") == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(item), np.int32)[:5]
            mirrored = int(a) * int(d) - int(b) * int(c) < 0
            angle = np.degrees(np.arctan2(-float(b) if mirrored else float(b), -float(a) if mirrored else float(a)))
            return mirrored, round(-angle / 90) % 4
    return False, round(frame.rotation / 90) % 4


def _deinterlacer(frame: Any, time_base: Fraction) -> Any:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=av.VideoFormat(frame.format.name), time_base=time_base
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


class ImageSource:
    """A still as one frame, RGB, 8 or 16 bit; EXIF orientation applied, odd sizes padded."""

    def __init__(self, name: str, scale: float = 1.0) -> None:
        self.name = name
        image = read_image(name)
        padding = (image.shape[0] % 2, image.shape[1] % 2)
        image = np.pad(image, ((0, padding[0]), (0, padding[1]), (0, 0)), "edge")
        if scale != 1:
            padding = (0, 0)
            image = planes.resize(image, *(max(2, round(side * scale / 2) * 2) for side in image.shape[:2]))
        self._image = image
        self.damaged = 0
        self.start_pts = 0
        self.tone_mapped = False
        pixel_format = PixelFormat.RGB24 if image.dtype == np.uint8 else PixelFormat.RGB48
        height, width = image.shape[:2]
        self.info = StreamInfo(width, height, Fraction(1, 25), None, pixel_format, frames=1, padding=padding)

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(self._image, 0, self.info.pixel_format, self.info.colour)

    def close(self) -> None:
        """Nothing is open."""


def read_image(name: str) -> Array:
    """An image as RGB [H, W, 3] uint8 or uint16, upright; transparent parts on black. Raises SourceError."""
    path = Path(name)
    if not path.exists():
        raise SourceError(f"no such file: {name}")
    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    if image is None:
        raise SourceError(f"{name} is not an image that can be read, or it is damaged")
    if image.dtype not in (np.uint8, np.uint16):
        image = np.clip(np.rint(image * 255.0), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(image[..., ::-1])


def write_image(path: Path, image: Array) -> None:
    """Writes RGB [H, W, 3] (or grey [H, W]) by the suffix of `path`. Raises SourceError for an unknown suffix."""
    stored = image[..., ::-1] if image.ndim == 3 else image
    ok, data = cv2.imencode(path.suffix or ".png", np.ascontiguousarray(stored))
    if not ok:
        raise SourceError(f"{path} can't be written as an image")
    path.write_bytes(data.tobytes())


def concatenate(frames: list[Frame], **fields: Any) -> Clip:
    """Frames as one clip."""
    first = frames[0]
    clip = Clip(
        np.stack([frame.image for frame in frames]),
        np.array([frame.pts for frame in frames], np.int64),
        first.pixel_format,
        first.colour,
    )
    return replace(clip, **fields)


def open_source(name: str, options: ReadOptions | None = None) -> VideoSource | ImageSource:
    """The reader for `name`: an image by its suffix, anything else through FFmpeg."""
    options = options or ReadOptions()
    return ImageSource(name, options.scale) if probe.is_image(name) else VideoSource(name, options)
