"""Motion between two frames is looked for once: the warp takes what the depth estimator has found."""

from typing import Any

import numpy as np
import pytest

from stereocast.depth.embedded import EmbeddedDepth
from stereocast.pictures.motion import Flow
from stereocast.settings import ConvertSettings, StereoSettings
from stereocast.stereo.plates import in_pixels
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.types import Clip, DepthMap, PixelFormat
from tests.contracts.suites import info, with_depth

HEIGHT, WIDTH = 64, 96


def clips(count: int = 12) -> list[Clip]:
    """One shot whose frames are each of one brightness, by which they are known again: 60, 63, 66, ..."""
    frames = np.full((count, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    for t in range(count):
        frames[t, :HEIGHT] = 60 + 3 * t
    return [
        Clip(frames[t : t + 3], np.arange(t, t + 3), PixelFormat.YUV420P, first=t == 0, last=t + 3 == count)
        for t in range(0, count, 3)
    ]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(frame, other frame) of every search."""
    found: list[tuple[int, int]] = []
    original = Flow.__call__

    def counted(self: Flow, here: Any, there: Any) -> Any:
        found.append((round((here.mean() - 60) / 3), round((there.mean() - 60) / 3)))
        return original(self, here, there)

    monkeypatch.setattr(Flow, "__call__", counted)
    return found


def test_no_pair_of_frames_twice(looked: list[tuple[int, int]]) -> None:
    settings = ConvertSettings(fill="best", motion="off")
    depth, warp = EmbeddedDepth(settings, info()), WarpSynthesizer(StereoSettings(fill="best"))
    assert sum(len(made) for made in warp(depth(iter(clips())))) == 12
    back = [pair for pair in looked if pair[1] == pair[0] - 1]
    assert sorted(back) == [(t, t - 1) for t in range(1, 12)]
    assert len(set(looked)) == len(looked)


def test_an_estimator_that_tells_no_motion(looked: list[tuple[int, int]]) -> None:
    warp = WarpSynthesizer(StereoSettings(fill="best"))
    assert sum(len(made) for made in warp(with_depth(clips()))) == 12
    assert sorted(pair for pair in looked if pair[1] == pair[0] - 1) == [(t, t - 1) for t in range(1, 12)]


def test_flow_of_a_map_in_pixels_of_the_picture() -> None:
    flow = np.zeros((10, 20, 2), np.float32)
    flow[..., 0], flow[..., 1] = 1, 2
    made = in_pixels(flow, 30, 100)
    assert made.shape == (2, 10, 20)
    assert (made[0] == 5).all()
    assert (made[1] == 6).all()


def test_one_flow_for_each_map() -> None:
    with pytest.raises(ValueError, match="1 flows for 2 depth maps"):
        DepthMap(np.zeros((2, 4, 4), np.float32), flows=(None,))
