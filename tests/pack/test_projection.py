"""VR180: the film lands on the sphere where geometry says, in both eyes, within a pixel."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stereocast import registry
from stereocast.catalog import settle
from stereocast.jobs.convert import job
from stereocast.pack.projection import FEATHER, SpherePacker, directions, project, sphere
from stereocast.pictures import planes
from stereocast.settings import ConvertSettings
from stereocast.types import Colour, Layout, PixelFormat, Projection, StereoClip, StereoFormat
from tests.films import make_film, read_film

FORM = StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0)
SIZE = 512


def spot(x: float, y: float, height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 5.0**2))
    return np.rint(255 * blob)[..., None].repeat(3, 2).astype(np.uint8)


def centre(image: np.ndarray) -> tuple[float, float]:
    weight = image[..., 1].astype(float)
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()


def expected(x: float, y: float, height: int, width: int, fov_deg: float, aspect: float = 1.0) -> tuple[float, float]:
    """Pixel of the eye picture where the film's pixel (x, y) is seen: a ray through a flat screen at distance 1."""
    half = np.tan(np.radians(fov_deg) / 2)
    ray = np.array(
        [(x + 0.5 - width / 2) / (width / 2) * half, (y + 0.5 - height / 2) / (width / 2) * half / aspect, 1]
    )
    lon, lat = np.arctan2(ray[0], ray[2]), np.arcsin(ray[1] / np.linalg.norm(ray))
    return (lon / np.pi + 0.5) * SIZE - 0.5, (lat / np.pi + 0.5) * SIZE - 0.5


@pytest.mark.parametrize(("fov_deg", "aspect"), [(70.0, 1.0), (100.0, 1.0), (120.0, 1.0), (60.0, 4 / 3)])
def test_a_grid_lands_where_geometry_says_in_both_eyes(fov_deg: float, aspect: float) -> None:
    height, width = 360, 640
    packer = SpherePacker(FORM, SIZE, fov_deg, aspect)
    for x in (60, 200, 320, 500, 580):
        for y in (60, 180, 310):
            left, right = spot(x, y, height, width), spot(x - 12, y, height, width)
            packed = packer.pack(StereoClip(left[None], right[None], np.zeros(1, np.int64))).frames[0]
            for half, eye_x in ((packed[:, :SIZE], x), (packed[:, SIZE:], x - 12)):
                assert centre(half) == pytest.approx(expected(eye_x, y, height, width, fov_deg, aspect), abs=1.0)


def test_full_frame_sources_fill_the_half_sphere() -> None:
    x, y = directions(SIZE, 600, 600, 180.0)
    assert np.abs(x[10] - ((np.arange(SIZE) + 0.5) / SIZE * 600 - 0.5)).max() < 1e-9
    assert not np.isnan(y).any()


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_black_around_and_level_inside(pixel_format: PixelFormat) -> None:
    white = planes.blank(90, 160, pixel_format, Colour(), count=1)
    if pixel_format.planar:
        planes.planes(white)[0][...] = 235 << pixel_format.bits - 8
    else:
        white[...] = (1 << pixel_format.bits) - 1
    packed = SpherePacker(FORM, 256, 70.0).pack(StereoClip(white, white, np.zeros(1, np.int64), pixel_format))
    picture = planes.rgb(packed.frames[0], pixel_format, Colour())
    for half in (picture[:, :256], picture[:, 256:]):
        assert half[:20].max() < 0.01
        assert half[:, :20].max() < 0.01
        assert half[100:156, 100:156].min() > 0.99
    border = picture[128, :256].mean(-1)
    assert ((border > 0.05) & (border < 0.95)).sum() >= 2  # it fades


def test_convert_writes_the_preset_s_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(registry, "DEPTH", {"embedded": registry.Backend("tests.fakes:RampDepth")})
    source = make_film(tmp_path / "in.mp4", frames=2)
    made, reader = job.prepare(
        str(source),
        None,
        settle(ConvertSettings, {"format": "vr180", "preset": "cardboard", "encoder": "x264", "depth": "embedded"}),
    )
    path = job.convert(made, reader).plan.outputs[0]
    assert path.name == "in_180x180_LR.mp4"
    assert read_film(path)["size"] == (1440, 2880)


def test_directions_by_hand() -> None:
    """The middle looks at the film's middle; 45 degrees to the right meet a screen of 90 degrees at its side."""
    x, y = directions(181, 100, 200, 90.0)
    assert x[90, 90] == pytest.approx(99.5, abs=1e-9)
    assert y[90, 90] == pytest.approx(49.5, abs=1e-9)
    lon = np.radians((np.arange(181) + 0.5) / 181 * 180 - 90)
    seen = np.abs(np.tan(lon)) <= 1
    np.testing.assert_allclose(x[90, seen], (np.tan(lon[seen]) + 1) * 100 - 0.5, atol=1e-9)
    assert np.isnan(x[90, ~seen]).all()
    column = y[:, 90]
    tall = np.abs(np.tan(lon)) <= 0.5
    np.testing.assert_allclose(column[tall], np.tan(lon[tall]) * 100 + 49.5, atol=1e-9)
    assert np.isnan(column[~tall]).all()
    assert (np.isnan(x) == np.isnan(y)).all()
    tall_pixels = directions(181, 100, 200, 90.0, aspect=0.5)[1]
    np.testing.assert_allclose(tall_pixels[90 - 30, 90], np.tan(lon[60]) * 50 + 49.5, atol=1e-9)


def test_from_150_degrees_on_pixels_are_angles() -> None:
    for fov_deg, straight in ((150.0, True), (151.0, False), (180.0, False)):
        x, _ = directions(64, 90, 90, fov_deg)
        row = x[32][~np.isnan(x[32])]
        assert (np.ptp(np.diff(row)) > 1e-6) == straight
    _, y = directions(64, 60, 90, 160.0, aspect=1.5)
    lat = (np.arange(64) + 0.5) / 64 * np.pi - np.pi / 2
    seen = ~np.isnan(y[:, 32])
    half = np.radians(160) / 2
    np.testing.assert_allclose(y[seen, 32], (lat / half * 90 * 1.5 / 2 + 29.5)[seen], atol=1e-9)


def test_the_rectangle_holds_what_is_seen_and_its_border_fades() -> None:
    maps = sphere(128, 90, 160, 80.0)
    x, _ = directions(128, 90, 160, 80.0)
    seen = ~np.isnan(x)
    rows, columns = maps.map_x.shape
    rectangle = np.zeros((128, 128), bool)
    rectangle[maps.top : maps.top + rows, maps.left : maps.left + columns] = True
    assert (rectangle | ~seen).all()
    assert seen[maps.top].any()
    assert seen[maps.top + rows - 1].any()
    assert seen[:, maps.left].any()
    assert seen[:, maps.left + columns - 1].any()
    inner = seen[maps.top : maps.top + rows, maps.left : maps.left + columns]
    assert (maps.map_x[~inner] == -1).all()
    assert (maps.map_y[~inner] == -1).all()
    assert (maps.weight[~inner] == 0).all()
    edge = FEATHER * 160
    distance = np.minimum.reduce([maps.map_x + 0.5, 159.5 - maps.map_x, maps.map_y + 0.5, 89.5 - maps.map_y])
    np.testing.assert_allclose(maps.weight[inner], np.clip(distance / edge, 0, 1)[inner], atol=1e-4)
    wide = sphere(128, 90, 160, 80.0, aspect=2.0)
    y_distance = np.minimum(wide.map_y + 0.5, 89.5 - wide.map_y) * 2
    x_distance = np.minimum(wide.map_x + 0.5, 159.5 - wide.map_x)
    known = wide.map_x >= 0
    want = np.clip(np.minimum(x_distance, y_distance) / edge, 0, 1)
    np.testing.assert_allclose(wide.weight[known], want[known], atol=1e-4)


def test_projection_writes_film_over_black() -> None:
    maps = sphere(96, 40, 60, 90.0)
    for plane in (np.full((40, 60), 200, np.uint8), np.full((40, 60, 3), 200, np.uint8)):
        out = np.full((96, 96, *plane.shape[2:]), 7, np.uint8)
        project(plane, maps, 16, out)
        rows, columns = maps.map_x.shape
        inner = out[maps.top : maps.top + rows, maps.left : maps.left + columns]
        weight = maps.weight if plane.ndim == 2 else maps.weight[..., None]
        assert np.abs(inner - (16 + 184 * weight)).max() <= 0.51
        outside = np.ones((96, 96), bool)
        outside[maps.top : maps.top + rows, maps.left : maps.left + columns] = False
        assert (out[outside] == 16).all()
    with pytest.raises(ValueError, match="16000"):
        project(np.zeros((2, 16001), np.uint8), maps, 0, np.zeros((96, 96), np.uint8))
    assert project(np.zeros((2, 16000), np.uint8), maps, 0, np.zeros((96, 96), np.uint8)) is None
    with pytest.raises(ValueError, match="smaller than a pixel"):
        sphere(4, 1, 1000, 1.0)


def test_eye_order_sizes_and_levels() -> None:
    white = np.full((1, 40, 60, 3), 255, np.uint8)
    dark = white * 0
    stereo = StereoClip(white, dark, np.arange(1))
    for right_first, first in ((False, 255), (True, 0)):
        form = StereoFormat(Layout.VR180, Projection.EQUIRECT_180, right_first=right_first)
        packed = SpherePacker(form, 97, 90.0).pack(stereo).frames[0]
        assert packed.shape == (96, 192, 3)
        assert packed[48, 48, 0] == first
        assert packed[48, 144, 0] == 255 - first
    assert SpherePacker(FORM, 97).shape(10, 20) == (96, 192)
    assert SpherePacker(FORM, 98).shape(10, 20) == (98, 196)
    assert SpherePacker(FORM, 64).fov_deg == 70.0
    for full_range, black in ((False, 16), (True, 0)):
        for bits, pixel_format in ((8, PixelFormat.YUV420P), (10, PixelFormat.YUV420P10)):
            colour = Colour(full_range=full_range)
            view = planes.blank(40, 60, pixel_format, colour, count=1)
            frame = (
                SpherePacker(FORM, 96, 60.0).pack(StereoClip(view, view, np.arange(1), pixel_format, colour)).frames[0]
            )
            luma, blue, red = planes.planes(frame)
            assert luma[0, 0] == black << bits - 8
            assert blue[0, 0] == red[0, 0] == 128 << bits - 8


def test_films_of_several_widths_through_one_packer() -> None:
    packer = SpherePacker(FORM, 96, 90.0)
    for width in (60, 40, 60):
        view = np.full((1, 40, width, 3), 255, np.uint8)
        rows = (packer.pack(StereoClip(view, view, np.arange(1))).frames[0, :, 48, 0] > 128).sum()
        alone = SpherePacker(FORM, 96, 90.0).pack(StereoClip(view, view, np.arange(1))).frames[0, :, 48, 0] > 128
        assert rows == alone.sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_drawing_the_border_alone_changes_no_pixel(dtype: type, channels: tuple[int, ...]) -> None:
    """Against the plain way: float maps, and the whole picture blended."""
    maps = sphere(64, 36, 50, 100.0)
    plane = np.random.default_rng(3).integers(0, 255, (36, 50, *channels)).astype(dtype)
    picture = cv2.remap(plane, maps.map_x, maps.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = maps.weight.reshape(*maps.weight.shape, *[1] * len(channels))
    want = np.full((64, 64, *channels), 16, dtype)
    rows, columns = maps.weight.shape
    want[maps.top : maps.top + rows, maps.left : maps.left + columns] = np.rint(
        16 + (picture.astype(np.float32) - 16) * weight
    )
    out = np.full_like(want, 77)  # what was in the memory before doesn't shine through
    project(plane, maps, 16, out)
    np.testing.assert_array_equal(out, want)
