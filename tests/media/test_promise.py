"""Files that end before their container says: a warning in one line, and in --json."""

import json
import logging
from pathlib import Path

import av
import pytest

from stereocast.media import reader
from tests.films import make_film
from tests.media.small import convert, flash_film

pytestmark = pytest.mark.usefixtures("small_stages")


def fast_start(source: Path, path: Path) -> Path:
    with av.open(str(source)) as film, av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        streams = {s.index: out.add_stream_from_template(s) for s in film.streams}
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    return path


def read(path: Path) -> tuple[int, float]:
    source = reader.VideoSource(str(path))
    try:
        return sum(1 for _ in source), source.missing_s
    finally:
        source.close()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_a_truncated_film_is_converted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str) -> None:
    film = flash_film(tmp_path / f"film{suffix}", seconds=3, codec="mpeg4", sound="ac3")
    whole = fast_start(film, tmp_path / "whole.mp4") if suffix == ".mp4" else film
    body = whole.read_bytes()
    part = tmp_path / f"part{suffix}"
    part.write_bytes(body[: len(body) * 6 // 10])
    with caplog.at_level(logging.WARNING):
        result = convert(part, tmp_path / "out.mkv")
    assert 20 <= result.frames < 75
    assert result.missing_s == pytest.approx(3 - result.frames / 25, abs=0.3)
    assert caplog.text.count("truncated or damaged") == 1
    assert f"of {3:.2f} s could be read" in caplog.text or "of 3.0" in caplog.text


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi", ".ts", ".mpg", ".mov"])
def test_a_whole_film_has_all(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg2video" if suffix == ".mpg" else "mpeg4"
    film = flash_film(tmp_path / f"film{suffix}", seconds=3, codec=codec, start=0 if suffix != ".mkv" else 50)
    assert read(film) == (75, 0.0)


def test_a_longer_cue_or_sound_is_no_missing_picture(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", subtitles=["srt"], audio=["aac"])
    assert read(film)[1] == 0


def test_json_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from stereocast.cli.convert import _one
    from tests.media.small import settings

    film = flash_film(tmp_path / "film.mkv", seconds=3)
    part = tmp_path / "part.mkv"
    part.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    table = _one(str(part), tmp_path / "out.mkv", settings(), dry_run=False, quiet=True)
    assert json.loads(json.dumps(table))["missing_s"] > 0.5


def test_pictures_that_the_decoder_completed_are_counted(tmp_path: Path) -> None:
    """Damage in the middle of a film decodes: FFmpeg conceals it."""
    film = make_film(tmp_path / "film.mkv", frames=48, size=(96, 128))
    body = bytearray(film.read_bytes())
    with av.open(str(film)) as whole:
        places = sorted((packet.size, packet.pos) for packet in whole.demux(video=0) if packet.size)
    for size, at in places[-4:]:
        for k in range(at + size // 2, at + size // 2 + max(8, size // 8)):
            body[k] ^= 0x5A
    hurt = tmp_path / "hurt.mkv"
    hurt.write_bytes(body)
    for path in (film, hurt):
        source = reader.VideoSource(str(path))
        count = sum(1 for _ in source)
        source.close()
        assert count
        assert source.damaged == 0 if path == film else source.damaged >= 1
