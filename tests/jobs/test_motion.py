"""Depth from motion end to end: it changes the film, and a resumed or divided conversion comes out as a whole one does."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stereocast import api
from stereocast.jobs.convert import chunks, job, sections
from stereocast.jobs.convert.engines import local
from stereocast.pipeline.progress import Progress
from stereocast.settings import ConvertSettings
from tests.layers import travel

FRAMES = 14  # of each shot


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shots of a camera that passes a box."""
    path = tmp_path_factory.mktemp("source") / "film.mp4"
    greys, _ = travel(FRAMES)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=Fraction(24), options={"preset": "ultrafast", "crf": "10"})
        video.width, video.height, video.pix_fmt = greys[0].shape[1], greys[0].shape[0], "yuv420p"
        for shot in (greys, [255 - g for g in greys[::-1]], [g // 2 for g in greys]):
            for grey in shot:
                out.mux(video.encode(av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, 2), format="rgb24")))
        out.mux(video.encode(None))
    return path


def run(film: Path, output: Path, stop: int | None = None, **flags: Any) -> list[bytes]:
    """Converts, or breaks off after about `stop` frames; the packets of the result."""
    settings = ConvertSettings(encoder="x264", overwrite=True, **flags)
    made, opened = job.prepare(str(film), output, settings)

    def progress(progress: Progress) -> None:
        if stop is not None and progress.done >= stop:
            raise KeyboardInterrupt

    job.convert(made, opened, progress)
    return packets(output)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as box:
        return [bytes(packet) for packet in box.demux(video=0) if packet.size]


@pytest.mark.usefixtures("small_maps")
def test_a_resumed_film_has_the_same_motion(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SHORTEST_S", Fraction(1, 4))
    monkeypatch.setattr(chunks, "LONGEST_S", Fraction(1, 2))
    whole = run(film, tmp_path / "whole.mp4", motion="auto")
    assert run(film, tmp_path / "off.mp4", motion="off") != whole
    for stop in (18, 32):
        output = tmp_path / f"resumed{stop}.mp4"
        with pytest.raises(KeyboardInterrupt):
            run(film, output, stop, motion="auto")
        assert run(film, output, resume=True, motion="auto") == whole


def test_a_divided_film_has_the_same_motion(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SHORTEST_S", Fraction(1, 2))
    monkeypatch.setattr(sections, "SECTION_S", Fraction(1, 2))
    begun: list[str] = []
    process = local.LocalEngine._process
    monkeypatch.setattr(local.LocalEngine, "_process", lambda self, text: begun.append(text) or process(self, text))
    whole = run(film, tmp_path / "whole.mp4", motion="auto")
    api.convert(str(film), tmp_path / "divided.mp4", encoder="x264", workers=2, motion="auto")
    assert packets(tmp_path / "divided.mp4") == whole
    assert len(begun) == 3  # each shot by itself
