"""Shared code of estimators with temporal windows: frames in, depth out later, clips returned whole and in order.

It knows no network. A `ShotDepth` is the state of one shot; a new one starts at each cut.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from stereocast.depth import steady
from stereocast.pictures import planes
from stereocast.pipeline.stages import DepthClip
from stereocast.types import Array, Clip, DepthMap


class ShotDepth(Protocol):
    """Depth of one shot as it becomes final: pieces of float32 [n, h, w], each frame once and in order."""

    def push(self, frames: Array, /) -> Iterator[Array]: ...  # RGB 0..1, float32 [n, H, W, 3]

    def finish(self) -> Iterator[Array]: ...


def without_overlap(clip: Clip) -> Clip:
    """The clip without the frames that were seen before."""
    if not clip.overlap:
        return clip
    kept = slice(clip.overlap, None)
    return replace(clip, frames=clip.frames[kept], pts=clip.pts[kept], overlap=0)


class _Pairing:
    """Clips that wait for their depth."""

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
    """Clips to clips with depth. `begin` makes the state of a shot from its number; `shape` is what networks see.

    Relative depth gets one scale per shot (robust percentiles of what is final at a time, see `steady`).
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
            if shot is not None:  # the shot before ended without saying so
                take(shot.finish())
                yield from pairing.complete()
            scale.reset()
            shot = begin(clip.shot.number)
        clip = without_overlap(clip)
        if len(clip):
            pairing.wait(clip)
            take(shot.push(planes.rgb_frames(clip, shape)))
            yield from pairing.complete()
        if clip.last:
            take(shot.finish())
            shot = None
            yield from pairing.complete()
    if shot is not None:
        take(shot.finish())
        yield from pairing.complete()
