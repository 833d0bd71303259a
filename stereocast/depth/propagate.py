"""Disparity propagation: carries each frame's depth along optical flow to its neighbours and averages what arrives.

StereoCrafter-Zero, appendix D.1. In one step, pixel p of map t moves to round(p + F_t(p)) in map t + 1, or backward by
-F_t; the last in raster order wins, and holes keep the former map's value. The paper averages over all frames of a
window. On a stream, a map travels `reach` frames each way, which is equivalent for windows up to that length. A pixel
whose forward and backward flow disagree by more than a pixel isn't moved.
"""

from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.pictures.motion import Flow, grey
from stereocast.pipeline.stages import DepthClip
from stereocast.types import Array, Clip, DepthMap

REACH = 8
TOLERANCE_PX = 1.0


def moved(depth: Array, flow: Array, hidden: Array | None = None) -> Array:
    """One step: depth [h, w] along flow [h, w, 2] (x, y in pixels); `hidden` pixels (bool [h, w]) stay."""
    rows, columns = depth.shape
    y, x = np.mgrid[0:rows, 0:columns]
    to_x, to_y = x + np.rint(flow[..., 0]).astype(np.int64), y + np.rint(flow[..., 1]).astype(np.int64)
    inside = (to_x >= 0) & (to_x < columns) & (to_y >= 0) & (to_y < rows)
    if hidden is not None:
        inside &= ~hidden
    out = depth.copy()
    out[to_y[inside], to_x[inside]] = depth[inside]
    return out


def occluded(forward: Array, backward: Array, tolerance_px: float = TOLERANCE_PX) -> Array:
    """Where forward and backward flow [h, w, 2] disagree by more than `tolerance_px`, bool [h, w].

    Outside the picture, the backward flow counts as zero: what leaves the picture is hidden."""
    rows, columns = forward.shape[:2]
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    there = cv2.remap(
        backward, x + forward[..., 0], y + forward[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(np.linalg.norm(forward + there, axis=-1) > tolerance_px)


class Propagation:
    """Averages the depth maps of one shot, with a delay of `reach` frames."""

    def __init__(self, reach: int = REACH) -> None:
        self._reach = reach
        self._flow = Flow("fast")
        self._grey: Array | None = None
        self._travelling: deque[Array] = deque(maxlen=reach)  # earlier maps, carried to the newest frame
        self._steps: deque[tuple[Array, Array | None]] = deque(maxlen=reach)  # flows between open frames
        self._sums: deque[Array] = deque()  # of the open frames, oldest first
        self._counts: deque[int] = deque()

    def push(self, grey: Array, depth: Array) -> Iterator[Array]:
        """Takes the next frame, grey uint8 [h, w] and depth float32 [h, w]. Yields finished maps."""
        if self._grey is not None:
            flow = self._flow(self._grey, grey)
            hidden = occluded(flow, self._flow(grey, self._grey))
            self._step(flow, hidden)
        self._grey = grey
        yield from self._take(depth)

    def push_with_flow(self, flow: Array | None, depth: Array) -> Iterator[Array]:
        """As `push`, with the flow from the previous frame (None for the first frame) instead of pictures."""
        if flow is not None:
            self._step(flow, None)
        yield from self._take(depth)

    def _step(self, flow: Array, hidden: Array | None) -> None:
        self._travelling = deque((moved(depth, flow, hidden) for depth in self._travelling), self._reach)
        self._steps.append((flow, hidden))

    def _take(self, depth: Array) -> Iterator[Array]:
        self._sums.append(depth.astype(np.float64) + sum(self._travelling))
        self._counts.append(1 + len(self._travelling))
        back = depth
        for age, (flow, hidden) in enumerate(reversed(self._steps), 1):
            if age >= len(self._sums):
                break
            back = moved(back, -flow, hidden)
            self._sums[-1 - age] += back
            self._counts[-1 - age] += 1
        self._travelling.append(depth)
        while len(self._sums) > self._reach:
            yield self._mean()

    def _mean(self) -> Array:
        return (self._sums.popleft() / self._counts.popleft()).astype(np.float32)

    def finish(self) -> Iterator[Array]:
        """Yields the maps of the frames still open."""
        while self._sums:
            yield self._mean()


class Propagate:
    """Propagation as a stage after an estimator."""

    held = REACH

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[DepthClip]:
        waiting: deque[tuple[Clip, bool]] = deque()
        ready: deque[Array] = deque()
        state = Propagation()

        def complete() -> Iterator[DepthClip]:
            while waiting and len(ready) >= len(waiting[0][0]):
                clip, metric = waiting.popleft()
                yield clip, DepthMap(np.stack([ready.popleft() for _ in range(len(clip))]), metric)

        for clip, depth in clips:
            if clip.first:
                ready.extend(state.finish())
                yield from complete()
                state = Propagation()
            waiting.append((clip, depth.metric))
            pictures = planes.rgb_frames(clip, depth.values.shape[1:])
            for picture, values in zip(pictures, depth.values, strict=True):
                ready.extend(state.push(grey(picture), values))
            if clip.last:
                ready.extend(state.finish())
                state = Propagation()
            yield from complete()
        ready.extend(state.finish())
        yield from complete()
