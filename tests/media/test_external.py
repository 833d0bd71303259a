"""Encoding through a system ffmpeg, where one is on the PATH."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace

import pytest

from stereocast.media import external
from stereocast.types import PixelFormat
from tests.films import make_film, read_film
from tests.support.contents import left_numbers
from tests.support.conversion import convert


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("cat >/dev/null; echo stream", ""),
        ("cat >/dev/null", "ffmpeg exited with code 0"),
        ("cat >/dev/null; echo stream; echo first >&2; echo last >&2; exit 3", "last"),
        ("cat >/dev/null; exit 4", "ffmpeg exited with code 4"),
    ],
)
def test_why_an_encoder_cannot_be_used(script: str, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["sh", "-c", script], stdin=PIPE, stdout=PIPE, stderr=PIPE)

    monkeypatch.setattr(external, "_start", start)
    assert external.probe(SimpleNamespace(pixel_format=PixelFormat.YUV420P)) == error  # type: ignore[arg-type]


PROFILE = """
about = "H.264 through a system ffmpeg"
via = "ffmpeg"
codec = "libx264"
family = "h264"
quality = 18

[options]
preset = "ultrafast"
"""


pytestmark = pytest.mark.usefixtures("small_stages")


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_frames_and_times_survive_the_detour(tmp_path: Path, container: str) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on the PATH")
    pytest.importorskip("ffmpeg", reason="needs the ffmpeg extra")
    (tmp_path / "own.toml").write_text(PROFILE)
    source = make_film(
        tmp_path / "in.mp4", pts=[0, 40, 90, 100, 300, 340, 380, 500], audio=["aac"], time_base=Fraction(1, 1000)
    )
    after = read_film(
        convert(source, tmp_path / f"out.{container}", encoder=str(tmp_path / "own.toml")).plan.outputs[0]
    )
    assert left_numbers(after) == list(range(8))
    assert after["times"] == read_film(source)["times"]
    assert len(after["audio"]) == 1
