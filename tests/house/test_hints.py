"""A hint names what this very install needs: an index may not have the package."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from stereocast.errors import ExtraMissing, how_to_install


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (None, "pip install 'stereocast[serve]'"),
        ({"url": "file://{folder}", "dir_info": {"editable": True}}, "pip install -e '{folder}[serve]'"),
        ({"url": "file://{folder}", "dir_info": {}}, "pip install '{folder}[serve]'"),
        ({"url": "file:///nowhere/at/all", "dir_info": {}}, "pip install 'stereocast[serve] @ file:///nowhere/at/all'"),
        (
            {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git"}},
            "pip install 'stereocast[serve] @ git+https://example.org/a.git'",
        ),
    ],
)
def test_hints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any, line: str) -> None:
    folder = tmp_path / "a checkout"
    folder.mkdir()
    text = json.dumps(said).replace("{folder}", str(folder).replace(" ", "%20")) if said else None

    class Installed:
        def read_text(self, name: str) -> str | None:
            return text

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    assert how_to_install("serve") == line.replace("{folder}", str(folder))
    assert how_to_install("serve") in str(ExtraMissing("serve", "serve"))
    monkeypatch.chdir(folder)
    if said and "{folder}" in said["url"]:
        assert "'.[serve]'" in how_to_install("serve")
