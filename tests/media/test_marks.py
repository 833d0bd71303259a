"""What names say: the marks that players know are found, words that look like them aren't, and certain beats weak."""

from pathlib import Path

import av
import pytest

from stereocast.media import inspection, marks, sei, spatial, stereoinfo
from stereocast.types import Layout, Projection, StereoFormat
from tests.films import make_film

WIDE, HD, TWO, SQUARE = (3840, 1080), (1920, 1080), (3840, 1920), (2880, 2880)


@pytest.mark.parametrize(
    ("name", "size", "layout", "full", "swapped", "projection"),
    [
        ("Film HalfSBS", HD, "left-right", False, False, "flat"),
        ("Film.Half-SBS.1080p", HD, "left-right", False, False, "flat"),
        ("Film Half Side-By-Side", HD, "left-right", False, False, "flat"),
        ("Film_half_side_by_side_x264", HD, "left-right", False, False, "flat"),
        ("Film.3D.H-SBS.1080p.BluRay-GROUP", HD, "left-right", False, False, "flat"),
        ("Film 3D Side-by-Side", HD, "left-right", False, False, "flat"),
        ("Film_OverUnder_3D", (1920, 2160), "top-bottom", True, False, "flat"),
        ("FilmHD FullSBS", WIDE, "left-right", True, False, "flat"),
        ("film_sbs", WIDE, "left-right", True, False, "flat"),
        ("film_sbs", HD, "left-right", False, False, "flat"),
        ("Film HalfOU", HD, "top-bottom", False, False, "flat"),
        ("Film 3D HOU 1080p", HD, "top-bottom", False, False, "flat"),
        ("Film.Half.Top-and-Bottom", HD, "top-bottom", False, False, "flat"),
        ("Film-FOU", (1920, 2160), "top-bottom", True, False, "flat"),
        ("film_LR", HD, "left-right", False, False, "flat"),
        ("film-lr", HD, "left-right", False, False, "flat"),
        ("film_RL_1080p", HD, "left-right", False, True, "flat"),
        ("tour_360", TWO, "mono", False, False, "360"),
        ("tour_360_TB", SQUARE, "top-bottom", True, False, "360"),
        ("Dive VR180", HD, "mono", False, False, "180"),
        ("Dive_180_LR", HD, "left-right", True, False, "180"),
        ("Dive LR 180", TWO, "left-right", True, False, "180"),
        ("Dive_180", SQUARE, "mono", False, False, "180"),
        ("dive_180x180_3dh", TWO, "left-right", True, False, "180"),
        ("scene_MKX200_LR", TWO, "left-right", True, False, "fisheye"),
        ("cartoon_anaglyph", HD, "anaglyph", False, False, "flat"),
        ("Dive VR180 TB", (2880, 5760), "top-bottom", True, False, "180"),
        ("Dive_180_TB", (2880, 5760), "top-bottom", True, False, "180"),
    ],
)
def test_marks_that_players_know(
    name: str, size: tuple[int, int], layout: str, full: bool, swapped: bool, projection: str
) -> None:
    views = stereoinfo.from_name(f"{name}.mp4", *size)
    assert views is not None
    assert (views.layout, views.full, views.swapped, views.projection) == (layout, full, swapped, projection)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Mer ou montagne", HD), ("Mer ou", HD), ("Pierrot le Fou", HD), ("Hou Hsiao", HD), ("Holiday LR Greece", HD),
        ("GOPR_180", HD), ("GOPR_360", HD), ("clip_640_360", (640, 360)), ("SBS News 2010", HD), ("portrait_LR", (1080, 1920)),
        ("wide_TB", WIDE), ("Anaglyph history part 2", HD), ("tab", HD), ("180", HD), ("half full", HD), ("", HD),
            ("Side by Side 2012", HD), ("Walking side by side", WIDE), ("Over-Under", HD), ("From top to bottom", HD),
    ],
)  # fmt: skip
def test_words_that_look_like_marks(name: str, size: tuple[int, int]) -> None:
    assert marks.read(name, *size) is None


def test_marks_leave_the_rest_of_the_name() -> None:
    assert marks.bare("movie.3D.HSBS") == "movie.3D"
    assert marks.bare("film_LRF_Full_SBS") == "film"
    assert marks.bare("Heat_LR") == "Heat_LR"
    assert marks.bare("HSBS") == "HSBS"


def test_tags_beat_the_name(tmp_path: Path) -> None:
    path = make_film(tmp_path / "holiday_sbs.mp4", frames=3, size=(96, 342))
    spatial.tag_file(path, StereoFormat(Layout.SBS))
    views = stereoinfo.views(path, 342, 96)
    assert (views.layout, views.full, views.source) == ("left-right", True, "tags")
    # a view of 4:3 is full although the frame isn't very wide
    narrow = make_film(tmp_path / "narrow_half-sbs.mp4", frames=3, size=(90, 160))
    spatial.tag_file(narrow, StereoFormat(Layout.SBS))
    assert stereoinfo.views(narrow, 160, 90).full
    assert inspection.describe(str(narrow), "quest3")["players"]["SKYBOX"].startswith("3D full left-right")
    # the tags say which layout, the name says how large the views are
    half = make_film(tmp_path / "wide_Half-SBS.mp4", frames=3, size=(60, 180))
    spatial.tag_file(half, StereoFormat(Layout.HALF_SBS))
    assert not stereoinfo.views(half, 180, 60).full
    # each property by the surest that says it: eyes and layout by the tags, the sphere by the name
    other = make_film(tmp_path / "dive_TB_180.mp4", frames=3, size=(96, 192))
    spatial.tag_file(other, StereoFormat(Layout.CROSS_EYED))
    views = stereoinfo.views(other, 192, 96)
    assert (views.layout, views.swapped, views.projection) == ("left-right", True, "180")


def test_the_whole_sphere_is_no_half() -> None:
    whole = {"sv3d_equi": {"top": 0.0, "bottom": 0.0, "left": 0.0, "right": 0.0}, "st3d": "mono"}
    views = stereoinfo.from_tags(whole, 3840, 1920)
    assert views is not None
    assert (views.layout, views.projection, views.half_sphere) == ("mono", "360", False)


def test_a_half_sphere_stays_one(tmp_path: Path) -> None:
    path = make_film(tmp_path / "plain.mp4", frames=3, size=(96, 192))
    spatial.tag_file(path, StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0))
    assert stereoinfo.views(path, 192, 96).projection == "180"


@pytest.mark.parametrize(("codec", "family"), [("libx264", "h264"), ("libx265", "hevc")])
def test_the_message_beats_the_name(tmp_path: Path, codec: str, family: str) -> None:
    options = {"preset": "ultrafast", **({"x265-params": "log-level=error"} if family == "hevc" else {})}
    plain = make_film(tmp_path / "in.mp4", codec=codec, options=options, frames=3, size=(96, 128))
    path = tmp_path / f"film_TB.{'h264' if family == 'h264' else 'hevc'}"
    unit = sei.message(StereoFormat(Layout.CROSS_EYED), family)
    with av.open(str(plain)) as source:
        stream = source.streams.video[0]
        assert sei.of_film(source, stream) is None
        source.seek(0)
        flow = av.BitStreamFilterContext(f"{family}_mp4toannexb", stream)
        packets = [out for packet in source.demux(stream) for out in flow.filter(packet if packet.size else None)]
        path.write_bytes(b"".join(bytes(sei.with_message(packet, unit, family, av.Packet)) for packet in packets))
    with av.open(str(path)) as film:
        packed = sei.of_film(film, film.streams.video[0])
    assert packed == ("left-right", True)
    views = stereoinfo.views(path, 128, 96, packed)
    assert (views.layout, views.swapped, views.source) == ("left-right", True, "message")


@pytest.mark.parametrize(
    ("size", "layout"),
    [((3840, 1080), "left-right"), ((1920, 2160), "top-bottom"), ((1920, 1080), None), ((2520, 1080), None),
     ((1080, 1920), None), ((1080, 1350), None)],
)  # fmt: skip
def test_the_frames_shape_is_the_last_word(size: tuple[int, int], layout: str | None) -> None:
    shape = stereoinfo.from_shape(*size)
    assert (shape.layout if shape else None) == layout
