"""Which video model a job takes, from the options and the weights on this disk. Loads nothing."""

import json
from pathlib import Path

from stereocast.models.weights import WeightStore
from stereocast.settings import WeightSettings

FAMILY = "dynamicrafter"
_SIZES = ("1024", "512", "256")


def video_model(settings: WeightSettings, *, interpolates: bool = False) -> str:
    """The shelf's name of the DynamiCrafter that `settings.model` asks for: by name, or the largest that is here; the
    one that `1024` means where none is."""
    asked = str(getattr(settings, "model", "auto"))
    if asked not in ("auto", "camera"):
        return f"{FAMILY}-{asked}"
    store = WeightStore.of(settings, FAMILY)
    names = [f"{FAMILY}-512-interp"] if interpolates else [f"{FAMILY}-{size}" for size in _SIZES]
    return next((name for name in names if store.has(name)), names[0])


def video_size(settings: WeightSettings) -> str:
    """1024, 512 or 256: the size of that model, as far as names and configuration tell."""
    name = video_model(settings)
    own = WeightStore.of(settings, FAMILY).given(name)
    if own is not None and getattr(settings, "model", "auto") in ("auto", "camera"):
        beside = (own if own.is_dir() else own.parent) / "config.json"
        try:
            told = str(json.loads(beside.read_text("utf-8")).get("model", ""))
        except (OSError, ValueError, AttributeError):
            told = ""
        text = told or f"{Path(own).parent.name}/{own.name}"
        return next((size for size in _SIZES if size in text), _SIZES[0])
    return next((size for size in _SIZES if f"-{size}" in name), _SIZES[0])
