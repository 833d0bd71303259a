"""Checks a conversion by diffusion before it starts, and estimates its cost on this GPU."""

from math import ceil
from typing import Any

from stereocast.errors import UsageError
from stereocast.models import budget, choice, loading, weights
from stereocast.pictures import devices
from stereocast.settings import ConvertSettings
from stereocast.types import StreamInfo


def check(settings: ConvertSettings) -> None:
    """Rejects settings that would fail only after minutes. Raises WeightsError, LicenceNotAccepted, UsageError,
    OutOfMemory."""
    if settings.disparity is not None:
        raise UsageError(
            "--disparity works only with --synth warp; for stereocrafter-zero, give depth with --depth PATH"
        )
    if settings.zero_overlap >= settings.zero_window:
        raise UsageError(f"--zero-overlap {settings.zero_overlap}: must be below --zero-window {settings.zero_window}")
    store, name = weights.WeightStore.of(settings, choice.FAMILY), choice.video_model(settings)
    store.require(name)
    given = store.given(name)
    if given is not None:
        loading.find_checkpoint(given, "model")


def estimate(settings: ConvertSettings, info: StreamInfo) -> dict[str, Any]:
    """Models, windows, evaluations, memory and hours, as plain values. Hours are an upper bound, accurate to a factor of
    two: windows that keep the classical fill cost nothing. Raises UsageError, OutOfMemory."""
    from stereocast.diffusion import zero
    from stereocast.models import turns
    from stereocast.models.video import VideoConfig
    from stereocast.stereo.diffuse import zero_config

    device = devices.choose_device(settings.device)
    size = choice.video_size(settings)
    config = zero_config(VideoConfig.published(size), settings, settings.steps)
    views = 2 if settings.synthesised == "both" else 1
    left, each = settings.steps, zero.counts(config, settings.steps)[1]
    branches = 1 if config.guidance == 1.0 else 2
    left = branches * settings.steps if config.cross_view[0] < config.cross_view[1] else 0
    evaluations = left + views * (each - branches * settings.steps)
    new = settings.zero_window - settings.zero_overlap
    rate = float(info.rate or 25)
    windows = None if info.frames is None else max(1, ceil((info.frames - settings.zero_overlap) / new))
    rows, columns = turns.SIZES[size]
    speed = devices.tflops(device.name)
    seconds = budget.seconds_each(rows, columns, settings.zero_window, speed)
    found: dict[str, Any] = {
        "models": [choice.video_model(settings), *(["depthcrafter"] if settings.depth == "depthcrafter" else [])],
        "device": f"{device.name} ({device.reason})",
        "quality": settings.quality if isinstance(settings.quality, str) else "good",
        "windows": windows,
        "evaluations_a_window": evaluations,
        "evaluations_a_film_second": round(evaluations / new * rate),
        "seconds_a_film_second": round(evaluations / new * rate * seconds, 1),
        "hours_at_most": None if windows is None else round(windows * evaluations * seconds / 3600, 2),
    }
    share = turns.share_for(settings, device.name)
    if share is not None:
        found["card_gb"] = {
            "free": round(share.card / budget.GB, 1),
            "video model": round((budget.VIDEO_LARGEST_PART if share.offload else share.video) / budget.GB, 1),
            "its work": round(share.work / budget.GB, 1),
            "left view's features": round(share.features / budget.GB, 1),
            "depth model": round(share.depth / budget.GB, 1),
            "peak": round(share.peak / budget.GB, 1),
        }
        found["card"] = (
            "one network at a time" if share.offload else "models take turns" if share.turns else "all models at once"
        )
    return found


def line(found: dict[str, Any]) -> str:
    """The estimate as a readable line."""
    hours = found["hours_at_most"]
    time = "of unknown length" if hours is None else f"at most {hours:g} h on {found['device']}"
    windows = "" if found["windows"] is None else f"{found['windows']} windows of "
    return (
        f"diffusion, --quality {found['quality']}: {windows}{found['evaluations_a_window']} evaluations, "
        f"{found['seconds_a_film_second']:g} s per second of film, {time}"
    )
