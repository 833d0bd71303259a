"""Write the network that the wheel ships: ONNX with half-precision weights, a stored input and output, and its provenance.

    python training/embedded_depth/export.py training/runs/a/last.pt stereocast/depth/embedded_network

Batch norm is folded into the convolutions; the graph is written node by node, so it holds only what OpenCV's DNN is known to run (the exporters of
torch leave shape arithmetic behind). Weights are float16 in the file; the loader widens them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from network import DepthNet, Gate, Residual, Up, normed


class Writer:
    """Collects nodes and weights of a graph."""

    def __init__(self) -> None:
        self.nodes, self.weights, self.count = [], [], 0

    def weight(self, value, dtype=np.float16) -> str:
        self.count += 1
        name = f"w{self.count}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
        return name

    def node(self, op: str, inputs, **attributes) -> str:
        self.count += 1
        name = f"t{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op}_{self.count}", **attributes))
        return name

    def wide(self, value) -> str:
        """A float16 weight, widened to float32 in the graph."""
        return self.node("Cast", [self.weight(value)], to=TensorProto.FLOAT)

    def conv(self, x: str, layer: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> str:
        w = layer.weight.detach().double()
        b = layer.bias.detach().double() if layer.bias is not None else torch.zeros(w.shape[0], dtype=torch.double)
        if norm is not None:
            s = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
            w, b = w * s[:, None, None, None], (b - norm.running_mean.double()) * s + norm.bias.detach().double()
        k, stride, pad = layer.kernel_size[0], layer.stride[0], layer.padding[0]
        return self.node(
            "Conv",
            [x, self.wide(w.numpy()), self.wide(b.numpy())],
            kernel_shape=[k, k],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def twice(self, x: str) -> str:
        self.count += 1
        scales = f"scales{self.count}"
        self.weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), scales))
        return self.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")

    def module(self, x: str, m: nn.Module) -> str:
        """A module of network.py applied to tensor x."""
        if isinstance(m, nn.Sequential):
            for part, norm in normed(m):
                x = self.conv(x, part, norm) if isinstance(part, nn.Conv2d) else self.module(x, part)
            return x
        if isinstance(m, nn.ReLU):
            return self.relu(x)
        if isinstance(m, Residual):
            return self.relu(self.node("Add", [x, self.module(self.module(x, m.a), m.b)]))
        if isinstance(m, Gate):
            g = self.relu(self.conv(self.node("GlobalAveragePool", [x]), m.a))
            return self.node("Mul", [x, self.node("Sigmoid", [self.conv(g, m.b)])])
        raise TypeError(type(m))

    def up(self, x: str, skip: str, m: Up) -> str:
        y = self.relu(self.node("Add", [self.twice(self.conv(x, m.low)), self.conv(skip, m.skip)]))
        return self.module(y, m.mix)


def graph(net: DepthNet) -> onnx.ModelProto:
    """The network as ONNX with free height and width."""
    w = Writer()
    s1 = w.module("picture", net.s1)
    s2 = w.module(s1, net.s2)
    s3 = w.module(s2, net.s3)
    s4 = w.module(s3, net.s4)
    y = w.up(w.up(w.up(w.module(s4, net.s5), s4, net.u4), s3, net.u3), s2, net.u2)
    y = w.relu(w.node("Add", [w.twice(w.conv(y, net.low)), w.conv(s1, net.skip)]))
    y = w.module(y, net.out)
    w.nodes[-1].output[0] = "depth"
    g = helper.make_graph(
        w.nodes,
        "embedded_depth",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 5, "height", "width"])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, 1, "rows", "columns"])],
        w.weights,
    )
    model = helper.make_model(g, opset_imports=[helper.make_opsetid("", 13)], producer_name="stereocast")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def history(state) -> list[dict]:
    """The runs behind a checkpoint, first to last: each began from the averaged weights of the one before."""
    if "options" not in state:  # by unfold.py
        return list(state["stages"])
    start = state["options"].get("start", "None")
    before = history(torch.load(start, weights_only=False, map_location="cpu")) if Path(start).is_file() else []
    run = {
        "options": {k: v for k, v in state["options"].items() if k not in ("out", "start")},
        "steps": state["step"],
        "samples": state["seen"],
        "scenes": state["made"],
        "minutes": round(state["spent"] / 60, 1),
        "loss": round(float(np.mean(state["curve"][-200:])), 4),
    }
    if "average" in state:
        run["average"] = state["average"]  # share of this run's weights, by average.py
    return [*before, run]


def main(checkpoint: Path, target: Path, scores: Path | None = None) -> None:
    """Reads last.pt; writes TARGET.onnx, TARGET.npz (stored pair), TARGET.json (provenance)."""
    state = torch.load(checkpoint, weights_only=False, map_location="cpu")
    net = DepthNet()
    net.load_state_dict(state["mean"])
    for p in (
        net.parameters()
    ):  # what the file will hold; folding is done in double before it is rounded, so compare loosely
        p.requires_grad_(False)
    net.eval()
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph(net), str(target.with_suffix(".onnx")))
    rng = np.random.default_rng(5)
    small = rng.random((1, 5, 3, 5)).astype(np.float32)
    x = (
        torch.nn.functional.interpolate(torch.from_numpy(small * 2 - 1), (64, 96), mode="bilinear")
        .numpy()
        .astype(np.float16)
        .astype(np.float32)
    )
    y = net(torch.from_numpy(x)).numpy()
    np.savez_compressed(target.with_suffix(".npz"), picture=x.astype(np.float16), depth=y.astype(np.float32))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    stages = history(state)
    provenance = {
        "script": "training/embedded_depth/train.py",
        "commit": commit,
        "options": stages[-1]["options"],
        "samples": sum(stage["samples"] for stage in stages),
        "scenes": sum(stage["scenes"] for stage in stages),
        "parameters": sum(p.numel() for p in net.parameters()),
        "stages": stages,
        "data": "procedural scenes only, made by the script",
        "licence": "Apache-2.0",
    }
    if scores:
        provenance["scores"] = json.loads(scores.read_text())
    target.with_suffix(".json").write_text(json.dumps(provenance, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
