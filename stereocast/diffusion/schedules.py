"""Noise schedules of latent video models and their DDIM tables (Song et al. 2021, arXiv:2010.02502), as plain numbers.

Schedules are computed in float64 and stored in float32. The tables follow the published order of float32 operations, so
trajectories agree with the published ones. This module knows no network.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stereocast.errors import UsageError
from stereocast.types import Array

Spacing = Literal["uniform", "uniform_trailing"]
STEPS = 1000
START, STOP = 0.00085, 0.012
RAMP = 400  # timesteps over which the dynamic scale falls from 1 to its base


@dataclass(frozen=True, slots=True)
class Step:
    """Coefficients of one DDIM step, from its input's level to its output's."""

    timestep: int
    alpha: float  # cumulative alpha of the input
    alpha_prev: float  # of the output
    sigma: float
    scale: float  # dynamic rescale at the input's level, then at the output's
    scale_prev: float
    direction: float  # sqrt(1 - alpha_prev - sigma²), not below 0
    signal: float  # sqrt(alpha), from the full table
    noise: float  # sqrt(1 - alpha), from the full table


@dataclass(frozen=True, slots=True)
class Schedule:
    """betas and cumulative alphas, float64 [1000]; scales float32 [1400], None without dynamic rescale."""

    betas: Array
    alphas_cumprod: Array
    scales: Array | None
    zero_snr: bool

    def buffers(self) -> dict[str, Array]:
        """The buffers that published models register, float32, by name."""
        betas, total = self.betas, self.alphas_cumprod
        before = np.append(1.0, total[:-1])
        with np.errstate(divide="ignore"):
            recip = np.zeros_like(total) if self.zero_snr else np.sqrt(1 / total)
            recipm1 = np.zeros_like(total) if self.zero_snr else np.sqrt(1 / total - 1)
        variance = betas * (1 - before) / (1 - total)
        made = {
            "betas": betas,
            "alphas_cumprod": total,
            "alphas_cumprod_prev": before,
            "sqrt_alphas_cumprod": np.sqrt(total),
            "sqrt_one_minus_alphas_cumprod": np.sqrt(1 - total),
            "log_one_minus_alphas_cumprod": np.log(1 - total),
            "sqrt_recip_alphas_cumprod": recip,
            "sqrt_recipm1_alphas_cumprod": recipm1,
            "posterior_variance": variance,
            "posterior_log_variance_clipped": np.log(np.maximum(variance, 1e-20)),
            "posterior_mean_coef1": betas * np.sqrt(before) / (1 - total),
            "posterior_mean_coef2": (1 - before) * np.sqrt(1 - betas) / (1 - total),
        }
        if self.scales is not None:
            made["scale_arr"] = self.scales
        return {name: values.astype(np.float32) for name, values in made.items()}

    def tables(self, steps: int, spacing: Spacing, eta: float) -> dict[str, Array]:
        """The sampler's tables in ascending time: timesteps, alphas, alphas_prev, sigmas, sqrt_one_minus_alphas.

        With dynamic rescale also scale and scale_prev. Raises UsageError for a step count that the spacing doesn't allow.
        """
        at = timesteps(steps, spacing)
        total = self.alphas_cumprod.astype(np.float32)
        alphas = total[at]
        before = np.concatenate([total[:1], total[at[:-1]]])
        one = np.float32(1)
        with np.errstate(invalid="ignore"):
            ratio = (1.0 - before.astype(np.float64)) / (one - alphas)
            sigmas = eta * np.sqrt(ratio * (1.0 - alphas / before.astype(np.float64)))
        made: dict[str, Array] = {
            "timesteps": at,
            "alphas": alphas,
            "alphas_prev": before,
            "sigmas": sigmas.astype(np.float32),
            "sqrt_one_minus_alphas": np.sqrt(one - alphas),
        }
        if self.scales is not None:
            made["scale"] = self.scales[at]
            made["scale_prev"] = np.concatenate([made["scale"][:1], made["scale"][:-1]])
        return made

    def steps(self, steps: int, spacing: Spacing, eta: float) -> list[Step]:
        """The DDIM steps in sampling order, noisiest first. Raises UsageError."""
        tables, full = self.tables(steps, spacing, eta), self.buffers()
        made = []
        for n in reversed(range(len(tables["timesteps"]))):
            at, sigma, before = int(tables["timesteps"][n]), tables["sigmas"][n], tables["alphas_prev"][n]
            # float32, in this order; a negative rounding error would give nan (zero terminal SNR, 20 or 25 steps)
            rest = np.float32(1) - before - sigma * sigma
            made.append(
                Step(
                    timestep=at,
                    alpha=float(tables["alphas"][n]),
                    alpha_prev=float(before),
                    sigma=float(sigma),
                    scale=float(tables["scale"][n]) if self.scales is not None else 1.0,
                    scale_prev=float(tables["scale_prev"][n]) if self.scales is not None else 1.0,
                    direction=float(np.sqrt(np.maximum(rest, np.float32(0)))),
                    signal=float(full["sqrt_alphas_cumprod"][at]),
                    noise=float(full["sqrt_one_minus_alphas_cumprod"][at]),
                )
            )
        return made


def zero_terminal_snr(alphas_cumprod: Array) -> Array:
    """Cumulative alphas rescaled to end at 0, with the first unchanged (Lin et al. 2023, arXiv:2305.08891, algorithm 1)."""
    root = np.sqrt(alphas_cumprod)
    first, last = root[0], root[-1]
    return np.square((root - last) * first / (first - last))


def linear(*, zero_snr: bool = False, base_scale: float | None = None) -> Schedule:
    """The schedule with square roots of betas linear; with `base_scale`, dynamic rescale down to it."""
    betas = np.linspace(START**0.5, STOP**0.5, STEPS) ** 2
    total = np.cumprod(1 - betas)
    if zero_snr:
        total = zero_terminal_snr(total)
        betas = 1 - np.append(total[0], total[1:] / total[:-1])
        total = np.cumprod(1 - betas)
    scales = None
    if base_scale is not None:
        scales = np.concatenate([np.linspace(1.0, base_scale, RAMP), np.full(STEPS, base_scale)]).astype(np.float32)
    return Schedule(betas, total, scales, zero_snr)


def timesteps(steps: int, spacing: Spacing) -> Array:
    """The selected timesteps, int64, ascending. `uniform` may give one or two more than `steps`. Raises UsageError."""
    if not 1 <= steps <= STEPS:
        raise UsageError(f"--steps {steps}: must be from 1 to {STEPS}")
    if spacing == "uniform":
        chosen = np.arange(0, STEPS, STEPS // steps) + 1
    else:
        chosen = np.round(np.arange(STEPS, 0, -STEPS / steps)).astype(np.int64)[::-1] - 1
    chosen = chosen.astype(np.int64)
    if chosen[0] < 0 or chosen[-1] >= STEPS:
        raise UsageError(f"--steps {steps}: this model doesn't support that number; use {_near(steps, spacing)}")
    return chosen


def _near(steps: int, spacing: Spacing) -> int:
    def works(n: int) -> bool:
        try:
            timesteps(n, spacing)
        except UsageError:
            return False
        return True

    return next(n for away in range(1, STEPS) for n in (steps - away, steps + away) if 1 <= n <= STEPS and works(n))
