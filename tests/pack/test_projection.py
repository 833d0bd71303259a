"""VR180: the film lands on the sphere where geometry says, in both eyes, within a pixel."""

from pathlib import Path

import numpy as np
import pytest

from stereocast import planes, recipes, registry
from stereocast.cli.convert import settings_for
from stereocast.pack.projection import SpherePacker, directions
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
    made, reader = recipes.prepare(
        str(source),
        None,
        settings_for({"format": "vr180", "preset": "cardboard", "encoder": "x264", "depth": "embedded"}),
    )
    path = recipes.convert(made, reader).plan.outputs[0]
    assert path.name == "in_180x180_LR.mp4"
    assert read_film(path)["size"] == (1440, 2880)
