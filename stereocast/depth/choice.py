"""Which estimator `--depth` means, and why. Imports no network: the choice depends on installed packages and weights."""

from collections.abc import Iterator

from stereocast import registry
from stereocast.models import choice as video
from stereocast.models import shelf, weights
from stereocast.pictures import devices
from stereocast.settings import EstimatorSettings

_FREE = ("video-depth-anything-small", "depth-anything-v2-small")
# Better, but slow without a GPU. DepthCrafter is never chosen automatically: its terms forbid use in production.
_ON_GPU = ("video-depth-anything-large", "video-depth-anything-base")


def _candidates(settings: EstimatorSettings, given: weights.WeightStore) -> Iterator[str]:
    """Names whose weights are there, best first. Whether there is a GPU is asked last: torch takes seconds to say."""
    large = [name for name in _ON_GPU if given.has(name)]
    if large and devices.choose_device(settings.device).on_gpu:
        yield from large
    yield from (name for name in _FREE if given.has(name))


# What the paper dissolves DepthCrafter's maps with, and guides it by, for its second view (StereoCrafter-Zero, C.3).
_DISSOLVE = {"1024": 45, "512": 40, "256": 0}
_GUIDANCE = 1.2


def _papers_way(settings: EstimatorSettings) -> bool:
    """Whether DepthCrafter's maps are for a second view by diffusion."""
    if settings.depth != "depthcrafter" or not hasattr(settings, "zero_preset"):
        return False
    if hasattr(settings, "synth"):
        return bool(settings.synth == "stereocrafter-zero")
    model = getattr(settings, "model", "camera")
    if model != "auto":
        return bool(model != "camera")
    return weights.WeightStore.of(settings, video.FAMILY).has(video.video_model(settings))


def dissolve_of(settings: EstimatorSettings) -> int:
    """The step to dissolve at: as asked, else the paper's for the video model, else 0 (off)."""
    if settings.dissolve is not None:
        return settings.dissolve
    return _DISSOLVE[video.video_size(settings)] if _papers_way(settings) else 0


def guidance_of(settings: EstimatorSettings) -> float:
    """DepthCrafter's guidance: as asked, else the paper's where it applies, else none."""
    if settings.depth_guidance is not None:
        return settings.depth_guidance
    return _GUIDANCE if _papers_way(settings) else 1.0


def dissolves(settings: EstimatorSettings) -> bool:
    """Whether depth is dissolved at all."""
    return settings.dissolve_sigma is not None or bool(dissolve_of(settings))


def resolve(settings: EstimatorSettings) -> tuple[str, str]:
    """The estimator's name and the reason, in a few words.

    A name is taken as it is; `auto` is the best one whose packages and weights are there. Raises UnknownName,
    ExtraMissing, LicenceNotAccepted, WeightsError.
    """
    name = settings.depth
    if name != "auto":
        registry.find(registry.DEPTH, "depth estimator", name)
        if name in shelf.SHELF:
            weights.WeightStore.of(settings, name).require(name)
        if name != "depthcrafter" and dissolves(settings):
            registry.find(registry.DEPTH, "depth estimator", "depthcrafter")
            weights.WeightStore.of(settings, name if name in shelf.SHELF else "depthcrafter").require("depthcrafter")
        return name, "asked for"
    return _best(settings)


def _best(settings: EstimatorSettings) -> tuple[str, str]:
    free = f"`stereocast models download {_FREE[0]}` for better depth"
    if _FREE[0] not in registry.DEPTH or not registry.DEPTH[_FREE[0]].installed:
        return "embedded", "the packages of the extra 'depth' aren't installed"
    if settings.device != "auto":
        devices.choose_device(settings.device)  # a missing one is refused, whichever estimator is used
    for name in _candidates(settings, weights.WeightStore.of(settings, None)):
        return name, "the best one whose weights are on this disk"
    return "embedded", f"no other weights are on this disk; {free}"
