"""What inspect says: tags, players, contradictions; and the frame-packing message."""

import json
from pathlib import Path

import av
import pytest

from stereocast.media import inspection, sei, spatial, stereoinfo
from stereocast.types import Layout, Projection, StereoFormat
from tests.films import make_film
from tests.support.contents import stereo

VR180 = StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0)


@pytest.mark.parametrize(
    ("name", "layout", "full", "swapped", "sphere"),
    [
        ("film_LRF_Full_SBS.mp4", "left-right", True, False, False), ("film_LR.mp4", "left-right", False, False, False),
        ("film_TBF_fulltb.mp4", "top-bottom", True, False, False), ("film_TB.mkv", "top-bottom", False, False, False),
        ("film_RLF_cross.mp4", "left-right", True, True, False), ("film_180x180_LR.mp4", "left-right", True, False, True),
        ("film_redcyan_dubois.mp4", "anaglyph", False, False, False),
    ],
)  # fmt: skip
def test_names_are_read_as_players_read_them(name: str, layout: str, full: bool, swapped: bool, sphere: bool) -> None:
    views = stereoinfo.from_name(name)
    assert views is not None
    assert (views.layout, views.full, views.swapped, views.half_sphere) == (layout, full, swapped, sphere)


@pytest.mark.parametrize("name", ["film.mp4", "COLLARS.mp4", "film_RGBD.mp4", "Berlin.mp4", "LRGB.mp4"])
def test_ordinary_names_say_nothing(name: str) -> None:
    assert stereoinfo.from_name(name) is None


def test_inspect_names_players_and_contradictions(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film_LRF_Full_SBS.mp4", frames=3, size=(96, 384))
    spatial.tag_file(path, StereoFormat(Layout.SBS))
    facts = inspection.describe(str(path), "quest3")
    json.dumps(facts)
    assert facts["stereo_tags"]["st3d"] == "left-right"
    assert facts["contradictions"] == []
    assert facts["players"]["SKYBOX"].startswith("3D full left-right")
    assert facts["players"]["YouTube"] == "3D, by st3d"
    assert set(facts["players"]) == {"SKYBOX", "Pigasus", "DeoVR", "Quest's own player", "Vision Pro", "YouTube"}
    spatial.tag_file(path, StereoFormat(Layout.HALF_OU))
    assert inspection.describe(str(path), "quest3")["contradictions"] == [
        "the name says left-right, the tags say top-bottom"
    ]
    spatial.tag_file(path, VR180)
    facts = inspection.describe(str(path), "quest3")
    assert facts["contradictions"] == ["the name says flat screen, the tags say half sphere"]
    assert facts["players"]["YouTube"] == "VR180"
    plain = make_film(tmp_path / "plain.mp4", frames=3)
    assert inspection.describe(str(plain), "quest3")["players"]["SKYBOX"] == "2D"


def test_reversed_eyes_against_the_name(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film_LRF_Full_SBS.mp4", frames=3, size=(96, 384))
    spatial.tag_file(path, StereoFormat(Layout.CROSS_EYED))
    tags = stereoinfo.read_tags(path)
    assert stereoinfo.contradictions(path, tags, 384, 96) == [
        "the name says left eye first, the tags say right eye first"
    ]


@pytest.mark.parametrize(
    ("layout", "kind", "inverted"), [(Layout.SBS, 1, 0), (Layout.OU, 2, 0), (Layout.CROSS_EYED, 1, 1)]
)
@pytest.mark.parametrize(("codec", "family"), [("libx264", "h264"), ("libx265", "hevc")])
def test_ffmpeg_reads_the_frame_packing_message(
    tmp_path: Path, codec: str, family: str, layout: Layout, kind: int, inverted: int
) -> None:
    options = {"preset": "ultrafast", **({"x265-params": "log-level=error"} if family == "hevc" else {})}
    plain = make_film(tmp_path / "in.mp4", codec=codec, options=options, frames=6)
    unit = sei.message(StereoFormat(layout), family)
    path = tmp_path / ("out.h264" if family == "h264" else "out.hevc")
    with av.open(str(plain)) as source:
        stream = source.streams.video[0]
        flow = av.BitStreamFilterContext(f"{family}_mp4toannexb", stream)
        packets = [out for packet in source.demux(stream) for out in flow.filter(packet if packet.size else None)]
        path.write_bytes(b"".join(bytes(sei.with_message(packet, unit, family, av.Packet)) for packet in packets))
    assert stereo(path)[:2] == (kind, inverted)
    images = [[f.to_ndarray().tobytes() for f in read_raw(p)] for p in (plain, path)]
    assert images[0] == images[1]


def read_raw(path: Path) -> list:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_no_message_where_there_is_none() -> None:
    assert sei.message(StereoFormat(Layout.ANAGLYPH), "h264") == b""
    assert sei.message(StereoFormat(Layout.SBS), "av1") == b""


@pytest.mark.parametrize(
    ("tags", "views"),
    [
        ({}, None),
        ({"st3d": "mono"}, None),
        ({"st3d": "right-left"}, None),
        ({"st3d": "left-right"}, ("left-right", False, False, "flat")),
        ({"st3d": "top-bottom"}, ("top-bottom", False, False, "flat")),
        ({"vexu_packing": "side"}, ("left-right", True, False, "flat")),
        ({"vexu_packing": "over", "vexu_eyes": ["left", "right", "reversed"]}, ("top-bottom", True, True, "flat")),
        ({"st3d": "top-bottom", "vexu_packing": "side"}, ("top-bottom", True, False, "flat")),
        ({"stereo_mode": "right_left"}, ("left-right", False, True, "flat")),
        ({"stereo_mode": "bottom_top"}, ("top-bottom", False, True, "flat")),
        ({"stereo_mode": "top_bottom"}, ("top-bottom", False, False, "flat")),
        ({"stereo_mode": "anaglyph_cyan_red"}, ("anaglyph", False, False, "flat")),
        ({"stereo_mode": "mono", "projection": "equirectangular"}, ("mono", False, False, "360")),
        ({"projection": "equirectangular", "bounds": {"left": 0.25, "right": 0.25}}, ("mono", False, False, "180")),
        ({"projection": "rectangular", "bounds": {"left": 0.25, "right": 0.25}}, None),
        ({"projection": "mesh", "stereo_mode": "left_right"}, ("left-right", True, False, "180")),
        ({"sv3d_equi": {"left": 0.2, "right": 0.21}, "st3d": "left-right"}, ("left-right", True, False, "180")),
        ({"sv3d_equi": {"left": 0.2, "right": 0.19}, "st3d": "left-right"}, ("left-right", True, False, "360")),
        ({"sv3d_mesh": True}, ("mono", False, False, "180")),
        *[
            ({"vexu_projection": name, "vexu_packing": "side"}, ("left-right", True, False, projection))
            for name, projection in (("rect", "flat"), ("hequ", "180"), ("equi", "360"), ("fish", "fisheye"), ("prim", "fisheye"))
        ],
    ],
)  # fmt: skip
def test_what_the_tags_say(tags: dict[str, object], views: tuple[str, bool, bool, str] | None) -> None:
    said = stereoinfo.from_tags(tags, 1920, 1080)
    assert (said and (said.layout, said.full, said.swapped, said.projection)) == views
    assert said is None or said.source == "tags"


@pytest.mark.parametrize(
    ("layout", "size", "full"),
    [
        ("left-right", (2500, 1000), False), ("left-right", (2501, 1000), True),
        ("top-bottom", (1000, 1000), False), ("top-bottom", (1000, 1001), True),
    ],
)  # fmt: skip
def test_the_shape_says_how_large_the_views_are(layout: str, size: tuple[int, int], full: bool) -> None:
    said = stereoinfo.from_tags({"st3d": layout}, *size)
    assert said is not None
    assert said.full is full


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((3840, 1080), "left-right"), ((4074, 1080), "left-right"), ((4077, 1080), None), ((3766, 1080), "left-right"),
        ((3760, 1080), None), ((3996, 1080), "left-right"), ((5162, 1080), "left-right"), ((1920, 2160), "top-bottom"),
        ((1280, 1440), "top-bottom"), ((1279, 1440), None), ((1920, 2200), "top-bottom"), ((1920, 2210), None), ((0, 0), None),
    ],
)  # fmt: skip
def test_two_screens_in_one_frame(size: tuple[int, int], layout: str | None) -> None:
    """Two pictures of 16:9, 1.85:1 or 2.39:1, to within 2 %."""
    want = layout and stereoinfo.Views(layout, True, False, "flat", "shape")
    assert stereoinfo.from_shape(*size) == want


@pytest.mark.parametrize(
    ("name", "tags", "size", "found"),
    [
        ("film.mp4", {}, (1920, 1080), []),
        ("film.mp4", {"st3d": "left-right", "vexu_packing": "side"}, (3840, 1080), []),
        ("film.mp4", {"st3d": "left-right", "vexu_packing": "over"}, (3840, 1080), ["st3d says left-right, vexu says over"]),
        ("film.mp4", {"st3d": "mono", "vexu_packing": "over"}, (1920, 1080), []),
        ("film.mp4", {"vexu_packing": "side"}, (640, 800), ["the tags say full left-right, but a view of 640x800 would be 0.40:1"]),
        ("film.mp4", {"vexu_packing": "side"}, (642, 800), []),
        ("film.mp4", {"vexu_packing": "over"}, (1500, 1000), ["the tags say full top-bottom, but a view of 1500x1000 would be 3.00:1"]),
        ("film.mp4", {"vexu_packing": "over"}, (1498, 1000), []),
        (
            "film_Full_SBS.mp4", {"vexu_packing": "side"}, (640, 800),
            ["the name says full left-right, but a view of 640x800 would be 0.40:1"],
        ),
    ],
)  # fmt: skip
def test_contradictions_are_named(name: str, tags: dict[str, object], size: tuple[int, int], found: list[str]) -> None:
    assert stereoinfo.contradictions(Path(name), tags, *size) == found


EQUI = {"left": 0.25, "right": 0.25}


@pytest.mark.parametrize(
    ("tags", "codec", "size", "shown", "vision", "youtube"),
    [
        ({}, "h264", (1920, 1080), "2D", "flat", "2D"),
        ({"st3d": "left-right"}, "h264", (3840, 1080), "3D full left-right (by tags)", "flat, both views in one picture", "3D, by st3d"),
        ({"st3d": "top-bottom"}, "h264", (1920, 1080), "3D half top-bottom (by tags)", "flat, both views in one picture", "3D, by st3d"),
        (
            {"st3d": "left-right", "sv3d_equi": EQUI}, "h264", (4096, 2048), "3D full left-right on a half sphere (by tags)",
            "flat, both views in one picture", "VR180",
        ),
        ({"vexu_packing": "side"}, "hevc", (3840, 1080), "3D full left-right (by tags)", "stereo, by vexu", "2D"),
        ({"vexu_packing": "side"}, "h264", (3840, 1080), "3D full left-right (by tags)", "flat, both views in one picture", "2D"),
        (
            {"vexu_packing": "over", "vexu_hero": "left", "vexu_eyes": ["reversed"]}, "hevc", (1920, 2160),
            "3D full top-bottom, eyes swapped (by tags)", "spatial, side by side by vexu", "2D",
        ),
        ({"mv_hevc": True, "vexu_packing": "side"}, "hevc", (3840, 1080), "3D full left-right (by tags)", "spatial video (MV-HEVC)", "2D"),
        (
            {"stereo_mode": "right_left"}, "vp9", (1920, 1080), "3D half left-right, eyes swapped (by tags)",
            "flat, both views in one picture", "3D, by StereoMode",
        ),
        (
            {"stereo_mode": "left_right", "projection": "equirectangular", "bounds": EQUI}, "vp9", (4096, 2048),
            "3D full left-right on a half sphere (by tags)", "flat, both views in one picture", "VR180",
        ),
        ({"stereo_mode": "anaglyph_cyan_red"}, "vp9", (1920, 1080), "2D picture for red-cyan glasses", "flat, both views in one picture",
         "3D, by StereoMode"),
        ({"projection": "equirectangular"}, "vp9", (3840, 1920), "2D all around", "flat", "2D"),
        ({"vexu_projection": "fish"}, "hevc", (1920, 1920), "2D as a fisheye", "flat", "2D"),
    ],
)  # fmt: skip
def test_how_players_show_a_film(
    tags: dict[str, object], codec: str, size: tuple[int, int], shown: str, vision: str, youtube: str
) -> None:
    found = stereoinfo.players(Path("film.mp4"), tags, codec, *size)
    assert {found[name] for name in ("SKYBOX", "Pigasus", "DeoVR", "Quest's own player")} == {shown}
    assert (found["Vision Pro"], found["YouTube"]) == (vision, youtube)


@pytest.mark.parametrize(
    ("name", "tags", "size", "packed", "want"),
    [
        ("a.mp4", {}, (1920, 1080), None, stereoinfo.Views()),
        ("a.mp4", {}, (3840, 1080), None, stereoinfo.Views("left-right", True, source="shape")),
        ("a.mp4", {}, (3840, 1080), ("top-bottom", True), stereoinfo.Views("top-bottom", False, True, source="message")),
        ("a.mp4", {}, (1920, 1080), ("left-right", False), stereoinfo.Views("left-right", False, False, source="message")),
        ("a.mp4", {"st3d": "top-bottom"}, (1920, 1080), ("left-right", True), stereoinfo.Views("top-bottom", False, False, source="tags")),
        ("a_Full_SBS.mp4", {"st3d": "left-right"}, (1920, 1080), None, stereoinfo.Views("left-right", True, False, source="tags")),
        ("a_Full_SBS.mp4", {"st3d": "top-bottom"}, (1920, 1080), None, stereoinfo.Views("top-bottom", False, False, source="tags")),
        ("a_Full_SBS.mp4", {}, (3840, 1080), None, stereoinfo.Views("left-right", True, False, source="name")),
        ("a_180x180_LR.mp4", {}, (3840, 1920), None, stereoinfo.Views("left-right", True, False, "180", "name")),
        ("a.mp4", {"projection": "equirectangular"}, (3840, 1080), None, stereoinfo.Views(projection="360", source="tags")),
        ("a.mp4", {"projection": "equirectangular"}, (3840, 1080), ("left-right", False),
         stereoinfo.Views("left-right", True, False, "360", "message")),
        ("a_redcyan_dubois.mp4", {}, (1920, 1080), None, stereoinfo.Views("anaglyph", source="name")),
    ],
)  # fmt: skip
def test_the_most_certain_source_decides_each_property(
    name: str, tags: dict[str, object], size: tuple[int, int], packed: tuple[str, bool] | None, want: stereoinfo.Views
) -> None:
    assert stereoinfo.settle(Path(name), tags, *size, packed) == want
