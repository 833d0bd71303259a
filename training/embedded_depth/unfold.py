"""Open the network that the wheel ships for further training: `train.py --start`.

    python training/embedded_depth/unfold.py stereocast/depth/embedded_network training/runs/shipped.pt --photos training/runs/photos

Export folds batch norm into the convolutions. Here each decoder convolution gets a batch norm back, with the mean and variance of its output over
fresh training views and the affine part that undoes them: the same function, ready for training with batch statistics.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from network import DepthNet
from pool import ASPECTS, Pool, shape_of

BATCHES = 24  # of 8 views, for the statistics


def convolutions(net: DepthNet):
    """(layer, its batch norm or None) in the order in which export.py writes them."""
    yield from ((layer, None) for layer, *_ in net.backbone.convolutions())
    yield net.top[0], net.top[1]
    yield from ((part[0], part[1]) for part in (net.deep.a, net.deep.b))
    for up in net.ups:
        yield from ((part[0], part[1]) for part in (up.low, up.skip, up.mix.a, up.mix.b))
    yield net.out[0][0], net.out[0][1]
    yield net.out[1], None


def opened(path: Path, variant: str) -> DepthNet:
    """The network of an exported file, in eval mode; each batch norm adds the bias and does nothing else."""
    model = onnx.load(str(path))
    held = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    widened = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Cast"}
    layers = [[held[widened[i]] for i in n.input[1:]] for n in model.graph.node if n.op_type == "Conv"]
    net = DepthNet(variant)
    with torch.no_grad():
        for (conv, norm), (weight, bias) in zip(convolutions(net), layers, strict=True):
            conv.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
            if norm is None:
                conv.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
            else:
                norm.weight.fill_((1 + norm.eps) ** 0.5)
                norm.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
    return net.eval()


def unfolded(net: DepthNet, batches) -> DepthNet:
    """Give each batch norm the statistics of its input over `batches` (tensors [B, 5, H, W]); the function stays as it was."""
    norms = [norm for _, norm in convolutions(net) if norm is not None]
    sums = {norm: [] for norm in norms}

    def note(norm, inputs):
        x = inputs[0].double()
        sums[norm].append(torch.stack([x.mean((0, 2, 3)), (x * x).mean((0, 2, 3))]))

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    with torch.no_grad():
        for batch in batches:
            net(batch)
        for hook in hooks:
            hook.remove()
        for norm in norms:
            mean, square = torch.stack(sums[norm]).mean(0)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(square - mean * mean)
            norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
            norm.bias.add_(norm.running_mean)
    return net


def main(argv=None) -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("network", type=Path, help="without suffix: NAME.onnx and NAME.json are read")
    a.add_argument("out", type=Path)
    a.add_argument("--photos", type=Path)
    a.add_argument("--seed", type=int, default=77)
    o = a.parse_args(argv)
    facts = json.loads(o.network.with_suffix(".json").read_text())
    net: nn.Module = opened(o.network.with_suffix(".onnx"), facts["options"]["variant"])
    pool, rng = Pool((o.seed, o.photos), 0, 0, 30_000.0), np.random.default_rng(o.seed)
    shapes = [shape_of(20_000, ASPECTS[k % len(ASPECTS)]) for k in range(BATCHES)]
    net = unfolded(net, (pool.batch(8, h, w, rng)[0] for h, w in shapes))
    o.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"mean": net.state_dict(), "options": facts["options"], "seen": facts["samples"]}, o.out)


if __name__ == "__main__":
    main()
