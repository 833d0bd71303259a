"""What a plan says of its film before work starts, and what it refuses."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stereocast import registry
from stereocast.errors import UsageError
from stereocast.jobs.convert.prepare import prepare
from stereocast.media import standard_input
from stereocast.settings import ConvertSettings
from stereocast.types import PixelFormat
from tests.films import make_film


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")})
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "in.mp4", frames=4, size=(48, 160), metadata={"title": "A film"})


def planned(source: Path | str, output: Path | str | None, **flags: Any) -> Any:
    made, opened = prepare(str(source), output, ConvertSettings(**{"encoder": "x264", **flags}))
    opened.close()
    return made


@pytest.mark.parametrize(
    ("flags", "notes"),
    [
        ({"depth": "embedded"}, ["depth: embedded (requested)"]),
        ({"source_layout": "sbs"}, ["repacked: side by side, without estimating depth"]),
        ({"source_layout": "half-sbs"}, ["repacked: side by side, half size, without estimating depth"]),
        ({"source_layout": "sbs", "depth": "embedded"}, ["repacked: side by side, without estimating depth"]),
        (
            {"crop": "auto", "depth": "embedded"},
            ["no black bars throughout the film; nothing is cropped", "depth: embedded (requested)"],
        ),
    ],
)
def test_notes_of_a_film(film: Path, tmp_path: Path, flags: dict[str, Any], notes: list[str]) -> None:
    made = planned(film, tmp_path / "out.mp4", **flags)
    assert list(made.notes) == notes
    assert made.metadata["title"] == "A film"
    assert made.views is None or made.info.width == (160 if "half" in flags["source_layout"] else 80)


def test_hdr_for_an_encoder_of_eight_bits_is_tone_mapped(tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "in.mkv", frames=2, size=(48, 96), codec="ffv1", options={"level": "3"}, pixel_format="yuv420p10le", colour=(9, 16, 9)
    )  # fmt: skip
    assert "HDR is tone-mapped to SDR" in planned(film, tmp_path / "out.mp4").notes


def test_depth_of_ones_own_is_not_estimated(film: Path, tmp_path: Path) -> None:
    depth = make_film(tmp_path / "d.mkv", frames=4, size=(48, 160))
    assert planned(film, tmp_path / "out.mp4", depth=str(depth)).notes == ()


def test_a_saved_pipe_can_be_searched_for_bars(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard_input, "spooled", lambda: (str(film), None))
    made = planned("-", tmp_path / "out.mp4", crop="auto", depth="embedded", spool=True)
    assert made.notes[0] == "no black bars throughout the film; nothing is cropped"


@pytest.mark.parametrize("form", ["sbs", "pair"])
def test_frames_as_pictures(film: Path, tmp_path: Path, form: str) -> None:
    pattern = tmp_path / "f_%03d.png"
    if form == "pair":
        with pytest.raises(UsageError, match="can't be written as a sequence of pictures"):
            planned(film, pattern, format=form)
        return
    made = planned(film, pattern, format=form)
    assert (made.container, made.still, made.output) == ("images", True, pattern)
    assert (made.packed.width, made.packed.height) == (320, 48)
    assert made.notes == ("one picture per frame; sound, subtitles and times are left out",)


def test_a_film_is_no_still(film: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a film; the output needs a video suffix"):
        planned(film, tmp_path / "out.png")


@pytest.mark.parametrize(
    ("output", "name"),
    [
        (None, "still_LRF_Full_SBS.png"),
        ("x.jpg", "x.jpg"),
        ("x.mp4", None),
        ("x.gif", None),
    ],
)
def test_where_a_still_goes(tmp_path: Path, output: str | None, name: str | None) -> None:
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), np.full((20, 30, 3), 90, np.uint8))
    given = None if output is None else tmp_path / output
    if name is None:
        with pytest.raises(UsageError, match=r"a still is written as \.bmp, .*`stereocast gen` turns .* into a film"):
            planned(still, given)
        return
    made = planned(still, given)
    assert made.outputs == (tmp_path / name,)
    assert (made.container, made.profile, made.packed.pixel_format) == ("image", None, PixelFormat.RGB24)
    assert (made.packed.width, made.packed.height) == (60, 20)
    assert made.extras is not None
