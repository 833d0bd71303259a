"""Colours of every kind of source, as RGB: what a player that follows the output's tags shows is what the source meant."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast.media import colour, sidedata
from stereocast.pictures import tone
from stereocast.types import Colour, HdrStatic, PixelFormat
from tests.media.small import convert

pytestmark = pytest.mark.usefixtures("small_stages")

PATCHES = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [40, 90, 200], [128, 128, 128], [255, 255, 255], [0, 0, 0]])  # fmt: skip
KR_KB = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}  # fmt: skip


def to_yuv(rgb: np.ndarray, matrix: int, full: bool, bits: int) -> np.ndarray:
    """RGB 0..255 [.., 3] as code values [.., 3]; ITU-T H.273."""
    kr, kb = KR_KB[matrix]
    r, g, b = (rgb[..., k] / 255 for k in range(3))
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    top, unit = (1 << bits) - 1, 1 << (bits - 8)
    if full:
        return np.stack([y * top, u * top + 128 * unit, v * top + 128 * unit], -1)
    return np.stack([(16 + 219 * y) * unit, (128 + 224 * u) * unit, (128 + 224 * v) * unit], -1)


def to_rgb(yuv: np.ndarray, matrix: int, full: bool, bits: int) -> np.ndarray:
    kr, kb = KR_KB[matrix]
    top, unit = (1 << bits) - 1, 1 << (bits - 8)
    span, chroma, black = (top, top, 0) if full else (219 * unit, 224 * unit, 16 * unit)
    y, u, v = (yuv[..., 0] - black) / span, (yuv[..., 1] - 128 * unit) / chroma, (yuv[..., 2] - 128 * unit) / chroma
    r, b = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    return np.clip(np.stack([r, (y - kr * r - kb * b) / (1 - kr - kb), b], -1) * 255, 0, 255)


def chart(width: int, height: int) -> np.ndarray:
    return np.repeat(np.repeat(PATCHES[None], height, 0), width // len(PATCHES), 1).astype(np.uint8)


def write(path: Path, codec: str, pixel_format: str, size: tuple[int, int], matrix: int, full: bool, tags: Colour | None) -> Path:  # fmt: skip
    """Two frames of the chart, coded with `matrix` (0: RGB)."""
    width, height = size
    rgb = chart(width, height)
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        if tags is not None:
            context = video.codec_context
            context.color_primaries, context.color_trc, context.colorspace = tags.primaries, tags.transfer, tags.matrix
            context.color_range = 2 if tags.full_range else 1
        for k in range(2):
            if not matrix:
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
            else:
                kind = av.VideoFormat(pixel_format)
                bits = kind.components[0].bits
                coded = np.clip(np.rint(to_yuv(rgb, matrix, full, bits)), 0, (1 << bits) - 1)
                values = np.dstack([coded, np.full((height, width), 255)]).astype(np.uint16 if bits > 8 else np.uint8)
                frame = av.VideoFrame(width, height, pixel_format)
                for number, plane in enumerate(frame.planes):
                    part = values[:: height // plane.height, :: width // plane.width, number]
                    rows = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
                    rows[:, : plane.width] = part
                    plane.update(rows.tobytes())
                if tags is not None:
                    colour.apply(frame, tags)
            frame.pts, frame.time_base = k, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def shown(path: Path) -> tuple[np.ndarray, Colour]:
    """RGB at the middle of the left view's patches as a player shows them that follows the tags, and the tags."""
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0))
    tags = Colour(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), int(frame.color_range) == 2)
    assert int(frame.color_range) in (1, 2), "the range is explicit"
    bits = frame.format.components[0].bits
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint16 if bits > 8 else np.uint8).reshape(plane.height, -1)[:, : plane.width]
        step = plane.width // 2 / len(PATCHES)
        planes.append([rows[plane.height // 2, int((k + 0.5) * step)] for k in range(len(PATCHES))])
    return to_rgb(np.array(planes).T.astype(float), tags.matrix, tags.full_range, bits), tags


HD, SD, PAL = (1280, 720), (640, 480), (720, 576)
CASES = [
    ("untagged HD", "ffv1", "yuv420p", HD, 1, False, None, (1, 1, 1)),
    ("untagged SD", "ffv1", "yuv420p", SD, 6, False, None, (6, 6, 6)),
    ("untagged PAL", "ffv1", "yuv420p", PAL, 5, False, None, (5, 6, 5)),
    ("untagged wide", "ffv1", "yuv420p", (1280, 544), 1, False, None, (1, 1, 1)),
    ("709", "libx264", "yuv420p", HD, 1, False, Colour(1, 1, 1), (1, 1, 1)),
    ("601 in HD", "libx264", "yuv420p", HD, 6, False, Colour(6, 6, 6), (6, 6, 6)),
    ("709 in SD", "libx264", "yuv420p", SD, 1, False, Colour(1, 1, 1), (1, 1, 1)),
    ("matrix alone", "libx264", "yuv420p", HD, 6, False, Colour(2, 2, 6), (6, 6, 6)),
    ("FCC", "ffv1", "yuv420p", SD, 4, False, Colour(2, 2, 4), (4, 4, 4)),
    ("240M", "libx264", "yuv420p", HD, 7, False, Colour(7, 7, 7), (7, 7, 7)),
    ("2020 10 bit", "libx265", "yuv420p10le", HD, 9, False, Colour(9, 14, 9), (9, 14, 9)),
    ("full range", "libx264", "yuvj420p", HD, 1, True, Colour(1, 1, 1, True), (1, 1, 1)),
    ("full range 4:2:2", "mjpeg", "yuvj422p", HD, 5, True, None, (5, 6, 5)),
    ("4:4:4", "ffv1", "yuv444p", HD, 1, False, Colour(1, 1, 1), (1, 1, 1)),
    ("4:4:4 SD untagged", "ffv1", "yuv444p", SD, 6, False, None, (6, 6, 6)),
    ("4:2:2 10 bit", "ffv1", "yuv422p10le", HD, 1, False, Colour(1, 1, 1), (1, 1, 1)),
    ("alpha", "ffv1", "yuva420p", HD, 1, False, Colour(1, 1, 1), (1, 1, 1)),
    ("RGB planes", "ffv1", "bgr0", HD, 0, True, None, (1, 1, 1)),
    ("RGB SD", "ffv1", "bgr0", SD, 0, True, None, (1, 1, 1)),
    ("RGB QuickTime", "qtrle", "rgb24", HD, 0, True, None, (1, 1, 1)),
    ("RGB H.264", "libx264rgb", "rgb24", HD, 0, True, None, (1, 1, 1)),
    ("RGB PNG", "png", "rgb24", SD, 0, True, None, (1, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size", "matrix", "full", "tags", "want"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
@pytest.mark.parametrize("layout", ["sbs", "half-ou"])
def test_a_player_shows_what_the_source_meant(
    tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int], matrix: int, full: bool,
    tags: Colour | None, want: tuple[int, int, int] | None, layout: str,
) -> None:  # fmt: skip
    suffix = ".mov" if codec == "qtrle" else ".mkv"
    try:
        source = write(tmp_path / f"in{suffix}", codec, pixel_format, size, matrix, full, tags)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg doesn't write {codec} {pixel_format}: {error}")
    output = convert(source, tmp_path / "out.mp4", format=layout, crf=8).plan.outputs[0]
    if layout == "sbs":
        found, made = shown(output)
        worst = np.abs(found - PATCHES).max()
        assert worst <= 6, f"off by {worst:.0f} of 255"
    else:
        made = shown(output)[1]
    assert made.matrix in KR_KB
    if want is not None:
        assert (made.primaries, made.transfer, made.matrix) == want


@pytest.mark.parametrize("full", [False, True])
def test_grey_keeps_its_levels(tmp_path: Path, full: bool) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        video = out.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "gray"
        video.codec_context.color_range = 2 if full else 1
        frame = av.VideoFrame.from_ndarray(np.full((48, 64), 60, np.uint8), format="gray")
        frame.color_range = 2 if full else 1
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    output = convert(tmp_path / "in.mkv", tmp_path / "out.mkv", crf=5).plan.outputs[0]
    with av.open(str(output)) as film:
        after = next(film.decode(video=0))
    assert (int(after.color_range) == 2) is full
    assert abs(int(np.frombuffer(after.planes[0], np.uint8)[30]) - 60) <= 2


def test_hlg_and_pq_signals_become_the_light_of_their_standards() -> None:
    """ITU-R BT.2100: HLG 0.5, 0.75 and 1 are scene light 1/12, 0.265 and 1; SMPTE ST 2084: PQ 0.508 and 0.752 are 100 and
    1,000 cd/m2."""
    grey = np.repeat(np.array([0.5, 0.75, 1.0], np.float32)[:, None], 3, 1)
    scene = np.array([1 / 12, 0.26497, 1.0])
    np.testing.assert_allclose(tone._to_light(grey, tone.HLG)[:, 0] * 203, 1000 * scene**1.2, rtol=2e-3)
    grey = np.repeat(np.array([0.508078, 0.751827], np.float32)[:, None], 3, 1)
    np.testing.assert_allclose(tone._to_light(grey, tone.PQ)[:, 0] * 203, [100, 1000], rtol=2e-3)


@pytest.mark.parametrize(
    ("tags", "size", "want"),
    [
        ((2, 2, 2), (1279, 719), (6, 6, 6)),  # primaries, transfer, matrix (ITU-T H.273)
        ((2, 2, 2), (1280, 719), (1, 1, 1)),
        ((2, 2, 2), (1279, 720), (1, 1, 1)),
        ((2, 2, 2), (720, 576), (5, 6, 5)),
        ((2, 2, 2), (352, 288), (5, 6, 5)),
        ((2, 2, 2), (720, 480), (6, 6, 6)),
        ((0, 3, 0), (720, 577), (6, 6, 6)),
        ((1, 2, 2), (720, 576), (1, 1, 1)),
        ((5, 2, 2), (1920, 1080), (5, 6, 5)),
        ((9, 16, 2), (720, 576), (9, 16, 9)),
        ((2, 16, 9), (720, 576), (9, 16, 9)),
        ((2, 2, 9), (720, 576), (9, 14, 9)),
        ((2, 2, 7), (1920, 1080), (7, 7, 7)),
        ((2, 2, 8), (720, 576), (1, 1, 8)),
        ((12, 13, 2), (1920, 1080), (12, 13, 1)),
    ],
)
@pytest.mark.parametrize("full", [False, True])
def test_what_is_unspecified_is_filled_in(
    tags: tuple[int, int, int], size: tuple[int, int], want: tuple[int, int, int], full: bool
) -> None:
    assert colour.explicit(Colour(*tags, full), *size) == Colour(*want, full)


POINTS = tuple((Fraction(x, 50000), Fraction(y, 50000)) for x, y in
               ((34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450)))  # fmt: skip
LIGHT = (Fraction(1, 200), Fraction(1000))
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
IN_SHARES = "G(0.26500,0.69000)B(0.15000,0.06000)R(0.68000,0.32000)WP(0.31270,0.32900)L(1000.0000,0.0050)"
PQ, HLG, SDR = Colour(9, 16, 9), Colour(9, 18, 9), Colour(1, 1, 1)


@pytest.mark.parametrize(
    ("tags", "hdr", "x265", "svtav1"),
    [
        (SDR, None, "", ""),
        (PQ, None, "hdr10=1:repeat-headers=1", ""),
        (HLG, None, "hdr10=0:repeat-headers=1", ""),
        (
            PQ, HdrStatic(POINTS, LIGHT, 900, 300),
            f"hdr10=1:repeat-headers=1:master-display={DISPLAY}:max-cll=900,300", f"mastering-display={IN_SHARES}:content-light=900,300",
        ),
        (SDR, HdrStatic(POINTS, LIGHT, 0, 0), f"master-display={DISPLAY}", f"mastering-display={IN_SHARES}"),
        (SDR, HdrStatic(POINTS, None, 900, 0), "max-cll=900,0", "content-light=900,0"),
        (SDR, HdrStatic((), LIGHT, 0, 300), "max-cll=0,300", "content-light=0,300"),
    ],
)  # fmt: skip
def test_metadata_in_the_words_of_each_encoder(tags: Colour, hdr: HdrStatic | None, x265: str, svtav1: str) -> None:
    """x265 counts in steps of 0.00002 and 0.0001 cd/m²."""
    assert colour.x265_params(hdr, tags) == x265
    assert colour.svtav1_params(hdr) == svtav1


def display(chromaticity: bool, luminance: bool) -> bytes:
    """FFmpeg's AVMasteringDisplayMetadata: ten fractions and whether they are known."""
    values = [part for point in POINTS for value in point for part in (value.numerator, value.denominator)]
    values += [part for value in LIGHT for part in (value.numerator, value.denominator)]
    return struct.pack("=22i", *values, chromaticity, luminance)


@pytest.mark.parametrize(
    ("items", "want"),
    [
        ({}, None),
        ({"MASTERING_DISPLAY_METADATA": display(True, True)}, HdrStatic(POINTS, LIGHT, 0, 0)),
        ({"MASTERING_DISPLAY_METADATA": display(False, True)}, HdrStatic((), LIGHT, 0, 0)),
        ({"MASTERING_DISPLAY_METADATA": display(True, False)}, HdrStatic(POINTS, None, 0, 0)),
        ({"MASTERING_DISPLAY_METADATA": display(False, False)}, None),
        ({"MASTERING_DISPLAY_METADATA": display(True, True)[:87]}, None),
        ({"CONTENT_LIGHT_LEVEL": struct.pack("=2I", 900, 300)}, HdrStatic((), None, 900, 300)),
        ({"CONTENT_LIGHT_LEVEL": struct.pack("=2I", 900, 300)[:7]}, None),
        (
            {"MASTERING_DISPLAY_METADATA": struct.pack("=22i", *[0] * 21, 1)},
            HdrStatic((), (Fraction(0), Fraction(0)), 0, 0),
        ),
    ],
)
def test_metadata_of_a_frame(items: dict[str, bytes], want: HdrStatic | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidedata, "of_frame", lambda _: iter(items.items()))
    assert colour.hdr_of_frame(None) == want


def pq(nits: float) -> float:
    """The signal 0..1 of a luminance (SMPTE ST 2084)."""
    power = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


@pytest.mark.parametrize("peak", [None, 200, 1000, 4000])
@pytest.mark.parametrize("nits", [0.0, 5, 50, 203, 600, 1000])
def test_grey_is_tone_mapped_by_extended_reinhard(nits: float, peak: int | None) -> None:
    """Reinhard et al. 2002, eq. 4, with the peak as white, at least half as bright again as SDR white."""
    image = np.full((4, 6, 3), round(pq(nits) * 65535), np.uint16)
    hdr = None if peak is None else HdrStatic(luminance=(Fraction(1, 10_000), Fraction(peak)))
    made = colour.tone_map(image, PixelFormat.RGB48, Colour(9, tone.PQ, 9, True), hdr)
    light, white = nits / 203, max((peak or 1000) / 203, 1.5)
    mapped = light * (1 + light / white**2) / (1 + light) * 1.18
    assert made.shape == (6, 6)
    assert np.abs(made[:4].astype(float) - (16 + 219 * min(1, mapped) ** (1 / 2.4))).max() < 1.2
    assert np.abs(made[4:].astype(float) - 128).max() <= 1, "grey stays grey"


def test_a_palette_is_rgb() -> None:
    """Pictures of a palette hold RGB of full range, like all RGB; they became YUV of the wrong range."""
    rgb = np.zeros((32, 64, 3), np.uint8)
    rgb[:, :16], rgb[:, 16:32], rgb[:, 32:48] = (255, 255, 255), (200, 40, 60), (30, 160, 90)
    plain = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    indexed = np.repeat(np.arange(64) // 16, 32).reshape(64, 32).T.astype(np.uint8)
    table = np.zeros((256, 4), np.uint8)
    table[:, 0] = 255
    for number in range(4):
        table[number, 1:] = rgb[0, 16 * number]
    frame = av.VideoFrame.from_ndarray((np.ascontiguousarray(indexed), table), format="pal8")
    assert colour.of_frame(frame) == colour.of_frame(plain)
    for target in (PixelFormat.YUV420P, PixelFormat.YUV420P10):
        tags = colour.of_frame(plain)
        made, wanted = (colour.converted(each, target, tags).to_ndarray().astype(int) for each in (frame, plain))
        assert np.abs(made - wanted)[:32].max() <= 2 << target.bits - 8
    np.testing.assert_array_equal(colour.as_rgb(frame, PixelFormat.RGB24), rgb)
