"""What requests may contain, and what answers can."""

import json

import pytest

from stereocast.serve.messages import Answer, parsed


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": NaN}',
        b"[Infinity]",
        b"1e400",
        b"9" * 400,
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"[" * 4000,
        b"",
        b"\xff",
        b"{",
    ],
)
def test_what_cannot_be_sent_back_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


def test_ordinary_values_pass() -> None:
    values = {"a": [1, -2.5, True, None, "ä😀"], "b": {"c": 1764440000123}}
    assert parsed(json.dumps(values).encode()) == values
    assert parsed(json.dumps(values, ensure_ascii=False).encode()) == values


def test_names_that_are_not_utf8_are_answered() -> None:
    """Files from old archives have them."""
    name = b"\xe4lter.mp4".decode("utf-8", "surrogateescape")
    assert json.loads(Answer({"name": name}).body) == {"name": name}
