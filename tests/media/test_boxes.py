"""The boxes of an mp4: sizes, trees that come back byte for byte, and offsets that follow when a box grows."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast.media import boxes
from stereocast.media.boxes import Box, BoxError, Place
from tests.media import small

LONG = (1).to_bytes(4, "big") + b"mdat" + (20).to_bytes(8, "big") + b"abcd"  # a size of 64 bits
REST = bytes(4) + b"mdatabcde"  # a size of 0: to the end


def test_top_level_boxes_of_every_kind_of_size() -> None:
    file = io.BytesIO(bytes(Box(b"ftyp", b"isom")) + LONG + bytes(Box(b"free")) + REST)
    places = boxes.top_level(file, "film")
    assert places == [
        Place(b"ftyp", 0, 8, 12), Place(b"mdat", 12, 16, 20), Place(b"free", 32, 8, 8), Place(b"mdat", 40, 8, 13),
    ]  # fmt: skip
    assert [place.end for place in places] == [12, 32, 40, 53]
    assert [boxes.read(file, place, "film").head for place in places] == [b"isom", b"abcd", b"", b"abcde"]
    assert boxes.top_level(io.BytesIO(LONG[:3] + b"\1mdat" + (16).to_bytes(8, "big")), "film") == [
        Place(b"mdat", 0, 16, 16)
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\0", "1 stray bytes"), (bytes(Box(b"free")) + bytes(7), "7 stray bytes"), (b"\0\0\0\x07free", "of 7 bytes doesn't fit"),
        (b"\0\0\0\x09free", "of 9 bytes doesn't fit"), (LONG[:15], "'mdat' is cut off"), (LONG[:-1], "of 20 bytes doesn't fit"),
        (LONG[:15] + b"\x0f" + bytes(4), "of 15 bytes doesn't fit"),
    ],
)  # fmt: skip
def test_damaged_sizes(data: bytes, why: str) -> None:
    with pytest.raises(BoxError, match=why):
        boxes.top_level(io.BytesIO(data), "film")
    with pytest.raises(BoxError, match=why):
        boxes.parse(data)
    with pytest.raises(BoxError, match=why):
        boxes.parse(bytes(Box(b"moov", data)))


def test_an_index_of_more_than_a_gigabyte_is_not_read() -> None:
    file = io.BytesIO(bytes(Box(b"moov")))
    assert boxes.read(file, Place(b"moov", 0, 8, 1 << 30), "film") == Box(b"moov")
    with pytest.raises(BoxError, match="implausible"):
        boxes.read(file, Place(b"moov", 0, 8, (1 << 30) + 1), "film")


leaves = st.builds(Box, st.sampled_from([b"free", b"stsz", b"udta", b"hdlr"]), st.binary(max_size=20))
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kind, children: Box(kind, children=children),
        st.sampled_from([b"moov", b"trak", b"edts", b"moof", b"sv3d", b"proj"]),
        st.lists(inner, max_size=3),
    ),
)


@settings(max_examples=40)
@given(st.lists(trees, max_size=3))
def test_trees_come_back(roots: list[Box]) -> None:
    data = b"".join(map(bytes, roots))
    made = boxes.parse(data)
    assert made == roots
    assert b"".join(map(bytes, made)) == data


def test_boxes_are_found_along_their_path() -> None:
    one, two, three = (Box(b"tkhd", bytes([n])) for n in range(3))
    moov = Box(b"moov", children=[Box(b"trak", children=[one, two]), Box(b"free"), Box(b"trak", children=[three])])
    assert [box.head for box in moov.all(b"trak", b"tkhd")] == [b"\0", b"\1", b"\2"]
    assert moov.find(b"trak", b"tkhd") is one
    assert moov.find(b"trak") is moov.children[0]
    assert moov.find(b"tkhd") is None


def track(kind: bytes, stsd: bytes) -> Box:
    return small.track(kind, Box(b"stsd", stsd))


def entry(head: bytes, *children: Box, tail: bytes = b"") -> bytes:
    return bytes(8) + bytes(Box(b"avc1", head + b"".join(map(bytes, children)) + tail))


HEAD = bytes(range(78))


@pytest.mark.parametrize("tail", [b"", bytes(4), bytes(7)])
@pytest.mark.parametrize("children", [(), (Box(b"avcC", b"\1\2"),), (Box(b"avcC"), Box(b"pasp", bytes(8)))])
def test_sample_entries_come_back_also_with_zeros_behind_them(children: tuple[Box, ...], tail: bytes) -> None:
    """QuickTime may end an entry with four zero bytes. Sound has entries of another form, which are left alone."""
    sound, picture = track(b"soun", b"anything"), track(b"vide", entry(HEAD, *children, tail=tail))
    data = bytes(Box(b"moov", children=[sound, picture]))
    (moov,) = boxes.parse(data)
    assert bytes(moov) == data
    (found,) = boxes.video_entries(moov)
    assert (found.kind, found.head, tuple(found.children), found.tail) == (b"avc1", HEAD, children, tail)
    assert boxes.video_entries(Box(b"moov", children=[sound])) == []


@pytest.mark.parametrize(
    ("stsd", "why"),
    [(bytes(7), "'stsd' is cut off"), (entry(HEAD[:-1]), "'avc1' is cut off"), (entry(HEAD, tail=b"\0\0\0\x09avcC"), "'avcC'"),
     (bytes(11), "3 stray bytes")],
)  # fmt: skip
def test_damaged_sample_entries(stsd: bytes, why: str) -> None:
    with pytest.raises(BoxError, match=why):
        boxes.parse(bytes(track(b"vide", stsd)))
    assert boxes.parse(bytes(track(b"vide", bytes(8))))
    assert boxes.parse(bytes(track(b"soun", stsd)))


def test_a_file_without_an_index(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(LONG)
    with pytest.raises(BoxError, match="never finished"):
        boxes.movie(path)
    path.write_bytes(LONG + bytes(Box(b"moov", children=[Box(b"mvhd", b"x")])))
    assert boxes.movie(path).find(b"mvhd") == Box(b"mvhd", b"x")


def table(version: int, width: str, *values: int, extra: bytes = b"", flags: int = 0) -> bytes:
    head = bytes([version]) + flags.to_bytes(3, "big") + extra
    return head + struct.pack(f">I{len(values)}{width}", len(values), *values)


def tfra(version: int, sizes: int, *rows: tuple[int, int]) -> bytes:
    """(time, offset) of fragments; their numbers take as many bytes as `sizes` says."""
    form = ">QQ" if version else ">II"
    numbers = bytes(range(sum((sizes >> bit & 3) + 1 for bit in (0, 2, 4))))
    body = b"".join(struct.pack(form, *row) + numbers for row in rows)
    return struct.pack(">B3xIII", version, 1, sizes, len(rows)) + body


HIGH = (1 << 32) - 1
PURPOSE = b"cencaaaa"


@pytest.mark.parametrize(
    ("parent", "kind", "before", "kind_after", "after"),
    [
        (b"stbl", b"stco", table(0, "I", 99, 100, 101), b"stco", table(0, "I", 99, 110, 111)),
        (b"stbl", b"stco", table(0, "I"), b"stco", table(0, "I")),
        (b"stbl", b"stco", table(0, "I", 5, HIGH - 10), b"stco", table(0, "I", 5, HIGH)),
        (b"stbl", b"stco", table(0, "I", 5, HIGH - 9), b"co64", table(0, "Q", 5, HIGH + 1)),
        (b"stbl", b"co64", table(0, "Q", 99, 100, 1 << 40), b"co64", table(0, "Q", 99, 110, (1 << 40) + 10)),
        (b"stbl", b"saio", table(0, "I", 99, 100), b"saio", table(0, "I", 99, 110)),
        (b"stbl", b"saio", table(0, "I", 99, HIGH), b"saio", table(1, "Q", 99, HIGH + 10)),
        (b"stbl", b"saio", table(1, "Q", 99, HIGH), b"saio", table(1, "Q", 99, HIGH + 10)),
        (b"stbl", b"saio", table(0, "I", 100, extra=PURPOSE, flags=1), b"saio", table(0, "I", 110, extra=PURPOSE, flags=1)),
        (b"stbl", b"saio", table(0, "I", HIGH, extra=PURPOSE, flags=1), b"saio",
         table(1, "Q", HIGH + 10, extra=PURPOSE, flags=1)),
        (b"traf", b"saio", table(0, "I", 100), b"saio", table(0, "I", 100)),
        (b"traf", b"tfhd", struct.pack(">IIQI", 3, 1, 100, 7), b"tfhd", struct.pack(">IIQI", 3, 1, 110, 7)),
        (b"traf", b"tfhd", struct.pack(">IIQ", 1, 1, 99), b"tfhd", struct.pack(">IIQ", 1, 1, 99)),
        (b"traf", b"tfhd", struct.pack(">IIQ", 2, 1, 100), b"tfhd", struct.pack(">IIQ", 2, 1, 100)),
        *[
            (b"mfra", b"tfra", tfra(version, sizes, (500, 99), (600, 100), (700, 101)), b"tfra",
             tfra(version, sizes, (500, 99), (600, 110), (700, 111)))
            for version in (0, 1) for sizes in (0, 0b011011, 0b110110, 0b000011)
        ],
    ],
)  # fmt: skip
def test_offsets_follow_what_has_moved(
    parent: bytes, kind: bytes, before: bytes, kind_after: bytes, after: bytes
) -> None:
    """Those at or behind byte 100 by 10 bytes; a table that no longer fits 32 bits is widened."""
    root = Box(
        b"moov", children=[Box(b"trak", children=[Box(parent, children=[Box(b"free", b"x"), Box(kind, before)])])]
    )
    boxes.shift_offsets(root, 100, 10)
    made = root.children[0].children[0].children[1]
    assert (made.kind, made.head.hex()) == (kind_after, after.hex())
