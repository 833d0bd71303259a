"""Describes options for the page, from the settings models, and the equivalent command.

A page may choose among names but never give a path, so options that read, write or download something are left out.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_origin

from stereocast import catalog, registry
from stereocast.errors import UnknownName, UnknownValue, UsageError
from stereocast.models import shelf, weights
from stereocast.settings import ConvertSettings, FourDSettings, GenSettings, Settings
from stereocast.settings.explain import flag, members

AnySettings = ConvertSettings | GenSettings | FourDSettings
MODELS: Mapping[str, type[ConvertSettings] | type[GenSettings] | type[FourDSettings]] = {
    "convert": ConvertSettings, "gen": GenSettings, "4d": FourDSettings,
}  # fmt: skip
SHOWN: Mapping[str, tuple[str, ...]] = {
    "convert": ("strength", "convergence", "pop_out", "edge_dilation", "fill", "depth", "format", "preset"),
    "gen": ("prompt", "model", "move", "amount", "seconds", "strength", "format", "preset"),
    "4d": ("model", "seconds", "size", "orbit", "fixed_view", "ipd_mm", "format", "preset"),
}
# paths, addresses, and options that the queue sets
_LEFT_OUT = {
    "depth_out", "disparity", "weights", "accept_licence", "end_image", "overwrite", "resume", "engine", "ray_address",
    "workers", "spool", "sidecars", "ranks",
}  # fmt: skip
# options with free text; any other text could be a path or a program, so only these are offered
_FREE = {"prompt", "device", "audio", "subs", "start", "end", "duration", "warp_at", "repetitions", "cross_view"}
_WATCHED = ("mp4", "mkv")  # containers that can be resumed


def table(kind: str) -> list[dict[str, Any]]:
    """Every option that the page offers: name, flag, help, kind (number, integer, choice, switch, text), range, words,
    default, and whether it is shown initially. Raises UnknownName."""
    schema = _model(kind).model_json_schema()
    shown = SHOWN[kind]
    rules = [rule for rule in schema["properties"].items() if not _left_out(_model(kind), rule[0])]
    rows = [_row(name, rule, schema.get("$defs", {})) for name, rule in rules]
    usual = {"strength": getattr(_model(kind)(), "strength_percent", None)}  # effective values of unset options
    for row in rows:
        row |= {"shown": row["name"] in shown, "usual": usual.get(row["name"])}
        if row["name"] == "format":  # the preset decides if it isn't set
            row |= {"default": None, "optional": True}
    return sorted(rows, key=lambda row: shown.index(row["name"]) if row["shown"] else len(shown))


def _model(kind: str) -> type[ConvertSettings] | type[GenSettings] | type[FourDSettings]:
    if kind not in MODELS:
        raise UnknownName("kind of job", kind, MODELS)
    return MODELS[kind]


def _left_out(model: type[Settings], name: str) -> bool:
    """Whether a page may not set an option."""
    parts = members(model.model_fields[name].annotation)
    free = any(part in (str, Path) or get_origin(part) is tuple for part in parts)
    return name in _LEFT_OUT or (free and name not in _FREE and not _words(name))


def _row(name: str, rule: dict[str, Any], shelf_of_types: dict[str, Any]) -> dict[str, Any]:
    parts = [_resolved(part, shelf_of_types) for part in rule.get("anyOf", [rule])]
    words = [str(word) for part in parts for word in part.get("enum", [part["const"]] if "const" in part else [])]
    number = next((part for part in parts if part.get("type") in ("number", "integer") and "enum" not in part), None)
    row: dict[str, Any] = {
        "name": name, "flag": flag(name), "help": " ".join(rule.get("description", "").split()),
        "default": rule.get("default"), "optional": any(part.get("type") == "null" for part in parts),
    }  # fmt: skip
    own = _words(name)
    if number is not None:
        row |= {"kind": number["type"], "words": words, **_range(number)}
    elif any(part.get("type") == "boolean" for part in parts):
        row |= {"kind": "switch", "words": []}
    elif words or own:
        row |= {
            "kind": "choice",
            "words": [word for word in words if name != "out_format" or word in _WATCHED] or list(own),
        }
        row["about"] = own
    else:
        row |= {"kind": "text", "words": []}
    return row


def _resolved(part: dict[str, Any], shelf_of_types: dict[str, Any]) -> dict[str, Any]:
    return {**shelf_of_types[part["$ref"].rsplit("/", 1)[-1]]} if "$ref" in part else part


def _range(part: dict[str, Any]) -> dict[str, Any]:
    return {
        "low": part.get("minimum", part.get("exclusiveMinimum")), "high": part.get("maximum", part.get("exclusiveMaximum")),
        "step": part.get("multipleOf", 1 if part["type"] == "integer" else None),
    }  # fmt: skip


def _words(name: str) -> dict[str, str]:
    """The names to choose from for options with values on shelves, with a line about each."""
    if name == "preset":
        return {each: catalog.preset(each).title for each in catalog.names("presets")}
    if name == "encoder":
        about = {each: catalog.encoder(each).about for each in catalog.names("encoders")}
        return {"auto": "the first in the preset's list that works on this machine", **about}
    if name == "depth":
        offered = registry.offered(registry.DEPTH, "depth estimator")
        return {"auto": "the best installed estimator", **{k: v.about for k, v in offered.items() if k != "file"}}
    if name == "recipe":
        return dict.fromkeys(catalog.names("presets/recipes"), "")
    if name == "text_model":
        return {name: entry.about for name, entry in shelf.SHELF.items() if entry.family == shelf.TEXT_TO_IMAGE}
    if name == "synth":
        return {k: v.about for k, v in registry.offered(registry.SYNTH, "synthesis").items()}
    return {}


def checked(kind: str, given: Mapping[str, Any]) -> AnySettings:
    """The settings of a job from the values that a page sent. Raises UsageError, UnknownName."""
    model = _model(kind)
    for name, value in given.items():
        if name in model.model_fields and _left_out(model, name):
            raise UsageError(f"{flag(name)} can't be set from the studio; use the command line")
        if not isinstance(value, str | int | float | bool):
            raise UsageError(f"{flag(name)}: {type(value).__name__} isn't a valid type for an option")
        words = _words(name)
        if words and value not in words:
            raise UnknownValue(flag(name), str(value), words)
    settings: AnySettings = catalog.settle(model, given, spelled=flag)
    container = getattr(settings, "out_format", None)
    if container not in (None, *_WATCHED):
        raise UnknownValue("--out-format", str(container), _WATCHED)
    return settings


def check_watchable(settings: ConvertSettings) -> None:
    """Raises UsageError for a format that the player can't show."""
    if settings.format.value in ("pair", "rgbd", "row-interlaced"):
        raise UsageError(f"--format {settings.format.value} can't be shown by the player; use sbs, ou or vr180")


def command(kind: str, source: Path, given: Mapping[str, Any], *, output: Path | None = None) -> str:
    """The equivalent command for a terminal."""
    words = ["stereocast", kind, str(source)]
    for name, value in given.items():
        if isinstance(value, bool):
            words.append(flag(name) if value else f"--no-{flag(name)[2:]}")
        else:
            words += [flag(name), str(value)]
    if output is not None:
        words += ["-o", str(output)]
    return shlex.join(words)


def weights_of(kind: str, given: Mapping[str, Any]) -> list[str]:
    """The names of weights that the chosen back ends need but that aren't on disk."""
    wanted: list[str] = []
    if (depth := str(given.get("depth", "auto"))) in shelf.SHELF:
        wanted.append(depth)
    if given.get("synth") == "stereocrafter-zero":
        wanted.append("dynamicrafter-1024")
    model = str(given.get("model", "auto"))
    if kind == "gen" and model not in ("auto", "camera"):
        wanted.append(f"dynamicrafter-{model}")
    if kind == "4d" and model == "diffusion2":
        wanted += ["svd-unet", "sv3d"]
    entries = {entry.name: entry for name in wanted for entry in shelf.with_needs(name)}
    return [name for name, entry in entries.items() if weights.downloaded(entry) is None]
