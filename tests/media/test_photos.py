"""Photos keep their colour profile and EXIF, lose hidden colours, and are refused by header where they are too large."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stereocast import registry
from stereocast.errors import SinkError, SourceError
from stereocast.jobs.convert import job
from stereocast.media import exif, photos
from stereocast.settings import ConvertSettings

ICC, EXIF = cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_EXIF


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")})
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})


def exif_block(orientation: int, order: str = "<", make: bytes = b"Canon\0") -> bytes:
    entries = [(0x010F, 2, len(make), 38 + 6), (0x0112, 3, 1, orientation), (0x0131, 2, 4, 0)]
    body = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        packed = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
        body += struct.pack(order + "HHI", tag, kind, count) + (b"Cam\0" if tag == 0x0131 else packed)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    data = head + body + struct.pack(order + "I", 0)
    data = data.replace(
        struct.pack(order + "HHII", 0x010F, 2, len(make), 44),
        struct.pack(order + "HHII", 0x010F, 2, len(make), len(data)),
    )
    return data + make


def profile(space: bytes = b"RGB ") -> bytes:
    """A minimal ICC profile that the PNG and WebP libraries take: header, and no tags."""
    head = bytearray(132)
    head[8:12], head[12:16], head[16:20], head[20:24], head[36:40] = b"\x02\x10\0\0", b"mntr", space, b"XYZ ", b"acsp"
    head[68:80] = struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    body = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + np.random.default_rng(1).bytes(79)
    head[128:132] = struct.pack(">I", 1)
    data = bytearray(bytes(head) + struct.pack(">4sII", b"desc", 144, len(body)) + body)
    data[0:4] = struct.pack(">I", len(data))
    return bytes(data)


def picture(height: int = 32, width: int = 48) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 6 % 256, columns * 5 % 256, np.full_like(rows, 60)], -1).astype(np.uint8)


def write(path: Path, image: np.ndarray, blocks: dict[int, bytes]) -> Path:
    arrays = [np.frombuffer(data, np.uint8) for data in blocks.values()]
    ok, data = cv2.imencodeWithMetadata(path.suffix, image, list(blocks), arrays)
    assert ok
    path.write_bytes(np.asarray(data).tobytes())
    return path


def convert(source: Path, output: Path, **flags: Any) -> Path:
    made, opened = job.prepare(str(source), output, ConvertSettings(**flags))
    job.convert(made, opened)
    return made.outputs[0]


def blocks_of(path: Path) -> dict[int, bytes]:
    return photos._decoded(np.fromfile(path, np.uint8))[1]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("target", [".jpg", ".png", ".webp"])
def test_profile_and_exif_arrive(tmp_path: Path, suffix: str, target: str) -> None:
    """The very profile; EXIF with orientation 1, the camera's entries, and our name; the pixels upright."""
    source = write(tmp_path / f"in{suffix}", picture(), {EXIF: exif_block(6), ICC: profile()})
    for layout in ("sbs", "pair"):
        output = convert(source, tmp_path / f"{layout}{target}", format=layout)
        found = blocks_of(output)
        assert found[ICC] == profile()
        block = found[EXIF]
        assert exif.orientation(block) == 1
        assert b"Canon\0" in block
        assert b"Cam\0" in block
        assert exif.made_by_us(block)
        shape = photos.read(str(output))[0].shape
        assert shape == ((48, 64, 3) if layout == "sbs" else (48, 32, 3))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_every_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    image = picture(16, 32)
    source = write(tmp_path / f"in{suffix}", image, {EXIF: exif_block(orientation, "<>"[orientation % 2])})
    turned = {
        1: image, 2: image[:, ::-1], 3: image[::-1, ::-1], 4: image[::-1], 5: image.swapaxes(0, 1),
        6: np.rot90(image, -1), 7: image[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(image),
    }[orientation]  # fmt: skip
    found = photos.read(str(source))[0].astype(int)
    assert found.shape == turned.shape
    assert np.abs(found - turned[..., ::-1]).mean() < (4 if suffix == ".jpg" else 0.01)


def test_exif_survives_bad_blocks() -> None:
    for block in (b"", b"II*\0", b"MM\0*\0\0\xff\xff", b"garbage" * 9, exif_block(3)[:20], b"Exif\0\0" + exif_block(3)):
        made = exif.upright(block)
        assert exif.orientation(made) == 1
        assert exif.made_by_us(made)
        assert exif.upright(made).count(exif.SOFTWARE) == 2  # the old text stays, unreferenced
    assert exif.orientation(exif_block(99)) == 1
    assert struct.pack("<HHI", 0x000B, 2, len(exif.SOFTWARE)) in exif.upright(b""), "the tag ProcessingSoftware"


def test_a_profile_of_another_colour_space_is_not_put_on_rgb(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jpg", picture(), {ICC: profile(b"CMYK")})
    assert photos.read(str(source))[1].profile == b""
    assert ICC not in blocks_of(convert(source, tmp_path / "out.png"))


def test_what_a_format_cannot_keep_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write(tmp_path / "in.jpg", picture(), {EXIF: exif_block(1), ICC: profile()})
    convert(source, tmp_path / "out.tif")
    assert "EXIF and colour profile can't be kept in tif; a .png keeps it" in caplog.text


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_transparent_parts_are_black(tmp_path: Path, suffix: str, depth: type) -> None:
    if depth is np.uint16 and suffix == ".webp":
        pytest.skip("WebP has 8 bits")
    top = np.iinfo(depth).max
    image = np.full((16, 32, 4), 0, depth)
    image[..., 2] = top
    image[:, :16, 3] = top
    image[:, 16:24, 3] = top // 2
    path = tmp_path / f"in{suffix}"
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    path.write_bytes(cv2.imencode(suffix, image, options)[1].tobytes())
    found = photos.read(str(path))[0].astype(int)
    assert (found[:, :16] == (top, 0, 0)).all()
    assert np.abs(found[:, 16:24, 0] - top // 2).max() <= 1
    assert (found[:, 24:] == 0).all()


def header(kind: str, width: int, height: int) -> bytes:
    if kind == "png":
        body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    if kind == "bmp":
        return b"BM" + bytes(12) + struct.pack("<Iii", 40, width, -height) + bytes(20)
    if kind == "webp":
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        return b"RIFF" + bytes(4) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides + bytes(20)
    if kind == "tif":
        entries = struct.pack("<HHHIIHHII", 2, 256, 4, 1, width, 257, 4, 1, height)
        return b"II*\0" + struct.pack("<I", 8) + entries + bytes(4)
    thumbnail = b"\xff\xe1" + struct.pack(">H", 300) + bytes(298)
    return b"\xff\xd8" + thumbnail + b"\xff\xc2\0\x11\x08" + struct.pack(">HH", height, width) + bytes(30)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "webp", "tif"])
def test_too_large_is_known_from_the_header(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"in.{kind}"
    for size in ((16000, 15999), (20000, 20000)):
        path.write_bytes(header(kind, *size))
        assert photos.size(path) == size
    with pytest.raises(SourceError, match=r"20000x20000 pixels; the limit is 250 megapixels"):
        job.prepare(str(path), None, ConvertSettings())
    path.write_bytes(header(kind, 300, 200))
    with pytest.raises(SourceError, match="not a readable image"):
        photos.read(str(path))


@pytest.mark.parametrize(("quality", "kind"), [(80, b"VP8 "), (101, b"VP8L")])
def test_the_size_of_every_kind_of_webp(tmp_path: Path, quality: int, kind: bytes) -> None:
    path = tmp_path / "in.webp"
    cv2.imwrite(str(path), np.zeros((37, 301, 3), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert path.read_bytes()[12:16] == kind
    assert photos.size(path) == (301, 37)
    path.write_bytes(path.read_bytes()[:12] + b"VP9 " + bytes(40))
    assert photos.size(path) is None


def test_what_the_format_of_the_result_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="can't be written as an image of 70000x4"):
        photos.encoded(tmp_path / "x.jpg", np.zeros((4, 70000, 3), np.uint8))
    with pytest.raises(SinkError, match="can't be written"):
        photos.encoded(tmp_path / "x.nothing", np.zeros((4, 4, 3), np.uint8))


def segment(kind: int, body: bytes) -> bytes:
    return bytes([0xFF, kind]) + struct.pack(">H", len(body) + 2) + body


FRAME = bytes([8]) + struct.pack(">HH", 37, 301) + bytes([3])
VP8L, LARGE = ((n | m << 14).to_bytes(4, "little") for n, m in ((300, 36), (0x2AAB, 0x3FFF)))


@pytest.mark.parametrize(
    ("head", "size"),
    [
        *[(b"\xff\xd8" + segment(0xC0 + n, FRAME), (301, 37)) for n in (0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15)],
        *[(b"\xff\xd8" + segment(kind, FRAME) + segment(0xC0, FRAME[:1] + FRAME[1:]), (301, 37)) for kind in (0xC4, 0xC8, 0xCC, 0xBF, 0xD0)],
        (b"\xff\xd8" + segment(0xE0, b"x") + b"\xfe" + segment(0xC0, FRAME), None),
        (b"\xff\xd8" + segment(0xE1, b"x"), None),
        (b"\xff\xd8", None),
        ((b"\xff\xd8" + segment(0xC0, FRAME))[:-1], None),
        (b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 301, 37), (301, 37)),
        (b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 301, 37)[:7], None),
        (b"RIFF" + bytes(4) + b"WEBPVP8L" + bytes(5) + VP8L + bytes(5), (301, 37)),
        (b"RIFF" + bytes(4) + b"WEBPVP8L" + bytes(5) + LARGE + bytes(5), (0x2AAC, 0x4000)),
        (b"RIFF" + bytes(4) + b"WEBPVP8L" + bytes(5) + VP8L + bytes(4), None),
        (b"RIFF" + bytes(4) + b"WEBPVP8 " + bytes(10) + struct.pack("<HH", 301 | 1 << 14, 37 | 3 << 14), (301, 37)),
        (b"RIFF" + bytes(4) + b"WAVEVP8 " + bytes(10) + struct.pack("<HH", 301, 37), None),
        (b"BM" + bytes(16) + struct.pack("<ii", 301, -37), (301, 37)),
        (b"BM" + bytes(16) + struct.pack("<ii", 301, -37)[:7], None),
        (b"MM\0*" + struct.pack(">IHHHIHHHHIHH", 8, 2, 256, 3, 1, 301, 0, 257, 3, 1, 37, 0), (301, 37)),
        (b"II*\0" + struct.pack("<IHHHII", 8, 1, 256, 4, 1, 301), None),
        (b"II*\0" + struct.pack("<I", 8), None),
        (b"II+\0" + struct.pack("<IHHHIIHHII", 8, 2, 256, 4, 1, 301, 257, 4, 1, 37), None),
        (b"GIF89a" + bytes(40), None),
    ],
)  # fmt: skip
def test_sizes_in_every_kind_of_head(tmp_path: Path, head: bytes, size: tuple[int, int] | None) -> None:
    (tmp_path / "a").write_bytes(head)
    assert photos.size(tmp_path / "a") == size


@pytest.mark.parametrize(
    ("size", "fine"),
    [
        ((25_000, 10_000), True),
        ((25_000, 10_001), False),
        ((1 << 20, 2), True),
        (((1 << 20) + 1, 2), False),
        ((2, (1 << 20) + 1), False),
    ],
)
def test_the_largest_pictures(tmp_path: Path, size: tuple[int, int], fine: bool) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(header("png", *size))
    if fine:
        photos.check_size(str(path))
        return
    with pytest.raises(
        SourceError, match=f"has {size[0]}x{size[1]} pixels; the limit is 250 megapixels and 1048576 pixels per side"
    ):
        photos.check_size(str(path))


def test_pictures_of_floats_are_read_as_shares(tmp_path: Path) -> None:
    values = np.array([[0, 0.5, 1, 2], [-1, np.nan, 0.25, 0.75]], np.float32)
    (tmp_path / "a.tiff").write_bytes(cv2.imencode(".tiff", np.repeat(values[..., None], 3, 2))[1].tobytes())
    found = photos.read(str(tmp_path / "a.tiff"))[0]
    assert found.dtype == np.uint8
    assert found[..., 1].tolist() == [[0, 128, 255, 255], [0, 0, 64, 191]]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_number_of_channels_becomes_three(channels: int, kind: type) -> None:
    image = np.random.default_rng(channels).integers(0, np.iinfo(kind).max, (4, 6, channels)).astype(kind)
    if channels == 4:
        image[..., 3] = np.iinfo(kind).max
    found = photos._on_black(image)
    assert (found.shape, found.dtype) == ((4, 6, 3), kind)
    assert (found == (image[..., :3] if channels > 1 else np.repeat(image, 3, 2))).all()
    if channels == 1:
        assert (photos._on_black(image[..., 0]) == found).all()


def test_pictures_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        photos.read(str(tmp_path / "none.png"))
    with pytest.raises(SourceError, match="it is a folder"):
        photos.read(str(tmp_path))
    (tmp_path / "empty.png").touch()
    with pytest.raises(SourceError, match="not a readable image"):
        photos.read(str(tmp_path / "empty.png"))


def test_our_own_pictures_are_known(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours.png", picture(), {EXIF: exif.upright(b"")})
    foreign = write(tmp_path / "foreign.png", picture(), {EXIF: exif_block(1)})
    (tmp_path / "text.png").write_bytes(b"text with " + exif.SOFTWARE)
    found = [photos.made_by_us(path) for path in (ours, foreign, tmp_path / "text.png", tmp_path / "none.png")]
    assert found == [True, False, False, False]


@pytest.mark.parametrize("order", "<>")
def test_exif_keeps_its_order_and_the_next_directory(order: str) -> None:
    block = exif_block(6, order)
    block = block[:46] + struct.pack(order + "I", 1234) + block[50:]
    made = exif.upright(block)
    at = struct.unpack_from(order + "I", made, 4)[0]
    count = struct.unpack_from(order + "H", made, at)[0]
    tags = [struct.unpack_from(order + "H", made, at + 2 + 12 * n)[0] for n in range(count)]
    assert tags == [0x000B, 0x010F, 0x0112, 0x0131]
    assert struct.unpack_from(order + "I", made, at + 2 + 12 * count)[0] == 1234
    assert exif.upright(made).startswith(made[:4])
    assert [exif.orientation(exif_block(n, order)) for n in range(10)] == [1, 1, 2, 3, 4, 5, 6, 7, 8, 1]


def tiff(path: Path, icc: bytes) -> Path:
    """An uncompressed picture of 4x2 with a colour profile (TIFF 6.0)."""
    pixels = bytes(range(24))
    rows = [(256, 3, 1, 4), (257, 3, 1, 2), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 140),
            (277, 3, 1, 3), (278, 3, 1, 2), (279, 4, 1, 24), (34675, 7, len(icc), 164)]  # fmt: skip
    table = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", *row) for row in rows) + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + table + struct.pack("<3H", 8, 8, 8) + pixels + icc)
    return path


def test_the_profile_of_a_tiff(tmp_path: Path) -> None:
    image, extras = photos.read(str(tiff(tmp_path / "a.TIF", profile())))
    assert image.reshape(-1).tolist() == list(range(24))
    assert extras.profile == profile()
    assert photos.read(str(tiff(tmp_path / "b.tif", profile(b"GRAY"))))[1].profile == b""
    assert photos.size(tmp_path / "a.TIF") == (4, 2)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_pictures_are_written_as_they_are(tmp_path: Path, kind: type) -> None:
    image = np.random.default_rng(1).integers(0, np.iinfo(kind).max, (4, 6)).astype(kind)
    data = photos.encoded(tmp_path / "a.png", image)
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None and np.array_equal(found, image)


def test_a_damaged_profile_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[int]] = []

    def rejecting(suffix: str, image: Any, kinds: list[int], arrays: Any) -> Any:
        given.append(kinds)
        if ICC in kinds:
            raise cv2.error("bad profile")
        return True, np.frombuffer(b"made", np.uint8)

    monkeypatch.setattr(photos.cv2, "imencodeWithMetadata", rejecting)
    extras = photos.Extras(exif_block(1), b"junk")
    assert photos.encoded(tmp_path / "a.png", picture(), extras) == b"made"
    assert given == [[EXIF, ICC], [EXIF]]
    assert "the colour profile is damaged and is left out" in caplog.text
    assert len(given) == 2
    monkeypatch.setattr(photos.cv2, "imencodeWithMetadata", lambda *_: (False, None))
    with pytest.raises(SinkError, match="can't be written as an image of 48x32"):
        photos.encoded(tmp_path / "a.png", picture(), extras)
