"""Sources that are 3D already: by what FFmpeg says of a frame, by name, and by shape."""

import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from stereocast.media import spatial, views
from stereocast.media.boxes import Box
from stereocast.media.views import Found
from stereocast.types import Layout, Projection, StereoFormat


class Item(bytes):
    type = SimpleNamespace(name="")


def frame(stereo: bytes = b"", sphere: bytes = b"") -> SimpleNamespace:
    items = []
    for name, data in (("STEREO3D", stereo), ("SPHERICAL", sphere)):
        if data:
            items.append(Item(data))
            items[-1].type = SimpleNamespace(name=name)
    return SimpleNamespace(side_data=items)


def mapping(kind: int, left: float = 0, right: float = 0, size: int = 36) -> bytes:
    """FFmpeg's AVSphericalMapping: projection, yaw, pitch, roll, bounds as shares of the full size."""
    bounds = (round(share * (1 << 32)) for share in (left, 0.3, right, 0.3))
    return struct.pack("=4i5I", kind, 1, 2, 3, *bounds, 0)[:size]


def stereo(kind: int, flags: int = 0) -> bytes:
    return struct.pack("=ii", kind, flags)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (frame(), None),
        (frame(stereo(0)), None),
        (frame(stereo(1)), Found("side-by-side", None, False, "", "its tags")),
        (frame(stereo(2, 1)), Found("over-under", None, True, "", "its tags")),
        (frame(stereo(5, 2)), Found("quincunx", None, False, "", "its tags")),
        (frame(stereo(8)), None),
        (frame(stereo(1)[:7]), None),
        *[
            (frame(sphere=mapping(kind)), Found("", None, False, sphere, "its tags"))
            for kind, sphere in ((0, "360"), (1, "360"), (2, "360"), (3, "180"), (5, "fisheye"))
        ],
        (frame(sphere=mapping(4)), None),
        (frame(sphere=mapping(0)[:3]), None),
        (frame(sphere=mapping(2, 0.25, 0.25)), Found("", None, False, "180", "its tags")),
        (frame(sphere=mapping(2, 0.25, 0.25, 32)), Found("", None, False, "180", "its tags")),
        (frame(sphere=mapping(2, 0.25, 0.25, 31)), Found("", None, False, "360", "its tags")),
        (frame(sphere=mapping(2, 0.5, 0.04)), Found("", None, False, "180", "its tags")),
        (frame(sphere=mapping(2, 0.1, 0.36)), Found("", None, False, "180", "its tags")),
        (frame(sphere=mapping(2, 0.1, 0.3)), Found("", None, False, "360", "its tags")),
        (frame(stereo(1), mapping(3)), Found("side-by-side", None, False, "180", "its tags")),
    ],
)
def test_what_ffmpeg_says_of_a_frame(given: SimpleNamespace, found: Found | None) -> None:
    assert views.of_frame(given) == found


@pytest.mark.parametrize(
    ("name", "given", "size", "found"),
    [
        ("plain", None, (1920, 1080), None),
        ("a_HSBS", None, (5000, 1000), Found("side-by-side", True, False, "", "its name")),
        ("a_Full_SBS", None, (100, 1000), Found("side-by-side", False, False, "", "its name")),
        ("a 3D side by side", None, (2500, 1000), Found("side-by-side", True, False, "", "its name")),
        ("a 3D side by side", None, (2501, 1000), Found("side-by-side", False, False, "", "its name")),
        ("a 3D over under", None, (1250, 1000), Found("over-under", True, False, "", "its name")),
        ("a 3D over under", None, (1249, 1000), Found("over-under", False, False, "", "its name")),
        ("a_redcyan", None, (1920, 1080), Found("anaglyph", None, False, "", "its name")),
        ("plain", frame(stereo(1, 1)), (1920, 1080), Found("side-by-side", True, True, "", "its tags")),
        ("plain", frame(stereo(2)), (1000, 1000), Found("over-under", False, False, "", "its tags")),
        ("a_Full_SBS", frame(stereo(1)), (1920, 1080), Found("side-by-side", False, False, "", "its tags")),
        ("a_HSBS", frame(stereo(1)), (3840, 1080), Found("side-by-side", True, False, "", "its tags")),
        ("a_HSBS", frame(stereo(2)), (1000, 1000), Found("over-under", False, False, "", "its tags")),
        ("plain", frame(stereo(1), mapping(3)), (2000, 1000), Found("side-by-side", False, False, "180", "its tags")),
        ("plain", frame(stereo(6)), (1920, 1080), Found("row-interlaced", None, False, "", "its tags")),
        ("a_HSBS", frame(), (1920, 1080), Found("side-by-side", True, False, "", "its name")),
    ],
)
def test_the_size_of_each_view_is_by_name_or_else_by_shape(
    name: str, given: SimpleNamespace | None, size: tuple[int, int], found: Found | None
) -> None:
    """On a sphere each view has its whole resolution, whatever the shape."""
    assert views.detect(f"{name}.mp4", given, *size) == found


def sphere(kind: bytes) -> list[Box]:
    return [spatial.st3d(0), Box(b"sv3d", children=[Box(b"proj", children=[Box(kind, bytes(20))])])]


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (spatial.tags(StereoFormat(Layout.SBS)), Found("side-by-side", False, False, "", "its tags")),
        (spatial.tags(StereoFormat(Layout.HALF_SBS)), Found("side-by-side", True, False, "", "its tags")),
        (spatial.tags(StereoFormat(Layout.OU)), Found("over-under", False, False, "", "its tags")),
        (spatial.tags(StereoFormat(Layout.HALF_OU)), Found("over-under", True, False, "", "its tags")),
        (spatial.tags(StereoFormat(Layout.CROSS_EYED)), Found("side-by-side", False, True, "", "its tags")),
        (
            spatial.tags(StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0)),
            Found("side-by-side", False, False, "180", "its tags"),
        ),
        (sphere(b"equi"), Found("", None, False, "360", "its tags")),
        (sphere(b"mshp"), Found("", None, False, "180", "its tags")),
        (sphere(b"cbmp"), None),
        ([Box(b"lhvC")], Found("multiview", False, False, "", "its MV-HEVC layers")),
        ([Box(b"lhvC"), spatial.st3d(2)], Found("multiview", False, False, "", "its MV-HEVC layers")),
        ([spatial.st3d(0)], None),
        ([], None),
    ],
)
def test_boxes_say_what_no_frame_does(tmp_path: Path, tags: list[Box], found: Found | None) -> None:
    path = tmp_path / "plain.mp4"
    handler = Box(b"hdlr", bytes(8) + b"vide" + bytes(13))
    stsd = Box(b"stsd", bytes(8) + bytes(Box(b"hvc1", bytes(78), tags)))
    media = Box(b"mdia", children=[handler, Box(b"minf", children=[Box(b"stbl", children=[stsd])])])
    moov = bytes(Box(b"moov", children=[Box(b"trak", children=[media])]))
    path.write_bytes(bytes(Box(b"ftyp", b"isom")) + moov)
    assert views.detect(str(path), frame(), 1500, 1000) == found
    assert views.detect(str(path), None, 1500, 1000) is None, "a picture has no boxes"
    path.write_bytes(bytes(Box(b"ftyp", b"isom")) + moov[:-1])
    assert views.detect(str(path), frame(), 1500, 1000) is None


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (Found("side-by-side"), "side by side"), (Found("multiview", sphere="180"), "180° MV-HEVC"), (Found("", sphere="360"), "360°"),
        (Found("over-under", sphere="fisheye"), "fisheye over-under"), (Found("checkerboard"), "checkerboard"),
    ],
)  # fmt: skip
def test_titles(found: Found, title: str) -> None:
    assert found.title == title
