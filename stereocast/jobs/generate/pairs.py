"""Makes pairs of pictures from one picture, which replace reading, depth and synthesis in `stereocast gen`.

Without weights of a generative model, the clip is a camera move through the picture, and a note says so.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stereocast import catalog, registry
from stereocast.errors import UsageError, how_to_install
from stereocast.jobs import assembly, plan, written
from stereocast.jobs.generate import hooks, long
from stereocast.jobs.generate.film import MODEL_RATE, Film
from stereocast.jobs.plan import Plan
from stereocast.media import reader
from stereocast.pictures import planes
from stereocast.pipeline.progress import OnProgress
from stereocast.pipeline.stages import DepthEstimator
from stereocast.settings import GenSettings
from stereocast.stereo import edges
from stereocast.types import Array, Clip, Colour, PixelFormat, StereoClip, StreamInfo

log = logging.getLogger(__name__)

CAMERA_RATE = 30  # frames a second
CLIP_FRAMES, CAMERA_SECONDS = 4, 4.0
BT709 = Colour(1, 1, 1, False)


def _how_to() -> str:
    return f"for generated motion: {how_to_install('diffusion')} and stereocast models download dynamicrafter-1024"


@dataclass(frozen=True, slots=True)
class Generated:
    """The result of `gen`."""

    plan: Plan
    frames: int
    model: str  # "camera move", or the generative model's name
    notes: tuple[str, ...] = ()


def weights_for(settings: GenSettings) -> tuple[str, Path] | None:
    """The generative model to use and where its weights are; None for the camera move.

    Raises UsageError, WeightsError, LicenceNotAccepted.
    """
    if settings.model == "camera":
        return None
    from stereocast.models import weights

    store = weights.WeightStore.of(settings, "dynamicrafter")
    if settings.model != "auto":
        name = f"dynamicrafter-{settings.model}"
        registry.find(registry.GENERATORS, "generator", "dynamicrafter")
        return name, store.path(name)
    wanted = (
        ["dynamicrafter-512-interp"]
        if settings.loop or settings.end_image
        else ["dynamicrafter-1024", "dynamicrafter-512", "dynamicrafter-256"]
    )
    here = next((name for name in wanted if store.has(name)), None)
    if here is None:
        return None
    registry.find(registry.GENERATORS, "generator", "dynamicrafter")
    return here, store.path(here)


def prepare(name: str, output: Path | str | None, settings: GenSettings, progress: OnProgress) -> tuple[Plan, Film]:
    """The plan and the film. A generative model runs here; a camera move is drawn later, as the film is read. Raises
    UsageError, SourceError, SinkError, WeightsError, OutOfMemory, ExtraMissing."""
    form, preset = plan.stereo_format(settings), catalog.preset(settings.preset)
    container = plan.container_of(settings, output)
    plan.check_streamed(output or "", container, form)
    suffix = plan.default_suffix(container, name, still=False)
    target: Path | str = (
        "-" if output == "-" else plan.output_path(name, None if output is None else Path(output), form, suffix)
    )
    picture = picture_of(name)
    if not isinstance(target, str):
        writes = written.of_hls(target) if container == "hls" else written.of_film(target)
        written.check(writes, written.inputs([name], settings), overwrite=settings.overwrite)
    hooks.check(settings)
    film = hooks.applied(_film(picture, settings, progress), settings, progress)
    rate, duration = film.rate, film.frames / film.rate
    info = StreamInfo(film.width, film.height, 1 / rate, rate, colour=BT709, frames=film.frames, duration=duration)
    profile = plan.choose_encoder(settings, preset, info)
    info = replace(info, pixel_format=profile.pixel_format)
    shape = assembly.packer(settings, info).shape(info.height, info.width)
    packed = plan.packed_info(info, form, shape, profile.pixel_format)
    made = Plan(name, target, settings, preset, form, info, packed, container, profile, film.notes)
    plan.check_limits(made)
    return made, film


def picture_of(name: str) -> Array:
    """A picture file as RGB in 0..1, float32 [H, W, 3]. Raises SourceError."""
    image = reader.read_image(name)
    return image.astype(np.float32) / (255 if image.dtype == np.uint8 else 65535)


def _film(picture: Array, settings: GenSettings, progress: OnProgress) -> Film:
    chosen = weights_for(settings)
    if chosen is None:
        if settings.end_image is not None:
            raise UsageError(f"--end-image needs a generative model; {_how_to()}-interp")
        return _camera(picture, settings)
    return long.film(picture, settings, chosen[1], _Depths(settings), progress)


def _camera(picture: Array, settings: GenSettings) -> Film:
    height, width = (max(2, round(side * settings.scale / 2) * 2) for side in picture.shape[:2])
    picture = planes.resize(picture, height, width)
    depth = _sharp(_Depths(settings)(picture[None])[0], height, width)
    move = registry.load(registry.GENERATORS, "generator", "camera")(picture, depth, settings)
    rate = Fraction(settings.fps or CAMERA_RATE).limit_denominator(1001)
    count = max(2, round((settings.seconds or CAMERA_SECONDS) * rate))
    note = f"a camera move ({move.name}) through the picture, in which nothing moves by itself; {_how_to()}"
    return Film("camera move", height, width, count, rate, move.pairs(count), (note,))


class _Depths:
    """Depth of pictures by the chosen estimator, which is loaded once."""

    def __init__(self, settings: GenSettings) -> None:
        named = tuple(text for text in settings.weights if "=" in text)  # a bare path belongs to the generative model
        self._settings = settings.model_copy(update={"weights": named})
        self._estimate: DepthEstimator | None = None

    def __call__(self, pictures: Array) -> Array:
        """Depth float32 [T, h, w], 1 = near, from RGB in 0..1 [T, H, W, 3]; every call must have the same size."""
        frames = np.rint(pictures * 255).astype(np.uint8)
        clip = Clip(frames, np.arange(len(frames), dtype=np.int64), PixelFormat.RGB24)
        if self._estimate is None:
            info = StreamInfo(clip.width, clip.height, Fraction(1, MODEL_RATE), Fraction(MODEL_RATE), PixelFormat.RGB24)
            self._estimate = assembly.estimator(self._settings, info)
        found = [np.asarray(depth.values) for _, depth in self._estimate(iter([clip]))]
        return np.concatenate(found).astype(np.float32)


def _sharp(depth: Array, height: int, width: int) -> Array:
    """Depth at the picture's size, with soft steps snapped to edges. Only steps of at least a tenth of the depth range
    count, so that slopes stay smooth."""
    gain = edges.STEP / 0.1
    return edges.enlarge(depth * np.float32(gain), height, width) / np.float32(gain)


def clips(film: Film, pixel_format: PixelFormat) -> Iterator[StereoClip]:
    """The film as stereo clips for the packer."""
    views: list[tuple[Array, Array]] = []
    start = 0
    for pair in film.pairs:
        views.append((planes.from_rgb(pair[0], pixel_format, BT709), planes.from_rgb(pair[1], pixel_format, BT709)))
        if len(views) == CLIP_FRAMES:
            yield _clip(views, start, pixel_format, last=start + len(views) == film.frames)
            start, views = start + len(views), []
    if views:
        yield _clip(views, start, pixel_format, last=True)


def _clip(views: list[tuple[Array, Array]], start: int, pixel_format: PixelFormat, *, last: bool) -> StereoClip:
    left, right = (np.stack(eye) for eye in zip(*views, strict=True))
    pts = np.arange(start, start + len(views), dtype=np.int64)
    return StereoClip(left, right, pts, pixel_format, BT709, first=start == 0, last=last)
