"""What can be done to the depth of any estimator before it is used: dissolving, propagation, a smaller size.

Dissolving depth that DepthCrafter itself made is done inside it, on its latents; anybody else's is encoded first.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from stereocast.depth.propagate import Propagate
from stereocast.pictures import planes
from stereocast.pipeline.stages import DepthClip, DepthEstimator
from stereocast.settings import ConvertSettings
from stereocast.types import Array, Clip, DepthMap, StreamInfo


def refined(estimator: DepthEstimator, settings: ConvertSettings, info: StreamInfo, name: str) -> DepthEstimator:
    """`estimator` with what the settings ask for behind it. Raises what `dissolve` raises."""
    stages: list[object] = []
    if (settings.dissolve or settings.dissolve_sigma is not None) and name != "depthcrafter":
        stages.append(Dissolve(settings, info))
    if settings.propagate:
        stages.append(Propagate())
    if settings.depth_downsample > 1:
        stages.append(Downsample(settings.depth_downsample))
    return _Refined(estimator, stages) if stages else estimator


class _Refined:
    def __init__(self, estimator: DepthEstimator, stages: list[object]) -> None:
        self._parts = [estimator, *stages]
        self.held = sum(part.held for part in self._parts)  # type: ignore[attr-defined]

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        begun: list[Iterator[object]] = []
        items: Iterator[object] = clips
        try:
            for part in self._parts:
                items = part(items)  # type: ignore[operator]
                begun.append(items)
            yield from items  # type: ignore[misc]
        finally:
            for iterator in reversed(begun):
                iterator.close()  # type: ignore[attr-defined]


class Downsample:
    """Depth at 1/2 or 1/4 of its size (StereoCrafter-Zero, D.4); the synthesis brings it back to the picture's."""

    held = 0

    def __init__(self, factor: int) -> None:
        self._factor = factor

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[DepthClip]:
        for clip, depth in clips:
            rows, columns = (max(1, round(size / self._factor)) for size in depth.values.shape[1:])
            small = [cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA) for values in depth.values]
            yield clip, DepthMap(np.stack(small), depth.metric)


class Dissolve:
    """Depth of another estimator, dissolved by DepthCrafter's networks."""

    def __init__(self, settings: ConvertSettings, info: StreamInfo) -> None:
        from stereocast.depth import dissolve

        self._maker = dissolve.ForeignDissolve(settings, info.height, info.width)
        self.held = self._maker.held

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[DepthClip]:
        rows, columns = self._maker.shape
        waiting: list[Clip] = []
        ready: list[Array] = []
        shot = None

        def complete() -> Iterator[DepthClip]:
            while waiting and len(ready) >= len(waiting[0]):
                clip = waiting.pop(0)
                values, ready[: len(clip)] = np.stack(ready[: len(clip)]), []
                yield clip, DepthMap(values)

        for clip, depth in clips:
            if clip.first or shot is None:
                if shot is not None:
                    ready.extend(frame for piece in shot.finish() for frame in piece)
                    yield from complete()
                shot, top = self._maker.begin(clip.shot.number), 0.0
            waiting.append(clip)
            values = depth.values
            if depth.metric:  # to 0..1: the largest inverse depth of the shot so far
                top = max(top, float(values.max()), 1e-6)
                values = values / np.float32(top)
            sized = np.stack([cv2.resize(v, (columns, rows), interpolation=cv2.INTER_LINEAR) for v in values])
            frames = planes.rgb_frames(clip, (rows, columns))
            ready.extend(frame for piece in shot.push(frames, np.clip(sized, 0, 1)) for frame in piece)
            if clip.last:
                ready.extend(frame for piece in shot.finish() for frame in piece)
                shot = None
            yield from complete()
        if shot is not None:
            ready.extend(frame for piece in shot.finish() for frame in piece)
            yield from complete()
