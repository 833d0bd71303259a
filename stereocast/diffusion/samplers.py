"""DDIM (Song et al. 2021, arXiv:2010.02502): one step as a pure function, and loops that yield every step.

The network is a function (latents, step) -> output; guidance happens inside it. The caller may stop a loop at any step.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from stereocast.diffusion.schedules import Step

Prediction = Literal["eps", "v"]


@dataclass(frozen=True, slots=True)
class Stepped:
    """The result of one step. `x` is `sqrt(alpha_prev) * x0 + direction + noise`."""

    x: Tensor
    x0: Tensor  # the clean estimate, after dynamic rescale
    direction: Tensor  # the term that points back to x
    noise: Tensor  # the random term


@dataclass(frozen=True, slots=True)
class Sampled:
    """One step of a loop: its index, input and output."""

    number: int
    x_in: Tensor
    result: Stepped


def clean_and_eps(x: Tensor, output: Tensor, step: Step, prediction: Prediction) -> tuple[Tensor, Tensor]:
    """The network's clean estimate (before dynamic rescale) and noise estimate."""
    if prediction == "v":
        return step.signal * x - step.noise * output, step.signal * output + step.noise * x
    return (x - (1 - step.alpha) ** 0.5 * output) / step.alpha**0.5, output


def ddim(x: Tensor, output: Tensor, step: Step, prediction: Prediction, noise: Tensor) -> Stepped:
    """One step. eps isn't recomputed after the rescale, as in the published sampler."""
    x0, eps = clean_and_eps(x, output, step, prediction)
    if step.scale != step.scale_prev:
        x0 = x0 * (step.scale_prev / step.scale)
    direction, random = step.direction * eps, step.sigma * noise
    return Stepped(step.alpha_prev**0.5 * x0 + direction + random, x0, direction, random)


def inverted(after: Tensor, x: Tensor, output: Tensor, step: Step, prediction: Prediction) -> Tensor:
    """One step of DDIM inversion (eta 0): the level before `after`, with the noise that the network's `output` sees in `x`.

    `x` is a guess of the result; where it is the result itself, `ddim` with sigma 0 leads from there to `after` exactly.
    """
    _, eps = clean_and_eps(x, output, step, prediction)
    x0 = (after - (1 - step.alpha_prev) ** 0.5 * eps) / step.alpha_prev**0.5 * (step.scale / step.scale_prev)
    return step.alpha**0.5 * x0 + (1 - step.alpha) ** 0.5 * eps


def sample(
    network: Callable[[Tensor, Step], Tensor],
    x: Tensor,
    steps: Sequence[Step],
    prediction: Prediction,
    noise: Callable[[int], Tensor],
    before: Callable[[Tensor, int], Tensor] = lambda x, number: x,
) -> Iterator[Sampled]:
    """Walks all steps from `x` at the first level; `noise(number)` and `before` (blending) are called once per step."""
    for number, step in enumerate(steps):
        x_in = before(x, number)
        result = ddim(x_in, network(x_in, step), step, prediction, noise(number))
        yield Sampled(number, x_in, result)
        x = result.x
