"""The face of the package."""

from pathlib import Path

import pytest

import stereocast
from stereocast import registry
from stereocast.errors import UsageError
from tests.films import make_film, read_film


def test_exported_members() -> None:
    for name in stereocast.__all__:
        assert getattr(stereocast, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = stereocast.nothing


def test_convert_from_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    film = make_film(tmp_path / "film.mp4", frames=5)
    done = stereocast.convert(film, tmp_path / "out.mkv", format="half-ou")
    assert done.frames == 5
    assert read_film(done.plan.outputs[0])["stream_metadata"]["stereo_mode"] == "top_bottom"
    with pytest.raises(UsageError, match="strength"):
        stereocast.convert(film, strength=99)
