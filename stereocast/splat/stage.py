"""Stages 1 and 2 in a row for the embedded default: framed pictures to a scene, through a folder that keeps intermediate results."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from stereocast.errors import StereocastError
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.splat import lift, matrix
from stereocast.splat.fit import Fit, FitSettings, one_thread
from stereocast.splat.keep import Keep
from stereocast.splat.lift import Lifted, LiftSettings, Tracks
from stereocast.splat.motion import Ramp
from stereocast.splat.render import render
from stereocast.splat.scene import NAMES, Gaussians, Scene, orbit_camera
from stereocast.types import Array


@dataclass(frozen=True, slots=True)
class Work:
    """Where the matrix and checkpoints are kept, and what they belong to."""

    folder: Path
    key: str  # changes with input and settings
    resume: bool = False

    def usable(self) -> bool:
        """Whether the existing work belongs to this run."""
        try:
            return self.resume and json.loads((self.folder / "work.json").read_text())["key"] == self.key
        except (OSError, ValueError, KeyError):
            return False

    def claim(self) -> None:
        """Empties the folder of other runs' work."""
        if self.usable():
            return
        for name in ("fit.pt", "start.safetensors", "matrix/matrix.json", "work.json"):
            (self.folder / name).unlink(missing_ok=True)
        self.keep.drop()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "work.json").write_text(json.dumps({"key": self.key}))

    @property
    def keep(self) -> Keep:
        """Parts of stage 1 of diffusion2."""
        return Keep(self.folder / "stage1")

    @property
    def checkpoint(self) -> Path:
        return self.folder / "fit.pt"


def lifted(source: Array | Gaussians, depths: Array | None, settings: LiftSettings, work: Work) -> Lifted:
    """Stage 1, or what an interrupted run kept of it. `source`: framed RGBA [T, S, S, 4], or a solid object."""
    work.claim()
    kept = work.folder / "start.safetensors"
    if kept.exists():
        try:
            table = load_file(kept)
            start = Gaussians(*(table[f"start.{name}"] for name in NAMES))
            tracks = Tracks(table["points"].numpy(), table["shifts"].numpy())
            return Lifted(matrix.load(work.folder / "matrix"), start, tracks)
        except (StereocastError, KeyError, OSError):
            kept.unlink(missing_ok=True)
    with one_thread():
        made = lift.animate(source, settings) if isinstance(source, Gaussians) else lift.lift(source, depths, settings)
    matrix.save(made.matrix, work.folder / "matrix")
    table = {f"start.{name}": tensor.contiguous() for name, tensor in made.start.tensors().items()}
    table |= {
        "points": torch.from_numpy(made.tracks.points.copy()),
        "shifts": torch.from_numpy(made.tracks.shifts),
    }
    save_file(table, kept)
    return made


def relief_fit(iterations: int, device: str, seed: int) -> FitSettings:
    """Stage 2 for the relief. Its Gaussians are finer than the matrix and stay as they are; what is learned is their
    motion, which begins with the tracks."""
    return FitSettings(
        iterations=iterations, warm_up=0, motion=lift.small_motion(), motion_rate=Ramp(4e-4, 2e-5, 40_000),
        canonical=False, degree=0, refine_every=0, fade_at=0, device=device, seed=seed,
    )  # fmt: skip


def reconstruct(made: Lifted, settings: FitSettings, work: Work, progress: OnProgress) -> Scene:
    """Stage 2 from a lifted object: the motion learns the tracks first, then everything the matrix."""
    motion = None
    if not work.checkpoint.exists() and made.matrix.frames > 1:
        progress(Progress("motion", 0, 1))
        with one_thread():
            motion = lift.learn(made.tracks, settings.motion, seed=settings.seed)
        progress(Progress("motion", 1, 1))
    return Fit(made.matrix, settings, made.start, motion).run(work.checkpoint, progress)


def ring_of(solid: Gaussians, views: int, size: int, elevation_deg: float) -> tuple[Array, Array]:
    """The reference ring of a static object for stage 1: uint8 RGB [V, S, S, 3] on white and alpha [V, S, S], azimuth
    360°/V first."""
    pictures, alphas = [], []
    for k in range(1, views + 1):
        with torch.no_grad():
            seen = render(solid, None, 0, [orbit_camera(360 * k / views, size, elevation_deg)])
        pictures.append(np.rint(seen.rgb[0].clamp(0, 1).numpy() * 255).astype(np.uint8))
        alphas.append(np.rint(seen.alpha[0, ..., 0].clamp(0, 1).numpy() * 255).astype(np.uint8))
    return np.stack(pictures), np.stack(alphas)
