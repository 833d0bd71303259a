"""The CPU rasteriser against gsplat's own arithmetic, images and gradients."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.arrays import read_arrays

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.kernels.gaussian_project import CUTOFF  # noqa: E402
from stereocast.splat.raster import Options, rasterize  # noqa: E402


def _leaves(data, *names):
    return {name: torch.from_numpy(data[name].astype(np.float32)).requires_grad_() for name in names}


def _close(got, want, relative=1e-4):
    """Within `relative` of each value, or of the array's largest (float32 sums of cancelling terms)."""
    got = got.detach().numpy() if hasattr(got, "detach") else got
    np.testing.assert_allclose(got, want, rtol=relative, atol=relative * 0.1 * np.abs(want).max())


def _on_threshold(view, row, column):
    """Whether a Gaussian contributes 1/255 to a pixel, give or take what float32 leaves open: one side skips it."""
    x, y = (column + 0.5 - view.centre[:, 0], row + 0.5 - view.centre[:, 1])
    xx, xy, yy, opacity = (view.shape[:, k].astype(np.float64) for k in range(4))
    alpha = opacity * np.exp(-0.5 * (xx * x * x + 2 * xy * x * y + yy * y * y))
    return bool((np.abs(alpha / CUTOFF - 1) < 1e-3).any())


def _close_images(got, want, views):
    """Within 1e-5, but for single pixels (one of 5,000) where a Gaussian sits at the threshold of 1/255: those may
    lack or have it."""
    away = np.abs(got - want).max(-1)  # [C, H, W]
    places = np.argwhere(away > 1e-5)
    assert len(places) <= max(1, away.size // 5000), f"{len(places)} of {away.size} pixels differ"
    for at, row, column in places:
        assert away[at, row, column] < 1.5 * CUTOFF, f"{away[at, row, column]} at {at, row, column}"
        assert _on_threshold(views[at], row, column), f"no Gaussian at the threshold at {at, row, column}"


def test_what_is_allowed_at_the_threshold():
    """A Gaussian just above or below 1/255 at one pixel is; the same difference anywhere else isn't, nor a larger one."""
    camera = np.eye(4)[None], np.array([[[32.0, 0, 16], [0, 32, 16], [0, 0, 1]]])
    images = []
    for factor in (1 - 1e-5, 1 + 1e-5):
        place = torch.tensor([[0.5 / 32, 0.5 / 32, 1.0]])  # the centre of pixel (16, 16)
        opacity = torch.tensor([factor * CUTOFF])
        scene = place, torch.tensor([[1.0, 0, 0, 0]]), torch.full((1, 3), 1e-3), opacity, torch.ones(1, 3)
        image, _, _, views = rasterize(*scene, *camera, Options(32, 32))
        images.append(image.detach().numpy())
    below, above = images
    assert np.argwhere(np.abs(above - below).max(-1) > 1e-5).tolist() == [[0, 16, 16]]
    _close_images(above, below, views)
    for place, size in (((0, 3, 3), 5e-4), ((0, 16, 16), 0.01)):
        wrong = below.copy()
        wrong[place] += size
        with pytest.raises(AssertionError):
            _close_images(wrong, below, views)


@pytest.mark.reference("gsplat_render*.npz")
def test_images(case: Path):
    data = read_arrays(case)
    leaves = _leaves(data, "means", "quats", "scales", "opacities", "colors", "sh")
    size = {"width": int(data["width"]), "height": int(data["height"])}
    scene = [leaves[name] for name in ("means", "quats", "scales", "opacities")]
    cameras = data["viewmats"], data["Ks"]

    rgb, alpha, depth, views = rasterize(*scene, leaves["colors"], *cameras, Options(**size), data["backgrounds"])
    np.testing.assert_allclose(rgb.detach().numpy(), data["rgb"], atol=1e-5)
    np.testing.assert_allclose(alpha.detach().numpy(), data["alpha"], atol=1e-5)
    np.testing.assert_allclose(depth.detach().numpy(), data["accum_depth"], atol=1e-5 * data["accum_depth"].max())
    expected = depth / alpha.clamp(min=1e-10)
    np.testing.assert_allclose(expected.detach().numpy(), data["expected_depth"], atol=2e-5, rtol=1e-5)
    for at, view in enumerate(views):
        seen = data["radii"][at].all(-1)
        np.testing.assert_array_equal(view.radii, data["radii"][at])
        np.testing.assert_allclose(view.centre[seen], data["means2d"][at][seen], atol=1e-4)
        np.testing.assert_allclose(view.shape[seen, :3], data["conics"][at][seen], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(view.depths, data["depths"][at], atol=1e-5)

    options = Options(**size, antialiased=True)
    smooth, _, _, views = rasterize(*scene, leaves["colors"], *cameras, options, data["backgrounds"])
    _close_images(smooth.detach().numpy(), data["rgb_antialiased"], views)


@pytest.mark.reference("gsplat_render*.npz")
def test_gradients(case: Path):
    data = read_arrays(case)
    leaves = _leaves(data, "means", "quats", "scales", "opacities", "sh")
    options = Options(int(data["width"]), int(data["height"]), int(data["sh_degree"]))
    rgb, _, _, views = rasterize(*leaves.values(), data["viewmats"], data["Ks"], options, data["backgrounds"])
    np.testing.assert_allclose(rgb.detach().numpy(), data["rgb_sh"], atol=1e-5)
    (rgb * torch.from_numpy(data["grad_weight"])).sum().backward()
    for name, leaf in leaves.items():
        _close(leaf.grad, data[f"grad_{name}"])
    _close(np.stack([view.grad[:, :2] for view in views]), data["grad_means2d"])
