"""Train the embedded depth network on procedural scenes.

    python training/embedded_depth/train.py --out training/runs/a --minutes 45            # by the clock, resumes by itself
    python training/embedded_depth/train.py --out training/runs/b --steps 200 --workers 0  # deterministic: scenes in line, fixed seed

Scenes come from worker processes into a pool; every batch draws from it with a fresh crop, size, mirror and grading. The learning rate is a
cosine over the budget. Weights are averaged; a checkpoint with everything needed to go on is written once a minute.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import losses
from network import DepthNet
from photo import Maker, relative

ASPECTS = (1.2, 1.33, 1.5, 1.78, 1.78, 2.0, 2.4, 3.0)


def shape_of(area: float, aspect: float) -> tuple[int, int]:
    """Height and width, multiples of 32, of about this area and aspect."""
    h = max(64, round(np.sqrt(area / aspect) / 32) * 32)
    return int(h), int(max(64, round(h * aspect / 32) * 32))


def scene_shape(index: int, area: float) -> tuple[int, int]:
    """Even height and width of scene `index`."""
    aspect = ASPECTS[index % len(ASPECTS)]
    h = int(round(np.sqrt(area / aspect) / 2) * 2)
    return h, int(round(h * aspect / 2) * 2)


def scene_worker(seed, first, step, area, out) -> None:
    """Makes scenes first, first + step, ... for ever."""
    cv2.setNumThreads(1)
    maker = Maker(seed)
    index = first
    while True:
        for rgb, d, wt in maker.scene(index, *scene_shape(index, area)):
            out.put((rgb, d.astype(np.float16), wt.astype(np.float16)))
        index += step


class Pool:
    """The latest scenes; `refill` takes what the workers have made, or makes them in line (deterministic)."""

    def __init__(self, seed: int, workers: int, first: int, area: float, room: int = 6000) -> None:
        self.items, self.room, self.area, self.made, self.index = [], room, area, 0, first
        self.maker = Maker(seed) if workers == 0 else None
        self.procs = []
        if workers:
            ctx = mp.get_context("fork")
            self.queue = ctx.Queue(64)
            for k in range(workers):
                p = ctx.Process(target=scene_worker, args=(seed, first + k, workers, area, self.queue), daemon=True)
                p.start()
                self.procs.append(p)
            threading.Thread(target=self._drain, daemon=True).start()

    def _put(self, item) -> None:
        if len(self.items) < self.room:
            self.items.append(item)
        else:
            self.items[self.made % self.room] = item
        self.made += 1

    def refill(self, least: int) -> None:
        """Take what is there, and wait until `least` views were made in all."""
        if self.maker is None:
            while self.made < least:
                time.sleep(0.1)
            return
        while self.made < least:
            for item in self.maker.scene(self.index, *scene_shape(self.index, self.area)):
                self._put(item)
            self.index += 1

    def _drain(self) -> None:
        """Runs in a thread: a pipe holds less than one view, so somebody has to wait at it."""
        while True:
            rgb, d, wt = self.queue.get()
            self._put((rgb, d.astype(np.float32), wt.astype(np.float32)))

    def batch(self, size: int, h: int, w: int, rng):
        """RGB + coordinates [B, 5, h, w], target and weight [B, 1, h/2, w/2]."""
        x = np.empty((size, 5, h, w), np.float32)
        t = np.empty((size, 1, h // 2, w // 2), np.float32)
        m = np.empty_like(t)
        x[:, 3] = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
        x[:, 4] = np.linspace(-1, 1, w, dtype=np.float32)[None]
        for k in range(size):
            rgb, d, wt = self.items[rng.integers(len(self.items))]
            hh, ww = d.shape
            keep = rng.uniform(0.72, 1.0) if rng.random() < 0.7 else 1.0
            stretch = np.exp(rng.normal(0, 0.08))
            ch, cw = hh * keep, ww * keep
            if cw / ch > w / h * stretch:
                cw = ch * w / h * stretch
            else:
                ch = cw / (w / h * stretch)
            ch, cw = int(max(32, ch)), int(max(32, cw))
            y0, x0 = int(rng.integers(0, hh - ch + 1)), int(rng.integers(0, ww - cw + 1))
            c = (slice(y0, y0 + ch), slice(x0, x0 + cw))
            img = (
                cv2.resize(rgb[c], (w, h), interpolation=cv2.INTER_AREA if ch > h else cv2.INTER_LINEAR).astype(
                    np.float32
                )
                / 255
            )
            tt = cv2.resize(d[c], (w // 2, h // 2), interpolation=cv2.INTER_AREA)
            mm = cv2.resize(wt[c], (w // 2, h // 2), interpolation=cv2.INTER_NEAREST)
            tt = relative(tt)
            if rng.random() < 0.5:
                img, tt, mm = img[:, ::-1], tt[:, ::-1], mm[:, ::-1]
            gain, lift = rng.uniform(0.8, 1.45), rng.normal(0, 0.06)
            mean = img.mean()
            img = (img - mean) * gain + mean + lift + rng.normal(0, 0.02, 3)
            if rng.random() < 0.5:
                grey = img.mean(2, keepdims=True)
                img = grey + (img - grey) * rng.uniform(0.5, 1.6)
            x[k, :3] = np.clip(img, 0, 1).transpose(2, 0, 1) * 2 - 1
            t[k, 0], m[k, 0] = tt, mm
        return torch.from_numpy(x), torch.from_numpy(t), torch.from_numpy(m)

    def close(self) -> None:
        for p in self.procs:
            p.terminate()


def main(argv=None) -> list[float]:
    """Runs the budget; returns the loss of every step."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--out", type=Path, required=True)
    a.add_argument(
        "--minutes", type=float, default=None, help="budget by the clock; a resumed run goes on where it stood"
    )
    a.add_argument("--steps", type=int, default=2000, help="budget in steps when --minutes is not given")
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--lr", type=float, default=2.5e-3)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--workers", type=int, default=1)
    a.add_argument("--area", type=float, default=17000.0, help="pixels of a rendered scene")
    a.add_argument("--small", type=float, default=0.6, help="share of the budget at the small sizes")
    a.add_argument(
        "--start", type=Path, default=None, help="averaged weights of an earlier run to begin from (its last.pt)"
    )
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--device", default="cpu")
    o = a.parse_args(argv)
    torch.set_num_threads(o.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(o.seed)
    rng = np.random.default_rng([o.seed, 1])
    gen = torch.Generator().manual_seed(o.seed)
    o.out.mkdir(parents=True, exist_ok=True)
    net = DepthNet().to(o.device, memory_format=torch.channels_last)
    step, spent, seen, made, curve = 0, 0.0, 0, 0, []
    if o.start is not None:
        net.load_state_dict(torch.load(o.start, weights_only=False)["mean"])
    mean = DepthNet().to(o.device)
    mean.load_state_dict(net.state_dict())
    opt = torch.optim.AdamW(net.parameters(), lr=o.lr, weight_decay=0.02, betas=(0.9, 0.99))
    ckpt = o.out / "last.pt"
    if ckpt.exists():
        s = torch.load(ckpt, weights_only=False)
        net.load_state_dict(s["net"])
        mean.load_state_dict(s["mean"])
        opt.load_state_dict(s["opt"])
        step, spent, seen, made, curve = s["step"], s["spent"], s["seen"], s["made"], s["curve"]
        gen.set_state(s["gen"])
        rng = np.random.default_rng([o.seed, 1, step])
    pool = Pool(o.seed, o.workers, 100_000 * (step > 0) + made, o.area)
    base = made
    pool.refill(4 * o.batch if o.minutes is None else 256)
    began = saved = time.monotonic()
    net.train()

    def save():
        state = {
            "net": net.state_dict(),
            "mean": mean.state_dict(),
            "opt": opt.state_dict(),
            "step": step,
            "spent": spent + time.monotonic() - began,
            "seen": seen,
            "made": base + pool.made,
            "curve": curve,
            "gen": gen.get_state(),
            "options": {k: str(v) for k, v in vars(o).items()},
        }
        torch.save(state, ckpt.with_suffix(".tmp"))
        os.replace(ckpt.with_suffix(".tmp"), ckpt)

    while True:
        now = time.monotonic()
        done = (spent + now - began) / (60 * o.minutes) if o.minutes else step / o.steps
        if done >= 1:
            break
        pool.refill(0 if o.workers else int((step + 5) * o.batch * 0.5))
        lr = o.lr * min(1.0, (step + 1) / 150) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))
        for g in opt.param_groups:
            g["lr"] = lr
        area = rng.choice([6200.0, 9000.0]) if done < o.small else rng.choice([9000.0, 15400.0, 15400.0, 22000.0])
        h, w = shape_of(area, ASPECTS[rng.integers(len(ASPECTS))])
        n = max(8, int(o.batch * min(1.0, 9000 / (h * w)) + 0.5))
        x, t, m = pool.batch(n, h, w, rng)
        x, t, m = x.to(o.device, memory_format=torch.channels_last), t.to(o.device), m.to(o.device)
        loss = losses.total(net(x), t, m, gen)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        opt.step()
        step, seen = step + 1, seen + n
        decay = min(0.998, (step + 1) / (step + 12))
        with torch.no_grad():
            for p, q in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                if p.dtype.is_floating_point:
                    p.lerp_(q, 1 - decay)
                else:
                    p.copy_(q)
        curve.append(float(loss.detach()))
        if step % 50 == 0:
            print(
                json.dumps(
                    {
                        "step": step,
                        "done": round(done, 4),
                        "loss": round(float(np.mean(curve[-50:])), 4),
                        "seen": seen,
                        "made": base + pool.made,
                        "per_s": round(seen / max(1e-6, spent + time.monotonic() - began), 1),
                        "lr": round(lr, 6),
                    }
                ),
                flush=True,
            )
        if time.monotonic() - saved > 60:
            save()
            saved = time.monotonic()
    save()
    pool.close()
    return curve


if __name__ == "__main__":
    main()
