"""Windows of a film through the StereoCrafter-Zero sampler: several at once, each smaller when memory runs out.

It handles latents and pictures of one shot; `diffuse_film` chooses the frames of a window and uses the result.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion import latents, zero
from stereocast.diffusion.features import FeatureStore
from stereocast.errors import OutOfMemory
from stereocast.models.budget import GB
from stereocast.models.turns import share_for, turn
from stereocast.models.video import Conditions, VideoConfig, VideoModel
from stereocast.pictures.devices import to_host
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.settings import ViewSettings
from stereocast.stereo.diffuse import FILM, VideoViews, inputs_of, latent_depth, zero_config
from stereocast.stereo.register import Geometry
from stereocast.types import Array

log = logging.getLogger(__name__)
LEAST = 4  # frames of a window; with less, memory is reported as too small
SMALL_TILE = 32  # latent samples a side, for the decoder


@dataclass(slots=True)
class Window:
    """Frames that are sampled together, and the known parts of their right view(s)."""

    place: tuple[int, int]  # (shot, window)
    pictures: Array  # RGB in 0..1 [T, h, w, 3] at the working size
    depth: Array  # float32 [T, h', w'], relative
    before: list[Tensor | None]  # per view: latents [1, 4, n, h, w] of the first n frames, or None
    after: list[Tensor | None]  # of the last n frames

    def part(self, begin: int, end: int, before: list[Tensor | None], after: list[Tensor | None]) -> "Window":
        return replace(self, pictures=self.pictures[begin:end], depth=self.depth[begin:end], before=before, after=after)


def stride_of(config: VideoConfig, rate: Fraction | None, asked: int | None) -> int:
    """The model's rate condition: frames per second, or for 256 the frame stride (of films at about 30)."""
    if asked is not None:
        return asked
    if not rate:
        return config.fs
    if config.name == "256":
        return max(1, min(6, round(30 / float(rate))))
    return max(5, min(30, round(float(rate))))


class Sampling:
    """Windows to latents of the other view(s) and back to pictures."""

    def __init__(self, model: VideoModel, settings: ViewSettings, fs: int) -> None:
        self.model, self.settings, self.fs = model, settings, fs
        self.steps = model.config.schedule().steps(settings.steps, model.config.spacing, settings.eta)
        self.config = zero_config(model.config, settings, len(self.steps))
        share = share_for(settings, model.device)
        self.budget = int(settings.feature_budget_gb * GB) if share is None else share.features
        self.evaluations = 0

    def latents(
        self, windows: Sequence[Window], scales: Sequence[Geometry | None], progress: OnProgress, frames: int
    ) -> list[list[Tensor | None]]:
        """For each window the latents [1, 4, T, h, w] of each view; None where `scales` has None: that view is the film.

        `scales`: the geometry of each view, the left one mirrored. `frames`: how many frames of the film become ready
        with this, for `progress`. Raises OutOfMemory where even the smallest window doesn't fit.
        """
        try:
            with turn(self.model):
                return self._sampled(windows, scales, progress, frames)
        except (torch.OutOfMemoryError, OutOfMemory) as error:
            caught: BaseException = error.__cause__ if isinstance(error, OutOfMemory) and error.__cause__ else error
            caught.__traceback__ = None  # it holds the tensors of what failed
        self._release()
        if self.budget:
            self.budget = 0
            log.warning("%s is out of memory; from now on it keeps no features of the left view", self.model.device)
            return self.latents(windows, scales, progress, frames)
        if len(windows) > 1:
            half = len(windows) // 2
            log.warning("%s is out of memory with %d windows at once; trying %d", self.model.device, len(windows), half)
            halves = (windows[:half], windows[half:])
            return [one for part in halves for one in self.latents(part, scales, progress, frames)]
        if self._thriftier():
            return self.latents(windows, scales, progress, frames)
        return [self._halved(windows[0], scales, progress, frames, caught)]

    def _thriftier(self) -> bool:
        """Saves memory in the next way that is left; False where none is."""
        if not self.model.offload:
            self.model.retreat()
            what = "keeps idle networks in main memory"
        elif not self.model.tile:
            self.model.tile, what = SMALL_TILE, "decodes in tiles"
        else:
            return False
        log.warning("%s is out of memory; from now on it %s", self.model.device, what)
        return True

    def _halved(
        self,
        window: Window,
        scales: Sequence[Geometry | None],
        progress: OnProgress,
        frames: int,
        error: BaseException,
    ) -> list[Tensor | None]:
        """One window as two that overlap, the second held to the first."""
        count = len(window.pictures)
        if count <= LEAST:
            raise OutOfMemory(
                f"{self.model.device} has too little memory even for windows of {count} frames; use a smaller --model, or "
                f"--synth warp"
            ) from error
        middle = (count + 1) // 2
        shared = min(self.settings.zero_overlap, middle - 1, count - middle)
        log.warning(
            "%s is out of memory with %d frames at a time; trying %d", self.model.device, count, middle + shared
        )
        first = self.latents([window.part(0, middle, window.before, [None, None])], scales, progress, frames)[0]
        known = [None if x is None or not shared else x[:, :, -shared:] for x in first]
        rest = window.part(middle - shared, count, known, window.after)
        second = self.latents([rest], scales, progress, frames)[0]
        return [
            None if a is None or b is None else torch.cat([a, b[:, :, shared:]], 2)
            for a, b in zip(first, second, strict=True)
        ]

    def _release(self) -> None:
        if self.model.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _sampled(
        self, windows: Sequence[Window], scales: Sequence[Geometry | None], progress: OnProgress, frames: int
    ) -> list[list[Tensor | None]]:
        settings, model = self.settings, self.model
        counts = [len(window.pictures) for window in windows]
        length = max(counts)
        if length < 2:
            length = settings.zero_window  # temporal layers want a film, not a still
        films, maps = zip(*(self._padded(window, length) for window in windows), strict=True)
        clean = torch.cat([model.encode(film, None).float() for film in films])
        conditions = _together(
            [model.conditions(settings.prompt, film[0], film[0], frames=length, fs=self.fs) for film in films]
        )
        network = VideoViews(model, conditions, script=settings.zero_preset == "script")
        shape = (1, *clean.shape[1:])
        sources = [latents.generator(settings.seed, *window.place, FILM) for window in windows]
        fixed = torch.cat([latents.noise(shape, source) for source in sources]).to(clean.device)
        noise = [torch.cat([latents.noise(shape, source) for source in sources]).to(clean.device) for _ in self.steps]
        store = FeatureStore(self.budget)
        small = torch.stack([latent_depth(values, clean, settings) for values in maps])
        made: list[list[Tensor | None]] = [[] for _ in windows]
        levels: list[Tensor] = []
        total = sum(geometry is not None for geometry in scales)
        done = 0
        for number, geometry in enumerate(scales):
            if geometry is None:
                for one in made:
                    one.append(None)
                continue
            side = -1 if number == 0 else 1
            config = replace(self.config, scale_percent=side * geometry.scale_percent, exponent=1.0)
            sampler = zero.ZeroSampler(network, self.steps, config, store=store)
            if levels:
                sampler.adopt(levels)
            elif settings.zero_levels == "inversion":
                for _ in sampler.inverted(clean):
                    pass
            else:
                sampler.given(clean, fixed)
            levels = sampler.levels
            held = self._held(windows, number, clean, fixed)
            each = [
                inputs_of(config, [n[k : k + 1] for n in noise], settings.seed, window.place, model.device)
                for k, window in enumerate(windows)
            ]
            raised = small**self.config.exponent if self.config.exponent != 1.0 else small
            lifted = raised + geometry.phase / geometry.latents if geometry.phase else raised
            last: zero.Trace | None = None
            for last in sampler.right(lifted[0] if len(windows) == 1 else lifted, _joined(each, noise), held):
                progress(Progress("window", done + last.done, total * last.total, frames=frames))
            assert last is not None
            done += last.total
            x = last.result.x if held is None else held.over(last.result.x, held.clean)
            for k, one in enumerate(made):
                one.append(x[k : k + 1, :, : counts[k]])
        self.evaluations += network.evaluations
        return made

    @staticmethod
    def _padded(window: Window, length: int) -> tuple[Tensor, Array]:
        """The window's film [T, 3, h, w] in -1..1 and depth, its last frame repeated up to `length` frames."""
        video = torch.from_numpy(np.ascontiguousarray(window.pictures.transpose(0, 3, 1, 2))).float() * 2 - 1
        depth, missing = window.depth, length - len(window.pictures)
        if missing:
            video = torch.cat([video, video[-1:].expand(missing, -1, -1, -1)])
            depth = np.concatenate([depth, np.repeat(depth[-1:], missing, 0)])
        return video, depth

    @staticmethod
    def _held(windows: Sequence[Window], view: int, like: Tensor, fixed: Tensor) -> zero.Held | None:
        """What is known of a view in these windows."""
        known, frames = torch.zeros_like(like), torch.zeros(like.shape[0], 1, like.shape[2], 1, 1, dtype=torch.bool)
        for k, window in enumerate(windows):
            before, after, count = window.before[view], window.after[view], len(window.pictures)
            if before is not None:
                known[k : k + 1, :, : before.shape[2]] = before.to(like)
                frames[k, :, : before.shape[2]] = True
            if after is not None:
                known[k : k + 1, :, count - after.shape[2] : count] = after.to(like)
                frames[k, :, count - after.shape[2] : count] = True
        return zero.Held(known, fixed, frames.to(like.device)) if frames.any() else None

    def pictures(self, x: Tensor) -> Array:
        """Latents [1, 4, T, h, w] as RGB in 0..1, float32 [T, h, w, 3]. Raises OutOfMemory."""
        for _ in range(3):
            try:
                with turn(self.model):
                    found = self.model.decode(x)[0]
                return np.asarray(to_host(((found.float().clamp(-1, 1) + 1) / 2).permute(1, 2, 3, 0)))
            except torch.OutOfMemoryError as error:
                error.__traceback__ = None
            self._release()
            if not self._thriftier():
                break
        raise OutOfMemory(f"{self.model.device} has too little memory to decode a window; use --device cpu")


def _together(each: Sequence[Conditions]) -> Conditions:
    if len(each) == 1:
        return each[0]
    return Conditions(
        torch.cat([one.context for one in each]),
        torch.cat([one.uncond_context for one in each]),
        torch.cat([one.concat for one in each]),
        each[0].fs,
    )


def _joined(each: Sequence[zero.Inputs], noise: Sequence[Tensor]) -> zero.Inputs:
    """The draws of several windows as those of one batch."""
    if len(each) == 1:
        return each[0]
    fresh = (torch.cat(draws) for draws in zip(*(one.fresh for one in each if one.fresh is not None), strict=False))
    fill = torch.cat([one.fill for one in each if one.fill is not None])
    return zero.Inputs(
        noise, [torch.cat(draws) for draws in zip(*(one.restart_noise for one in each), strict=True)], fresh, fill
    )
