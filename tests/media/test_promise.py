"""Files that end before their container says: a warning in one line, and in --json."""

import json
import logging
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from stereocast.media import promise, reader
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


def promised(kind: str, frames: int, length_s: float, start_s: float = 0, rate: int = 25, flags: int = 0) -> Any:
    """What a container says of itself, and its picture stream."""
    stream = SimpleNamespace(frames=frames, average_rate=Fraction(rate))
    container = SimpleNamespace(
        format=SimpleNamespace(name=kind, flags=flags), start_time=round(start_s * 1e6), duration=round(length_s * 1e6)
    )
    return promise.Promise(container, stream), stream


def seen(made: promise.Promise, stream: Any, count: int, start_ms: int = 0, step_ms: int = 40, **more: Any) -> None:
    for n in range(count):
        given = {"pts": start_ms + step_ms * n, "dts": None, "size": 9, "is_corrupt": False, **more}
        made.seen(SimpleNamespace(stream=stream, duration=step_ms, time_base=Fraction(1, 1000), **given))


@pytest.mark.parametrize(
    ("kind", "frames", "start_s", "count", "whole", "missing_s"),
    [
        ("mov,mp4", 100, 0, 100, True, 0),
        ("mov,mp4", 100, 0, 99, True, 0.04),
        ("mov,mp4", 100, 0, 75, True, 1),
        ("mov,mp4", 100, 0, 99, False, 0),
        ("mov,mp4", 100, 0, 90, False, 0.4),
        ("mov,mp4", 0, 0, 75, True, 1),
        ("mov,mp4", 0, 2, 75, True, 1),
        ("avi", 100, 0, 96, True, 0),
        ("avi", 100, 0, 95, True, 0.2),
        ("matroska,webm", 100, 0, 94, True, 0),
        ("matroska,webm", 100, 0, 93, True, 0.28),
        ("matroska,webm", 0, 2, 50, True, 0),
        ("matroska,webm", 0, 2, 25, True, 1),
    ],
)
def test_what_is_missing_at_the_end(
    kind: str, frames: int, start_s: float, count: int, whole: bool, missing_s: float
) -> None:
    """Four seconds are promised; Matroska's length counts from time 0. avi counts dropped pictures."""
    made, stream = promised(kind, frames, 4, start_s)
    seen(made, stream, count, round(1000 * start_s))
    assert made.missing_s(whole=whole) == pytest.approx(missing_s, abs=1e-9)


@pytest.mark.parametrize(("length_s", "allowed_ms"), [(4, 250), (25, 250), (100, 1000)])
def test_durations_are_rounded(length_s: int, allowed_ms: int) -> None:
    for more_ms, missing in ((0, False), (1, True)):
        made, stream = promised("matroska,webm", 0, length_s)
        seen(made, stream, 1, 1000 * length_s - allowed_ms - more_ms - 40)
        assert bool(made.missing_s(whole=True)) == missing


def test_what_counts_as_a_picture() -> None:
    made, stream = promised("mov,mp4", 10, 0.4)
    seen(made, stream, 5)
    seen(made, stream, 1, is_corrupt=True)
    seen(made, stream, 1, size=0)
    seen(made, None, 3)
    assert made.missing_s(whole=True) == pytest.approx(0.2)
    assert (
        made.line("a.mp4", 0.2)
        == "a.mp4 is truncated or damaged: 5 of 10 frames, 0.20 of 0.40 s could be read; this part was converted"
    )
    other, stream = promised("matroska,webm", 0, 4)
    seen(other, None, 1, pts=None, dts=3960)
    assert other.missing_s(whole=True) == 0
    assert (
        other.line("a.mkv", 9) == "a.mkv is truncated or damaged: 0.00 of 4.00 s could be read; this part was converted"
    )


def test_a_clock_that_may_jump_promises_nothing() -> None:
    made, stream = promised("mpegts", 0, 4, flags=av.format.Flags.ts_discont.value)
    seen(made, stream, 3)
    assert made.missing_s(whole=True) == 0


def test_the_length_of_an_avi_comes_from_its_frames() -> None:
    """FFmpeg limits its own figure to the file's size."""
    made, stream = promised("avi", 100, 1)
    seen(made, stream, 50)
    assert made.missing_s(whole=True) == pytest.approx(2)


def test_short_films_too_may_be_cut_off() -> None:
    made, stream = promised("matroska,webm", 0, 0.9)
    seen(made, stream, 1)
    assert made.missing_s(whole=True) == pytest.approx(0.86)
