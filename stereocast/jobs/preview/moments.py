"""One moment of a film: its pictures, their depth and both views, cached so that a changed option repeats only the steps
that it affects.

`Warm` serves pages with sliders; the sheet of `preview` takes the same steps once.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from typing import Any

from stereocast.errors import SourceError
from stereocast.jobs import assembly, comfort
from stereocast.media import reader
from stereocast.pipeline.stages import DepthEstimator
from stereocast.settings import EstimatorSettings, ViewSettings
from stereocast.shots import clips
from stereocast.types import Clip, DepthMap, StereoClip, StreamInfo

FRAMES = 3  # decoded per moment: depth and the finer fill use neighbours
_ROOM = 256 << 20  # bytes of cached pictures


@dataclass(frozen=True, slots=True)
class Decoded:
    """The source's pictures at a moment."""

    clip: Clip
    info: StreamInfo


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment with its views. `seconds`: duration of each step just taken; cached steps are absent."""

    clip: Clip
    stereo: StereoClip
    info: StreamInfo
    fov_deg: float
    seconds: dict[str, float] = field(default_factory=dict)


def decode(name: str, start: Fraction) -> Decoded | None:
    """The pictures at `start` seconds; None where the film has none there. Raises SourceError."""
    source = reader.open_source(name, reader.ReadOptions(start=start, tonemap=True))  # for a JPEG or PNG
    try:
        frames = list(islice(source, FRAMES))
    finally:
        source.close()
    return Decoded(clips.concatenate(frames), source.info) if frames else None


def depth_of(clip: Clip, estimator: DepthEstimator) -> tuple[Clip, DepthMap]:
    """The clip with its depth."""
    return next(iter(estimator(iter([clip]))))


def views_of(
    clip: Clip, depth: DepthMap, settings: ViewSettings, info: StreamInfo, fov_deg: float
) -> StereoClip:  # fmt: skip
    """Both views of a clip, for a screen `fov_deg` wide."""
    return next(iter(assembly.synthesizer(settings, info, fov_deg)(iter([(clip, depth)]))))


def figures(stereo: StereoClip, fov_deg: float) -> comfort.Comfort | None:
    """The comfort figures of a moment; None where nothing can be measured."""
    meter = comfort.Meter(fov_deg, Fraction(1))
    list(meter(iter([stereo])))
    return meter.result()


class _Kept:
    """A cache of values by key that drops the least recently used ones above `room` bytes."""

    def __init__(self, room: int = _ROOM) -> None:
        self._room = room
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        if key in self._items:
            self._items.move_to_end(key)
            return self._items[key][0]
        made = make()
        self._items[key] = made, size(made)
        while len(self._items) > 1 and sum(count for _, count in self._items.values()) > self._room:
            self._items.popitem(last=False)
        return made


class Warm:
    """Moments cached with their depth and views. Thread-safe; one thread works at a time.

    Where no step needs neighbours, only the last of the three pictures is drawn: the one that a sheet shows.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decoded, self._depths, self._views = _Kept(), _Kept(), _Kept(_ROOM // 2)
        self._estimators: OrderedDict[Hashable, DepthEstimator] = OrderedDict()
        self.used = 0.0  # time of the last request (`time.monotonic`)

    def picture(self, name: str, start: Fraction) -> Decoded:
        """Only the pictures at `start` seconds. Raises SourceError."""
        with self._lock:
            return self._pictures(name, start, {})

    def moment(self, name: str, start: Fraction, settings: ViewSettings, fov_deg: float) -> Moment:
        """The views at `start` seconds. Raises StereocastError."""
        self.used = time.monotonic()
        with self._lock:
            seconds: dict[str, float] = {}
            decoded = self._pictures(name, start, seconds)
            clip, depth = self._depth(name, start, decoded, settings, seconds)
            if settings.fill == "fast" and settings.disparity is None:
                clip, depth = _last(clip, depth)
            key = (*_place(name, start), _values(settings, ViewSettings), fov_deg)
            stereo = self._views.get(
                key,
                _timed("views", seconds, lambda: views_of(clip, depth, settings, decoded.info, fov_deg)),
                lambda made: int(made.left.nbytes + made.right.nbytes),
            )
            self.used = time.monotonic()
            return Moment(clip, stereo, decoded.info, fov_deg, seconds)

    def _pictures(self, name: str, start: Fraction, seconds: dict[str, float]) -> Decoded:
        def make() -> Decoded:
            made = decode(name, start)
            if made is None:
                raise SourceError(f"{name}: no frame could be decoded at {float(start):.1f} s")
            return made

        found: Decoded = self._decoded.get(
            _place(name, start), _timed("decoding", seconds, make), lambda made: int(made.clip.frames.nbytes)
        )
        return found

    def _depth(
        self, name: str, start: Fraction, decoded: Decoded, settings: ViewSettings, seconds: dict[str, float]
    ) -> tuple[Clip, DepthMap]:
        wanted = _values(settings, EstimatorSettings)

        def make() -> tuple[Clip, DepthMap]:
            return depth_of(decoded.clip, self._estimator(wanted, settings, decoded.info))

        found: tuple[Clip, DepthMap] = self._depths.get(
            (*_place(name, start), wanted), _timed("depth", seconds, make), lambda made: int(made[1].values.nbytes)
        )
        return found

    def _estimator(self, wanted: Hashable, settings: ViewSettings, info: StreamInfo) -> DepthEstimator:
        key = wanted, info.width, info.height, info.sample_aspect, info.pixel_format
        if key not in self._estimators:
            while len(self._estimators) >= 2:  # a network may be large
                self._estimators.popitem(last=False)
            self._estimators[key] = assembly.estimator(settings, info)
        self._estimators.move_to_end(key)
        return self._estimators[key]


def _place(name: str, start: Fraction) -> tuple[str, int, Fraction]:
    changed = 0
    with suppress(OSError):
        changed = os.stat(name).st_mtime_ns
    return name, changed, start


def _values(settings: ViewSettings, group: type[EstimatorSettings] | type[ViewSettings]) -> Hashable:
    return tuple(repr(getattr(settings, name)) for name in group.model_fields)


def _last(clip: Clip, depth: DepthMap) -> tuple[Clip, DepthMap]:
    """Only the last picture, as a separate shot."""
    alone = replace(clip, frames=clip.frames[-1:], pts=clip.pts[-1:], overlap=0, first=True, last=True)
    return alone, DepthMap(depth.values[-1:], depth.metric)


def _timed(step: str, seconds: dict[str, float], make: Callable[[], Any]) -> Callable[[], Any]:
    def timed() -> Any:
        begun = time.perf_counter()
        made = make()
        seconds[step] = time.perf_counter() - begun
        return made

    return timed
