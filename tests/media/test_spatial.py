"""Tags: what FFmpeg's own demuxer reads back of them, and that nothing else of the file changes."""

import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from stereocast.errors import SourceError
from stereocast.media import boxes, ebml, spatial
from stereocast.media.boxes import Box
from stereocast.types import Layout, Projection, StereoFormat
from tests.films import make_film, read_film
from tests.media import small
from tests.support.contents import OVER, SIDE, side_data, stereo

HERE = Path(__file__).parent
VR180 = StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0)
CODECS = {
    "libx264": {"preset": "ultrafast", "g": "6"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"},
    "libsvtav1": {"preset": "11", "svtav1-params": "lp=1"},
}
MUXING = {
    "plain": {},
    "faststart": {"movflags": "+faststart"},
    "fragmented": {"movflags": "+frag_keyframe+empty_moov+default_base_moof"},
    "fragmented-absolute": {"movflags": "+frag_keyframe"},
    "hybrid": {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "200000"},
}


def film(tmp_path: Path, codec: str = "libx264", muxing: str = "plain") -> Path:
    path = make_film(tmp_path / "in.mp4", codec=codec, options=CODECS[codec], frames=18, audio=["aac"])
    made = tmp_path / f"{codec}-{muxing}.mp4"
    with av.open(str(path)) as source, av.open(str(made), "w", options=MUXING[muxing]) as out:
        streams = {s.index: out.add_stream_from_template(s, opaque=True) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    return made


def contents(path: Path) -> tuple[object, ...]:
    seen = read_film(path)
    return [f.to_ndarray().tobytes() for f in seen["frames"]], seen["times"], seen["audio"]


@pytest.mark.parametrize("muxing", MUXING)
@pytest.mark.parametrize("codec", CODECS)
def test_ffmpeg_reads_the_tags_back(tmp_path: Path, codec: str, muxing: str) -> None:
    path = film(tmp_path, codec, muxing)
    before = contents(path)
    assert "STEREO3D" not in side_data(path)
    spatial.tag_file(path, StereoFormat(Layout.SBS))
    assert stereo(path)[:2] == (SIDE, 0)
    assert contents(path) == before
    spatial.tag_file(path, VR180)
    assert stereo(path)[0] == SIDE
    projection, _, _, _, left, top, right, bottom = struct.unpack("iiiiIIII", side_data(path)["SPHERICAL"][:32])
    assert (projection, left, top, right, bottom) == (2, 1 << 30, 0, 1 << 30, 0)  # AV_SPHERICAL_EQUIRECTANGULAR_TILE
    assert contents(path) == before
    spatial.tag_file(path, StereoFormat(Layout.OU))
    assert stereo(path)[0] == OVER
    assert "SPHERICAL" not in side_data(path)
    spatial.tag_file(path, StereoFormat(Layout.MONO))
    assert "STEREO3D" not in side_data(path)
    assert contents(path) == before


def test_crossed_and_spatial(tmp_path: Path) -> None:
    path = film(tmp_path)
    spatial.tag_file(path, StereoFormat(Layout.CROSS_EYED))
    assert stereo(path)[:2] == (SIDE, 1)  # inverted
    spatial.tag_file(path, StereoFormat(Layout.SPATIAL), spatial.Camera(0.065, 71.5, 0.02))
    kind, flags, _, eye, baseline, shift, parts, fov, unit = stereo(path)
    assert (kind, flags, eye, baseline) == (SIDE, 0, 1, 65_000)
    assert Fraction(shift, parts) == Fraction(2, 100)
    assert Fraction(fov, unit) == Fraction(143, 2)


def tree(box: boxes.Box) -> object:
    if box.children and box.kind != b"moov":
        return {box.kind.decode(): [tree(child) for child in box.children]}
    return {box.kind.decode(): box.head.hex()}


@pytest.mark.parametrize("layout", list(Layout))
def test_golden_tree(layout: Layout, request: pytest.FixtureRequest) -> None:
    form = VR180 if layout is Layout.VR180 else StereoFormat(layout)
    path = HERE / "golden_boxes.json"
    golden = json.loads(path.read_text()) if path.exists() else {}
    made = [tree(box) for box in spatial.tags(form)]
    if request.config.getoption("--update-golden"):
        golden[layout.value] = made
        path.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")
    assert golden[layout.value] == made


def test_boxes_stand_after_the_configuration_and_before_the_aspect(tmp_path: Path) -> None:
    path = make_film(tmp_path / "in.mp4", frames=3, aspect=Fraction(4, 3))
    spatial.tag_file(path, VR180)
    order = spatial.read_tags(path)["boxes"]
    assert order.index("avcC") < order.index("st3d") < order.index("sv3d") < order.index("pasp")
    spatial.tag_file(path, VR180)
    assert spatial.read_tags(path)["boxes"] == order


@pytest.mark.parametrize("layout", [Layout.SBS, Layout.SPATIAL, Layout.CROSS_EYED, Layout.OU])
def test_reader_reads_what_was_written(tmp_path: Path, layout: Layout) -> None:
    path = film(tmp_path)
    spatial.tag_file(path, StereoFormat(layout))
    tags = spatial.read_tags(path)
    assert tags["vexu_packing"] == ("over" if layout is Layout.OU else "side")
    assert ("reversed" in tags["vexu_eyes"]) is (layout is Layout.CROSS_EYED)
    assert ("st3d" in tags) is (layout in (Layout.SBS, Layout.OU))
    if layout is Layout.SPATIAL:
        assert (tags["vexu_baseline_mm"], tags["hfov_deg"], tags["vexu_hero"]) == (63.0, 60.0, "left")


@pytest.mark.parametrize("muxing", ["plain", "faststart", "fragmented", "hybrid"])
def test_damaged_files_are_refused_and_stay_as_they_are(tmp_path: Path, muxing: str) -> None:
    whole = film(tmp_path, muxing=muxing).read_bytes()
    path = tmp_path / "bad.mp4"
    for length in (0, 5, 20, 40, len(whole) // 3, len(whole) - 3):
        path.write_bytes(whole[:length])
        with pytest.raises(SourceError):
            spatial.tag_file(path, VR180)
        assert path.read_bytes() == whole[:length]
    at = whole.rindex(b"stsd") - 4
    for broken in (whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :], whole[:at] + b"\0\0\0\3" + whole[at + 4 :]):
        path.write_bytes(broken)
        with pytest.raises(SourceError):
            spatial.tag_file(path, VR180)
        assert path.read_bytes() == broken
    assert sorted(p.name for p in tmp_path.iterdir() if "tagging" in p.name) == []


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    source = film(tmp_path)
    path = tmp_path / "sound.mp4"
    with av.open(str(source)) as film_, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(film_.streams.audio[0])
        for packet in film_.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    with pytest.raises(SourceError, match="no video track"):
        spatial.tag_file(path, VR180)


@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("muxing", ["fragmented", "fragmented-absolute"])
def test_a_stream_is_tagged_in_flight(tmp_path: Path, muxing: str, piece: int) -> None:
    path = film(tmp_path, muxing=muxing)
    before, data = contents(path), path.read_bytes()
    flight = spatial.InFlight(VR180)
    made = b"".join(flight.feed(data[at : at + piece]) for at in range(0, len(data), piece)) + flight.rest()
    other = tmp_path / "flown.mp4"
    other.write_bytes(made)
    assert contents(other) == before
    assert stereo(other)[0] == SIDE
    assert "SPHERICAL" in side_data(other)


def test_offset_tables_grow_to_64_bits() -> None:
    near = (1 << 32) - 40
    stco = boxes.Box(b"stco", bytes(4) + (2).to_bytes(4, "big") + (100).to_bytes(4, "big") + near.to_bytes(4, "big"))
    moov = boxes.Box(b"moov", children=[boxes.Box(b"trak", children=[stco])])
    place = boxes.Place(b"moov", 24, 8, len(bytes(moov)) - 60)  # it grew by 60 bytes
    data, shift = spatial.grow(moov, place)
    table = boxes.parse(data)[0].find(b"trak", b"co64")
    assert table is not None
    assert shift == 60 + 8
    assert struct.unpack(">QQ", table.head[8:]) == (100 + (shift if 100 >= place.end else 0), near + shift)
    assert len(data) == place.size + shift


def test_matroska_projection(tmp_path: Path) -> None:
    path = make_film(tmp_path / "in.mkv", audio=["aac"], chapters=True)
    before = contents(path)
    size = path.stat().st_size
    spatial.tag_file(path, VR180)
    assert path.stat().st_size == size
    assert contents(path) == before
    projection, _, _, _, left, _, right, _ = struct.unpack("iiiiIIII", side_data(path)["SPHERICAL"][:32])
    assert (projection, left, right) == (2, 1 << 30, 1 << 30)
    assert ebml.read_tags(path)["projection"] == "equirectangular"
    with av.open(str(path)) as container:  # the cues still lead to the right places
        container.seek(500_000)
        assert next(container.decode(video=0)).time <= 0.5
    spatial.tag_file(path, VR180)
    assert contents(path) == before


def nested(*kinds: bytes, body: bytes = b"") -> Box:
    """A box inside others; its body follows version and flags."""
    made = Box(kinds[-1], bytes(4) + body)
    for kind in reversed(kinds[:-1]):
        made = Box(kind, children=[made])
    return made


def fixed(*values: float) -> bytes:
    return b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)


EYES, SPHERE = (b"vexu", b"eyes"), (b"sv3d", b"proj")


@pytest.mark.parametrize(
    ("box", "tags"),
    [
        *[
            (nested(b"st3d", body=bytes([mode])), {"st3d": name})
            for mode, name in enumerate(("mono", "top-bottom", "left-right", "custom", "right-left", "mode 5"))
        ],
        (nested(b"sv3d", b"svhd", body=b"a maker\0more"), {"sv3d_source": "a maker"}),
        (nested(*SPHERE, b"prhd", body=fixed(-90, 12.5, 0.25)), {"sv3d_pose_deg": [-90.0, 12.5, 0.25]}),
        (
            nested(*SPHERE, b"equi", body=bytes.fromhex("10000000 20000000 40000000 80000000")),
            {"sv3d_equi": {"top": 1 / 16, "bottom": 1 / 8, "left": 1 / 4, "right": 1 / 2}},
        ),
        (nested(*SPHERE, b"cbmp"), {"sv3d_cubemap": True}),
        (nested(*SPHERE, b"mshp"), {"sv3d_mesh": True}),
        *[
            (nested(*EYES, b"stri", body=bytes([bits])), {"vexu_eyes": names})
            for bits, names in (
                (0, []), (1, ["left"]), (2, ["right"]), (3, ["left", "right"]), (4, ["additional"]),
                (11, ["left", "right", "reversed"]),
            )
        ],
        *[
            (nested(*EYES, b"hero", body=bytes([eye])), {"vexu_hero": name})
            for eye, name in enumerate(("none", "left", "right", "3"))
        ],
        (nested(*EYES, b"cams", b"blin", body=(64_500).to_bytes(4, "big")), {"vexu_baseline_mm": 64.5}),
        (nested(*EYES, b"cmfy", b"dadj", body=(-250).to_bytes(4, "big", signed=True)), {"vexu_disparity_shift": -0.025}),
        (nested(b"vexu", b"proj", b"prji", body=b"hequ"), {"vexu_projection": "hequ"}),
        (nested(b"vexu", b"pack", b"pkin", body=b"over"), {"vexu_packing": "over"}),
        (Box(b"hfov", (71_500).to_bytes(4, "big")), {"hfov_deg": 71.5}),
        (Box(b"lhvC"), {"mv_hevc": True}),
        (Box(b"pasp", bytes(8)), {}),
    ],
)  # fmt: skip
def test_each_tag_is_read_from_its_place(box: Box, tags: dict[str, object]) -> None:
    found = spatial.entry_tags(Box(b"hvc1", children=[box]))
    assert found == {"entry": "hvc1", "boxes": [box.kind.decode()], **tags}


@pytest.mark.parametrize(
    ("kinds", "whole"),
    [((b"st3d",), 1), ((*SPHERE, b"prhd"), 12), ((*SPHERE, b"equi"), 16), ((*EYES, b"stri"), 1), ((*EYES, b"hero"), 1),
     ((*EYES, b"cams", b"blin"), 4), ((*EYES, b"cmfy", b"dadj"), 4)],
)  # fmt: skip
def test_a_tag_that_is_cut_off_is_damage(kinds: tuple[bytes, ...], whole: int) -> None:
    assert spatial.entry_tags(Box(b"hvc1", children=[nested(*kinds, body=bytes(whole))]))
    with pytest.raises(SourceError, match="is cut off"):
        spatial.entry_tags(Box(b"hvc1", children=[nested(*kinds, body=bytes(whole - 1))]))


@pytest.mark.parametrize(("shift", "baseline"), [(-1.0, 0.0), (0.0, 0.0654321), (1.0, 0.5)])
def test_a_camera_comes_back(shift: float, baseline: float) -> None:
    camera = spatial.Camera(baseline, 63.456, shift)
    found = spatial.entry_tags(Box(b"hvc1", children=spatial.tags(StereoFormat(Layout.SPATIAL), camera)))
    assert (found["vexu_disparity_shift"], found["hfov_deg"]) == (shift, 63.456)
    assert found["vexu_baseline_mm"] == round(1000 * baseline, 3)
    fov = spatial.entry_tags(Box(b"hvc1", children=spatial.tags(StereoFormat(Layout.SPATIAL, fov_deg=80.0))))[
        "hfov_deg"
    ]
    assert fov == 80.0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], ["st3d"]),
        (["pasp"], ["st3d", "pasp"]),
        (["colr", "esds", "pasp"], ["colr", "esds", "st3d", "pasp"]),
        (["hvcC", "btrt", "lhvC", "clap"], ["hvcC", "btrt", "lhvC", "st3d", "clap"]),
        (["vexu", "avcC", "hfov", "sv3d"], ["avcC", "st3d"]),
    ],
)
def test_tags_stand_behind_the_last_configuration(before: list[str], after: list[str]) -> None:
    entry = Box(b"avc1", bytes(78), [Box(kind.encode(), bytes(8)) for kind in before])
    moov = Box(b"moov", children=[small.track(b"vide", Box(b"stsd", bytes(8), [entry]))])
    assert spatial.patch(moov, [spatial.st3d(2)])
    assert [box.kind.decode() for box in entry.children] == after
    assert not spatial.patch(moov, [spatial.st3d(2)]), "nothing changes any more"
    with pytest.raises(SourceError, match="no video track"):
        spatial.patch(Box(b"moov"), [])


@pytest.mark.parametrize("size", [1, 7])
def test_what_is_no_mp4_is_refused_in_flight(size: int) -> None:
    flight = spatial.InFlight(VR180)
    head = size.to_bytes(4, "big") + b"mdat" + (bytes(8) if size > 1 else (7).to_bytes(8, "big"))
    assert flight.feed(head[:15]) == b""
    with pytest.raises(SourceError, match="in the stream"):
        flight.feed(head[15:])


@pytest.mark.parametrize(
    "box",
    [
        Box(b"mdat", bytes(range(8))),  # the shortest whose head can be told
        Box(b"free", bytes(200)),
    ],
)
@pytest.mark.parametrize("piece", [1, 15, 16, 17, 1000])
def test_other_boxes_pass_through_at_once(box: Box, piece: int) -> None:
    long = b"\0\0\0\1mdat" + (24).to_bytes(8, "big") + b"12345678"
    endless = bytes(4) + b"mdat" + bytes(range(100))
    data = bytes(box) + long + bytes(box) + endless
    flight = spatial.InFlight(VR180)
    made = b""
    for at in range(0, len(data), piece):
        made += flight.feed(data[at : at + piece])
        assert len(data[: at + piece]) - len(made) < 16, "held back"
    assert made == data
    assert flight.rest() == b""
