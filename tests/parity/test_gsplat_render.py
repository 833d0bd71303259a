"""The CPU rasteriser against gsplat's own arithmetic, images and gradients."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.splat.raster import Options, rasterize  # noqa: E402


def _leaves(data, *names):
    return {name: torch.from_numpy(data[name].astype(np.float32)).requires_grad_() for name in names}


def _close(got, want, relative=1e-4):
    """Within `relative` of each value, or of the array's largest (float32 sums of cancelling terms)."""
    got = got.detach().numpy() if hasattr(got, "detach") else got
    np.testing.assert_allclose(got, want, rtol=relative, atol=relative * 0.1 * np.abs(want).max())


@pytest.mark.reference("gsplat_render*.npz")
def test_images(case: Path):
    data = np.load(case)
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

    smooth, *_ = rasterize(*scene, leaves["colors"], *cameras, Options(**size, antialiased=True), data["backgrounds"])
    np.testing.assert_allclose(smooth.detach().numpy(), data["rgb_antialiased"], atol=1e-5)


@pytest.mark.reference("gsplat_render*.npz")
def test_gradients(case: Path):
    data = np.load(case)
    leaves = _leaves(data, "means", "quats", "scales", "opacities", "sh")
    options = Options(int(data["width"]), int(data["height"]), int(data["sh_degree"]))
    rgb, _, _, views = rasterize(*leaves.values(), data["viewmats"], data["Ks"], options, data["backgrounds"])
    np.testing.assert_allclose(rgb.detach().numpy(), data["rgb_sh"], atol=1e-5)
    (rgb * torch.from_numpy(data["grad_weight"])).sum().backward()
    for name, leaf in leaves.items():
        _close(leaf.grad, data[f"grad_{name}"])
    _close(np.stack([view.grad[:, :2] for view in views]), data["grad_means2d"])
