"""Encoders that the bundled FFmpeg lacks (VAAPI, VideoToolbox), through a system ffmpeg and ffmpeg-python.

Raw pictures go in, a NUT stream comes out. Frames are numbered on the way, so that their timestamps can be
restored; B-frames are off, so coding order is display order.
"""

import io
import logging
import subprocess
import threading
from fractions import Fraction
from typing import Any

import av
import ffmpeg
import numpy as np

from stereocast.catalog import EncoderProfile
from stereocast.types import StreamInfo

log = logging.getLogger(__name__)


def _start(profile: EncoderProfile, width: int, height: int, rate: Fraction, quality: int | None) -> Any:
    own = profile.private(quality)
    before = {key.removeprefix("input:"): value for key, value in own.items() if key.startswith("input:")}
    after = {key: value for key, value in own.items() if not key.startswith("input:")}
    source = ffmpeg.input(
        "pipe:", format="rawvideo", pix_fmt=profile.pixel_format.value, s=f"{width}x{height}", r=str(rate), **before
    )
    gop = max(1, round(2 * rate))
    output = ffmpeg.output(source, "pipe:", format="nut", vcodec=profile.codec, g=gop, bf=0, **after)
    return output.global_args("-loglevel", "error", "-nostdin").run_async(
        pipe_stdin=True, pipe_stdout=True, pipe_stderr=True
    )


def _trial(profile: EncoderProfile, width: int, height: int, rate: Fraction, quality: int | None) -> tuple[bytes, str]:
    """A few grey pictures encoded: the NUT stream, and what went wrong ('' if nothing)."""
    process = _start(profile, width, height, rate, quality)
    picture = np.full(width * height * 3 // 2, 128, profile.pixel_format.dtype).tobytes()
    try:
        output, errors = process.communicate(picture * 3, timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return b"", "ffmpeg doesn't answer"
    if process.returncode == 0 and output:
        return output, ""
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return b"", lines[-1] if lines else f"ffmpeg ended with {process.returncode}"


def probe(profile: EncoderProfile) -> str:
    """The reason why the system's ffmpeg can't encode with `profile`, '' if it can."""
    return _trial(profile, 256, 144, Fraction(25), None)[1]


class ExternalEncoder:
    """Encodes through a system ffmpeg into a stream of `output`."""

    def __init__(self, output: Any, info: StreamInfo, profile: EncoderProfile, quality: int | None) -> None:
        rate = info.rate or Fraction(30)
        self.used = False
        # the container wants the codec's header before the first picture: a trial of the same size gives it
        head, reason = _trial(profile, info.width, info.height, rate, quality)
        if reason:
            raise OSError(reason)
        with av.open(io.BytesIO(head), format="nut") as trial:
            self.stream = output.add_stream_from_template(trial.streams.video[0])
        self.stream.time_base = info.time_base
        self._process = _start(profile, info.width, info.height, rate, quality)
        self._times: list[tuple[int, int]] = []
        self._time_base = info.time_base
        self._packets: list[Any] = []
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="external-encoder", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            with av.open(self._process.stdout, format="nut") as container:
                for number, packet in enumerate(p for p in container.demux(video=0) if p.size):
                    with self._lock:
                        self._packets.append((number, packet))
        except (av.error.FFmpegError, OSError) as error:
            self._error = error

    def encode(self, image: Any, pts: int, duration: int) -> list[Any]:
        self.used = True
        self._times.append((pts, duration))
        self._process.stdin.write(np.ascontiguousarray(image).tobytes())
        return self._ready()

    def _ready(self) -> list[Any]:
        with self._lock:
            ready, self._packets = self._packets, []
        made = []
        for number, packet in ready:
            packet.pts, duration = self._times[number]
            packet.dts, packet.duration = packet.pts, duration
            packet.time_base = self._time_base
            packet.stream = self.stream
            made.append(packet)
        return made

    def flush(self) -> list[Any]:
        self._process.stdin.close()
        self._reader.join()
        if self._process.wait() != 0:
            raise OSError(self._process.stderr.read().decode("utf-8", "replace").strip() or "ffmpeg failed")
        return self._ready()

    def close(self) -> None:
        """Ends the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            pipe.close()
