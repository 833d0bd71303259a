"""What inspect says of a file, and whether a headset plays it."""

import logging
from fractions import Fraction
from pathlib import Path

import pytest

from stereocast import catalog
from stereocast.media import inspection
from tests.films import make_film
from tests.media.small import pictures


def headset() -> catalog.Preset:
    limits = {"h264": catalog.DecoderLimit(max_width=4096, max_height=2048, max_rate=60.0)}
    return catalog.Preset(name="x", title="X", encoders=("x264",), limits=limits)


@pytest.mark.parametrize(
    ("codec", "size", "rate", "want"),
    [
        ("h264", (4096, 2048), Fraction(60), "plays it"),
        ("h264", (2, 2), None, "plays it"),
        ("h264", (4096, 2048), Fraction(60000, 1001), "plays it"),
        ("h264", (64, 64), Fraction(606, 10), "plays it"),  # 1 % above: rates are rounded
        ("h264", (64, 64), Fraction(607, 10), "too large for its h264 decoder (4096x2048 at 60 fps)"),
        ("h264", (4098, 2048), Fraction(24), "too large for its h264 decoder (4096x2048 at 60 fps)"),
        ("h264", (4096, 2050), Fraction(24), "too large for its h264 decoder (4096x2048 at 60 fps)"),
        ("hevc", (64, 64), Fraction(24), "has no decoder for hevc"),
        ("mpeg4", (64, 64), Fraction(24), "has no decoder for mpeg4"),
    ],
)
def test_the_verdict_keeps_to_the_limits(codec: str, size: tuple[int, int], rate: Fraction | None, want: str) -> None:
    assert inspection.verdict(headset(), codec, *size, rate) == f"X: {want}"


def test_streams_and_picture(tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "in.mp4", frames=12, rotation=90, aspect=Fraction(4, 3), audio=["aac"], chapters=True, metadata={"title": "A film"}
    )  # fmt: skip
    facts = inspection.describe(str(film), "quest3")
    assert facts["picture"] == {
        "size": "96x192", "rotation": 90, "pixel_aspect": "3/4", "rate": "24.000 fps", "time_base": "1/24", "hdr": None,
    }  # fmt: skip
    assert [(track["index"], track["kind"], track["language"]) for track in facts["streams"][:2]] == [
        (0, "video", ""), (1, "audio", "eng"),
    ]  # fmt: skip
    assert facts["streams"][1]["layout"] == "stereo"
    assert facts["chapters"] == ["0.000 s One", "0.208 s Two"]
    assert facts["tags"]["title"] == "A film"
    assert facts["duration_s"] == pytest.approx(0.5, abs=0.02)
    assert facts["verdict"] == "Meta Quest 3: plays it"


def test_another_picture_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = pictures(tmp_path / "two.mkv", [0, 0])
    with caplog.at_level(logging.WARNING):
        inspection.describe(str(path), "quest3")
    assert caplog.text.count("video stream 1 is left out (stream 0 is converted)") == 1
