"""Small stand-ins, so that the real pipeline runs in seconds: depth is a ramp, the second view is a shifted copy."""

from collections.abc import Iterator

import numpy as np
import pytest

from stereocast import registry
from stereocast.pictures import planes
from stereocast.pipeline.stages import DepthClip
from stereocast.types import Clip, DepthMap, StereoClip


class RampDepth:
    """Depth that grows from top to bottom."""

    held = 0

    def __init__(self, *_: object) -> None: ...

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        for clip in clips:
            ramp = np.linspace(0, 1, 36, dtype=np.float32)[:, None].repeat(64, 1)
            yield clip, DepthMap(np.repeat(ramp[None], len(clip), 0))


class ShiftSynthesizer:
    """The right view is the left one moved by two pixels."""

    held = 0

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[StereoClip]:
        for clip, depth in clips:
            right = clip.frames.copy()
            parts = planes.planes(right) if clip.pixel_format.planar else (right,)
            for number, part in enumerate(parts):
                part[...] = np.roll(part, -2 if number == 0 else -1, axis=2)
            yield StereoClip(
                clip.frames,
                right,
                clip.pts,
                clip.pixel_format,
                clip.colour,
                depth=depth,
                shot=clip.shot,
                first=clip.first,
                last=clip.last,
            )


def cheap(patch: pytest.MonkeyPatch) -> None:
    """Lets conversions use stages that cost nothing."""
    patch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")})
    patch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
