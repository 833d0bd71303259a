"""Density control: adds and removes Gaussians during fitting (Kerbl et al. 2023, sec. 5; gsplat's default numbers).

Parameters and Adam's two moments are kept together because their lengths change together.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stereocast.splat.scene import NAMES, Gaussians
from stereocast.types import Array

_BETAS, _EPS = (0.9, 0.999), 1e-15


@dataclass(frozen=True, slots=True)
class DensityRules:
    """When to split and when to drop. Lengths are shares of the scene's extent."""

    gradient: float = 2e-4  # of the position, in units of half the picture
    split_over: float = 0.01
    opacity_under: float = 0.005
    size_over: float = 0.1
    limit: int = 100_000  # Gaussians
    extent_m: float = 2.2  # 1.1 x the cameras' largest distance from their centre


class Population:
    """Gaussians, their Adam moments, and the gradients seen since the last refinement."""

    def __init__(self, gaussians: Gaussians, device: str = "cpu") -> None:
        self.values = {name: t.detach().to(device).clone().requires_grad_() for name, t in gaussians.tensors().items()}
        self.first = {name: torch.zeros_like(t) for name, t in self.values.items()}
        self.second = {name: torch.zeros_like(t) for name, t in self.values.items()}
        self.steps = 0
        self._clear()

    def __len__(self) -> int:
        return len(self.values["means"])

    @property
    def gaussians(self) -> Gaussians:
        return Gaussians(*(self.values[name] for name in NAMES))

    def _clear(self) -> None:
        self.gradient, self.seen = np.zeros(len(self)), np.zeros(len(self))

    def observe(self, gradients: Array, radii: Array, size: int) -> None:
        """Adds the position gradients [C, N, 2], in pixels, of the Gaussians visible in the pictures."""
        visible = (radii > 0).all(-1)
        norm = np.sqrt((gradients.astype(np.float64) ** 2).sum(-1)) * (size / 2 * len(gradients))
        self.gradient += (norm * visible).sum(0)
        self.seen += visible.sum(0)

    def step(self, rates: dict[str, float], scale: float = 1.0) -> None:
        """Takes one Adam step with gradients times `scale`, and clears them."""
        self.steps += 1
        b1, b2 = _BETAS
        with torch.no_grad():
            for name, value in self.values.items():
                if value.grad is None or not value.numel():
                    continue
                gradient = value.grad if scale == 1 else value.grad * scale
                self.first[name].lerp_(gradient, 1 - b1)
                self.second[name].mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
                size = rates[name] / (1 - b1**self.steps)
                root = (self.second[name] / (1 - b2**self.steps)).sqrt_().add_(_EPS)
                value.addcdiv_(self.first[name], root, value=-size)
                value.grad = None

    def _take(self, chosen: Tensor, added: dict[str, Tensor] | None = None) -> None:
        count = 0 if added is None else len(added["means"])
        for name, value in self.values.items():
            kept, more = value.detach()[chosen], [] if added is None else [added[name]]
            self.values[name] = torch.cat([kept, *more]).requires_grad_()
            for moments in (self.first, self.second):
                old = moments[name][chosen]
                moments[name] = torch.cat([old, old.new_zeros(count, *old.shape[1:])])
        self._clear()

    def refine(self, rules: DensityRules, rng: np.random.Generator, *, drop_large: bool = False) -> tuple[int, int]:
        """Clones small and splits large Gaussians with the largest position gradients, then drops invisible ones.

        Returns the numbers added and dropped.
        """
        before = len(self)
        scales = torch.exp(self.values["log_scales"].detach()).amax(-1)
        pull = torch.as_tensor(self.gradient / np.maximum(self.seen, 1), device=scales.device)
        grow = pull > rules.gradient
        room = max(0, rules.limit - before)
        if int(grow.sum()) > room:  # the most needed first
            grow &= pull >= torch.topk(pull, room).values[-1] if room else torch.zeros_like(grow)
        large = scales > rules.split_over * rules.extent_m
        clone, split = grow & ~large, grow & large
        added = {name: value.detach()[clone] for name, value in self.values.items()}
        halves = {name: value.detach()[split].repeat(2, *[1] * (value.ndim - 1)) for name, value in self.values.items()}
        if len(halves["means"]):
            spread = torch.exp(halves["log_scales"])
            noise = torch.as_tensor(rng.standard_normal(spread.shape), dtype=spread.dtype, device=spread.device)
            halves["means"] = halves["means"] + turn(halves["quats"], spread * noise)
            halves["log_scales"] = halves["log_scales"] - math.log(1.6)
        self._take(~split, {name: torch.cat([added[name], halves[name]]) for name in added})
        grown = len(self) + int(split.sum()) - before
        visible = torch.sigmoid(self.values["logits"].detach()) >= rules.opacity_under
        finite = torch.isfinite(self.values["means"].detach()).all(-1)
        keep = visible & finite
        if drop_large:
            keep &= torch.exp(self.values["log_scales"].detach()).amax(-1) <= rules.size_over * rules.extent_m
        if not bool(keep.any()):
            return grown, 0
        self._take(keep)
        return grown, int((~keep).sum())

    def fade(self, most: float = 0.01) -> None:
        """Opacity reset: limits opacities to `most` and clears their moments."""
        with torch.no_grad():
            self.values["logits"].clamp_(max=math.log(most / (1 - most)))
            self.first["logits"].zero_()
            self.second["logits"].zero_()

    def state(self) -> dict[str, Tensor]:
        """The whole state, on the CPU, for a checkpoint."""
        parts = {"": self.values, "first.": self.first, "second.": self.second}
        state = {f"{p}{name}": t.detach().cpu().clone() for p, group in parts.items() for name, t in group.items()}
        return state | {
            "gradient": torch.as_tensor(self.gradient), "seen": torch.as_tensor(self.seen),
            "steps": torch.tensor(self.steps),
        }  # fmt: skip

    def restore(self, state: dict[str, Tensor], device: str) -> None:
        """Restores what `state` returned."""
        self.values = {name: state[name].to(device).requires_grad_() for name in NAMES}
        self.first = {name: state[f"first.{name}"].to(device) for name in NAMES}
        self.second = {name: state[f"second.{name}"].to(device) for name in NAMES}
        self.gradient, self.seen = state["gradient"].numpy().copy(), state["seen"].numpy().copy()
        self.steps = int(state["steps"])


def turn(quats: Tensor, vectors: Tensor) -> Tensor:
    """Vectors [N, 3] rotated by quaternions wxyz [N, 4] of any length."""
    q = torch.nn.functional.normalize(quats, dim=-1)
    w, axis = q[:, :1], q[:, 1:]
    cross = torch.linalg.cross(axis, vectors)
    return vectors + 2 * (w * cross + torch.linalg.cross(axis, cross))
