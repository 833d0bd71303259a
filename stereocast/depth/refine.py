"""Steps applied to the depth of any estimator: dissolving, propagation, a smaller size.

DepthCrafter dissolves its own depth on its latents; depth of other estimators is encoded first.
"""

from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np

from stereocast.depth import choice, embedded
from stereocast.depth.ahead import HELD, Estimate, fused
from stereocast.depth.propagate import REACH, Propagate
from stereocast.depth.steady import HIGH, LOW
from stereocast.pictures import planes
from stereocast.pipeline.stages import Cost, DepthClip, DepthEstimator
from stereocast.settings import EstimatorSettings
from stereocast.types import Array, Clip, DepthMap, StreamInfo

# the embedded estimator fuses on its own maps; DepthCrafter is run as published; what the user brings is taken as it is
_KNOWS_MOTION = ("embedded", "depthcrafter", "file")


def refined(estimator: DepthEstimator, settings: EstimatorSettings, info: StreamInfo, name: str) -> DepthEstimator:
    """`estimator` with what the settings ask for behind it. Raises what `dissolve` raises."""
    stages: list[object] = []
    if settings.motion == "auto" and name not in _KNOWS_MOTION:
        stages.append(MotionCorrection())
    if name != "depthcrafter" and choice.dissolves(settings):
        stages.append(Dissolve(settings, info))
    if settings.propagate:
        stages.append(Propagate())
    if settings.depth_downsample > 1:
        stages.append(Downsample(settings.depth_downsample))
    return _Refined(estimator, stages) if stages else estimator


def cost(settings: EstimatorSettings, name: str) -> Cost:
    """What `refined` adds to the bill of an estimator."""
    frames = REACH if settings.propagate else 0
    if settings.motion == "auto" and name not in _KNOWS_MOTION:
        frames += HELD
    if name != "depthcrafter" and choice.dissolves(settings):
        frames += (settings.depth_window or 110) + 8
    return Cost(frames)


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


class MotionCorrection:
    """Depth from the camera's motion, added to another estimator's maps at their own size (see `motion`)."""

    held = HELD

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[DepthClip]:
        yield from fused(self._estimates(clips))

    @staticmethod
    def _estimates(clips: Iterator[DepthClip]) -> Iterator[Estimate]:
        low, high, part = 0.0, 1.0, (0, 0, 0, 0)
        for clip, depth in clips:
            rows, columns = depth.values.shape[1:]
            if clip.first:
                part = embedded.window(clip)
                if depth.metric:  # the correction is made on 0..1
                    low, high = (float(v) for v in np.percentile(depth.values[0, ::2, ::2], (LOW, HIGH)))
                    high = max(high, low + 1e-6)
                else:
                    low, high = 0.0, 1.0
            top, bottom, left, right = part
            shape = embedded.network_shape(bottom - top, right - left, embedded.MAP_AREA)
            inner = (
                slice(top * rows // clip.height, -(-bottom * rows // clip.height)),
                slice(left * columns // clip.width, -(-right * columns // clip.width)),
            )
            greys = [embedded.small_grey(frame, clip.pixel_format, part, shape) for frame in clip.frames]
            scaled = [_sized((values[inner] - low) / (high - low), shape) for values in depth.values]
            prior = np.clip(np.stack(scaled), 0, 1)
            added = partial(_corrected, depth, prior, inner, high - low)
            yield Estimate(clip, greys, prior, [None] * len(greys), added)


def _corrected(depth: DepthMap, prior: Array, inner: tuple[slice, slice], scale: float, found: Array) -> DepthMap:
    """`depth` with the change from `prior` to `found` [T, h, w], times `scale`, inside the black bars."""
    if np.array_equal(found, prior):
        return depth
    values = depth.values.copy()
    for target, difference in zip(values, (found - prior) * scale, strict=True):
        target[inner] += _sized(difference, target[inner].shape)
    np.maximum(values, 0, out=values)
    return DepthMap(values if depth.metric else np.minimum(values, 1), depth.metric)


def _sized(values: Array, shape: tuple[int, ...]) -> Array:
    shrinks = values.shape[0] > shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values.astype(np.float32), (shape[1], shape[0]), interpolation=how))


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

    def __init__(self, settings: EstimatorSettings, info: StreamInfo) -> None:
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
