"""What a player is told of a film: codec strings, shape, tracks."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from stereocast.errors import SourceError
from stereocast.media import filmfacts
from stereocast.media.boxes import Box
from tests.films import make_film
from tests.media import small


@pytest.mark.parametrize("kind", [b"hvcC", b"av1C", b"avcC"])
@pytest.mark.parametrize("length", [0, 1, 2, 12])
def test_a_cut_off_configuration_is_no_error(kind: bytes, length: int) -> None:
    entry = Box({b"hvcC": b"hvc1", b"av1C": b"av01", b"avcC": b"avc1"}[kind], children=[Box(kind, bytes(length))])
    whole = {b"hvcC": 13, b"av1C": 3, b"avcC": 4}[kind]
    assert bool(filmfacts._video(entry)) == (length >= whole)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_rotation_of_an_index_is_clockwise(tmp_path: Path, degrees: int) -> None:
    film = make_film(tmp_path / "in.mp4", frames=2, rotation=degrees)
    assert filmfacts._index(film)[0] == -degrees % 360  # the matrix turns it back


@pytest.mark.parametrize(
    ("kind", "configuration", "text"),
    [
        (b"avc1", "0164001f ffe1", "avc1.64001f"),
        (b"avc3", "014d4028", "avc3.4d4028"),
        (b"hvc1", "01 01 60000000 b00000000000 5d", "hvc1.1.6.L93.B0"),  # the example of ISO/IEC 14496-15
        (b"hev1", "01 22 20000000 900000000000 99", "hev1.2.4.H153.90"),
        (b"hvc1", "01 01 60000000 000000000001 5d", "hvc1.1.6.L93.0.0.0.0.0.1"),
        (b"hvc1", "01 41 60000000 000000000000 5d", "hvc1.A1.6.L93"),
        (b"hvc1", "01 c4 08000000 bf880000 0000 3c", "hvc1.C4.10.L60.BF.88"),
        (b"av01", "81 04 00", "av01.0.04M.08"),
        (b"av01", "81 2d 80", "av01.1.13H.08"),
        (b"av01", "81 08 4c", "av01.0.08M.10"),
        (b"av01", "81 5f 6c", "av01.2.31M.12"),
        (b"vp09", "", "vp09.00.41.08"),
        (b"mp4v", "", ""),
    ],
)  # fmt: skip
def test_codec_strings(kind: bytes, configuration: str, text: str) -> None:
    box = {b"avc": b"avcC", b"hvc": b"hvcC", b"hev": b"hvcC", b"av0": b"av1C"}.get(kind[:3], b"esds")
    assert filmfacts._video(Box(kind, children=[Box(box, bytes.fromhex(configuration))])) == text


def sound(codec: str, default: bool = False) -> dict[str, object]:
    return {"codec": codec, "default": default}


@pytest.mark.parametrize(
    ("name", "codec", "sounds", "mime"),
    [
        ("a.mp4", "vp9", [], 'video/mp4; codecs="vp9"'),
        ("a.MKV", "vp8", [sound("opus")], 'video/x-matroska; codecs="vp8,opus"'),
        ("a.webm", "libdav1d", [sound("ac3"), sound("aac", True)], 'video/webm; codecs="av01.0.08M.08,mp4a.40.2"'),
        ("a.webm", "vp9", [sound("flac"), sound("dts")], 'video/webm; codecs="vp9,flac"'),
        ("a.webm", "vp9", [sound("dts")], ""),
        ("a.avi", "vp9", [], ""),
        ("a.mp4", "mpeg4", [], ""),
    ],
)
def test_the_type_names_the_picture_and_the_sound_that_is_heard(
    name: str, codec: str, sounds: list[dict[str, object]], mime: str
) -> None:
    assert filmfacts._mime(Path(name), codec, None, sounds) == mime


def header_of_a_track(version: int, turns: int) -> bytes:
    """The head of `tkhd` with the matrix of a clockwise quarter turn, or several (ISO/IEC 14496-12, 8.3.2)."""
    a, b = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    before = bytes([version]) + bytes(51 if version else 39)
    matrix = (a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    return before + b"".join(value.to_bytes(4, "big", signed=True) for value in matrix) + bytes(8)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("version", [0, 1])
def test_the_rotation_of_each_version_of_a_header(tmp_path: Path, version: int, turns: int) -> None:
    stsd = Box(b"stsd", bytes(8) + bytes(Box(b"avc1", bytes(78))))
    sounds = Box(b"trak", children=[Box(b"tkhd", header_of_a_track(version, 2))])
    path = tmp_path / "a.mp4"
    for head, want in ((header_of_a_track(version, turns), 90 * turns), (header_of_a_track(version, turns)[:83], 0)):
        moov = Box(b"moov", children=[sounds, small.track(b"vide", stsd, Box(b"tkhd", head))])
        path.write_bytes(bytes(Box(b"ftyp", b"isom")) + bytes(moov))
        turn, entry = filmfacts._index(path)
        assert (turn, entry and entry.kind) == (want, b"avc1")
    path.write_bytes(bytes(moov)[:-1])
    assert filmfacts._index(path) == (0, None)


@pytest.mark.parametrize(("degrees", "shape"), [(0, (256, 96)), (90, (96, 256)), (180, (256, 96)), (270, (96, 256))])
def test_the_shape_is_upright_and_of_square_pixels(tmp_path: Path, degrees: int, shape: tuple[int, int]) -> None:
    film = make_film(
        tmp_path / "in.mp4", frames=3, rotation=degrees, aspect=Fraction(4, 3), audio=["aac", "ac3"], subtitles=["mov_text"] * 2,
        rate=Fraction(30000, 1001), metadata={"title": "A film"},
    )  # fmt: skip
    facts = filmfacts.of_film(film)
    assert (facts["width"], facts["height"]) == shape
    assert facts["rate"] == pytest.approx(29.97, abs=0.01)
    assert facts["title"] == "A film"
    assert [(s["number"], s["codec"], s["language"], s["channels"]) for s in facts["sounds"]] == [
        (0, "aac", "eng", 2), (1, "ac3", "jpn", 6),
    ]  # fmt: skip
    assert [text["language"] for text in facts["text_tracks"]] == ["ger", "fre"]
    assert facts["mime"].startswith('video/mp4; codecs="avc1.')
    assert facts["mime"].endswith(',mp4a.40.2"')
    assert facts["packed"] is None
    assert facts["duration_s"] == pytest.approx(3 * 1001 / 30000, abs=0.05)
    assert filmfacts.mime_codecs(film).endswith(",mp4a.40.2,ac-3")


def test_codecs_of_the_head_of_a_stream(tmp_path: Path) -> None:
    alone = filmfacts.mime_codecs(make_film(tmp_path / "a.mp4", frames=2))
    assert alone.startswith("avc1.")
    assert filmfacts.mime_codecs(make_film(tmp_path / "b.mp4", frames=2, audio=["aac"])) == f"{alone},mp4a.40.2"
    old = make_film(tmp_path / "c.mp4", frames=2, codec="mpeg4", options={"qscale": "2"}, audio=["aac"])
    assert filmfacts.mime_codecs(old) == "", "unknown to browsers"


@pytest.mark.parametrize(("suffix", "codec", "picture"), [(".mkv", "subrip", "ffv1"), (".mp4", "mov_text", "mpeg4")])
def test_tracks_have_their_names_and_flags(tmp_path: Path, suffix: str, codec: str, picture: str) -> None:
    """A track without a language is `und` in mp4, which keeps no titles here."""
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as out:
        video = out.add_stream(picture, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        given = [
            ({"title": "Signs", "language": "ger"}, "forced"),
            ({"language": "fre"}, "default"),
            ({"language": "und"}, None),
            ({}, None),
        ]
        for tags, flag in given:
            text = out.add_stream(codec)
            text.codec_context.subtitle_header = b"[Script Info]\n"
            text.metadata.update(tags)
            text.disposition = av.stream.Disposition[flag].value if flag else 0
        frame = av.VideoFrame.from_ndarray(np.zeros((72, 64), np.uint8), format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    facts = filmfacts.of_film(path)
    assert [(t["name"], t["language"], t["forced"]) for t in facts["text_tracks"]] == [
        ("Signs" if suffix == ".mkv" else "ger", "ger", True), ("fre", "fre", False), ("track 2", "", False), ("track 3", "", False),
    ]  # fmt: skip
    assert (facts["rotation"], facts["mime"], facts["sounds"]) == (0, "", [])


@pytest.mark.parametrize(("suffix", "mime"), [(".png", "image/png"), (".jpg", "image/jpeg"), (".tiff", "image/jpeg")])
def test_a_still_has_the_same_facts(tmp_path: Path, suffix: str, mime: str) -> None:
    """What has no type of its own is shown as JPEG."""
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.zeros((40, 60, 3), np.uint8))
    facts = filmfacts.of_picture(path)
    assert (facts["width"], facts["height"], facts["codec"], facts["mime"]) == (60, 40, suffix[1:], mime)
    assert facts.keys() >= {
        "rotation",
        "rate",
        "duration_s",
        "title",
        "audio",
        "sounds",
        "texts",
        "text_tracks",
        "packed",
    }
    with pytest.raises(SourceError, match="can't be read"):
        filmfacts.of_picture(tmp_path / f"missing{suffix}")


def test_only_text_is_among_the_text_tracks() -> None:
    """Pictures (PGS, DVD) and what no decoder knows can't be shown as text."""
    names = ["hdmv_pgs_subtitle", "subrip", None, "ass", "dvdsub", "mov_text"]
    streams = [SimpleNamespace(codec_context=name and SimpleNamespace(name=name)) for name in names]
    container = SimpleNamespace(streams=SimpleNamespace(subtitles=streams))
    assert [stream.codec_context.name for stream in filmfacts.text_streams(container)] == ["subrip", "ass", "mov_text"]


def test_a_film_without_a_rate_or_a_length(tmp_path: Path) -> None:
    """Raw H.264 has no index; its rate is a guess."""
    facts = filmfacts.of_film(make_film(tmp_path / "in.h264", frames=4))
    assert facts["duration_s"] is None
    assert facts["rate"] > 0
    assert (facts["title"], facts["sounds"], facts["text_tracks"], facts["mime"]) == ("", [], [], "")


def test_a_track_without_a_default_flag_is_named_so(tmp_path: Path) -> None:
    facts = filmfacts.of_film(make_film(tmp_path / "in.mkv", frames=4, audio=["aac", "ac3"]))
    assert [(s["called"], s["playable"], s["title"]) for s in facts["sounds"]] == [
        ("AAC", True, ""), ("AC-3", False, ""),
    ]  # fmt: skip
    assert facts["audio"] == ["aac", "ac3"]
