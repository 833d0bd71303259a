"""JSON in requests and answers: what a browser can send and read, and nothing else."""

import json
import math
from typing import Any

from starlette.responses import JSONResponse

_LARGEST = 1 << 63


class Answer(JSONResponse):
    """A JSON answer in ASCII, because file names that aren't valid UTF-8 can't be sent in any other way."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def parsed(data: bytes) -> Any:
    """The value of a JSON text. Raises ValueError for anything that can't be sent back: infinite or huge numbers, half
    characters, and text nested too deeply."""
    try:
        value = json.loads(data, parse_constant=_constant, parse_float=_number, parse_int=_whole)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise ValueError("the text isn't valid Unicode") from error
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} isn't JSON")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) >= _LARGEST:
        raise ValueError("a number is too large")
    return number
