"""Explains bad values in the terms that the user wrote them in: one place for flags, keywords and TOML files."""

import types
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from stereocast.errors import UnknownName, UnknownValue, UsageError
from stereocast.settings.groups import Settings


def keyword(name: str) -> str:
    """An option as Python writes it."""
    return name


def flag(name: str) -> str:
    """An option as the command line writes it."""
    return "--" + name.replace("_", "-")


def members(annotation: Any) -> list[Any]:
    """The alternatives of a union annotation, flattened."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [part for argument in get_args(annotation) for part in members(argument)]
    return [annotation]


def choices(annotation: Any) -> list[str]:
    """The literal values that an annotation allows."""
    found: list[str] = []
    for part in members(annotation):
        if get_origin(part) is Literal:
            found += [str(value) for value in get_args(part)]
        elif isinstance(part, type) and issubclass(part, StrEnum):
            found += [value.value for value in part]
    return found


def explained(error: ValidationError, model: type[Settings], spelled: Callable[[str], str] = keyword) -> UsageError:
    """The error as one line that names the option, the value, and the nearest valid one."""
    first = error.errors()[0]
    name, given = str(first["loc"][0]), first.get("input")
    field = model.model_fields.get(name)
    if field is None:
        return UnknownName("option", spelled(name), [spelled(known) for known in model.model_fields], cutoff=0.75)
    words = choices(field.annotation)
    numbers = any(part in (int, float) for part in members(field.annotation))
    if words and not (numbers and _is_number(given)):
        return UnknownValue(spelled(name), str(given), words)
    return UsageError(f"{spelled(name)} {given}: {first['msg'][0].lower()}{first['msg'][1:]}")


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
