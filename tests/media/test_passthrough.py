"""What goes on beside the picture: tracks by number, chapters of a part, tags, text that another container holds."""

from collections import deque
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from stereocast.errors import UsageError
from stereocast.media.passthrough import Passthrough, select
from tests.films import make_film
from tests.media.small import convert

A, B, C = "abc"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("all", [A, B, C]), ("none", []), ("0", [A]), ("2", [C]), ("2,0", [C, A]), (" 1 , 2", [B, C]), ("1,1", [B])],
)
def test_tracks_are_chosen_by_number(wanted: str, found: list[str]) -> None:
    assert select([A, B, C], wanted, "audio") == found


@pytest.mark.parametrize("wanted", ["3", "-1", "", "0,", "x", "0,3", "1.5", "All"])
def test_tracks_that_are_not_there(wanted: str) -> None:
    with pytest.raises(UsageError, match=r"--audio .*: give all, none, or track numbers \(0\.\.2\)"):
        select([A, B, C], wanted, "audio")
    with pytest.raises(UsageError, match="none in this file"):
        select([], "0", "subs")


def chapter(start: int, end: int, base: Fraction = Fraction(1, 1000)) -> dict[str, Any]:
    return {"id": start, "start": start, "end": end, "time_base": base, "metadata": {"title": str(start)}}


CHAPTERS = [chapter(0, 1000), chapter(1000, 2500), chapter(5, 8, Fraction(1, 2))]


@pytest.mark.parametrize(
    ("shift", "stop", "want"),
    [
        (0, None, [(0, 1000), (1000, 2500), (5, 8)]),
        (1, None, [(0, 1500), (3, 6)]),
        (Fraction(1, 2), None, [(0, 500), (500, 2000), (4, 7)]),
        (0, 1, [(0, 1000)]),
        (0, Fraction(5, 2), [(0, 1000), (1000, 2500)]),
        (0, Fraction(2501, 1000), [(0, 1000), (1000, 2500), (5, 5)]),
        (4, None, []),
    ],
)
def test_chapters_of_a_part(shift: Fraction, stop: Fraction | None, want: list[tuple[int, int]]) -> None:
    """Those that end before it or begin behind it are left out; the others count from its beginning."""

    class Streams(list[Any]):
        audio: list[Any] = []
        subtitles: list[Any] = []

    source = SimpleNamespace(
        streams=Streams(), metadata={"title": "A film", "ENCODER": "x", "stereo_mode": "mono", "artist": "Jo"}, chapters=lambda: CHAPTERS
    )  # fmt: skip
    given: list[Any] = []
    output = SimpleNamespace(metadata={}, set_chapters=given.extend)
    passing = Passthrough(source, deque(), shift=Fraction(shift), stop=None if stop is None else Fraction(stop))
    passing.attach(output, "mp4")
    assert [(c["start"], c["end"]) for c in given] == want
    assert output.metadata == {"title": "A film", "artist": "Jo"}


def cues(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    """(begin, duration, text) of each packet of text; the text of mov_text follows its length."""
    with av.open(str(path)) as film:
        found = []
        for packet in film.demux(subtitles=0):
            if packet.size:
                body = bytes(packet)
                if film.streams.subtitles[0].codec_context.name == "mov_text":
                    body = body[2 : 2 + int.from_bytes(body[:2], "big")]
                base = Fraction(packet.time_base)
                found.append((packet.pts * base, packet.duration * base, body.decode()))
    return found


@pytest.mark.usefixtures("small_stages")
@pytest.mark.parametrize(("codec", "source"), [("subrip", "in.mkv"), ("mov_text", "in.mp4")])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_text_keeps_its_times_in_either_container(tmp_path: Path, codec: str, source: str, container: str) -> None:
    film = make_film(tmp_path / source, frames=24, size=(48, 64), subtitles=[codec])
    output = convert(film, tmp_path / f"out.{container}").plan.outputs[0]
    said = [cue for cue in cues(output) if cue[2].strip()]
    assert [(begin, length) for begin, length, _ in said] == [
        (Fraction(1 + 3 * k, 10), Fraction(1, 5)) for k in range(3)
    ]
    assert all(f"line {k}" in text for k, (_, _, text) in enumerate(said))
