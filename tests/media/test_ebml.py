"""Matroska's elements: numbers, the space that the Projection takes, and the tags that are read back."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast.errors import SinkError, SourceError
from stereocast.media import ebml, views

SEGMENT, SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = "18538067", "114d9b74", "4dbb", "53ab", "53ac"
VOID, INFO, TRACKS, ENTRY, TYPE, VIDEO, TAGS, CLUSTER = (
    "ec",
    "1549a966",
    "1654ae6b",
    "ae",
    "83",
    "e0",
    "1254c367",
    "1f43b675",
)
NUMBER, FOURCC = "d7", "2eb524"
UNKNOWN = b"\x01" + b"\xff" * 7


def element(ident: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes.fromhex(ident) + (len(body) | 1 << 28).to_bytes(4, "big") + body


def named(data: bytes) -> list[tuple[str, bytes]]:
    found = list(ebml.elements(data, 0, len(data)))
    assert all(element.end <= len(data) for element in found)
    return [(f"{element.ident:x}", data[element.body : element.end]) for element in found]


@pytest.mark.parametrize(
    ("length", "head"),
    [(0, "ec80"), (1, "ec81"), (126, "ecfe"), (127, "ec407f"), (16382, "ec7ffe"), (16383, "ec203fff"), (2097150, "ec3ffffe"),
     (2097151, "ec101fffff")],
)  # fmt: skip
def test_a_size_takes_as_few_bytes_as_it_can(length: int, head: str) -> None:
    """All ones mean an unknown size (RFC 8794), so the highest number of each length takes one byte more."""
    made = ebml._coded(0xEC, bytes(length))
    assert made[: -length or None].hex() == head
    assert named(made + element(INFO, b"x")) == [("ec", bytes(length)), (INFO, b"x")]


@pytest.mark.parametrize("width", range(1, 9))
def test_an_unknown_size_lasts_to_the_end(width: int) -> None:
    unknown = ((1 << 7 * width + 1) - 1).to_bytes(width, "big")
    assert named(bytes.fromhex(CLUSTER) + unknown + b"abc") == [(CLUSTER, b"abc")]
    known = ((1 << 7 * width) | 2).to_bytes(width, "big")
    assert named(b"\xec" + known + b"ab\xec\x80") == [(VOID, b"ab"), (VOID, b"")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("00", "damaged"),
        ("ec", "damaged"),
        ("ec00", "damaged"),
        ("1549a9", "cut off"),
        ("ec40", "cut off"),
        ("ec4002", None),
    ],
)
def test_heads_that_are_no_heads(data: str, why: str | None) -> None:
    found = ebml.elements(bytes.fromhex(data), 0, len(data) // 2)
    if why is None:
        assert [(e.body, e.end) for e in found] == [(3, 5)]
        return
    with pytest.raises(SourceError, match=why):
        list(found)


def seek(ident: str, position: int) -> bytes:
    return element(SEEK, element(SEEK_ID, bytes.fromhex(ident)), element(SEEK_POSITION, position.to_bytes(4, "big")))


def matroska(path: Path, room: int, *, kinds: bytes = b"\2\1\1", first: str = SEEK_HEAD, video: bytes = b"") -> Path:
    """A file as a muxer writes it, with `room` bytes of empty space; its tracks are of these kinds (1: video)."""
    void = b"\xec" + (room - 9 | 1 << 56).to_bytes(8, "big") + bytes(room - 9)
    pictures = element(VIDEO, element(FOURCC, b"I420"), video)
    entries = [
        element(ENTRY, element(NUMBER, bytes([n])), element(TYPE, bytes([kind])), *([pictures] if kind == 1 else []))
        for n, kind in enumerate(kinds, 1)
    ]
    tracks = element(TRACKS, element(VOID, b"\1\2\3"), *entries)
    later = [(INFO, element(INFO, b"info")), (TRACKS, tracks), (TAGS, element(TAGS, b"tags"))]
    at = len(element(SEEK_HEAD, *(seek(ident, 0) for ident, _ in later))) + room
    seeks = []
    for ident, data in later:
        seeks.append(seek(ident, at))
        at += len(data)
    body = element(first, *seeks) + void + b"".join(data for _, data in later) + element(CLUSTER, b"pictures")
    path.write_bytes(ebml.MAGIC + b"\x80" + bytes.fromhex(SEGMENT) + UNKNOWN + body)
    return path


def body_of(path: Path) -> bytes:
    return named(path.read_bytes())[1][1]


def growth(folder: Path) -> int:
    """The bytes by which the tracks of such a file grow."""
    path = matroska(folder / "roomy.mkv", 500)
    ebml.add_projection(path)
    return 500 - 9 - len(dict(named(body_of(path)))[VOID])


@pytest.mark.parametrize("left", [9, 10, 200])
def test_the_projection_takes_empty_space_and_moves_nothing_else(tmp_path: Path, left: int) -> None:
    path = matroska(tmp_path / "a.mkv", growth(tmp_path) + left)
    size, before = path.stat().st_size, dict(named(body_of(path)))
    ebml.add_projection(path)
    assert path.stat().st_size == size
    body = body_of(path)
    after = dict(named(body))
    assert list(after) == list(before)
    assert all(after[ident] == before[ident] for ident in (INFO, TAGS, CLUSTER))
    for _, entry in named(after[SEEK_HEAD]):
        ident, position = (value for _, value in named(entry))
        assert body[int.from_bytes(position, "big") :].startswith(ident)
    assert [b"\x76\x70" in entry for _, entry in named(after[TRACKS])] == [False, False, True, False], (
        "only the first video"
    )
    assert ebml.read_tags(path)["bounds"] == {"top": 0.0, "bottom": 0.0, "left": 0.25, "right": 0.25}
    once = path.read_bytes()
    ebml.add_projection(path)
    assert path.read_bytes() == once


def test_a_file_without_space_or_video_stays_as_it_is(tmp_path: Path) -> None:
    full = matroska(tmp_path / "full.mkv", growth(tmp_path) + 8)
    sound = matroska(tmp_path / "sound.mkv", 500, kinds=b"\2\x11")
    for path, error, why in ((full, SinkError, "no space"), (sound, SourceError, "no video track")):
        before = path.read_bytes()
        with pytest.raises(error, match=why):
            ebml.add_projection(path)
        assert path.read_bytes() == before


def test_space_behind_the_tracks_is_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    tracks, void = element(TRACKS, element(ENTRY, element(TYPE, b"\1"), element(VIDEO))), element(VOID, bytes(500))
    for body in (tracks + void, tracks, void):
        path.write_bytes(ebml.MAGIC + b"\x80" + bytes.fromhex(SEGMENT) + UNKNOWN + body)
        with pytest.raises(SinkError, match="no space"):
            ebml.add_projection(path)
    path.write_bytes(ebml.MAGIC + b"\x80" + element(INFO, void + tracks))
    with pytest.raises(SourceError, match="no segment"):
        ebml.add_projection(path)


MODES = (
    "mono left_right bottom_top top_bottom checkerboard_rl checkerboard_lr row_interleaved_rl row_interleaved_lr "
    "col_interleaved_rl col_interleaved_lr anaglyph_cyan_red right_left anaglyph_green_magenta block_lr block_rl"
).split()
PACKINGS = {
    "left_right": "side-by-side", "bottom_top": "over-under", "checkerboard_rl": "checkerboard",
    "row_interleaved_lr": "row-interlaced", "col_interleaved_rl": "column-interlaced", "block_lr": "frame-sequential",
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_every_stereo_mode_is_read_as_ffmpeg_reads_it(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        stream.metadata["stereo_mode"] = mode
        frame = av.VideoFrame.from_ndarray(np.zeros((24, 32), np.uint8), format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert ebml.read_tags(path) == {"stereo_mode": mode}
    with av.open(str(path)) as film:
        found = views.of_frame(next(film.decode(video=0)))
    if mode in PACKINGS:
        assert found is not None
        assert (found.packing, found.swapped) == (PACKINGS[mode], mode.endswith("rl") or mode == "bottom_top")


@pytest.mark.parametrize(
    ("video", "tags"),
    [
        (element("53b8", b"\x0f"), {"stereo_mode": "15"}),
        (element("53b8", b"\x01\x01"), {"stereo_mode": "257"}),
        *[
            (element("7670", element("7671", bytes([kind]))), {"projection": name})
            for kind, name in enumerate(("rectangular", "equirectangular", "cubemap", "mesh", "mesh"))
        ],
        (
            element("7670", element("7672", bytes(4) + bytes.fromhex("10000000 20000000 40000000 80000000"))),
            {"bounds": {"top": 1 / 16, "bottom": 1 / 8, "left": 1 / 4, "right": 1 / 2}},
        ),
        (element("7670", element("7672", bytes(19))), {}),
    ],
)
def test_tags_of_the_first_video_track(tmp_path: Path, video: bytes, tags: dict[str, object]) -> None:
    assert ebml.read_tags(matroska(tmp_path / "a.mkv", 100, video=video)) == tags
