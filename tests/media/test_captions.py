"""Subtitles as people have them: old code pages, tags, odd times, positions."""

from pathlib import Path

import pytest

pytest.importorskip("pysubs2", reason="needs the serve extra")

from stereocast.errors import SourceError
from stereocast.media import captions
from tests.films import make_film


def cues(text: str) -> list[list[str]]:
    assert text.startswith("WEBVTT\n")
    return [block.strip().split("\n") for block in text.split("\n\n")[1:] if block.strip()]


def srt(*bodies: str) -> str:
    return "\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{body}\n" for n, body in enumerate(bodies, 1))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Où êtes-vous, garçon ? C’est déjà l’été…"), ("utf-8", "Où êtes-vous ? – là"), ("utf-8-sig", "Grüße aus Köln"),
        ("utf-16", "Ça va — très bien"), ("cp1252", "Größe, Übung, Straße und viele schöne Grüße aus München"),
        ("cp1251", "Привет, как дела? Мы сегодня пойдём в кино вместе с друзьями"),
    ],
)  # fmt: skip
def test_old_code_pages_are_read(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes("\n".join([srt(text, text)]).encode(encoding))
    assert [cue[1] for cue in cues(captions.from_file(path))] == [text, text]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<i>Hello</i> <b>you</b>", "<i>Hello</i> <b>you</b>"), ("<I>Hello", "<i>Hello</i>"),
        ('<font color="#ff0000">Red</font>', "Red"), ("a < b & c", "a &lt; b &amp; c"), ("{\\an8}Top", "Top"),
        ("a --> b", "a → b"), ("Tom &amp; Jo", "Tom &amp; Jo"), ("</i>odd", "odd"), ("one\ntwo", "one\ntwo"),
    ],
)  # fmt: skip
def test_tags(body: str, shown: str) -> None:
    (cue,) = cues(captions.from_text(srt(body)))
    assert "\n".join(cue[1:]) == shown


def test_a_place_in_srt_is_kept() -> None:
    (cue,) = cues(captions.from_text(srt("{\\an8}Top")))
    assert "line:5%" in cue[0]


@pytest.mark.parametrize("odd", ["0:00:05,200", "00:00:05.200", "00:00:05,2", "0:0:5,200", "00:00:5,200"])
def test_odd_times(odd: str) -> None:
    (cue,) = cues(captions.from_text(f"1\n{odd} --> 00:00:07,000\nHello\n"))
    assert cue[0].startswith("00:00:05.200 --> 00:00:07.000")


def test_lines_without_numbers_and_with_windows_ends() -> None:
    text = "00:00:01,000 --> 00:00:02,000\r\nOne\r\n\r\n00:00:03,000 --> 00:00:04,000\r\nTwo\r\n"
    assert [cue[1] for cue in cues(captions.from_text(text))] == ["One", "Two"]


ASS = """[Script Info]
PlayResX: 1000
PlayResY: 500

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment
Style: Default,Arial,20,&H00FFFFFF,2
Style: Sign,Arial,20,&H00FFFFFF,9

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\b1}Bold{\\b0} and {\\i1}slanted
Dialogue: 0,0:00:03.00,0:00:04.00,Sign,,0,0,0,,A sign
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\\an5\\pos(250,125)}Here\\Nand here
Dialogue: 0,0:00:07.00,0:00:08.00,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}
Comment: 0,0:00:09.00,0:00:10.00,Default,,0,0,0,,nothing
"""


def test_ass_keeps_places_and_drops_drawings(tmp_path: Path) -> None:
    path = tmp_path / "a.ass"
    path.write_text(ASS)
    first, sign, placed = cues(captions.from_file(path))
    assert first[0] == "00:00:01.000 --> 00:00:02.000"
    assert first[1] == "<b>Bold</b> and <i>slanted</i>"
    assert "line:5%,start" in sign[0]
    assert "align:right" in sign[0]
    assert placed[0].endswith("line:25%,center position:25%,center align:center")
    assert placed[1:] == ["Here", "and here"]


def test_webvtt_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text("\ufeffWEBVTT\n\n00:01.000 --> 00:02.000 line:10%\n<v Jo>Hi\n", "utf-8")
    assert captions.from_file(path).endswith("00:01.000 --> 00:02.000 line:10%\n<v Jo>Hi\n")


def test_what_is_no_subtitle_is_an_error_or_nothing(tmp_path: Path) -> None:
    for name, data in (
        ("a.srt", b"\0\1\2" * 100),
        ("b.ass", b"junk"),
        ("c.srt", b""),
        ("d.smi", b"<SAMI>"),
        ("e.sub", b"x"),
    ):
        (tmp_path / name).write_bytes(data)
        try:
            assert captions.from_file(tmp_path / name).startswith("WEBVTT")
        except SourceError as error:
            assert "can't be read" in str(error)
    with pytest.raises(SourceError):
        captions.from_file(tmp_path / "missing.srt")


@pytest.mark.parametrize("codec", ["mov_text", "subrip", "ass"])
def test_tracks_of_a_film(tmp_path: Path, codec: str) -> None:
    path = make_film(tmp_path / f"a.{'mp4' if codec == 'mov_text' else 'mkv'}", frames=24, subtitles=[codec])
    assert "line 0" in captions.webvtt(path, 0)
    with pytest.raises(SourceError, match="no text track 1"):
        captions.webvtt(path, 1)


@pytest.mark.parametrize("tag", ["an", "a", "p", "i"])
@pytest.mark.parametrize("value", ["(1)", "()", "(x)"])
def test_tags_with_brackets_are_read_or_ignored(tag: str, value: str) -> None:
    """`\\an(8)` is accepted by players; nonsense in the brackets changes nothing."""
    line = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
    text = captions.from_text(f"[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, "
                              f"Effect, Text\n{line}{{\\{tag}{value}}}Hello\n{line}There\n", ".ass")  # fmt: skip
    assert "There" in text
    assert ("position:5%" in text) == (tag in ("an", "a") and value == "(1)")
