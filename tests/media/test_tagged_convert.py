"""What convert writes carries its tags: finished files, fragments, HLS, standard output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stereocast.catalog import settle
from stereocast.jobs.convert import job
from stereocast.media import ebml, spatial
from stereocast.settings import ConvertSettings
from stereocast.types import Layout, StereoFormat
from tests.films import make_film, read_film
from tests.support.contents import OVER, SIDE, side_data, stereo

pytestmark = pytest.mark.usefixtures("small_stages")


def convert(source: Path, output: Path, **flags: object) -> Path:
    made, reader = job.prepare(str(source), output, settle(ConvertSettings, {"depth": "embedded", **flags}))
    return job.convert(made, reader).plan.outputs[0]


@pytest.mark.parametrize(
    ("layout", "kind", "inverted"),
    [("sbs", SIDE, 0), ("half-sbs", SIDE, 0), ("ou", OVER, 0), ("half-ou", OVER, 0), ("cross-eyed", SIDE, 1), ("spatial", SIDE, 0)],
)  # fmt: skip
def test_every_layout_says_how_it_is_packed(tmp_path: Path, layout: str, kind: int, inverted: int) -> None:
    path = convert(make_film(tmp_path / "in.mp4", frames=6, audio=["aac"]), tmp_path / "out.mp4", format=layout)
    assert stereo(path)[:2] == (kind, inverted)
    assert len(read_film(path)["frames"]) == 6


@pytest.mark.parametrize("layout", ["anaglyph", "rgbd", "row-interlaced", "mono", "left"])
def test_the_others_have_no_tag(tmp_path: Path, layout: str) -> None:
    path = convert(make_film(tmp_path / "in.mp4", frames=3), tmp_path / "out.mp4", format=layout)
    assert "STEREO3D" not in side_data(path)


def test_streams_are_tagged_while_they_are_written(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=120, audio=["aac"])
    convert(source, tmp_path / "live", out_format="hls")
    assert stereo(tmp_path / "live/index.m3u8")[0] == SIDE
    assert len(read_film(tmp_path / "live/index.m3u8")["frames"]) == 120
    assert sorted(p.name for p in (tmp_path / "live").iterdir())[:2] == ["index.m3u8", "init.mp4"]
    path = convert(source, tmp_path / "out.mp4", out_format="fmp4")
    assert stereo(path)[0] == SIDE


def test_standard_output_is_tagged(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=12)
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-m", "stereocast", "convert", str(source), "-o", "-", "-q"],
        capture_output=True, check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    (tmp_path / "out.mp4").write_bytes(run.stdout)
    assert stereo(tmp_path / "out.mp4")[0] == SIDE
    assert "vexu" in spatial.read_tags(tmp_path / "out.mp4")["boxes"]


def test_matroska_has_its_stereo_mode(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=4)
    for layout, mode in (("sbs", "left_right"), ("ou", "top_bottom"), ("cross-eyed", "right_left")):
        path = convert(source, tmp_path / f"{layout}.mkv", format=layout)
        assert ebml.read_tags(path)["stereo_mode"] == mode
        assert "STEREO3D" in side_data(path)


@pytest.mark.parametrize("encoder", ["x264", "x265"])
def test_the_frame_packing_message_is_opt_in(tmp_path: Path, encoder: str) -> None:
    source = make_film(tmp_path / "in.mp4", frames=6)
    for asked in (False, True):
        path = convert(source, tmp_path / f"{asked}.mp4", encoder=encoder, sei=asked)
        # the boxes are taken away: what is left of the stereo comes from the message
        spatial.tag_file(path, StereoFormat(Layout.MONO))
        assert ("STEREO3D" in side_data(path)) is asked
        assert len(read_film(path)["frames"]) == 6


def test_spatial_names_the_tool_for_two_layers(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=2)
    made, reader = job.prepare(str(source), None, settle(ConvertSettings, {"format": "spatial", "depth": "embedded"}))
    reader.close()
    assert any("spatial make --input" in note and "in_spatial_MVHEVC.mov" in note for note in made.notes)
    assert made.profile is not None
    assert made.profile.family == "hevc"
