"""A film is remuxed for a browser: the picture as it is, all of the sound as AAC, from the key frame before the wanted time."""

from fractions import Fraction
from pathlib import Path

import pytest

from stereocast.errors import SourceError
from stereocast.media import soundtrack
from tests.media.small import beeps, flash_film, flashes, packets


@pytest.mark.parametrize(("start_s", "begins"), [(0.0, 0.0), (2.5, 2.0)])
def test_picture_and_sound_to_the_end(tmp_path: Path, start_s: float, begins: float) -> None:
    source = flash_film(tmp_path / "in.mkv", seconds=4, at=3, gop=25)
    (tmp_path / "hls").mkdir()
    began: list[float] = []
    made: list[float] = []
    soundtrack.remux(source, tmp_path / "hls", 0, start_s, began.append, made.append)
    playlist = tmp_path / "hls/index.m3u8"
    found, before = packets(playlist), packets(source)
    assert began == [begins]
    assert len(found["video"]) == len(before["video"]) - 25 * begins == len(made)
    assert max(made) == pytest.approx(4 - begins, abs=0.05)
    assert flashes(playlist) == pytest.approx([3 - begins], abs=0.06)
    assert beeps(playlist) == pytest.approx([3 - begins], abs=0.06)
    last = max(pts for _, pts in found["audio"]) + Fraction(1024, 48000)
    assert 4 - begins <= last < 4.05 - begins, "what the encoder held back is there"


def test_a_track_that_is_not_there(tmp_path: Path) -> None:
    source = flash_film(tmp_path / "in.mkv", seconds=1)
    with pytest.raises(SourceError, match="no sound track 1"):
        soundtrack.remux(source, tmp_path, 1, 0.0, lambda s: None, lambda s: None)


@pytest.mark.parametrize(("codec", "name"), [("eac3", "E-AC-3"), ("dca", "DTS"), ("opus", "OPUS")])
def test_codecs_have_their_usual_names(codec: str, name: str) -> None:
    assert soundtrack.called(codec) == name
