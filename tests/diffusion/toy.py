"""A toy network whose right view reads a feature of the left one (see the reference's FACTS)."""

from typing import Any

import torch
from torch import Tensor

from stereocast.diffusion.schedules import Step


class Toy:
    def __init__(self, config: dict[str, Any], cond: Tensor, uncond: Tensor) -> None:
        self.k = config["toy"]
        self.prediction = config["prediction"]
        self.conditions = {"cond": cond, "uncond": uncond}
        self.evaluations = self.right_evaluations = 0

    def _query(self, left: Tensor) -> Tensor:
        return torch.tanh(self.k["k6"] * torch.roll(left, 1, -2))

    def _output(self, z: Tensor, q: Tensor, step: Step, branch: str) -> Tensor:
        self.evaluations += 1
        k, c = self.k, self.conditions[branch]
        wave = float(torch.cos(torch.tensor(step.timestep / 200, dtype=torch.float64)))
        v = k["k0"] * z + k["k1"] * z.mean(2, keepdim=True) + k["k2"] * torch.roll(z, 1, -1)
        v = v + k["k3"] * torch.tanh(c + z) + k["k4"] * wave + k["k5"] * q
        return v if self.prediction == "v" else step.signal * v + step.noise * z

    def left(self, z: Tensor, step: Step, branch: str, keep: bool) -> tuple[Tensor, Any]:
        q = self._query(z)
        return self._output(z, q, step, branch), {"q": q} if keep else None

    def right(self, z: Tensor, step: Step, branch: str, features: Any) -> Tensor:
        self.right_evaluations += 1
        return self._output(z, self._query(z) if features is None else features["q"], step, branch)
