"""A stage doesn't hold a clip that it has done with while it asks for the next: at 4K each is 25 MB or more."""

import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from stereocast.depth.embedded import EmbeddedDepth
from stereocast.jobs.comfort import Meter
from stereocast.pack.packer import FlatPacker
from stereocast.pack.projection import SpherePacker
from stereocast.settings import ConvertSettings, StereoSettings
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.types import (
    Clip,
    DepthMap,
    Disparity,
    Layout,
    PixelFormat,
    Projection,
    StereoClip,
    StereoFormat,
    StreamInfo,
)

ROWS, COLUMNS = 64, 96


def pictures() -> Any:
    return np.random.default_rng(0).integers(16, 235, (2, ROWS * 3 // 2, COLUMNS)).astype(np.uint8)


def clip(frames: Any, number: int) -> Clip:
    ticks = np.arange(2 * number, 2 * number + 2)
    return Clip(frames, ticks, PixelFormat.YUV420P, first=number == 0, last=False)


def with_depth(frames: Any, number: int) -> Any:
    return clip(frames, number), DepthMap(np.zeros((2, 16, 24), np.float32))


def stereo(frames: Any, number: int) -> StereoClip:
    disparity = Disparity(np.zeros((2, 16, 24), np.float32))
    return StereoClip(frames, frames, np.arange(2), PixelFormat.YUV420P, disparity=disparity, first=number == 0)


def embedded() -> Any:
    return EmbeddedDepth(ConvertSettings(motion="off"), StreamInfo(COLUMNS, ROWS, Fraction(1, 25), Fraction(25)))


STAGES: dict[str, tuple[Callable[[], Any], Callable[[Any, int], Any]]] = {
    "depth": (embedded, clip),
    "depth with motion": (
        lambda: EmbeddedDepth(ConvertSettings(), StreamInfo(COLUMNS, ROWS, Fraction(1, 25), Fraction(25))), clip,
    ),
    "synthesis": (lambda: WarpSynthesizer(StereoSettings(), threads=1), with_depth),
    "meter": (lambda: Meter(60.0, Fraction(1, 25)), stereo),
    "packing": (lambda: FlatPacker(StereoFormat(Layout.SBS)), stereo),
    "sphere": (
        lambda: SpherePacker(StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0), 128), stereo,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAGES)
def test_what_was_handed_on_is_let_go(name: str) -> None:
    make, item_of = STAGES[name]
    born: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def source() -> Iterator[Any]:
        for number in range(8):
            alive.append(sum(ref() is not None for ref in born))
            frames = pictures()
            born.append(weakref.ref(frames))
            item = item_of(frames, number)
            del frames
            yield item
            del item

    for made in make()(source()):
        del made
    opening = 3 if name == "depth with motion" else 0  # a shot's first clips wait for eight frames
    assert max(alive) == opening
    assert alive[opening + 1 :] == [0] * (7 - opening)
