"""The depth map's grid seen by a moved camera."""

import numpy as np
import pytest

from stereocast.kernels.mesh import raster


def grid(rows=6, columns=9):
    v, u = np.mgrid[:rows, :columns].astype(np.float32)
    return u, v


def test_an_unmoved_grid_shows_every_source_pixel_where_it_was():
    u, v = grid()
    out = raster(u, v, np.ones_like(u), u, v, np.ones((5, 8), bool), 6, 9)
    np.testing.assert_allclose(out[0], u, atol=1e-5)
    np.testing.assert_allclose(out[1], v, atol=1e-5)


@pytest.mark.parametrize("near", [0, 1])
def test_near_hides_far_whatever_comes_first(near):
    """Two sheets over each other as one mesh: the cells between them are cut."""
    u, v = grid(4, 5)
    x, y = np.tile(u, (2, 1)), np.tile(v, (2, 1))
    inverse = np.concatenate([np.full((4, 5), 1 + near, np.float32), np.full((4, 5), 2 - near, np.float32)])
    source = np.concatenate([u, u + 100])
    keep = np.ones((7, 4), bool)
    keep[3] = False
    out = raster(x, y, inverse, source, y, keep, 4, 5)
    np.testing.assert_allclose(out[0], u + (0 if near else 100), atol=1e-4)


def test_places_between_grid_points_are_interpolated():
    u, v = grid(3, 4)
    rng = np.random.default_rng(0)
    x, y = 3 * u + rng.uniform(-0.4, 0.4, u.shape), 2.5 * v + rng.uniform(-0.4, 0.4, v.shape)
    out = raster(x, y, 1 + 0 * u, x, y, np.ones((2, 3), bool), 7, 11)
    seen = out[0] >= 0
    rows, columns = np.nonzero(seen)
    assert seen.sum() > 35
    np.testing.assert_allclose(out[0][seen], columns, atol=1e-3)
    np.testing.assert_allclose(out[1][seen], rows, atol=1e-3)
    inside = (columns > x[:, 0].max()) & (columns < x[:, -1].min())
    assert inside.sum() > 20


def test_cut_cells_and_folds_stay_empty():
    u, v = grid(3, 4)
    keep = np.ones((2, 3), bool)
    keep[0, 1] = False
    out = raster(4 * u + 0.5, 4 * v + 0.5, 1 + 0 * u, u, v, keep, 10, 14)
    assert (out[:, 1:4, 5:8] == -1).all()
    assert (out[:, 5:8, 5:8] >= 0).all()
    turned = raster(13 - 4 * u, 4 * v, 1 + 0 * u, u, v, np.ones((2, 3), bool), 10, 14)
    assert (turned == -1).all(), "seen from behind"
    broken = u.copy()
    broken[1, 1] = np.nan
    assert np.isfinite(raster(broken, v, 1 + 0 * u, u, v, np.ones((2, 3), bool), 3, 4)).all()


def test_what_lies_outside_the_picture_is_cut_off():
    u, v = grid(6, 9)
    out = raster(u - 3, v - 2, np.ones_like(u), u, v, np.ones((5, 8), bool), 3, 4)
    np.testing.assert_allclose(out[0], np.arange(3, 7)[None].repeat(3, 0), atol=1e-5)
    np.testing.assert_allclose(out[1], np.arange(2, 5)[:, None].repeat(4, 1), atol=1e-5)
