"""EDM with the preconditioning of Stable Video Diffusion: schedules, scalings, the Euler step. Pure functions.

Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022 (Eq. 5 and Table 1), with the
v-prediction scalings of SVD (sigma_data = 1). The state is x = x0 + sigma n; a network F sees c_in x and the noise
level ln(sigma)/4.
"""

from dataclasses import dataclass
from math import log, sqrt

import torch
from torch import Tensor

SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 700.0, 7.0


def karras_sigmas(steps: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX, rho: float = RHO) -> Tensor:
    """float32 [steps + 1], falling from sigma_max to sigma_min, then 0 (Karras et al., Eq. 5)."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    sigmas = (high + ramp * (low - high)) ** rho
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def initial_sigma(sigma_max: float = SIGMA_MAX) -> float:
    """The factor of the unit normal noise that sampling starts from: sqrt(sigma_max² + 1)."""
    return sqrt(sigma_max**2 + 1)


def noise_level(sigma: float) -> float:
    """c_noise, the network's time input: ln(sigma)/4."""
    return log(sigma) / 4


@dataclass(frozen=True, slots=True)
class Scalings:
    """c_in, c_skip and c_out at one sigma: x0 = c_skip x + c_out F(c_in x)."""

    c_in: float
    c_skip: float
    c_out: float


def scalings(sigma: float) -> Scalings:
    """The scalings of v-prediction with sigma_data = 1."""
    square = sigma**2 + 1
    return Scalings(1 / sqrt(square), 1 / square, -sigma / sqrt(square))


def denoised(prediction: Tensor, x: Tensor, sigma: float) -> Tensor:
    """x0 from the network's raw output, float32, same shape as `x`."""
    scale = scalings(sigma)
    return scale.c_skip * x.float() + scale.c_out * prediction.float()


def euler_step(x: Tensor, x0: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """One step of the probability flow from sigma to sigma_next, computed in float32, returned in the dtype of `x`."""
    wide = x.float()
    slope = (wide - x0.float()) / sigma
    return (wide + slope * (sigma_next - sigma)).to(x.dtype)


def add_noise(x0: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """The state at `sigma`: x0 + sigma n."""
    return x0 + sigma * noise
