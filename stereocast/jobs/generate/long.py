"""A clip by a generative model, of one or more windows: each continues from the last frames of the one before.

The frames that two windows share are held at their known latents at every noise level, in both views, so a window begins
with what the one before ended with.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from stereocast import registry
from stereocast.errors import UsageError
from stereocast.jobs.generate.film import MODEL_RATE, Film
from stereocast.media import reader
from stereocast.pictures import planes
from stereocast.pictures.devices import choose_device
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.settings import GenSettings
from stereocast.types import Array, Layout

DepthOf = Callable[[Array], Array]


def film(picture: Array, settings: GenSettings, path: Path, depth_of: DepthOf, progress: OnProgress) -> Film:
    """The clip that the model of `path` makes of a picture, RGB in 0..1. Raises UsageError, WeightsError, OutOfMemory."""
    rate = Fraction(settings.fps or MODEL_RATE).limit_denominator(1001)
    wanted = settings.frames if settings.seconds is None else max(2, round(settings.seconds * rate))
    fixed = settings.loop or settings.end_image is not None
    if fixed and wanted > settings.frames:
        raise UsageError(
            f"--seconds {settings.seconds:g}: a loop or a film between two pictures is one window of {settings.frames} frames; "
            f"omit --seconds, or raise --frames"
        )
    if wanted > settings.frames and settings.gen_overlap >= settings.frames:
        raise UsageError(f"--gen-overlap {settings.gen_overlap}: must be below --frames {settings.frames}")
    source = registry.load(registry.GENERATORS, "generator", "dynamicrafter")(
        path, settings, choose_device(settings.device).name
    )
    source.fit(*picture.shape[:2])
    end = _picture(settings.end_image) if settings.end_image else None
    views = _Windows(source, settings, depth_of, progress).run(picture, end, wanted)
    stereo = settings.format is not Layout.MONO
    left, right = (source.trimmed(view, stereo=stereo)[: None if fixed else wanted] for view in views)
    height, width = (max(2, round(side * settings.scale / 2) * 2) for side in left.shape[1:3])
    if (height, width) != left.shape[1:3]:
        left, right = (np.stack([planes.resize(one, height, width) for one in view]) for view in (left, right))
    pairs = iter(zip(np.clip(left, 0, 1), np.clip(right, 0, 1), strict=True))
    return Film(f"DynamiCrafter {source.config.name}", height, width, len(left), rate, pairs)


def _picture(path: Path) -> Array:
    image = reader.read_image(str(path))
    return image.astype(np.float32) / (255 if image.dtype == np.uint8 else 65535)


class _Windows:
    """Window after window of both views."""

    def __init__(self, source: Any, settings: GenSettings, depth_of: DepthOf, progress: OnProgress) -> None:
        self.source, self.settings = source, settings
        self._depth_of, self._progress = depth_of, progress
        self._stereo = settings.format is not Layout.MONO
        self._depth: Array | None = None  # of the frames that the next window shares
        self._screen = 0.0

    def run(self, picture: Array, end: Array | None, wanted: int) -> tuple[Array, Array]:
        """Both views, RGB in 0..1 [T, H, W, 3], of at least `wanted` frames."""
        shared = self.settings.gen_overlap
        lefts: list[Array] = []
        rights: list[Array] = []
        known: Any = None
        before: Any = None
        start, count = picture, 0
        while count < wanted or not lefts:
            number = self.source.window = len(lefts)
            left, right, known, before, first = self._one(start, end, known, before, number, self._of(count, wanted))
            start = first[-shared]
            skip = shared if lefts else 0
            lefts.append(left[skip:])
            rights.append(right[skip:])
            count += len(lefts[-1])
        return np.concatenate(lefts), np.concatenate(rights)

    def _of(self, count: int, wanted: int) -> str:
        """Which part of the film is made, for people; empty where it is all of it."""
        return "" if wanted <= self.settings.frames else f", frames from {count}"

    def _one(
        self, picture: Array, end: Array | None, known: Any, before: Any, number: int, place: str
    ) -> tuple[Array, Array, Any, Any, Array]:
        """One window: both views, the latents of the frames that the next one shares, what its second view needs, and the
        first view before it was moved."""
        source, settings = self.source, self.settings
        conditions = source.conditions(picture, end)
        told = _renamed(self._progress, place)
        kept = settings.gen_overlap
        if not self._stereo:
            made = source.trajectory(conditions, told, known=known)
            view = source.decoded(made.levels[-1])
            return view, view, made.levels[-1][:, :, -kept:].clone(), None, view
        second = registry.load(registry.GENERATORS, "generator", "stereo")(
            source.model, conditions, source.steps, settings
        )
        made = source.trajectory(conditions, told, second.left, "first view", known)
        first = source.decoded(made.levels[-1])
        depth = self._continued(self._depth_of(first))
        latents = second.views(made.levels, made.noise, first, depth, told, before)
        if number == 0:
            self._screen = second.screen(depth)
        views = second.converged(*(first if one is None else source.decoded(one) for one in latents), self._screen)
        following = second.leaves(number + 1, latents, kept)
        return views[0], views[1], made.levels[-1][:, :, -kept:].clone(), following, first

    def _continued(self, depth: Array) -> Array:
        """Depth on the scale of the window before: what both have decides (least squares)."""
        kept = self.settings.gen_overlap
        if self._depth is not None:
            here, there = (part.reshape(-1).astype(np.float64) for part in (depth[: len(self._depth)], self._depth))
            spread = float(here.var())
            slope = float(((here - here.mean()) * (there - there.mean())).mean() / spread) if spread > 1e-8 else 1.0
            slope = float(np.clip(slope, 0.5, 2.0))
            depth = np.clip(slope * (depth - here.mean()) + there.mean(), 0, 1).astype(np.float32)
        self._depth = depth[-kept:]
        return depth


def _renamed(progress: OnProgress, place: str) -> OnProgress:
    """Phases, named with their part of the film."""
    if not place:
        return progress

    def told(at: Progress) -> None:
        progress(Progress(at.phase + place, at.done, at.total, at.seconds, at.frames))

    return told
