"""Writes stereocast/api/keywords.py, the keywords of the jobs' functions, from the settings.

    python docs/make_keywords.py

A test holds that the file says what the settings do.
"""

import inspect
import sys
import types
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stereocast.settings import diffusion, groups, jobs, scene  # noqa: E402
from stereocast.settings.groups import Settings  # noqa: E402

TARGET = ROOT / "stereocast/api/keywords.py"
HEAD = '''"""The options of every job as typed keywords: editors complete them, mypy checks them.

Written by docs/make_keywords.py from `settings`, which says what each means.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

from stereocast.types import Anaglyph, Layout
'''


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_type(part) for part in get_args(annotation)))
    if origin is Literal:
        return f"Literal[{', '.join(_quoted(value) for value in get_args(annotation))}]"
    if origin is tuple:
        return f"Sequence[{_type(get_args(annotation)[0])}]"
    if annotation is Path:
        return "str | PathLike[str]"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return f"{annotation.__name__} | Literal[{', '.join(_quoted(value.value) for value in annotation)}]"
    return "None" if annotation is type(None) else str(annotation.__name__)


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _name(model: type) -> str:
    return model.__name__.removesuffix("Settings").removesuffix("Options") + "Keywords"


def _class(model: type[Settings]) -> str:
    bases = [_name(base) for base in model.__bases__ if base is not Settings] or ["TypedDict"]
    own = inspect.get_annotations(model)
    first = (model.__doc__ or "").split("\n")[0]
    lines = [f"class {_name(model)}({', '.join(bases)}, total=False):", f'    """{first}"""']
    fields = [f"    {name}: {_type(model.model_fields[name].annotation)}" for name in own if name in model.model_fields]
    return "\n".join([*lines, *([""] if fields else []), *fields])


def text() -> str:
    """The module's source."""
    models = [
        value
        for module in (groups, diffusion, scene, jobs)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value is not Settings
    ]
    return HEAD + "".join(f"\n\n{_class(model)}\n" for model in dict.fromkeys(models))


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
