"""The CPU rasteriser: gradients against finite differences, threads, edges of the picture, faults."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.kernels import gaussian_project as project  # noqa: E402
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


def twin(arrays, weights, antialiased, frozen=None):
    """The rasteriser's sum, pixel by pixel in double precision, and which contributions count (what `frozen` says, so
    that the sum is smooth: cut-offs move with the parameters, gradients don't follow them)."""
    total, counted = 0.0, []
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    for c, camera in enumerate(CAMERAS):
        eye, turn, focal = np.linalg.inv(camera.view)[:3, 3], camera.view[:3, :3], camera.intrinsics[0, 0]
        places = arrays["means"] @ turn.T + camera.view[:3, 3]
        light, rgb, depth = np.ones((SIZE, SIZE)), np.zeros((SIZE, SIZE, 3)), np.zeros((SIZE, SIZE))
        for n in np.argsort(places[:, 2]):
            px, py, z = places[n]
            w, a, b, d = arrays["quats"][n] / np.linalg.norm(arrays["quats"][n])
            r = np.array([
                [1 - 2 * (b * b + d * d), 2 * (a * b - w * d), 2 * (a * d + w * b)],
                [2 * (a * b + w * d), 1 - 2 * (a * a + d * d), 2 * (b * d - w * a)],
                [2 * (a * d - w * b), 2 * (b * d + w * a), 1 - 2 * (a * a + b * b)],
            ])  # fmt: skip
            jacobian = focal / z * np.array([[1, 0, -px / z], [0, 1, -py / z]])
            m = jacobian @ turn @ r * arrays["scales"][n]
            plain = m @ m.T
            covariance = plain + 0.3 * np.eye(2)
            opacity = arrays["opacities"][n]
            if antialiased:
                opacity *= np.sqrt(np.linalg.det(plain) / np.linalg.det(covariance))
            delta = np.stack([x - focal * px / z - SIZE / 2, y - focal * py / z - SIZE / 2], -1)
            alpha = opacity * np.exp(-0.5 * np.einsum("yxi,ij,yxj->yx", delta, np.linalg.inv(covariance), delta))
            seen = (alpha >= 1 / 255) & (light > 0) if frozen is None else frozen[len(counted)]
            counted.append(seen)
            ray = arrays["means"][n] - eye
            basis = np.empty(16)
            project._basis.py_func(3, *(ray / np.linalg.norm(ray)), basis)
            colour = np.maximum(basis @ arrays["sh"][n] + 0.5, 0)
            share = np.where(seen, light * alpha, 0)
            rgb, depth, light = rgb + share[..., None] * colour, depth + share * z, light - share
        total += (
            (rgb + 0.3 * light[..., None]).sum() * weights[0]
            + (1 - light).sum() * weights[1]
            + depth.sum() * weights[2]
        )
    return total, counted


@pytest.mark.parametrize("antialiased", [False, True])
def test_gradients_are_those_of_finite_differences(antialiased):
    leaves, weights = scene(), (0.7, -0.4, 0.5)
    image, alpha, depth, _ = rasterize(
        *leaves.values(), VIEWS, KS, Options(SIZE, SIZE, 3, antialiased), np.full((2, 3), 0.3)
    )
    loss = image.sum() * weights[0] + alpha.sum() * weights[1] + depth.sum() * weights[2]
    loss.backward()
    arrays = {name: leaf.detach().numpy().astype(np.float64) for name, leaf in leaves.items()}
    truth, counted = twin(arrays, weights, antialiased)
    assert float(loss.detach()) == pytest.approx(truth, rel=1e-5)
    rng = np.random.default_rng(1)
    for name, leaf in leaves.items():
        direction = rng.normal(size=leaf.shape)
        ends = [
            twin({**arrays, name: arrays[name] + sign * 1e-5 * direction}, weights, antialiased, counted)[0]
            for sign in (-1, 1)
        ]
        got, want = float((leaf.grad.numpy() * direction).sum()), (ends[1] - ends[0]) / 2e-5
        assert got == pytest.approx(want, rel=1e-3, abs=1e-4 * float(leaf.grad.norm())), name


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


@pytest.mark.gpu
@pytest.mark.parametrize("antialiased", [False, True])
def test_gsplat_on_a_gpu_renders_what_we_render(antialiased):
    """Pictures, depth and gradients of both back ends of `render.rasterize`."""
    pytest.importorskip("gsplat", reason="needs the 4d extra")
    from stereocast.splat import render

    results = []
    for device in ("cpu", "cuda"):
        given = {name: value.detach().to(device).requires_grad_() for name, value in scene(60).items()}
        shapes = (given["means"], given["quats"], given["scales"])
        seen = render.rasterize(shapes, given["opacities"], given["sh"], CAMERAS, (0.2, 0.4, 0.6), 3, antialiased)
        (seen.rgb.square().sum() + seen.alpha.sum()).backward()
        grads = torch.cat([value.grad.reshape(60, -1).cpu() for value in given.values()], 1)
        results.append(
            (
                seen.rgb.detach().cpu(),
                seen.alpha.detach().cpu(),
                seen.depth.detach().cpu(),
                grads,
                seen.place_gradients(),
            )
        )
    ours, theirs = results
    assert (ours[0] - theirs[0]).abs().max() < 0.02
    assert (ours[1] - theirs[1]).abs().max() < 0.02
    solid = ours[1] > 0.5
    assert ((ours[2] - theirs[2]).abs()[solid] < 0.02).all()
    assert (ours[3] - theirs[3]).norm() < 0.02 * ours[3].norm()
    assert ours[4].shape == theirs[4].shape
    assert np.linalg.norm(ours[4] - theirs[4]) < 0.02 * np.linalg.norm(ours[4])
