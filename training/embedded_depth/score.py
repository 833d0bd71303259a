"""Ordinal accuracy of a checkpoint on real scenes, by size and share of the ramp, straight in torch.

    python training/embedded_depth/score.py training/runs/a/last.pt --data ../shared/data/depth_gt --areas 24000 40000

The figures are those of `python -m bench depth`, without the guided filter and the smoother.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from network import DepthNet

from bench import depth as bench
from stereocast.depth.embedded import network_shape


def load(path: Path) -> DepthNet:
    """The averaged network of a checkpoint."""
    state = torch.load(path, weights_only=False, map_location="cpu")
    net = DepthNet(state["options"]["variant"])
    net.load_state_dict(state["mean"])
    return net.eval()


def look(net, picture, area: float, mirror: bool = False):
    """Raw depth [h/2, w/2] of an RGB picture uint8 at about `area` pixels, alone or mean with its mirror image."""
    rows, columns = network_shape(*picture.shape[:2], int(area))
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    x = np.empty((1, 5, rows, columns), np.float32)
    x[0, :3] = small.transpose(2, 0, 1) * 2 - 1
    x[0, 3] = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x[0, 4] = np.linspace(-1, 1, columns, dtype=np.float32)
    with torch.no_grad():
        depth = net(torch.from_numpy(x))[0, 0].numpy()
        if mirror:
            x[0, :3] = x[0, :3, :, ::-1].copy()
            depth = (depth + net(torch.from_numpy(x))[0, 0].numpy()[:, ::-1]) / 2
    return depth


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("checkpoint", type=Path, nargs="+")
    a.add_argument("--data", type=Path, required=True)
    a.add_argument("--areas", type=float, nargs="+", default=[24_000.0])
    a.add_argument("--ramps", type=float, nargs="+", default=[0.0, 0.25])
    a.add_argument("--mirror", action="store_true")
    o = a.parse_args()
    torch.set_num_threads(1)
    scenes = list(bench.scenes(o.data))
    for path in o.checkpoint:
        net = load(path)
        for area in o.areas:
            maps = [look(net, image, area, o.mirror) for _, _, image, _ in scenes]
            for ramp in o.ramps:
                scored = []
                for (_, meta, _, truth), depth in zip(scenes, maps, strict=True):
                    steady = (1 - ramp) * depth + ramp * np.linspace(0, 1, depth.shape[0], dtype=np.float32)[:, None]
                    scored.append((bench.family(meta), bench.measure(steady, truth)))
                shown = {"all": bench.summary([s for _, s in scored])}
                for kind in sorted({f for f, _ in scored}):
                    shown[kind] = bench.summary([s for f, s in scored if f == kind])
                text = "  ".join(f"{k} {v['ordinal_all']:.3f}/{v['ordinal_row']:.3f}" for k, v in shown.items())
                print(f"{path.parent.name} {area:.0f} ramp {ramp}: {text}", flush=True)


if __name__ == "__main__":
    main()
