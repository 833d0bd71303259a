"""Depth by brightness: what is light is near. It stands where a network of yours would."""

from collections.abc import Iterator

import numpy as np

from stereocast.pictures.planes import rgb_frames
from stereocast.pipeline.stages import DepthClip
from stereocast.settings import EstimatorSettings
from stereocast.types import Clip, DepthMap, StreamInfo


class LumaDepth:
    """Nothing is kept from frame to frame, so nothing is held back and a cut needs no care."""

    held = 0

    def __init__(self, settings: EstimatorSettings, info: StreamInfo) -> None:
        rows = settings.depth_size or 180
        self.shape = rows, max(2, round(rows * info.width / info.height))

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        for clip in clips:
            pictures = rgb_frames(clip, self.shape)  # RGB in 0..1, float32 [T, h, w, 3]
            yield clip, DepthMap(pictures.mean(-1).astype(np.float32))
