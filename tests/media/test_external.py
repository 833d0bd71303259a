"""Encoding through a system ffmpeg, where one is on the PATH."""

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from tests.films import make_film, read_film
from tests.support.contents import left_numbers
from tests.support.conversion import convert

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
