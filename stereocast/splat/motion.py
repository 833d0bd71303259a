"""Motion of Gaussians over time: a small network from (place, time) to offsets, and the ramps it is trained with.

Yang et al., "Deformable 3D Gaussians for High-Fidelity Monocular Dynamic Scene Reconstruction", 2024 (sec. 3.2, 3.3):
positional encoding, a ReLU network with one skip, one linear head per quantity. Its three published variants are here
under the published names of their parameters; width and depth are free.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

Variant = Literal["default", "blender", "sixdof"]


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """Size and kind of the network. The defaults are the published ones."""

    variant: Variant = "default"
    width: int = 256
    depth: int = 8
    place_octaves: int = 10
    time_octaves: int = 10  # "blender": 6, then a separate network
    time_width: int = 256
    time_outputs: int = 30

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def blender() -> MotionConfig:
    """The published variant for synthetic scenes."""
    return MotionConfig("blender", time_octaves=6)


def encode(x: Tensor, octaves: int) -> Tensor:
    """x [.., D] and, per octave, sin and cos of 2^k x, all axes together: [.., D (1 + 2 octaves)] (Mildenhall 2020)."""
    parts = [x]
    for octave in range(octaves):
        parts += [torch.sin(x * 2.0**octave), torch.cos(x * 2.0**octave)]
    return torch.cat(parts, -1)


class Motion(nn.Module):
    """(place [N, 3], time [N, 1] or a number) -> offsets of place, rotation [N, 4] and scale [N, 3]."""

    def __init__(self, config: MotionConfig = MotionConfig()) -> None:
        super().__init__()
        self.config = config
        place, time = 3 * (1 + 2 * config.place_octaves), 1 + 2 * config.time_octaves
        if config.variant == "blender":
            self.timenet = nn.Sequential(
                nn.Linear(time, config.time_width), nn.ReLU(), nn.Linear(config.time_width, config.time_outputs)
            )
            time = config.time_outputs
        inputs, width = place + time, config.width
        self.skip = config.depth // 2  # after this layer the input joins again
        sizes = [inputs if i == 0 else width + inputs if i == self.skip + 1 else width for i in range(config.depth)]
        self.linear = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        if config.variant == "sixdof":
            self.branch_w, self.branch_v = nn.Linear(width, 3), nn.Linear(width, 3)
        else:
            self.gaussian_warp = nn.Linear(width, 3)
        self.gaussian_rotation, self.gaussian_scaling = nn.Linear(width, 4), nn.Linear(width, 3)

    def start_still(self) -> "Motion":
        """Shrinks the heads, so that training begins with nearly no motion. Returns self."""
        with torch.no_grad():
            for name in ("gaussian_warp", "gaussian_rotation", "gaussian_scaling", "branch_w", "branch_v"):
                head = getattr(self, name, None)
                if head is not None:
                    head.weight.mul_(0.01)
                    head.bias.zero_()
        return self

    def forward(self, place: Tensor, time: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """Offsets of place [N, 3] ("sixdof": rigid motions [N, 4, 4]), rotation [N, 4] and scale [N, 3]."""
        if not isinstance(time, Tensor):
            time = place.new_full((len(place), 1), time)
        when = encode(time, self.config.time_octaves)
        if self.config.variant == "blender":
            when = self.timenet(when)
        joined = torch.cat([encode(place, self.config.place_octaves), when], -1)
        h = joined
        for i, layer in enumerate(self.linear):
            h = torch.relu(layer(h))
            if i == self.skip and i + 1 < len(self.linear):
                h = torch.cat([joined, h], -1)
        if self.config.variant == "sixdof":
            w, v = self.branch_w(h), self.branch_v(h)
            angle = w.norm(dim=-1, keepdim=True)
            shift: Tensor = rigid(w / angle + 1e-5, v / angle + 1e-5, angle)
        else:
            shift = self.gaussian_warp(h)
        return shift, self.gaussian_rotation(h), self.gaussian_scaling(h)


def rigid(w: Tensor, v: Tensor, angle: Tensor) -> Tensor:
    """Exponential map of the screw (w, v) [N, 3] by angle [N, 1]: [N, 4, 4] (Lynch and Park, Modern Robotics, 3.88)."""
    zero = torch.zeros_like(w[:, 0])
    skew = torch.stack(
        [zero, -w[:, 2], w[:, 1], w[:, 2], zero, -w[:, 0], -w[:, 1], w[:, 0], zero], -1
    ).reshape(-1, 3, 3)  # fmt: skip
    square, a = skew @ skew, angle[..., None]
    eye = torch.eye(3, dtype=w.dtype, device=w.device)
    turn = eye + torch.sin(a) * skew + (1 - torch.cos(a)) * square
    shift = (a * eye + (1 - torch.cos(a)) * skew + (a - torch.sin(a)) * square) @ v[..., None]
    bottom = torch.tensor([0.0, 0, 0, 1], dtype=w.dtype, device=w.device).expand(len(w), 1, 4)
    return torch.cat([torch.cat([turn, shift], -1), bottom], 1)


def moved(means: Tensor, shift: Tensor) -> Tensor:
    """Places after an offset [N, 3] or a rigid motion [N, 4, 4]."""
    if shift.ndim == 2:
        return means + shift
    return (shift[:, :3, :3] @ means[..., None])[..., 0] + shift[:, :3, 3]


@dataclass(frozen=True, slots=True)
class Ramp:
    """A value that falls from `start` to `end` within `steps`: exponentially, or in a straight line."""

    start: float
    end: float
    steps: int
    straight: bool = False

    def __call__(self, step: float) -> float:
        share = min(max(step / self.steps, 0.0), 1.0)
        if self.straight:
            return self.start * (1 - share) + self.end * share
        return math.exp(math.log(self.start) * (1 - share) + math.log(self.end) * share)

    def within(self, iterations: int, full: int = 40_000) -> "Ramp":
        """The same ramp for a run of `iterations` where the published one has `full`."""
        return Ramp(self.start, self.end, max(1, round(self.steps * iterations / full)), self.straight)


PLACE_RATE = Ramp(8e-4, 8e-6, 30_000)
MOTION_RATE = Ramp(8e-4, 1.6e-6, 40_000)
TIME_NOISE = Ramp(0.1, 1e-15, 20_000, straight=True)  # of annealed smooth training (sec. 3.3)
