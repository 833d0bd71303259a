"""Stage 2 of Diffusion² (sec. 3.4, 4.1): dynamic Gaussians from an image matrix.

The canonical Gaussians are fitted first, to all views of the reference frame. Then the whole matrix trains the motion,
while the canonical Gaussians learn at a lower rate. That rate falls with a picture's distance from the reference view
and frame.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stereocast.pictures.devices import to_device
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.splat.density import DensityRules, Population
from stereocast.splat.loss import photometric
from stereocast.splat.matrix import Matrix
from stereocast.splat.motion import MOTION_RATE, PLACE_RATE, TIME_NOISE, Motion, MotionConfig, Ramp
from stereocast.splat.render import render
from stereocast.splat.scene import Camera, Gaussians, Scene, from_points
from stereocast.types import Array

log = logging.getLogger(__name__)
CHECKPOINT_S = 60.0
_RATES = {"log_scales": 5e-3, "quats": 1e-3, "logits": 0.05, "sh0": 2.5e-3, "sh_rest": 2.5e-3 / 20}


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit. Defaults are the paper's where it gives any, else ours (docs/4d.md explains the choice)."""

    iterations: int = 5000
    warm_up: int = 3000
    views_per_step: int = 1  # pictures of one frame per step
    motion: MotionConfig = field(default_factory=MotionConfig)
    motion_rate: Ramp = MOTION_RATE
    place_rate: Ramp = PLACE_RATE
    canonical_rate: float = 0.3  # factor of the canonical learning rates after the warm-up
    canonical: bool = True  # canonical Gaussians learn; False: only the motion does
    decoupled: bool = True  # weigh canonical gradients by the distance from the references
    degree: int = 3
    similarity: float = 0.2  # weight of 1 - SSIM
    mask_weight: float = 0.2
    random_background: bool = True
    antialiased: bool = True
    refine_every: int = 100
    refine_from: float = 0.1  # share of the warm-up
    refine_until: float = 0.7  # share of all iterations
    fade_at: float = 0.4  # when opacity is reset, share of the warm-up; 0 = never
    density: DensityRules = field(default_factory=DensityRules)
    initial_points: int = 10_000
    device: str = "cpu"
    seed: int = 0


@contextmanager
def one_thread(device: str = "cpu") -> Iterator[None]:
    """Limits torch to one thread on a CPU.

    Torch's share of a step is so small that waking its threads costs more than they save. The rasteriser has a
    separate pool.
    """
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def hull_points(matrix: Matrix, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """At most `count` random points [n, 3] in the visual hull of the reference frame's masks, and their mean colours.

    Every view's mask thins a box of points. Starting from the hull takes a moment and avoids most floaters.
    """
    frame = matrix.reference_frame
    half = np.tan(np.radians(matrix.info.fov_deg / 2)) * matrix.info.radius_m
    points: Array = rng.uniform(-half, half, (max(count * 40, 200_000), 3)).astype(np.float32)
    colours: Array = np.zeros_like(points)
    inside = np.ones(len(points), bool)
    for view in range(matrix.views):
        camera = matrix.camera(view)
        u, v = _pixels(points, camera)
        known = matrix.masks[view, frame]
        column, row = np.clip(u.astype(int), 0, matrix.size - 1), np.clip(v.astype(int), 0, matrix.size - 1)
        within = (u >= 0) & (v >= 0) & (u < matrix.size) & (v < matrix.size)
        inside &= within & (known[row, column] > 127)
        colours += matrix.images[view, frame][row, column]
    points, colours = points[inside], colours[inside] / (255 * matrix.views)
    if len(points) < 100:  # the masks contradict each other: start from a ball
        points = rng.normal(0, half / 4, (count, 3)).astype(np.float32)
        colours = np.full_like(points, 0.5)
    return points[:count], colours[:count]


def _pixels(points: Array, camera: Camera) -> tuple[Array, Array]:
    seen = points @ camera.view[:3, :3].T + camera.view[:3, 3]
    flat = seen @ camera.intrinsics.T
    return flat[:, 0] / flat[:, 2], flat[:, 1] / flat[:, 2]


def initial(matrix: Matrix, settings: FitSettings) -> Gaussians:
    """The Gaussians that fitting starts from: points in the visual hull, as large as their mean spacing."""
    points, colours = hull_points(matrix, settings.initial_points, np.random.default_rng((settings.seed, 1)))
    spread = np.prod(points.std(0) * 3.5) ** (1 / 3) if len(points) > 1 else 0.1
    return from_points(points, colours, float(spread / len(points) ** (1 / 3)), 0.1, settings.degree)


class Fit:
    """One run of stage 2: `run` to the end, or step by step."""

    def __init__(
        self, matrix: Matrix, settings: FitSettings, start: Gaussians | None = None, motion: Motion | None = None
    ) -> None:
        self.matrix, self.settings = matrix, settings
        device = settings.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.motion = (motion or Motion(settings.motion).start_still()).to(device)
        self.population = Population(start or initial(matrix, settings), device)
        self._canonical()
        self.optimiser = torch.optim.Adam(self.motion.parameters(), lr=settings.motion_rate.start, eps=1e-15)
        self.iteration = 0
        self.losses: list[float] = []
        self._trust = matrix.trust()
        self._motion_rate = settings.motion_rate.within(max(1, settings.iterations - settings.warm_up), 40_000)
        self._place_rate = settings.place_rate.within(settings.iterations)
        self._noise = TIME_NOISE.within(max(1, settings.iterations - settings.warm_up))

    def _canonical(self) -> None:
        for value in self.population.values.values():
            value.requires_grad_(self.settings.canonical)

    @property
    def scene(self) -> Scene:
        """The scene fitted so far, on the CPU."""
        still = self.iteration <= self.settings.warm_up and self.iteration < self.settings.iterations
        g = self.population.gaussians
        kept = Gaussians(*(t.detach().cpu() for t in g.tensors().values()))
        return Scene(kept, None if still or self.matrix.frames < 2 else deepcopy(self.motion).cpu(), self.matrix.info)

    def run(self, checkpoint: Path | None = None, progress: OnProgress = silent) -> Scene:
        """Fits to the end, resuming from `checkpoint` if it exists. The checkpoint is saved every minute."""
        if checkpoint is not None and checkpoint.exists():
            self.restore(checkpoint)
        saved, total = time.monotonic(), self.settings.iterations
        with one_thread(self.settings.device):
            while self.iteration < total:
                self.step()
                progress(Progress("reconstruction", self.iteration, total))
                if checkpoint is not None and (time.monotonic() - saved > CHECKPOINT_S or self.iteration == total):
                    self.save(checkpoint)
                    saved = time.monotonic()
        return self.scene

    def step(self) -> float:
        """Runs one iteration and returns its loss. Random numbers depend on (seed, iteration) only."""
        s, m = self.settings, self.matrix
        rng = np.random.default_rng((s.seed, 2, self.iteration))
        moving = self.iteration >= s.warm_up and m.frames > 1
        frame = int(rng.integers(m.frames)) if moving else m.reference_frame
        views = rng.choice(m.views, min(s.views_per_step, m.views), replace=False)
        background = rng.random(3, np.float32) if s.random_background else np.ones(3, np.float32)
        target, mask = self._target(views, frame, background)
        moment = m.time(frame)
        if moving:
            moment += rng.standard_normal() / m.frames * self._noise(self.iteration - s.warm_up)
        degree = min(s.degree, self.iteration * 8 // max(1, s.iterations))
        seen = render(
            self.population.gaussians, self.motion if moving else None, moment, [m.camera(int(v)) for v in views],
            background, degree=degree, antialiased=s.antialiased,
        )  # fmt: skip
        loss = photometric(seen.rgb, target, s.similarity)
        loss = loss + s.mask_weight * (seen.alpha[..., 0] - mask).abs().mean()
        loss.backward()
        if s.canonical:
            self._update(seen.place_gradients(), seen.radii, float(self._trust[views, frame].mean()), moving)
        if moving:
            self._move()
        self.iteration += 1
        self._tend(rng)
        self.losses.append(float(loss.detach()))
        return self.losses[-1]

    def _target(self, views: Array, frame: int, background: Array) -> tuple[Tensor, Tensor]:
        mask = to_device(self.matrix.masks[views, frame], self.settings.device).float() / 255
        white = to_device(self.matrix.images[views, frame], self.settings.device).float() / 255
        shift = to_device(background, mask.device) - 1
        return white + (1 - mask[..., None]) * shift, mask

    def _update(self, pulls: Array, radii: Array, trust: float, moving: bool) -> None:
        s = self.settings
        slow = s.canonical_rate if moving else 1.0
        rates = {name: rate * slow for name, rate in _RATES.items()}
        rates["means"] = self._place_rate(self.iteration) * slow
        if self._refining():
            self.population.observe(pulls, radii, self.matrix.size)
        self.population.step(rates, trust if moving and s.decoupled else 1.0)

    def _move(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self._motion_rate(self.iteration - self.settings.warm_up)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def _refining(self) -> bool:
        s = self.settings
        return s.refine_every > 0 and s.refine_from * s.warm_up <= self.iteration < s.refine_until * s.iterations

    def _tend(self, rng: np.random.Generator) -> None:
        s = self.settings
        fade = round(s.fade_at * s.warm_up)
        if self._refining() and self.iteration % s.refine_every == 0:
            added, dropped = self.population.refine(s.density, rng, drop_large=self.iteration > fade > 0)
            log.debug(
                "iteration %d: %d added, %d dropped, %d Gaussians", self.iteration, added, dropped, len(self.population)
            )
        if fade and self.iteration == fade:
            self.population.fade()

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        state = {
            "iteration": self.iteration, "population": self.population.state(), "motion": self.motion.state_dict(),
            "optimiser": self.optimiser.state_dict(), "shape": list(self.matrix.images.shape),
        }  # fmt: skip
        part = path.with_name(f"{path.name}.part")
        torch.save(state, part)
        os.replace(part, path)

    def restore(self, path: Path) -> None:
        """Loads a checkpoint. One of another matrix is ignored with a warning."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["shape"] != list(self.matrix.images.shape):
            log.warning("%s belongs to another image matrix; starting over", path)
            return
        self.iteration = state["iteration"]
        self.population.restore(state["population"], self.settings.device)
        self._canonical()
        self.motion.load_state_dict(state["motion"])
        self.optimiser.load_state_dict(state["optimiser"])
