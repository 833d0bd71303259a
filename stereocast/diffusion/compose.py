"""Score composition of two diffusion models over an image matrix.

Yang et al., "Diffusion²: Dynamic 3D Content Generation via Score Composition of Video and Multi-view Diffusion Models",
Algorithm 1 (A.2). Rows (a view over time) are denoised by one model, columns (a time over the views) by the other; both
clean predictions are mixed, s on the columns' model; in the first steps a little noise is added and the step repeated.
It handles latents and two functions, not networks.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion.edm import euler_step
from stereocast.diffusion.ranks import Balance, Ranks

# (latents [B, T, C, h, w], sigma, their row or column numbers [B]) -> clean prediction, guidance included
SequenceDenoiser = Callable[[Tensor, float, Tensor], Tensor]
Curve = Literal["constant", "linear", "cosine", "logistic"]


@dataclass(frozen=True, slots=True)
class ComposeOptions:
    """The choices of Algorithm 1."""

    s: float = 0.5  # share of the columns' (multi-view) model; the top of a falling curve
    s_min: float = 0.0
    curve: Curve = "constant"
    rollback_steps: int = 5
    view_weights: Literal["none", "cosine"] = "none"
    renoise: Literal["linear", "variance"] = "linear"
    batch: int = 1  # rows or columns that go through a model together


PAPER = ComposeOptions()
OFFICIAL = ComposeOptions(s=0.6, rollback_steps=10, view_weights="cosine")
OPTION_SETS = {"paper": PAPER, "official": OFFICIAL}


def shares(
    curve: Curve, steps: int, most: float = 1.0, least: float = 0.0, steepness: float = 15.0, middle: float = 0.6
) -> Tensor:
    """float64 [steps]: s at each step; all curves but the constant fall from most to least."""
    x = torch.linspace(0, 1, steps, dtype=torch.float64)
    if curve == "constant":
        return torch.full_like(x, most)
    if curve == "linear":
        falling = 1 - x
    elif curve == "cosine":
        falling = 0.5 * (1 + torch.cos(math.pi * x))
    else:
        falling = 1 - torch.sigmoid(steepness * (x - middle))
    return least + falling * (most - least)


def cosine_window(views: int = 21) -> Tensor:
    """float64 [views]: 1 at the input view (the last) and the back, 0 at the sides. The published formula is for 21
    views; others are scaled to it."""
    k = torch.arange(1, views + 1, dtype=torch.float64)
    return 0.5 * (1 + torch.cos(2 * math.pi * k / (views / 2)))


def cosine_view_weights(views: int = 21) -> Tensor:
    """float64 [views], w_v: the rows' model counts in full at the input view and the back, a quarter at the sides."""
    return 1 - 0.75 * (1 - cosine_window(views))


def row_shares(options: ComposeOptions, views: int, step: int, steps: int) -> Tensor:
    """float32 [views]: the weight of the rows' model, w_v (1 - s)."""
    s = float(shares(options.curve, steps, options.s, options.s_min)[step])
    weights = cosine_view_weights(views) if options.view_weights == "cosine" else torch.ones(views, dtype=torch.float64)
    return (weights * (1 - s)).float()


def seeded_noise(seed: int, purpose: str, index: int, shape: tuple[int, ...]) -> Tensor:
    """Unit noise, float32, that depends on (seed, purpose, index) alone: not on batches, cards or what ran before."""
    stream = np.random.default_rng([seed, int.from_bytes(purpose.encode()[:8].ljust(8, b"\0"), "big"), index])
    return torch.from_numpy(stream.standard_normal(shape, np.float32))


def _through(
    denoiser: SequenceDenoiser, sequences: Tensor, sigma: float, chosen: tuple[int, ...], batch: int
) -> Tensor:
    """Clean predictions of the chosen sequences [N, T, C, h, w], the others zero."""
    out = torch.zeros_like(sequences)
    for at in range(0, len(chosen), batch):
        which = torch.tensor(chosen[at : at + batch])
        out[which] = denoiser(sequences[which], sigma, which).to(out)
    return out


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state after one evaluation of both models."""

    step: int
    again: bool  # the step is repeated after this one
    before_renoise: Tensor  # [V, F, C, h, w], right after the Euler step
    state: Tensor
    columns: Tensor  # the columns' model's prediction, as [view, frame]
    rows: Tensor


def evaluations(
    row_denoiser: SequenceDenoiser,
    column_denoiser: SequenceDenoiser,
    noise: Tensor,  # unit noise [V, F, C, h, w]
    sigmas: Tensor,  # falling, the last one 0
    options: ComposeOptions = PAPER,
    renoise: Callable[[int], Tensor] | None = None,  # k -> unit noise of the k-th re-noising
    seed: int = 0,
    ranks: Ranks | None = None,
    kept: tuple[int, Tensor] | None = None,  # evaluations done before, and the state after them
) -> Iterator[Evaluation]:
    """Algorithm 1, evaluation by evaluation. The state stays on the host in float32."""
    ranks, steps = ranks or Ranks(), len(sigmas) - 1
    views, frames = noise.shape[:2]
    balance = Balance(ranks, frames, views)
    done, state = kept or (0, noise.float() * math.sqrt(1 + float(sigmas[0]) ** 2))
    draw = renoise or (lambda k: seeded_noise(seed, "renoise", k, tuple(noise.shape)))
    for step, again in plan(steps, options.rollback_steps)[done:]:
        sigma, after = float(sigmas[step]), float(sigmas[step + 1])
        weight = row_shares(options, views, step, steps)[:, None, None, None, None]
        share = balance.mine
        begun = time.perf_counter()
        by_column, none = state.transpose(0, 1).contiguous(), ()  # a model without weight isn't asked
        wanted = share.columns if bool((weight < 1).any()) else none
        columns = _through(column_denoiser, by_column, sigma, wanted, options.batch)
        between = time.perf_counter()
        rows = _through(row_denoiser, state, sigma, share.rows if bool(weight.any()) else none, options.batch)
        ended = time.perf_counter()
        both = ranks.gather(torch.stack([columns.transpose(0, 1), rows]))
        balance.learn((between - begun, ended - between))
        clean = both[0] * (1 - weight) + both[1] * weight
        state = euler_step(state, clean, sigma, after)
        before = state
        if again:
            spread = sigma - after if options.renoise == "linear" else math.sqrt(sigma**2 - after**2)
            state = state + draw(step) * spread
        yield Evaluation(step, again, before, state, both[0], both[1])


def plan(steps: int, rollback_steps: int) -> list[tuple[int, bool]]:
    """Every evaluation: its step, and whether the step is repeated after it."""
    return [(step, again) for step in range(steps) for again in ((True, False) if step < rollback_steps else (False,))]


def compose(
    row_denoiser: SequenceDenoiser,
    column_denoiser: SequenceDenoiser,
    noise: Tensor,
    sigmas: Tensor,
    options: ComposeOptions = PAPER,
    **more: Any,
) -> Tensor:
    """The denoised matrix [V, F, C, h, w]; see `evaluations`."""
    state = noise
    for evaluation in evaluations(row_denoiser, column_denoiser, noise, sigmas, options, **more):
        state = evaluation.state
    return state


# a network: (scaled latents with condition [B, T, 2C, h, w], level [B], context [B, 1, D], vector [B, T, E]) -> raw output
Network = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Guided:
    """A SequenceDenoiser of a network: v-scaling of SVD, classifier-free guidance with a scale for each element.

    context [N, 1, D] and image [N, C, h, w] are those of the N rows (or columns); the unconditional half has both at
    zero and keeps the vector.
    """

    network: Network
    context: Tensor
    image: Tensor
    vector: Tensor  # [T, E]
    guidance: Tensor  # [T]
    device: str = "cpu"

    def __call__(self, x: Tensor, sigma: float, which: Tensor) -> Tensor:
        x, length = x.to(self.device), x.shape[1]
        scale = 1 / math.sqrt(sigma**2 + 1)
        image = self.image[which].to(x)[:, None].expand(-1, length, -1, -1, -1)
        context = self.context[which].to(x)
        level = torch.full((2 * len(x),), math.log(sigma) / 4, device=x.device)
        vector = self.vector.to(x)[None].expand(2 * len(x), -1, -1)
        latents = torch.cat([x, x]) * scale
        whole = torch.cat([latents, torch.cat([torch.zeros_like(image), image])], 2)
        raw = self.network(whole, level, torch.cat([torch.zeros_like(context), context]), vector).float()
        clean = torch.cat([x, x]) / (sigma**2 + 1) - raw * (sigma * scale)
        without, given = clean.chunk(2)
        return (without + self.guidance.to(x)[None, :, None, None, None] * (given - without)).cpu()
