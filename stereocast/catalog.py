"""The TOML shelves: `encoders/` (one codec profile per file) and `presets/` (one headset per file).

A name that ends in .toml is a path, anything else a name on the shelf. The shelves lie beside this package in a wheel
and one level up in a checkout.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from stereocast.errors import UnknownName, UsageError
from stereocast.settings import Settings
from stereocast.settings.explain import explained, keyword
from stereocast.types import Layout, PixelFormat

_HERE = Path(__file__).resolve().parent


class EncoderProfile(Settings):
    """One way to encode: an FFmpeg encoder, its options, and what it needs."""

    name: str
    """Shelf name."""
    codec: str
    """FFmpeg's encoder name."""
    family: Literal["h264", "hevc", "av1", "vp9", "ffv1"]
    """What a decoder has to understand."""
    via: Literal["pyav", "ffmpeg"] = "pyav"
    """pyav: the bundled FFmpeg; ffmpeg: a system ffmpeg through ffmpeg-python."""
    pixel_format: PixelFormat = PixelFormat.YUV420P
    """What the encoder is fed with."""
    quality: int | None = None
    """Default constant quality."""
    quality_option: str = "crf"
    """The encoder's option for it."""
    options: dict[str, str] = Field(default_factory=dict)
    """Passed to the encoder as they are."""
    tag: str | None = None
    """Sample entry in mp4, such as hvc1."""
    max_width: int = 16384
    """Widest picture the encoder takes."""
    pictures: int = 12
    """Main memory it takes, in pictures of its format: look-ahead, references and threads, as measured."""
    about: str
    """One line for people."""

    def private(self, quality: int | None = None) -> dict[str, str]:
        """The encoder's private options, with the wanted constant quality (None: the profile's own)."""
        value = self.quality if quality is None else quality
        return {**self.options, **({} if value is None else {self.quality_option: str(value)})}


class DecoderLimit(Settings):
    """What one codec family may ask of the headset."""

    max_width: int
    """Pixels."""
    max_height: int
    """Pixels."""
    max_rate: float
    """Frames per second at that size."""


class Preset(Settings):
    """One headset, screen or site."""

    name: str
    """Shelf name."""
    title: str
    """What people call it."""
    encoders: tuple[str, ...]
    """Profiles in order of preference for ordinary sources (width up to `wide_from`)."""
    encoders_wide: tuple[str, ...] = ()
    """Profiles in order of preference above it (default: the same)."""
    wide_from: int = 1920
    """Source width above which `encoders_wide` holds."""
    encoders_hdr: tuple[str, ...] = ("x265-10bit",)
    """Profiles for 10-bit HDR sources."""
    format: Layout | None = None
    """Default layout."""
    limits: dict[Literal["h264", "hevc", "av1", "vp9", "ffv1"], DecoderLimit]
    """Decoder limits per codec family."""
    screen_fov_deg: float = 60.0
    """Horizontal angle of the virtual screen, for comfort figures."""
    vr180_size: int = 2880
    """Edge of one eye's half sphere in pixels."""
    notes: str = ""
    """What a person should know."""


Entry = TypeVar("Entry", EncoderProfile, Preset)
Model = TypeVar("Model", bound=Settings)


def shelf(kind: str) -> Path:
    """The folder of `kind` ('encoders' or 'presets')."""
    for folder in (_HERE / kind, _HERE.parent / kind):
        if folder.is_dir():
            return folder
    raise UsageError(f"the folder '{kind}' is missing from this installation; reinstall stereocast")


def names(kind: str) -> list[str]:
    """Names on a shelf, sorted."""
    return sorted(path.stem for path in shelf(kind).glob("*.toml"))


def _load(kind: str, what: str, name: str, model: type[Entry]) -> Entry:
    path = Path(name) if name.endswith(".toml") else shelf(kind) / f"{name}.toml"
    if not path.is_file():
        if name.endswith(".toml"):
            raise UsageError(f"no such file: {name}")
        raise UnknownName(what, name, names(kind))
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return model.model_validate({"name": path.stem, **table})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{path}: {explained(error, model)}") from error


def encoder(name: str) -> EncoderProfile:
    """The encoder profile `name`. Raises UnknownName, UsageError."""
    return _load("encoders", "encoder profile", name, EncoderProfile)


def preset(name: str) -> Preset:
    """The preset `name`. Raises UnknownName, UsageError."""
    return _load("presets", "preset", name, Preset)


def settle(
    model: type[Model],
    given: Mapping[str, Any],
    settings: Model | None = None,
    *,
    spelled: Callable[[str], str] = keyword,
) -> Model:
    """The settings of a job: default < preset < `settings` < `given`. Settled settings stay as they are.

    `spelled` says how errors name an option. Raises UsageError, UnknownName.
    """
    before = {} if settings is None else {name: getattr(settings, name) for name in settings.model_fields_set}
    try:
        made = model.model_validate({**before, **given})
    except ValidationError as error:
        raise explained(error, model, spelled) from None
    name = getattr(made, "preset", None)
    if name is None:
        return made
    layout = preset(name).format
    if "format" in model.model_fields and "format" not in made.model_fields_set and layout is not None:
        return made.model_copy(update={"format": layout})
    return made
