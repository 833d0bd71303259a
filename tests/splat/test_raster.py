"""The CPU rasteriser: gradients against finite differences, threads, edges of the picture, faults."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.splat.raster import Options, rasterize  # noqa: E402
from stereocast.splat.scene import orbit_camera  # noqa: E402

SIZE = 48
CAMERAS = [orbit_camera(azimuth, SIZE, 10) for azimuth in (0, 70)]
VIEWS = np.stack([camera.view for camera in CAMERAS])
KS = np.stack([camera.intrinsics for camera in CAMERAS])


def scene(count=12, seed=0, coefficients=16):
    rng = np.random.default_rng(seed)
    arrays = {
        "means": rng.uniform(-0.3, 0.3, (count, 3)),
        "quats": rng.normal(size=(count, 4)),
        "scales": rng.uniform(0.03, 0.15, (count, 3)),
        "opacities": rng.uniform(0.3, 0.9, count),
        "sh": rng.normal(size=(count, coefficients, 3)) * 0.3,
    }
    return {name: torch.tensor(array, dtype=torch.float32, requires_grad=True) for name, array in arrays.items()}


def score(leaves, options, weights):
    image, alpha, depth, _ = rasterize(*leaves.values(), VIEWS, KS, options, np.full((2, 3), 0.3))
    return (image * weights[0]).sum() + (alpha * weights[1]).sum() + (depth * weights[2]).sum()


@pytest.mark.parametrize("antialiased", [False, True])
def test_gradients_are_those_of_finite_differences(antialiased):
    leaves, options = scene(), Options(SIZE, SIZE, 3, antialiased)
    rng = np.random.default_rng(1)
    # smooth weights: a contribution that falls below 1/255 then costs little
    weights = [torch.full((2, SIZE, SIZE, n), float(rng.normal())) for n in (3, 1, 1)]
    score(leaves, options, weights).backward()
    for name, leaf in leaves.items():
        direction = torch.tensor(rng.normal(size=leaf.shape), dtype=torch.float32)
        step = 2e-3 * float(leaf.detach().abs().mean())
        ends = []
        for sign in (-1, 1):
            moved = {other: tensor.detach() for other, tensor in leaves.items()}
            moved[name] = moved[name] + sign * step * direction
            ends.append(float(score(moved, options, weights)))
        got = float((leaf.grad * direction).sum())
        assert got == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=0.03, abs=0.02 * float(leaf.grad.norm())), (
            name
        )


def test_threads_change_nothing():
    results = []
    for threads in (1, 3):
        leaves = scene(300, 2)
        image, alpha, depth, _ = rasterize(*leaves.values(), VIEWS, KS, Options(SIZE, SIZE, 3, threads=threads))
        (image.square().sum() + alpha.sum() + depth.sum()).backward()
        results.append([image.detach(), *(leaf.grad for leaf in leaves.values())])
    for one, many in zip(*results, strict=True):
        assert torch.equal(one, many)


def test_near_hides_far_and_behind_is_unseen():
    means = torch.tensor([[0.0, 0, 0.4], [0.0, 0, -0.4], [0.0, 0, 3.0]])  # the camera stands at z = 2
    colours = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    quats = torch.tensor([[1.0, 0, 0, 0]]).repeat(3, 1)
    image, alpha, depth, views = rasterize(
        means, quats, torch.full((3, 3), 0.1), torch.full((3,), 0.999), colours, VIEWS[:1] * 0 + orbit_camera(0, 64).view,
        orbit_camera(0, 64).intrinsics, Options(64, 64),
    )  # fmt: skip
    red, green, blue = image[0, 32, 32]
    assert red > 0.95 and green < 0.05 and blue == 0
    assert float(depth[0, 32, 32, 0] / alpha[0, 32, 32, 0]) == pytest.approx(1.6, abs=0.05)
    assert views[0].radii[2].max() == 0


def test_odd_sizes_and_nothing_to_see():
    leaves = scene(3)
    image, *_ = rasterize(*leaves.values(), VIEWS, KS, Options(37, 21, 0))
    assert image.shape == (2, 21, 37, 3)
    image.sum().backward()
    none = [torch.zeros(0, *leaf.shape[1:]) for leaf in leaves.values()]
    image, alpha, *_ = rasterize(*none, VIEWS, KS, Options(16, 16, 0), np.ones((2, 3)))
    assert bool((image == 1).all()) and not bool(alpha.any())


def test_wrong_shapes_are_refused():
    leaves = scene(3)
    with pytest.raises(ValueError, match="scales"):
        rasterize(
            leaves["means"],
            leaves["quats"],
            leaves["means"][:2],
            leaves["opacities"],
            leaves["sh"],
            VIEWS,
            KS,
            Options(8, 8, 0),
        )
    with pytest.raises(ValueError, match="degree"):
        rasterize(*list(leaves.values())[:4], leaves["sh"][:, :4], VIEWS, KS, Options(8, 8, 3))
