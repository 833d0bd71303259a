"""What goes on beside the picture: tracks by number, chapters of a part, tags, text that another container holds."""

import io
from collections import deque
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from stereocast.errors import UsageError
from stereocast.media import passthrough
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


COPIED, LEFT = "copied", "left out"


@pytest.mark.parametrize(
    ("container", "codec", "becomes"),
    [
        *[("mp4", codec, "mov_text") for codec in ("subrip", "ass", "webvtt", "text")],
        *[("mp4", codec, COPIED) for codec in ("mov_text", "dvdsub", "dvd_subtitle")],
        *[("mp4", codec, LEFT) for codec in ("hdmv_pgs_subtitle", None)],
        *[("mkv", codec, "subrip") for codec in ("mov_text", "text")],
        *[("mkv", codec, COPIED) for codec in ("subrip", "srt", "ass", "webvtt", "hdmv_pgs_subtitle", "dvdsub")],
        ("mkv", None, LEFT),
        *[(container, codec, LEFT) for container in ("hls", "fmp4") for codec in ("subrip", "mov_text", None)],
    ],
)
def test_what_becomes_of_each_kind_of_subtitles(
    container: str, codec: str | None, becomes: str, caplog: pytest.LogCaptureFixture
) -> None:
    stream = SimpleNamespace(
        index=3, type="subtitle", disposition=64, metadata={"language": "ger", "ENCODER": "x"},
        codec_context=codec and SimpleNamespace(name=codec, extradata=None),
    )  # fmt: skip

    class Streams(list[Any]):
        audio: list[Any] = []
        subtitles = [stream]

    made: list[Any] = []

    class Output:
        metadata: dict[str, str] = {}

        def add(self, codec: str) -> Any:
            made.append(SimpleNamespace(kind=codec, metadata={}, disposition=0, codec_context=SimpleNamespace()))
            return made[-1]

        def add_stream(self, codec: str) -> Any:
            return self.add(codec)

        def add_stream_from_template(self, template: Any) -> Any:
            assert template is stream
            return self.add(COPIED)

    source = SimpleNamespace(streams=Streams([stream]), metadata={}, chapters=list)
    Passthrough(source, deque()).attach(Output(), container)
    if becomes == LEFT:
        assert made == []
        why = (
            f"{container} can't store it" if container in ("hls", "fmp4") else
            "has no decoder and is left out" if codec is None else "--out-format mkv keeps it"
        )  # fmt: skip
        assert why in caplog.text and f"subtitle track 3 ({codec or 'unknown'})" in caplog.text
        return
    (target,) = made
    assert (target.kind, target.metadata, target.disposition) == (becomes, {"language": "ger"}, 64)
    assert caplog.text == ""
    assert becomes not in ("mov_text", "subrip") or target.codec_context.subtitle_header.startswith(b"[Script Info]")


@pytest.mark.parametrize(
    ("cues_", "want"),
    [
        ([], []),
        ([(0, 100)], [(0, 100, "x"), (100, 1, "")]),
        ([(0, 100), (100, 50)], [(0, 100, "x"), (100, 50, "x"), (150, 1, "")]),
        ([(0, 100), (130, 50)], [(0, 100, "x"), (100, 30, ""), (130, 50, "x"), (180, 1, "")]),
        ([(0, 100), (60, 100)], [(0, 100, "x"), (60, 100, "x"), (160, 1, "")]),
        ([(0, 0), (60, 0)], [(0, 0, "x"), (60, 0, "x")]),
        ([(0, 100), (60, 0)], [(0, 100, "x"), (60, 0, "x")]),
    ],
)
def test_each_cue_of_mov_text_ends(cues_: list[tuple[int, int]], want: list[tuple[int, int, str]]) -> None:
    """By an empty one, unless the next begins at once; the muxer would lengthen the last."""
    with av.open(io.BytesIO(), "w", format="mp4") as out:
        target = out.add_stream("mov_text")
        closing = passthrough._Closing(lambda packet: iter([packet]), target)
        found = []
        for pts, duration in cues_:
            packet = av.Packet(b"\0\1x")
            packet.pts, packet.duration, packet.time_base = pts, duration, Fraction(1, 1000)
            found += closing(packet)
        found += closing.finish()
        assert all(packet.time_base == Fraction(1, 1000) for packet in found)
        assert [(packet.pts, packet.duration, bytes(packet)[2:].decode()) for packet in found] == want


def test_what_lies_outside_a_part_is_left_out() -> None:
    """Tracks that aren't converted have no route."""
    muxed: list[tuple[int, int | None]] = []

    class Streams(list[Any]):
        audio: list[Any] = []
        subtitles: list[Any] = []

    queue: deque[Any] = deque()
    source = SimpleNamespace(streams=Streams(), metadata={}, chapters=list)
    passing = Passthrough(source, queue, shift=Fraction(1), stop=Fraction(2))
    passing.attach(SimpleNamespace(metadata={}), "mp4")
    ended: list[Any] = []
    passing._routes[1] = lambda packet: iter([packet])
    passing._finishers.append(lambda packet: ended.append(packet) or iter(()))
    for index in (0, 1):
        for ms in range(0, 3000, 250):
            queue.append(SimpleNamespace(
                stream_index=index, stream=SimpleNamespace(index=index), pts=ms, dts=ms, time_base=Fraction(1, 1000)))  # fmt: skip
    passing.finish(SimpleNamespace(mux=lambda packet: muxed.append((packet.pts, packet.dts))))
    assert muxed == [(ms, ms) for ms in (0, 250, 500, 750)]
    assert ended == [None] and not queue
