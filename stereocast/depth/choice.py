"""Which estimator `--depth` means, and why. Imports no network: what is installed and on the disk decides."""

from collections.abc import Iterator

from stereocast import registry
from stereocast.models import shelf, weights
from stereocast.pictures import devices
from stereocast.settings import EstimatorSettings

_FREE = ("video-depth-anything-small", "depth-anything-v2-small")
# Better, but slow without a GPU. DepthCrafter is never chosen for anybody: its terms forbid use in production.
_ON_GPU = ("video-depth-anything-large", "video-depth-anything-base")


def _candidates(settings: EstimatorSettings, given: weights.WeightStore) -> Iterator[str]:
    """Names whose weights are there, best first. Whether there is a GPU is asked last: torch takes seconds to say."""
    large = [name for name in _ON_GPU if given.has(name)]
    if large and devices.choose_device(settings.device).on_gpu:
        yield from large
    yield from (name for name in _FREE if given.has(name))


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
        if (settings.dissolve or settings.dissolve_sigma is not None) and name != "depthcrafter":
            registry.find(registry.DEPTH, "depth estimator", "depthcrafter")
            weights.WeightStore.of(settings, name if name in shelf.SHELF else "depthcrafter").require("depthcrafter")
        return name, "asked for"
    return _best(settings)


def _best(settings: EstimatorSettings) -> tuple[str, str]:
    free = f"`stereocast models download {_FREE[0]}` for better depth"
    if _FREE[0] not in registry.DEPTH or not registry.DEPTH[_FREE[0]].installed:
        return "embedded", "the packages of the extra 'depth' aren't installed"
    if settings.device != "auto":
        devices.choose_device(settings.device)  # one that isn't there is refused, whatever estimates depth
    for name in _candidates(settings, weights.WeightStore.of(settings, None)):
        return name, "the best one whose weights are on this disk"
    return "embedded", f"no other weights are on this disk; {free}"
