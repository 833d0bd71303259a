"""The TOML shelves: `encoders/` (one codec profile per file) and `presets/` (one headset per file), with `presets/recipes`
(options of one experiment per file) and `presets/quality` (options of each --quality).

A name that ends in .toml is a path, anything else a name on the shelf. The shelves are beside this package in a wheel
and one level up in a checkout.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field, ValidationError

from stereocast.errors import UnknownName, UsageError
from stereocast.settings import Settings
from stereocast.settings.explain import explained, keyword
from stereocast.settings.groups import Level
from stereocast.settings.retired import without_retired
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
    """Pixel format of the encoder's input."""
    quality: int | None = None
    """Default constant quality."""
    quality_option: str = "crf"
    """The encoder's option for it."""
    options: dict[str, str] = Field(default_factory=dict)
    """Passed to the encoder unchanged."""
    tag: str | None = None
    """Sample entry in mp4, such as hvc1."""
    max_width: int = 16384
    """Widest picture the encoder takes."""
    pictures: int = 12
    """Main memory it takes, in pictures of its format: look-ahead, references and threads, as measured."""
    about: str
    """One line of description."""

    def private(self, quality: int | None = None) -> dict[str, str]:
        """The encoder's private options, with the wanted constant quality (None: the profile's own)."""
        value = self.quality if quality is None else quality
        return {**self.options, **({} if value is None else {self.quality_option: str(value)})}


class DecoderLimit(Settings):
    """The largest picture of one codec family that the headset decodes."""

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
    """Display name."""
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
    """Notes for the user."""


class Recipe(Settings):
    """Options in a file: an experiment of a paper, or a level of quality."""

    name: str
    """Shelf name."""
    title: str
    """What it is, in a line."""
    paper: str = ""
    """The paper's short name."""
    place: str = ""
    """Table, figure or section of the paper."""
    jobs: tuple[Literal["convert", "gen", "4d", "preview"], ...]
    """The commands that take it."""
    options: dict[str, Any]
    """Options by their names in Python."""


Entry = TypeVar("Entry", EncoderProfile, Preset, Recipe)
Model = TypeVar("Model", bound=Settings)


def shelf(kind: str) -> Path:
    """The folder of `kind` ('encoders', 'presets', or a folder in it)."""
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


def recipe(name: str) -> Recipe:
    """The recipe `name`. Raises UnknownName, UsageError."""
    return _load("presets/recipes", "recipe", name, Recipe)


def level(name: str) -> Recipe:
    """What --quality `name` sets. Raises UnknownName, UsageError."""
    return _load("presets/quality", "quality", name, Recipe)


_DIFFUSION = "stereocrafter-zero"


def _job(model: type[Settings]) -> str:
    """The command whose settings these are."""
    return {"FourDSettings": "4d"}.get(model.__name__, model.__name__.removesuffix("Settings").lower())


def _from_recipe(model: type[Settings], name: str) -> dict[str, Any]:
    """The options of a recipe for a job. Raises UsageError, UnknownName."""
    made, job = recipe(name), _job(model)
    if job not in made.jobs:
        raise UsageError(f"--recipe {name}: for {' and '.join(made.jobs)}, not for {job}")
    return made.options


def _from_level(model: type[Settings], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the requested quality level that the job has. Raises UsageError."""
    wanted = given.get("quality")
    named = isinstance(wanted, str) and not wanted.isdigit()
    samples = "zero_preset" in model.model_fields
    diffuses = samples and ("synth" not in model.model_fields or given.get("synth") == _DIFFUSION)
    if named and wanted in get_args(Level) and not diffuses:
        raise UsageError(
            f"--quality {wanted}: needs --synth {_DIFFUSION}; --crf sets the encoder's quality"
            if samples
            else f"--quality {wanted}: for convert and gen only; --crf sets the encoder's quality"
        )
    if not diffuses or (named and wanted not in get_args(Level)):  # the model reports a wrong word
        return {}
    default = "good" if "synth" in model.model_fields else "paper"
    found = level(str(wanted) if named else default).options
    return {key: value for key, value in found.items() if key in model.model_fields}


def settle(
    model: type[Model],
    given: Mapping[str, Any],
    settings: Model | None = None,
    *,
    spelled: Callable[[str], str] = keyword,
) -> Model:
    """The settings of a job: default < preset < quality < recipe < `settings` < `given`. Settled settings stay as they are.

    `spelled` says how errors name an option. Raises UsageError, UnknownName.
    """
    before = {} if settings is None else {name: getattr(settings, name) for name in settings.model_fields_set}
    wanted = {**before, **without_retired(_job(model), given, spelled)}
    if "recipe" in model.model_fields and wanted.get("recipe"):
        wanted = {**_from_recipe(model, str(wanted["recipe"])), **wanted}
    try:
        made = model.model_validate({**_from_level(model, wanted), **wanted})
    except ValidationError as error:
        raise explained(error, model, spelled) from None
    name = getattr(made, "preset", None)
    if name is None:
        return made
    layout = preset(name).format
    if "format" in model.model_fields and "format" not in made.model_fields_set and layout is not None:
        return made.model_copy(update={"format": layout})
    return made
