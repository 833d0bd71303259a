"""The encoders behind a sink: those of the bundled FFmpeg. Those of a system ffmpeg are in `external`.

Each chunk has a separate encoder. The stream's own context only writes the header and encodes nothing: it lives as long
as the file, so its pictures would stay in memory next to those of later encoders.
"""

import contextlib
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

from stereocast.catalog import EncoderProfile
from stereocast.media import colour as colours
from stereocast.media import priority
from stereocast.media import profile as profiles
from stereocast.types import StreamInfo

FRAGMENT_S = 2  # length of a fragment; each starts with a keyframe


class PyavEncoder:
    """The bundled FFmpeg's encoders."""

    def __init__(
        self, output: Any, info: StreamInfo, profile: EncoderProfile, quality: int | None, *, threads: int, tagged: bool
    ) -> None:
        """`tagged`: whether the container accepts the profile's tag. Raises FFmpeg's errors."""
        extra = profile.private(quality)
        if profile.codec == "libx265":
            own = ":".join(filter(None, (extra.get("x265-params", ""), colours.x265_params(info.hdr, info.colour))))
            extra = {**extra, "x265-params": own}
        elif profile.codec == "libsvtav1":
            own = ":".join(filter(None, (extra.get("svtav1-params", ""), colours.svtav1_params(info.hdr))))
            extra = {**extra, **({"svtav1-params": own} if own else {})}
        elif profile.codec == "libx264":
            own = ":".join(filter(None, (extra.get("x264-params", ""), repeatable(info.width))))
            extra = {**extra, **({"x264-params": own} if own else {})}
        self._info, self._profile, self._settings, self.used = info, profile, extra, False
        self._threads, self._tagged = threads, tagged
        self.stream = output.add_stream(profile.codec, options=extra)
        self._configured(self.stream.codec_context)
        self.stream.time_base = info.time_base
        self._format = profile.pixel_format.value
        self._context = self._fresh()

    def _configured(self, context: Any) -> Any:
        info, profile = self._info, self._profile
        context.width, context.height = info.width, info.height
        context.pix_fmt = profile.pixel_format.value
        context.time_base = info.time_base
        rate = info.rate or Fraction(30)
        context.framerate = rate
        context.gop_size = max(1, round(FRAGMENT_S * rate))
        context.sample_aspect_ratio = info.sample_aspect
        context.thread_count = self._threads
        context.thread_type = profiles.thread_type(info.width, info.height)
        colours.apply(context, info.colour)
        if profile.tag and self._tagged:
            context.codec_tag = profile.tag
        return context

    def encode(self, image: Any, pts: int, duration: int) -> list[Any]:
        frame = _lent(np.ascontiguousarray(image), self._format)
        frame.pts, frame.time_base, frame.duration = pts, self._info.time_base, duration
        colours.apply(frame, self._info.colour)
        if not self.used:
            with priority.kept():
                self._context.open()
        self.used = True
        return self._own(self._context.encode(frame))

    def flush(self) -> list[Any]:
        return self._own(self._context.encode(None))

    def _own(self, packets: list[Any]) -> list[Any]:
        for packet in packets:
            packet.stream = self.stream
        return packets

    def restart(self) -> None:
        """Starts a new encoder of the same kind, after `flush`; the stream's parameter sets don't change."""
        self._context = self._fresh()
        self.used = False

    def _fresh(self) -> Any:
        context = av.CodecContext.create(self._profile.codec, "w")
        context.options = dict(self._settings)
        context.flags |= self.stream.codec_context.flags & av.codec.context.Flags.global_header
        return self._configured(context)

    def close(self) -> None:
        """Does nothing: everything is closed with the container."""


def repeatable(width: int) -> str:
    """x264 parameters that make its output reproducible; '' where it already is.

    x264's AVX-512 code for the macroblock tree processes eight macroblocks at a time. Where a row isn't a multiple of
    eight, it reads past the end of the row, and motion carries those values back into the picture.
    """
    return "asm=avx2,fma3,lzcnt,bmi2" if width % 128 and _has_avx512() else ""


@cache
def _has_avx512() -> bool:
    from llvmlite import binding

    with contextlib.suppress(RuntimeError):  # unknown for some processors
        return bool(binding.get_host_cpu_features().get("avx512f"))
    return False


def _lent(image: Any, pixel_format: str) -> Any:
    """A picture as a frame for the encoder, without a copy where PyAV can share the memory; the encoder keeps a reference."""
    if pixel_format == "yuv420p" and image.shape[0] % 6 == 0:  # PyAV rounds an odd number of chroma rows down
        return av.VideoFrame.from_numpy_buffer(image, format=pixel_format)
    return av.VideoFrame.from_ndarray(image, format=pixel_format)


def opened(
    output: Any, info: StreamInfo, profile: EncoderProfile, quality: int | None, *, threads: int, tagged: bool
) -> Any:
    """The encoder of a profile, with its stream in `output`. Raises OSError and FFmpeg's errors."""
    if profile.via == "ffmpeg":
        from stereocast.media.external import ExternalEncoder

        return ExternalEncoder(output, info, profile, quality)
    return PyavEncoder(output, info, profile, quality, threads=threads, tagged=tagged)
