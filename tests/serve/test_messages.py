"""What requests may contain, and what answers can."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")

from starlette.testclient import TestClient

from stereocast.serve import app
from stereocast.serve.library import Library
from stereocast.serve.messages import Answer, parsed
from stereocast.serve.store import Remembered
from tests.films import make_film


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


def test_one_odd_name_or_value_does_not_break_the_library(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mp4", frames=2)
    try:
        shutil.copy(tmp_path / "a.mp4", os.fsencode(str(tmp_path)) + b"/\xe4lter.mp4")
    except OSError:
        pytest.skip("this file system takes no such name")
    kept = tmp_path / "kept.sqlite"
    shelf = Library(tmp_path, remembered=Remembered(kept))
    with TestClient(app.build(shelf), base_url="http://localhost") as client:
        cards = client.get("/api/library").json()
        assert len(cards) == 2
        for path in ("/api/films", "/deovr", "/heresphere"):
            assert client.get(path).status_code == 200
        for value in (b"NaN", b"1e999", b'"\\ud800"'):
            sent = client.post(f"/api/films/{cards[0]['id']}/memory", content=b'{"settings": {"shift": %s}}' % value)
            assert sent.status_code == 400
            assert "error" in sent.json()
        assert client.get("/api/library").status_code == 200
    base = sqlite3.connect(kept)  # as an earlier version may have saved it
    base.execute("INSERT OR REPLACE INTO films VALUES (?, 1, ?)", (cards[0]["id"], '{"settings": {"shift": NaN}}'))
    base.commit()
    base.close()
    with TestClient(app.build(Library(tmp_path, remembered=Remembered(kept))), base_url="http://localhost") as client:
        assert client.get("/api/library").status_code == 200
