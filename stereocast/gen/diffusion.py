"""The generative source: a picture and a prompt to frames, by DynamiCrafter. One view; others add the second."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion import latents, samplers
from stereocast.diffusion.schedules import Step
from stereocast.errors import OutOfMemory, UsageError
from stereocast.gen.framing import filled, framed
from stereocast.models import checkpoints
from stereocast.models.video import Conditions, VideoModel
from stereocast.pictures.devices import to_host
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.settings import GenSettings
from stereocast.types import Array

log = logging.getLogger(__name__)
INTERP_FS = 5


def open_source(path: Path, settings: GenSettings, device: str) -> "DiffusionSource":
    """Loads the model of a file or folder. Raises WeightsError, OutOfMemory, UsageError."""
    thrift = checkpoints.thrift_of(settings, device)
    return DiffusionSource(checkpoints.load(path, device, settings.precision, thrift), settings)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One generated window: everything a second view needs."""

    conditions: Conditions
    steps: list[Step]
    noise: Tensor  # [S, 4, T, h, w], one tensor per step
    levels: list[Tensor]  # S + 1 latents [1, 4, T, h, w], the noisiest first


def tensor(picture: Array) -> Tensor:
    """RGB in 0..1 [H, W, 3] to [3, H, W] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float() * 2 - 1


def pictures(video: Tensor) -> Array:
    """[3, T, H, W] in -1..1 to RGB in 0..1, float32 [T, H, W, 3]."""
    host: Array = to_host(((video.float().clamp(-1, 1) + 1) / 2).permute(1, 2, 3, 0))
    return host


class DiffusionSource:
    """Prepares conditions and runs the sampler; `progress` is called for each step."""

    def __init__(self, model: VideoModel, settings: GenSettings) -> None:
        """Raises UsageError where an option isn't one of this model."""
        self.model, self.settings, self.config = model, settings, model.config
        self.interpolates = settings.loop or settings.end_image is not None
        if self.interpolates and self.config.name != "512":
            log.warning("only 512-interp was trained on loops and end pictures; %s may ignore them", self.config.name)
        if self.interpolates and settings.frames < 3:
            raise UsageError(f"--frames {settings.frames}: a film between two pictures needs 3 or more")
        low, high = (INTERP_FS, 30) if self.interpolates else self.config.fs_range
        self.fs = settings.fs or (INTERP_FS if self.interpolates else self.config.fs)
        if not low <= self.fs <= high:
            log.warning("--fs %s is outside the advised %s..%s of this model", self.fs, low, high)
        if settings.frames < 16:
            log.warning("--frames %s: the model was trained on 16; fewer look poor", settings.frames)
        self.window = 0  # of a clip that is longer than one
        self._check_sides()

    def _check_sides(self) -> None:
        for side in (self.config.height, self.config.width):
            if side % self.model.stride:
                raise UsageError(
                    f"{self.config.height}x{self.config.width}: sides must be multiples of {self.model.stride}"
                )

    def fit(self, height: int, width: int) -> None:
        """Takes the shape nearest to that of a picture, unless the model's own is asked for."""
        if self.settings.shape == "picture":
            rows, columns = self.model.shape_for(height, width)
            self.config = replace(self.config, height=rows, width=columns)
            self._check_sides()

    def conditions(self, picture: Array, end: Array | None) -> Conditions:
        """From RGB in 0..1 of any size."""
        height, width = self.config.height, self.config.width
        if self.settings.shape == "picture":
            picture = filled(picture, height, width)
            end = None if end is None else filled(end, height, width)
        first = tensor(framed(picture, height, width, self.settings.pad_colour))
        last = None
        if self.interpolates:
            last = first if end is None else tensor(framed(end, height, width, self.settings.pad_colour))
        draws = self._noise(0, self.settings.frames, self.config.vae.embed_dim, *self._sides)
        return self.model.conditions(
            self.settings.prompt, first, first, last, frames=self.settings.frames, fs=self.fs, noise=draws
        )

    @property
    def steps(self) -> list[Step]:
        """The sampler's steps. Raises UsageError for a count that the model can't take."""
        return self.config.schedule().steps(self.settings.steps, self.config.spacing, self.settings.eta)

    @property
    def _sides(self) -> tuple[int, int]:
        factor = self.model.networks.first_stage_model.factor
        return self.config.height // factor, self.config.width // factor

    def _noise(self, purpose: int, *shape: int) -> Tensor:
        return latents.noise(shape, latents.generator(self.settings.seed, 0, self.window, purpose))

    def trajectory(
        self,
        conditions: Conditions,
        progress: OnProgress = silent,
        network: Callable[[Tensor, Step], Tensor] | None = None,
        phase: str = "film",
        known: Tensor | None = None,
    ) -> Trajectory:
        """Samples one window; `network` takes the place of the plain guided one. `known`: latents [1, 4, n, h, w] of its
        first frames, which end the window before. Raises OutOfMemory."""
        for film in self.walk(conditions, progress, network, phase, known):
            last = film
        if known is not None:
            last.levels[-1][:, :, : known.shape[2]] = known.to(last.levels[-1])
        return last

    def walk(
        self,
        conditions: Conditions,
        progress: OnProgress = silent,
        network: Callable[[Tensor, Step], Tensor] | None = None,
        phase: str = "film",
        known: Tensor | None = None,
    ) -> Iterator[Trajectory]:
        """The same, yielding the unfinished trajectory after every step (preview, cancel)."""
        settings, steps = self.settings, self.steps
        shape = (1, self.config.unet.out_channels, settings.frames, *self._sides)
        x = self._noise(1, *shape).to(self.model.device)
        noise = self._noise(2, len(steps), *shape[1:])
        rescale = settings.guidance_rescale if settings.guidance_rescale is not None else self.config.guidance_rescale
        network = network or self.model.guided(conditions, settings.cfg, rescale, settings.cfg_image)
        levels = [x]

        def hold(x: Tensor, number: int) -> Tensor:
            """The known frames at the level of a step, in their place; their noise is the same at every level."""
            if known is None:
                return x
            step, fixed = steps[number], self._noise(3, *known.shape).to(known)
            level = step.alpha**0.5 * step.scale * known + (1 - step.alpha) ** 0.5 * fixed
            return torch.cat([level.to(x), x[:, :, known.shape[2] :]], 2)

        sampled = samplers.sample(
            network, x, steps, self.config.prediction, lambda n: noise[n : n + 1].to(self.model.device), hold
        )
        try:
            for done in sampled:
                levels[-1] = done.x_in
                levels.append(done.result.x)
                progress(Progress(phase, done.number + 1, len(steps)))
                yield Trajectory(conditions, steps, noise, levels)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"{self.config.name} doesn't fit on {self.model.device}; use --offload, --vae-tile 64, or --model 256"
            ) from error

    def decoded(self, x: Tensor) -> Array:
        """Latents [1, 4, T, h, w] to RGB in 0..1 [T, H, W, 3]."""
        return pictures(self.model.decode(x)[0])

    def trimmed(self, frames: Array, *, stereo: bool) -> Array:
        """Without the frames that were given: they have no depth (both ends), and a loop would show one twice."""
        if stereo and self.interpolates:
            return frames[1:-1]
        return frames[:-1] if self.settings.loop else frames
