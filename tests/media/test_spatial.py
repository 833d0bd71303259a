"""Tags: what FFmpeg's own demuxer reads back of them, and that nothing else of the file changes."""

import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from stereocast.errors import SourceError
from stereocast.media import boxes, ebml, spatial
from stereocast.types import Layout, Projection, StereoFormat
from tests.films import make_film, read_film
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
