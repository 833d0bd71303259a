"""The EDM maths: identities that hold for any network."""

import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.diffusion import edm


def test_schedule_falls_to_zero():
    sigmas = edm.karras_sigmas(5)
    assert sigmas.shape == (6,)
    assert sigmas.tolist() == pytest.approx([700, 134.8544, 15.58997, 0.678146, 0.002, 0], rel=1e-5)
    assert edm.karras_sigmas(1).tolist() == pytest.approx([700, 0])
    with pytest.raises(ValueError, match="at least 1"):
        edm.karras_sigmas(0)


@pytest.mark.parametrize("sigma", [0.002, 0.5, 4.5, 374.0])
def test_the_true_velocity_gives_the_clean_value(sigma):
    """v = (n - sigma x0)/sqrt(1 + sigma²) in variance-preserving units: its prediction must give x0 back."""
    generator = torch.Generator().manual_seed(1)
    x0, noise = torch.randn(2, 64, generator=generator, dtype=torch.float64)
    velocity = (noise - sigma * x0) / (1 + sigma**2) ** 0.5
    x = edm.add_noise(x0, noise, sigma)
    scale = edm.scalings(sigma)
    assert torch.allclose(scale.c_skip * x + scale.c_out * velocity, x0, atol=1e-9)
    assert torch.allclose(edm.denoised(velocity.float(), x.float(), sigma), x0.float(), atol=2e-6 * max(1, sigma))


def test_euler_with_the_true_denoiser_walks_the_straight_line():
    x0, noise = torch.randn(2, 16, generator=torch.Generator().manual_seed(2))
    x = edm.add_noise(x0, noise, 10.0)
    assert torch.allclose(edm.euler_step(x, x0, 10.0, 3.0), edm.add_noise(x0, noise, 3.0), atol=1e-5)
    assert torch.allclose(edm.euler_step(x, x0, 10.0, 0.0), x0, atol=1e-5)
    assert edm.euler_step(x.half(), x0.half(), 10.0, 3.0).dtype == torch.float16
