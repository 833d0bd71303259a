"""Fixtures of the media tests."""

import pytest

from stereocast import registry


@pytest.fixture
def small_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real pipeline with stages that cost nothing."""
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(registry, "DEPTH", {"embedded": registry.Backend("tests.fakes:RampDepth")})
