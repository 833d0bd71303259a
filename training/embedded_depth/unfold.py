"""Weights for `train.py --start` from the network that the wheel ships: the way back from export.py.

    python training/embedded_depth/unfold.py stereocast/depth/embedded_network.onnx training/runs/start.pt

Folded batch norms are laid open again: each takes the mean and variance that it meets on a few hundred scenes, and a scale and shift that undo
them, so that the network's output is what it was and training goes on with ordinary statistics.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from network import DepthNet, Gate, Residual, Up, normed
from train import Pool, shape_of


def layers(module: nn.Module):
    """(convolution, batch norm or None) in the order in which export.py writes them."""
    if isinstance(module, nn.Conv2d):
        yield module, None
    elif isinstance(module, nn.Sequential):
        for part, norm in normed(module):
            yield from [(part, norm)] if isinstance(part, nn.Conv2d) else layers(part)
    elif isinstance(module, Residual | Gate):
        yield from layers(module.a)
        yield from layers(module.b)
    elif isinstance(module, Up):
        yield from [(module.low, None), (module.skip, None)]
        yield from layers(module.mix)


def order(net: DepthNet):
    """The same of the whole network."""
    for part in (net.s1, net.s2, net.s3, net.s4, net.s5, net.u4, net.u3, net.u2, net.low, net.skip, net.out):
        yield from layers(part)


def unfold(path: Path, views: int = 256) -> DepthNet:
    """The network of an ONNX file by export.py, with statistics from `views` scenes of seed 7."""
    values = [numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer if "scales" not in t.name]
    net = DepthNet().eval()
    pairs = list(order(net))
    assert len(values) == 2 * len(pairs), "another network"
    with torch.no_grad():
        for (conv, norm), weight, bias in zip(pairs, values[::2], values[1::2], strict=True):
            conv.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
            b = torch.from_numpy(bias.astype(np.float32))
            if norm is None:
                conv.bias.copy_(b)
            else:
                norm.weight.fill_(1)
                norm.bias.copy_(b)
                norm.running_mean.zero_()
                norm.running_var.fill_(1 - norm.eps)
        seen: dict[nn.Module, torch.Tensor] = {}
        for _, norm in pairs:
            if norm is not None:
                norm.register_forward_pre_hook(lambda m, x: seen.__setitem__(m, x[0]))
        pool, rng = Pool(7, 0, 0, 17000.0), np.random.default_rng(7)
        pool.refill(views)
        sums: dict[nn.Module, list[torch.Tensor]] = {}
        for _ in range(8):
            net(pool.batch(views // 8, *shape_of(9000.0, 1.5), rng)[0])
            for norm, x in seen.items():
                sums.setdefault(norm, []).append(torch.stack([x.mean((0, 2, 3)), (x * x).mean((0, 2, 3))]))
        for norm, parts in sums.items():
            mean, square = torch.stack(parts).mean(0)
            var = (square - mean * mean).clamp(min=1e-6)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(var)
            norm.weight.copy_(torch.sqrt(var + norm.eps))
            norm.bias.add_(mean)
    return net


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(source.with_suffix(".json").read_text("utf-8"))["stages"]
    torch.save({"mean": unfold(source).state_dict(), "stages": before}, target)
