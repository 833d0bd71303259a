"""Metadata and covers that the mp4 muxer would lose are written into its index."""

from pathlib import Path

import av
import pytest

from stereocast.media import boxes, quicktime
from stereocast.media.boxes import Box, BoxError
from tests.films import make_film


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"title": "A", "TITLE": "A", "title-eng": "A", "encoder": "x", "location": "y"}, {}),
        ({"make": "Ape", "Model": "7", "date_recorded": "1999"}, {
            "com.apple.quicktime.make": "Ape", "com.apple.quicktime.model": "7", "com.apple.quicktime.creationdate": "1999",
        }),
        ({"location-eng": "+1", "location_2": "+1"}, {"location_2": "+1"}),
        ({"com.android.version": "14", "empty": ""}, {"com.android.version": "14"}),
    ],
)  # fmt: skip
def test_entries_that_would_be_lost(given: dict[str, str], kept: dict[str, str]) -> None:
    assert quicktime.keys(given) == kept


def test_the_box_of_metadata() -> None:
    """Apple's own example of the layout: handler, names counted from one, values of UTF-8."""
    made = boxes.parse(quicktime.meta({"a.b": "x", "c": "\u00fc"}).head)
    assert [box.kind for box in made] == [b"hdlr", b"keys", b"ilst"]
    assert made[0].head == bytes(8) + b"mdta" + bytes(13)
    assert made[1].head == bytes(4) + b"\0\0\0\2" + b"\0\0\0\x0bmdtaa.b" + b"\0\0\0\x09mdtac"
    one, two = b"\0\0\0\x11data\0\0\0\1\0\0\0\0x", b"\0\0\0\x12data\0\0\0\1\0\0\0\0\xc3\xbc"
    assert made[2].head == b"\0\0\0\x19\0\0\0\1" + one + b"\0\0\0\x1a\0\0\0\2" + two


@pytest.mark.parametrize("metadata", [{}, {"title": "A film"}])
@pytest.mark.parametrize(("codec", "number"), [("mjpeg", 13), ("png", 14), ("bmp", 27), ("other", 13)])
def test_a_cover_stands_beside_the_tags(tmp_path: Path, metadata: dict[str, str], codec: str, number: int) -> None:
    path = make_film(tmp_path / "in.mp4", frames=3, metadata=metadata)
    quicktime.add(path, {}, (b"picture", codec))
    quicktime.add(path, {"com.x": "1"}, (b"another", codec))
    moov = boxes.movie(path)
    udta = moov.find(b"udta")
    assert udta is not None
    meta = next(box for box in boxes.parse(udta.head) if box.kind == b"meta")
    ilst = next(box for box in boxes.parse(meta.head[4:]) if box.kind == b"ilst")
    covers = [box for box in boxes.parse(ilst.head) if box.kind == b"covr"]
    assert [boxes.parse(box.head)[0].head for box in covers] == [
        number.to_bytes(4, "big") + bytes(4) + data for data in (b"picture", b"another")
    ]
    with av.open(str(path)) as film:
        assert film.metadata.get("title") == metadata.get("title")
        assert film.metadata["com.x"] == "1"
        assert sum(1 for _ in film.decode(video=0)) == 3


def test_a_moov_without_user_data(tmp_path: Path) -> None:
    moov = Box(b"moov", children=[Box(b"mvhd", bytes(100))])
    quicktime._put_cover(moov, b"x", "png")
    assert b"mdirappl" in bytes(moov)
    assert bytes(moov).endswith(b"\0\0\0\x11data\0\0\0\x0e\0\0\0\0x")


def test_entries_are_replaced_not_repeated(tmp_path: Path) -> None:
    path = make_film(tmp_path / "in.mp4", frames=2)
    quicktime.add(path, {"com.x": "1", "com.y": "2"})
    quicktime.add(path, {"com.x": "3"})
    with av.open(str(path)) as film:
        assert {k: v for k, v in film.metadata.items() if k.startswith("com.")} == {"com.x": "3"}
    before = path.read_bytes()
    quicktime.add(path, {})
    assert path.read_bytes() == before
    (tmp_path / "none.mp4").write_bytes(bytes(Box(b"ftyp", b"isom")) + bytes(Box(b"mdat", b"1234")))
    with pytest.raises(BoxError, match="has no 'moov' box"):
        quicktime.add(tmp_path / "none.mp4", {"com.x": "1"})
