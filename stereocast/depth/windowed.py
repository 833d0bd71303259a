"""The common part of estimators with temporal windows: depth arrives late, but clips come out whole and in order.

It knows no network. A `ShotDepth` is the state of one shot; each cut starts a new one.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from stereocast.depth import steady
from stereocast.pictures import tone
from stereocast.pipeline.stages import DepthClip
from stereocast.types import Array, Clip, DepthMap


class ShotDepth(Protocol):
    """Depth of one shot as it becomes final: pieces, float32 [n, h, w], with each frame once and in order."""

    def push(self, frames: Array, /) -> Iterator[Array]: ...  # RGB in 0..1, float32 [n, H, W, 3]

    def finish(self) -> Iterator[Array]: ...


def without_overlap(clip: Clip) -> Clip:
    """The clip without its overlap, the frames already seen."""
    if not clip.overlap:
        return clip
    kept = slice(clip.overlap, None)
    return replace(clip, frames=clip.frames[kept], pts=clip.pts[kept], overlap=0)


class _Pairing:
    """Clips waiting for their depth."""

    def __init__(self, metric: bool) -> None:
        self._clips: deque[Clip] = deque()
        self._depth: deque[Array] = deque()
        self._ready = 0
        self._metric = metric

    def wait(self, clip: Clip) -> None:
        self._clips.append(clip)

    def ready(self, depth: Array) -> None:
        self._depth.append(depth)
        self._ready += len(depth)

    def complete(self) -> Iterator[DepthClip]:
        while self._clips and self._ready >= len(self._clips[0]):
            clip, parts, count = self._clips.popleft(), [], 0
            while count < len(clip):
                part = self._depth.popleft()
                taken = part[: len(clip) - count]
                if len(taken) < len(part):
                    self._depth.appendleft(part[len(taken) :])
                parts.append(taken)
                count += len(taken)
            self._ready -= count
            yield clip, DepthMap(np.concatenate(parts).astype(np.float32, copy=False), self._metric)


def run(
    clips: Iterator[Clip],
    begin: Callable[[int], ShotDepth],
    shape: tuple[int, int],
    *,
    metric: bool = False,
) -> Iterator[DepthClip]:
    """Turns clips into clips with depth. `begin` makes a shot's state from its number; `shape` is the network's input size.

    Relative depth gets one scale per shot, from robust percentiles of each piece as it becomes final (see `steady`).
    """
    pairing, scale = _Pairing(metric), steady.Scale()
    shot: ShotDepth | None = None

    def take(pieces: Iterator[Array]) -> None:
        raw = [piece for piece in pieces if len(piece)]
        if raw and not metric:
            scale.look(np.concatenate([piece[:, ::2, ::2] for piece in raw]))
        for piece in raw:
            pairing.ready(piece if metric else scale(piece))

    for clip in clips:
        if clip.first or shot is None:
            if shot is not None:  # the previous shot ended without a `last` clip
                take(shot.finish())
                yield from pairing.complete()
            scale.reset()
            shot = begin(clip.shot.number)
        clip = without_overlap(clip)
        if len(clip):
            pairing.wait(clip)
            take(shot.push(tone.rgb_frames(clip, shape)))
            yield from pairing.complete()
        if clip.last:
            take(shot.finish())
            shot = None
            yield from pairing.complete()
    if shot is not None:
        take(shot.finish())
        yield from pairing.complete()
