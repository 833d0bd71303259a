"""Latents: noising, blending with known latents, and noise that depends on (seed, shot, window) only."""

import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion.schedules import Step


def noised(clean: Tensor, step: Step, noise: Tensor) -> Tensor:
    """`clean` at the noise level of a step's input, without the dynamic scale (see `Step.scale`)."""
    return step.signal * clean + step.noise * noise


def blended(x: Tensor, known: Tensor, mask: Tensor, step: Step, noise: Tensor | None) -> Tensor:
    """`known` where `mask` is 1, noised to the step's level (unchanged if `noise` is None), and `x` elsewhere."""
    held = known if noise is None else noised(known, step, noise)
    return held * mask + (1 - mask) * x


def generator(seed: int, *place: int) -> torch.Generator:
    """A noise source for one place (shot, window, purpose), the same for every device and batch size."""
    words = np.random.SeedSequence([seed, *place]).generate_state(2, np.uint32)
    return torch.Generator("cpu").manual_seed(int(words[0]) << 31 ^ int(words[1]))


def noise(shape: tuple[int, ...], source: torch.Generator) -> Tensor:
    """Standard normal float32 on the host."""
    return torch.randn(shape, generator=source)
