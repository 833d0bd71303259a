"""Depth as a video: ffv1 in mkv, gray16le, 65535 = nearest, linear in inverse depth, with the source's timestamps.

Metric depth carries the tag `depth_scale`: the inverse depth in 1/m that 65535 stands for.
"""

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stereocast.errors import SinkError, SourceError
from stereocast.media import owned, probe
from stereocast.types import Array, StreamInfo

log = logging.getLogger(__name__)

METRIC_TOP = 10.0  # 1/m: 10 cm and nearer saturate


class DepthSink:
    """Writes depth maps one by one. Raises SinkError."""

    def __init__(self, path: Path, info: StreamInfo, *, metric: bool = False, overwrite: bool = True) -> None:
        self.path = path
        self._part = path.with_name(f"{path.stem}.part{path.suffix}")
        self._top = METRIC_TOP if metric else 1.0
        self._info = info
        self._stream: Any = None
        self._overwrite = overwrite
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            owned.make_room(self._part)
            self._file = owned.create(self._part)
            self._feed = owned.Feed(self._file)
            self._output = av.open(self._feed, "w", format="matroska")
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"{path} can't be written: {owned.reason(error)}") from error
        if metric:
            self._output.metadata["depth_scale"] = f"{METRIC_TOP:g}"

    def write(self, maps: Array, pts: Array) -> None:
        """Writes float32 maps [T, h, w] with their ticks [T]. Raises SinkError."""
        try:
            for values, tick in zip(maps, pts, strict=True):
                self._write_one(np.asarray(values), int(tick))
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"writing {self.path} failed: {owned.reason(self._feed.error or error)}") from error

    def _write_one(self, values: Array, tick: int) -> None:
        codes = np.rint(np.clip(values / self._top, 0, 1) * 65535).astype(np.uint16)
        if self._stream is None:
            self._stream = self._output.add_stream("ffv1", options={"level": "3", "slices": "4"})
            context = self._stream.codec_context
            context.height, context.width = codes.shape
            context.pix_fmt = "gray16le"
            context.time_base = self._stream.time_base = self._info.time_base
            context.framerate = self._info.rate or Fraction(30)
        frame = av.VideoFrame.from_ndarray(codes, format="gray16le")
        frame.pts, frame.time_base = tick, self._info.time_base
        self._output.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Completes and renames the file. Raises SinkError."""
        try:
            if self._stream is not None:
                self._output.mux(self._stream.encode(None))
            self._output.close()
            self._file.close()
            if self._feed.error is not None:
                raise self._feed.error
            owned.publish(self._part, self.path, overwrite=self._overwrite)
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"writing {self.path} failed: {owned.reason(self._feed.error or error)}") from error

    def close(self) -> None:
        """Closes the file; what was written stays in the part file."""
        try:
            self._output.close()
        except (av.error.FFmpegError, OSError) as error:
            log.debug("while closing %s: %s", self._part, error)
        self._file.close()
        if not self._file.touched:
            owned.discard(self._part)


def depth_maps(name: str) -> tuple[Iterator[Array], bool]:
    """(float32 maps [h, w], whether they are metric) of a depth video: our own, or any grey video where brighter is nearer."""
    container = probe.open_input(name)
    stream = probe.video_stream(container, name)
    scale = container.metadata.get("depth_scale") or container.metadata.get("DEPTH_SCALE")
    stream.thread_type = "AUTO"
    return _read(container, stream, name, float(scale or 1.0)), scale is not None


def _read(container: Any, stream: Any, name: str, top: float) -> Iterator[Array]:
    try:
        for frame in container.decode(stream):
            deep = any(component.bits > 8 for component in frame.format.components)
            grey = frame.to_ndarray(format="gray16le" if deep else "gray")
            yield grey.astype(np.float32) * (top / (65535 if deep else 255))
    except av.error.FFmpegError as error:
        raise SourceError(f"{name}: the depth video is damaged: {error}") from error
    finally:
        container.close()
