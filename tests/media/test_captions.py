"""Subtitles as people have them: old code pages, tags, odd times, positions."""

from fractions import Fraction
from pathlib import Path

import av
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
        ("a --> b", "a → b"),
        ("<b>a<i>b</b>c", "<b>a<i>b</b>c</i>"), ("<b><i>a", "<b><i>a</i></b>"), ("{\\b700}a{\\b0}b", "<b>a</b>b"),
        ("one\\N\\Ntwo\\hthree", "one\ntwo\u00a0three"), ("one\n<i></i>\ntwo", "one\ntwo"),
        ("{\\p1}m 0 0{\\p0}a", "a"), ("{\\an(x)\\i1}a", "<i>a</i>"),
        ("&lt;i&gt; &nbsp;", "&lt;i&gt;"), ("Tom &amp; Jo", "Tom &amp; Jo"), ("</i>odd", "odd"), ("one\ntwo", "one\ntwo"),
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
Dialogue: 0,0:00:03.00,0:00:04.00,Sign,,0,0,0,,A sign, or two
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


def test_a_track_of_a_film_becomes_what_its_file_becomes(tmp_path: Path) -> None:
    """Styles, picture size and commas in the text are in the track's header and packets."""
    source, film = tmp_path / "a.ass", tmp_path / "a.mkv"
    source.write_text(ASS)
    with av.open(str(source)) as lines, av.open(str(film), "w") as out:
        track = out.add_stream_from_template(lines.streams.subtitles[0])
        for packet in lines.demux():
            if packet.size:
                packet.stream = track
                out.mux(packet)
    assert captions.webvtt(film, 0) == captions.from_file(source)


@pytest.mark.parametrize(
    ("tags", "settings"),
    [
        ("", ""),
        ("\\an1", " position:5%,line-left align:left"),
        ("\\an2", ""),
        ("\\an3", " position:95%,line-right align:right"),
        ("\\an4", " line:50%,center position:5%,line-left align:left"),
        ("\\an5", " line:50%,center"),
        ("\\an6", " line:50%,center position:95%,line-right align:right"),
        ("\\an7", " line:5%,start position:5%,line-left align:left"),
        ("\\an8", " line:5%,start"),
        ("\\an9", " line:5%,start position:95%,line-right align:right"),
        ("\\an0", ""),
        *[(f"\\a{old}", f"\\an{new}") for old, new in
          ((1, 1), (2, 2), (3, 3), (4, 2), (5, 7), (6, 8), (7, 9), (8, 2), (9, 4), (10, 5), (11, 6), (12, 2))],
        ("\\pos(96,72)", " line:25%,end position:25%,center align:center"),
        ("\\an7\\pos(96.5,-3)", " line:0%,start position:25%,line-left align:left"),
        ("\\an6\\pos(0,288)", " line:100%,center position:0%,line-right align:right"),
        ("\\pos(900,900)", " line:100%,end position:100%,center align:center"),
        ("\\move(192,144,0,0,10,20)", " line:50%,end position:50%,center align:center"),
        ("\\pos(382,286)", " line:99%,end position:99%,center align:center"),
        ("\\pos(96)", ""),
        ("\\pos()", ""),
        ("\\bord2\\alpha&H80&\\iclip(0,0,9,9)", ""),
    ],
)  # fmt: skip
def test_places(tags: str, settings: str) -> None:
    """By the keys of a number pad, by the older numbers of SSA, or by a point of a picture of 384 x 288."""
    if settings.startswith("\\"):
        assert cues(captions.from_text(srt(f"{{{tags}}}Hello"))) == cues(
            captions.from_text(srt(f"{{{settings}}}Hello"))
        )
        return
    (cue,) = cues(captions.from_text(srt(f"{{{tags}}}Hello")))
    assert cue == [f"00:00:01.000 --> 00:00:01.900{settings}", "Hello"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (Fraction(0), "00:00:00.000"), (Fraction(-1, 10), "00:00:00.000"), (Fraction(1, 1000), "00:00:00.001"),
        (Fraction(59999, 1000), "00:00:59.999"), (Fraction(60), "00:01:00.000"), (Fraction(35999996, 10000), "01:00:00.000"),
        (Fraction(45296789, 1000), "12:34:56.789"), (Fraction(360000), "100:00:00.000"),
    ],
)  # fmt: skip
def test_written_times(seconds: Fraction, text: str) -> None:
    assert captions._time(seconds) == text


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
    assert cues(captions.webvtt(path, 0))[:2] == [
        ["00:00:00.100 --> 00:00:00.300", "line 0"], ["00:00:00.400 --> 00:00:00.600", "line 1"],
    ]  # fmt: skip
    for number in (1, 7):
        with pytest.raises(SourceError, match=f"no text track {number}"):
            captions.webvtt(path, number)


@pytest.mark.parametrize("tag", ["an", "a", "p", "i"])
@pytest.mark.parametrize("value", ["(1)", "()", "(x)"])
def test_tags_with_brackets_are_read_or_ignored(tag: str, value: str) -> None:
    """`\\an(8)` is accepted by players; nonsense in the brackets changes nothing."""
    line = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
    text = captions.from_text(f"[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, "
                              f"Effect, Text\n{line}{{\\{tag}{value}}}Hello\n{line}There\n", ".ass")  # fmt: skip
    assert "There" in text
    assert ("position:5%" in text) == (tag in ("an", "a") and value == "(1)")
