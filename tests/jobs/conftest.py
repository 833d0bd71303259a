"""Sections that workers convert in threads of this process."""

import json

import pytest

from stereocast.errors import StereocastError
from stereocast.jobs.convert.engines import local, section
from stereocast.types import Shot
from tests.fakes import cheap


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Workers as threads, with cheap stages; the tasks that were begun, as JSON."""
    cheap(monkeypatch)
    begun: list[str] = []

    def process(self: local.LocalEngine, text: str) -> tuple[int, str]:
        begun.append(text)
        table = json.loads(text)
        try:
            return 0, json.dumps(
                {"result": section.work(section.Task(**{**table, "shot": Shot(**table["shot"])})).table()}
            )
        except StereocastError as error:
            return 0, json.dumps({"error": str(error), "kind": type(error).__name__})

    monkeypatch.setattr(local.LocalEngine, "_process", process)
    return begun
