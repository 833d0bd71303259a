"""StereoCrafter-Zero's sampler: a second view from a video diffusion model without training (noisy restart, iterative
refinement, cross-view attention). Equation numbers are the paper's.

It handles latents, depth at latent size and a network with two calls, not pictures. The left view is never changed. Its
features are computed once per iteration and reused while the budget allows; results don't depend on the budget.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from stereocast.diffusion import guidance, warped
from stereocast.diffusion.features import Branch, Features, FeatureStore
from stereocast.diffusion.samplers import Prediction, Stepped, ddim, inverted
from stereocast.diffusion.schedules import Step


class ViewNetwork(Protocol):
    """A video network that couples views. Latents are [1, 4, T, h, w]; outputs are the raw prediction."""

    def left(self, z: Tensor, step: Step, branch: Branch, keep: bool, /) -> tuple[Tensor, Features | None]:
        """The left view alone, and its features if they are to be kept."""
        ...

    def right(self, z: Tensor, step: Step, branch: Branch, features: Features | None, /) -> Tensor:
        """The right view; without features it isn't coupled."""
        ...


@dataclass(frozen=True, slots=True)
class Restart:
    """Noisy restart (3.1): passes over the first iterations."""

    passes: int = 7
    iterations: int = 5
    weight: Literal["alpha_bar", "sqrt_alpha_bar"] = "alpha_bar"
    sigma_ratio: bool = False
    border_lambda: float | None = 1.0  # None: no border handling
    noise: Literal["per_iteration", "per_pass"] = "per_iteration"


@dataclass(frozen=True, slots=True)
class Warps:
    """At which iterations the left view is warped into the right one, how often each is refined, and the last."""

    iterations: tuple[int, ...] = (9, 14, 19, 24, 29, 34, 39, 44, 49)
    repetitions: tuple[int, ...] = (8, 7, 6, 5, 4, 3, 3, 3, 3)
    last: int = 34

    def in_force(self, first: int) -> dict[int, int]:
        """Iteration -> repetitions, from iteration `first` on."""
        listed = dict(zip(self.iterations, self.repetitions, strict=True))
        chosen = {i: n for i, n in listed.items() if first <= i <= self.last}
        if self.last >= first and self.last not in listed:
            below = [i for i in listed if i < self.last]
            chosen[self.last] = listed[max(below)] if below else 1
        return dict(sorted(chosen.items()))


@dataclass(frozen=True, slots=True)
class Refine:
    """Iterative refinement (3.2): Eq. 4 or the authors' program's way."""

    mode: Literal["eq4", "latent"] = "eq4"
    weight: Literal["sqrt_alpha_bar", "sqrt_alpha_bar_next"] = "sqrt_alpha_bar"
    noise: Literal["same", "fresh"] = "same"


@dataclass(frozen=True, slots=True)
class ZeroConfig:
    """All constants; defaults are the paper's at 1024."""

    prediction: Prediction = "v"
    guidance: float = 7.5
    guidance_rescale: float = 0.7
    scale_percent: float = 4.0  # of the width; positive: a right view
    exponent: float = 1.0  # on the resized depth
    cross_view: tuple[int, int] = (0, 1 << 30)  # [first, end) with coupled attention
    cross_view_counts: Literal["iterations", "pairs"] = (
        "iterations"  # pairs: steps of the right view, run on over passes
    )
    known_outside: bool = False  # outside the holes, every step keeps the warped latents of the left view
    restart: Restart = field(default_factory=Restart)
    warps: Warps = field(default_factory=Warps)
    refine: Refine = field(default_factory=Refine)
    fill: Literal["left", "noise", "mix"] = "left"  # of the very first holes

    @classmethod
    def preset(cls, name: str) -> "ZeroConfig":
        """`paper` or `script` (the authors' program)."""
        if name == "paper":
            return cls()
        return cls(
            guidance_rescale=0.0,
            restart=Restart(7, 6, "sqrt_alpha_bar", True, 0.9, "per_pass"),
            warps=Warps((6, 9, 14, 19, 24, 29, 34, 39, 44, 49), (8, 8, 3, 6, 6, 6, 6, 6, 4, 4)),
            refine=Refine("latent", "sqrt_alpha_bar", "fresh"),
        )

    def scaled(self, steps: int) -> "ZeroConfig":
        """The lists, made for 50 steps, for another number of steps: the same share of the way."""
        if steps == 50:
            return self

        def at(i: int) -> int:
            return round(i * steps / 50)

        listed = {at(i): n for i, n in zip(self.warps.iterations, self.warps.repetitions, strict=True) if at(i) < steps}
        warps = Warps(tuple(listed), tuple(listed.values()), min(at(self.warps.last), steps - 1))
        restart = replace(self.restart, iterations=max(1, min(at(self.restart.iterations), steps)))
        return replace(self, warps=warps, restart=restart)

    def pair_steps(self, steps: int) -> int:
        """How often the right view is stepped in a run."""
        k = min(self.restart.iterations, steps)
        return self.restart.passes * k + steps - k + sum(n - 1 for n in self.warps.in_force(k).values())


@dataclass(frozen=True, slots=True)
class Inputs:
    """Random draws; latents [B, 4, T, h, w] on one device, B windows."""

    noise: Sequence[Tensor]  # one per iteration, the same in all passes and for both views
    restart_noise: Sequence[Tensor]  # per iteration or per pass
    fresh: Iterator[Tensor] | None = None  # for repetitions that draw new noise
    fill: Tensor | None = None  # noise for the first holes, where that is asked for


@dataclass(frozen=True, slots=True)
class Held:
    """Right-view latents that are already known: the first n frames of a window that overlaps the one before, or those
    of `frames`."""

    clean: Tensor  # [B, 4, n, h, w]; n is T where `frames` is given
    noise: Tensor  # like `clean`, one draw for all levels
    frames: Tensor | None = None  # bool [B, 1, T, 1, 1]

    def at(self, step: Step) -> Tensor:
        """At the level of a step's input."""
        return step.alpha**0.5 * step.scale * self.clean + (1 - step.alpha) ** 0.5 * self.noise

    def over(self, x: Tensor, known: Tensor) -> Tensor:
        """`x` [B, 4, T, h, w] with `known` in these frames."""
        if self.frames is not None:
            return torch.where(self.frames, known.to(x), x)
        return torch.cat([known.to(x), x[:, :, self.clean.shape[2] :]], 2)


@dataclass(frozen=True, slots=True)
class Trace:
    """One step of the right view: its place, input and output."""

    phase: Literal["restart", "refine", "plain"]
    iteration: int
    turn: int  # pass or repetition
    done: int
    total: int
    x_in: Tensor
    result: Stepped
    stored: Tensor | None = None  # what the next pass fills with
    blended: Tensor | None = None  # Eq. 4's prediction behind the holes of x_in


class ZeroSampler:
    """One window: the left trajectory (sampled or given), then the right one."""

    def __init__(
        self,
        network: ViewNetwork,
        steps: Sequence[Step],
        config: ZeroConfig,
        *,
        cached: bool = True,
        store: FeatureStore | None = None,
    ) -> None:
        """`cached` False evaluates the left view again in every step of the pair (the naive run)."""
        self.network, self.steps, self.config, self.cached = network, steps, config, cached
        self.store = store or FeatureStore()
        self.levels: list[Tensor] = []
        self._pairs: int | None = None  # steps of the right view so far

    # ---- the left view

    def left(self, x: Tensor, noise: Sequence[Tensor]) -> Iterator[tuple[int, Tensor]]:
        """Plain sampling from `x`; yields (iteration, level after it). Fills `levels`, S + 1 latents."""
        self.levels = [x]
        for i, step in enumerate(self.steps):
            x = ddim(x, self.guided_left(i, x), step, self.config.prediction, noise[i]).x
            self.levels.append(x)
            yield i, x

    def given(self, clean: Tensor, noise: Tensor) -> None:
        """The left view of a film: `clean` at every level with one noise."""
        self.levels = [
            step.alpha**0.5 * step.scale * clean + (1 - step.alpha) ** 0.5 * noise for step in self.steps
        ] + [clean]

    def inverted(self, clean: Tensor, rounds: int = 2) -> Iterator[int]:
        """The left view of a film by DDIM inversion (Song et al. 2021, eq. 14) of `clean`, unguided; yields the iteration.

        Every step is solved by `rounds` fixed-point iterations (Pan et al. 2023, arXiv:2309.04907); 1 is the usual inversion.
        """
        levels = [clean]
        x = self.steps[-1].scale_prev * clean
        for i, step in reversed(list(enumerate(self.steps))):
            guess = x
            for _ in range(rounds):
                output, _ = self.network.left(guess, step, "cond", False)
                guess = inverted(x, guess, output, step, self.config.prediction)
            x = guess
            levels.append(x)
            yield i
        self.levels = levels[::-1]

    def adopt(self, levels: Sequence[Tensor]) -> None:
        """Levels that were sampled before: S + 1 latents."""
        self.levels = list(levels)

    def guided_left(self, i: int, x: Tensor) -> Tensor:
        """The guided prediction of the left view at iteration i; its features are kept."""
        outputs = []
        for branch in self._branches:
            keep = self.cached and self._crosses(i)
            output, features = self.network.left(x, self.steps[i], branch, keep)
            if keep:
                self.store.put(i, branch, features)
            outputs.append(output)
        return self._combined(outputs)

    @property
    def _branches(self) -> tuple[Branch, ...]:
        return ("cond",) if self.config.guidance == 1.0 else ("cond", "uncond")

    def _combined(self, outputs: list[Tensor]) -> Tensor:
        if len(outputs) == 1:
            return outputs[0]
        guided = guidance.classifier_free(outputs[0], outputs[1], self.config.guidance)
        return guidance.rescaled(guided, outputs[0], self.config.guidance_rescale)

    def _crosses(self, i: int) -> bool:
        """Whether views are coupled now; a left view that is sampled before pairs are counted may be asked for any."""
        if self.config.cross_view_counts == "pairs" and self._pairs is None:
            return self.config.cross_view[0] < self.config.cross_view[1]
        now = i if self._pairs is None or self.config.cross_view_counts == "iterations" else self._pairs
        return self.config.cross_view[0] <= now < self.config.cross_view[1]

    # ---- the right view

    def _features(self, i: int, branch: Branch) -> Features | None:
        if not self.cached:  # evaluated for every step of the pair, used or not
            _, features = self.network.left(self.levels[i], self.steps[i], branch, self._crosses(i))
            return features if self._crosses(i) else None
        if not self._crosses(i):
            return None
        features = self.store.get(i, branch)
        if features is None:
            _, features = self.network.left(self.levels[i], self.steps[i], branch, True)
            self.store.put(i, branch, features)
            self.store.put_now(i, branch, features)
        return features

    def step(self, i: int, x: Tensor, noise: Tensor) -> Stepped:
        """One DDIM step of the right view, coupled to the left one."""
        outputs = [self.network.right(x, self.steps[i], branch, self._features(i, branch)) for branch in self._branches]
        if self._pairs is not None:
            self._pairs += 1
        return ddim(x, self._combined(outputs), self.steps[i], self.config.prediction, noise)

    def right(self, depth: Tensor, inputs: Inputs, held: Held | None = None) -> Iterator[Trace]:
        """All steps of the right view; `levels` must be there. depth float32 [T, h, w]. The last item's result is x_S."""
        warp = warped.Warp(depth, self.config.scale_percent, self.config.exponent)
        total = self.config.pair_steps(len(self.steps))
        done = 0
        self._pairs = 0
        last: Trace | None = None
        for one in self.restarted(warp, inputs, held):
            done += 1
            last = replace(one, done=done, total=total)
            yield last
        assert last is not None
        result = last.result
        first = min(self.config.restart.iterations, len(self.steps))
        warps = self.config.warps.in_force(first)
        for i in range(first, len(self.steps)):
            if i in warps:
                turns = self.refined(i, warps[i], warp, result, inputs, held)
            else:
                turns = self._plain(i, result, warp, inputs, held)
            for one in turns:
                done += 1
                result = one.result
                yield replace(one, done=done, total=total)

    def _plain(self, i: int, before: Stepped, warp: warped.Warp, inputs: Inputs, held: Held | None) -> Iterator[Trace]:
        x = warp(self.levels[i], before.x) if self.config.known_outside else before.x
        x = self._with_held(x, i, held)
        yield Trace("plain", i, 0, 0, 0, x, self.step(i, x, inputs.noise[i]))

    def _with_held(self, x: Tensor, i: int, held: Held | None) -> Tensor:
        return x if held is None else held.over(x, held.at(self.steps[i]))

    def _first_filling(self, inputs: Inputs) -> Tensor:
        if self.config.fill == "left" or inputs.fill is None:
            return self.levels[0]
        return inputs.fill if self.config.fill == "noise" else (self.levels[0] + inputs.fill) / 2**0.5

    def restarted(self, warp: warped.Warp, inputs: Inputs, held: Held | None = None) -> Iterator[Trace]:
        """Phase 1: noisy restart with border handling."""
        rules = self.config.restart
        mask = warped.border_mask(warp.blank, self.config.scale_percent)
        stored: list[Tensor] = []
        for turn in range(rules.passes):
            fillings, stored = stored, []
            x = self._first_filling(inputs)
            for i in range(min(rules.iterations, len(self.steps))):
                filling = fillings[i] if fillings else x
                if rules.border_lambda is not None:
                    filling = warped.bordered(filling, self.levels[i], mask, rules.border_lambda)
                x_in = self._with_held(warp(self.levels[i], filling), i, held)
                result = self.step(i, x_in, inputs.noise[i])
                x = result.x
                stored.append(x if turn == rules.passes - 1 else self._noisy(i, turn, x, inputs))
                yield Trace("restart", i, turn, 0, 0, x_in, result, stored=stored[-1])

    def _noisy(self, i: int, turn: int, x: Tensor, inputs: Inputs) -> Tensor:
        """Eq. 2: what the next pass fills with."""
        rules, step = self.config.restart, self.steps[i]
        weight = step.alpha if rules.weight == "alpha_bar" else step.alpha**0.5
        ratio = step.sigma / self.steps[i - 1].sigma if rules.sigma_ratio and i else 1.0
        noise = inputs.restart_noise[i if rules.noise == "per_iteration" else turn]
        return x * (1 - weight) * ratio + step.sigma * noise * weight

    def refined(
        self, i: int, repetitions: int, warp: warped.Warp, before: Stepped, inputs: Inputs, held: Held | None = None
    ) -> Iterator[Trace]:
        """Phase 2 at one iteration: warp, then N steps that change the area of the holes (Eq. 4 or "latent")."""
        rules, step, root = self.config.refine, self.steps[i], self.steps[i].alpha ** 0.5
        weight = root if rules.weight == "sqrt_alpha_bar" else step.alpha_prev**0.5
        blended, noise = before.x0, inputs.noise[i]
        x_in = self._with_held(warp(self.levels[i], before.x), i, held)
        for turn in range(repetitions):
            result = self.step(i, x_in, noise)
            yield Trace("refine", i, turn, 0, 0, x_in, result, blended=blended)
            if turn == repetitions - 1:
                return
            if rules.mode == "eq4":
                blended = weight * result.x0 + (1 - weight) * blended
                behind = root * blended + before.direction + before.noise
            else:
                behind = result.x * (step.sigma / self.steps[i - 1].sigma) if i else result.x
            x_in = self._with_held(torch.where(warp.blank, behind, x_in), i, held)
            if rules.noise == "fresh" and inputs.fresh is not None:
                noise = next(inputs.fresh)


def counts(config: ZeroConfig, steps: int) -> tuple[int, int]:
    """Network evaluations (one view, one branch) of a run: naive, and with the left features kept."""
    branches, pairs = (1 if config.guidance == 1.0 else 2), config.pair_steps(steps)
    return branches * (steps + 2 * pairs), branches * (steps + pairs)
