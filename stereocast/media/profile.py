"""Encoder profiles: finds out which of them work on this machine.

A compiled-in encoder may lack its hardware, so a profile is probed by encoding two small pictures.
"""

import logging
import os
import shutil
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from typing import Any

import av
import numpy as np

from stereocast import catalog
from stereocast.catalog import EncoderProfile
from stereocast.errors import SinkError, how_to_install
from stereocast.media import priority
from stereocast.pictures import planes
from stereocast.types import Colour

log = logging.getLogger(__name__)


@cache
def why_not(name: str) -> str:
    """Why the profile `name` can't be used on this machine; '' if it can."""
    profile = catalog.encoder(name)
    if profile.via == "ffmpeg":
        if shutil.which("ffmpeg") is None:
            return "no ffmpeg on the PATH"
        if find_spec("ffmpeg") is None:
            return f"needs: {how_to_install('ffmpeg')}"
        from stereocast.media.external import probe

        return probe(profile)
    if profile.codec not in av.codecs_available:
        return "not in this build of FFmpeg"
    return _open(profile)


def _open(profile: EncoderProfile) -> str:
    try:
        context: Any = av.CodecContext.create(profile.codec, "w")
        context.width, context.height = 256, 144
        context.pix_fmt = profile.pixel_format.value
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = profile.private()
        with priority.kept():
            context.open()
        picture = planes.blank(144, 256, profile.pixel_format, Colour())
        for pts in range(2):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=profile.pixel_format.value)
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            context.encode(frame)
        context.encode(None)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error) or type(error).__name__
    return ""


def choose(wanted: str, candidates: Iterable[str]) -> EncoderProfile:
    """The profile `wanted`, or for 'auto' the first of `candidates` that works. Raises SinkError with all reasons."""
    if wanted != "auto":
        profile = catalog.encoder(wanted)
        reason = why_not(wanted)
        if reason:
            raise SinkError(
                f"encoder '{wanted}' doesn't work on this machine ({reason}); use --encoder auto, or see stereocast doctor"
            )
        return profile
    reasons: list[str] = []
    for name in candidates:
        reason = why_not(name)
        if not reason:
            log.info("encoder %s%s", name, f" ({'; '.join(reasons)})" if reasons else "")
            return catalog.encoder(name)
        reasons.append(f"{name}: {reason}")
    raise SinkError(f"none of the preset's encoders works on this machine ({'; '.join(reasons)})")


def reordering(profile: EncoderProfile) -> int:
    """Largest number of pictures that are encoded before one that is shown earlier."""
    if profile.via != "pyav" or profile.family in ("av1", "vp9", "ffv1"):
        return 0  # no B-frames, or the codec hides them
    return 2 if profile.codec in ("libx264", "libx265") else 4  # two levels of B-frames; hardware may use more


_IN_FRAMES = 1280 * 720  # pixels; up to this size x264's threads take one picture each, above it slices of one picture
_PER_THREAD = 8  # pictures kept per thread with frame threading, as measured


def thread_type(width: int, height: int) -> str:
    """How an encoder's threads share the work: slices cost small pictures a few percent of speed, frame threads cost large
    ones memory."""
    return "FRAME" if width * height <= _IN_FRAMES else "SLICE"


def held(profile: EncoderProfile, width: int, height: int) -> int:
    """Number of pictures in the encoder's memory, given this machine's CPU count."""
    if profile.codec != "libx264" or thread_type(width, height) == "SLICE":
        return profile.pictures
    rows = -(-height // 16)
    threads = min((os.cpu_count() or 1) * 3 // 2, (rows + 1) // 2)  # x264's own choice
    return profile.pictures + _PER_THREAD * max(0, threads - 1)
