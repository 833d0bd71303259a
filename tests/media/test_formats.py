"""Every layout in every container: it decodes, has the right size, tags and name, and its own kind of picture."""

from pathlib import Path

import numpy as np
import pytest

from stereocast.pack import layouts
from stereocast.pictures.arrangement import TABLE
from stereocast.types import Layout, StereoFormat
from tests.films import make_film, number_of, read_film
from tests.support.conversion import convert

SIZES = {  # of a 96 x 192 source
    **dict.fromkeys(Layout, (96, 192)),
    **dict.fromkeys((Layout.SBS, Layout.CROSS_EYED, Layout.RGBD, Layout.SPATIAL), (96, 384)),
    Layout.OU: (192, 192),
}
FLAT = [layout for layout in Layout if layout is not Layout.VR180]


pytestmark = pytest.mark.usefixtures("small_stages")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("formats") / "film.mp4", frames=6, audio=["aac"])


@pytest.mark.parametrize("container", ["mp4", "mkv", "fmp4", "hls"])
@pytest.mark.parametrize("layout", FLAT)
def test_every_format_in_every_container(source: Path, tmp_path: Path, layout: Layout, container: str) -> None:
    result = convert(
        source,
        tmp_path,
        format=layout.value,
        out_format=container,
        encoder="x264" if layout is not Layout.SPATIAL else "auto",
    )
    form = StereoFormat(layout)
    for output in result.plan.outputs:
        film = read_film(output / "index.m3u8" if container == "hls" else output)
        assert film["size"] == SIZES[layout]
        assert len(film["frames"]) == 6
        assert len(film["audio"]) == 1
        assert output.stem.startswith(f"film{layouts.suffix(form)}")
        if container == "mkv" and TABLE[layout].stereo_mode:
            assert film["stream_metadata"]["stereo_mode"] == TABLE[layout].stereo_mode
        if layout in (Layout.SBS, Layout.OU, Layout.LEFT, Layout.MONO):
            luma = film["frames"][4].to_ndarray(format="gray")[:96, :192]
            assert number_of(luma) == 4
        if layout is Layout.RGBD:
            depth = film["frames"][0].to_ndarray(format="gray")[:96, 192:]
            assert depth[-8:].mean() > 200 > 60 > depth[:8].mean()
        if layout is Layout.ANAGLYPH:
            assert film["frames"][0].to_ndarray(format="rgb24").std(-1).mean() > 1
        assert np.isfinite(float(film["aspect"]))
