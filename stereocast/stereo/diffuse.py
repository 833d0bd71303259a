"""The second view by StereoCrafter-Zero: for a generated film, and as the synthesis stage of a given one.

The sampler is `diffusion.zero`; here it gets its network, depth and windows, and its result goes where the
warp uncovers something.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion import latents, warped, zero
from stereocast.diffusion.features import FeatureStore
from stereocast.diffusion.schedules import Step
from stereocast.errors import OutOfMemory, UsageError
from stereocast.models.attention import fused
from stereocast.models.video import Branch, Conditions, VideoConfig, VideoModel
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.settings import SamplerSettings, ScreenSettings, ZeroOptions
from stereocast.stereo import comfort
from stereocast.stereo.crossview import Record, Replay
from stereocast.stereo.flicker import FlickerGuard
from stereocast.types import Array

log = logging.getLogger(__name__)

LAST_WARP = {"1024": 34, "512": 44, "256": 45}
STRENGTH = 4.0  # % of the width
FILM, _RESTART, _FRESH, _FILL = range(10, 14)  # purposes of noise


class VideoViews:
    """The video network as the sampler needs it: two views that meet in the attention processors."""

    def __init__(self, model: VideoModel, conditions: Conditions, *, script: bool) -> None:
        self.model, self.conditions, self.script = model, conditions, script
        self.evaluations = 0

    def left(self, z: Tensor, step: Step, branch: Branch, keep: bool) -> tuple[Tensor, Any]:
        features: dict[str, Any] = {}
        attend = Record(features, script=self.script, host=self.model.offload) if keep else fused
        return self._predict(z, step, branch, attend), features if keep else None

    def right(self, z: Tensor, step: Step, branch: Branch, features: Any) -> Tensor:
        return self._predict(z, step, branch, fused if features is None else Replay(features, script=self.script))

    def _predict(self, z: Tensor, step: Step, branch: Branch, attend: Any) -> Tensor:
        self.evaluations += 1
        return self.model.predict(z, step.timestep, self.conditions, branch, attend)


def _listed(made: zero.Warps, settings: ZeroOptions) -> zero.Warps:
    """The lists of 50 steps with what the settings change in them."""
    iterations = made.iterations
    if settings.warp_at is not None:
        iterations = tuple(sorted({int(word) for word in settings.warp_at.split(",")}))
    wanted = settings.repetitions
    if wanted is None:
        given = made.repetitions
    else:
        given = (1,) if wanted == "off" else tuple(max(1, int(word)) for word in wanted.split(","))
    repeated = tuple(given[min(n, len(given) - 1)] for n in range(len(iterations)))
    return replace(made, iterations=iterations, repetitions=repeated)


def _coupled(text: str) -> tuple[int, int]:
    """`--cross-view` as a range [first, end). Raises UsageError."""
    if text in ("all", "off"):
        return (0, 1 << 30) if text == "all" else (0, 0)
    first, end = (int(word) for word in text.split("-"))
    if first >= end:
        raise UsageError(f"--cross-view {text}: the end must come after the beginning")
    return first, end


def zero_config(model: VideoConfig, settings: SamplerSettings, steps: int) -> zero.ZeroConfig:
    """The sampler's constants: preset, model, settings; lists are stretched to the number of steps. Raises UsageError."""
    made = zero.ZeroConfig.preset(settings.zero_preset)
    script, rescale = settings.zero_preset == "script", settings.guidance_rescale
    if rescale is None:
        rescale = 0.0 if script else model.guidance_rescale
    made = replace(
        made,
        prediction=model.prediction,
        guidance=settings.cfg,
        guidance_rescale=rescale,
        scale_percent=strength(settings),
        exponent=1.0 if script else settings.exponent,
        warps=replace(_listed(made.warps, settings), last=LAST_WARP[model.name]),
        fill=settings.fill_latents,
        refine=made.refine if settings.refine is None else replace(made.refine, mode=settings.refine),
        cross_view=_coupled(settings.cross_view or ("25-45" if script else "all")),
        cross_view_counts="pairs" if script else "iterations",
        known_outside=bool(getattr(settings, "known_outside", False)),
    ).scaled(steps)
    restart = made.restart
    if settings.border_lambda is not None:
        restart = replace(restart, border_lambda=settings.border_lambda)
    restart = replace(
        restart,
        passes=settings.restart_passes or restart.passes,
        iterations=min(settings.restart_steps or restart.iterations, steps),
    )
    last = made.warps.last if settings.last_warp is None else min(settings.last_warp, steps - 1)
    return replace(made, restart=restart, warps=replace(made.warps, last=last))


def strength(settings: ScreenSettings, depth: Array | None = None) -> float:
    """Largest disparity in % of the width; `auto` by the rule of the warp, for relative depth [T, h, w] in 0..1."""
    wanted = getattr(settings, "strength_percent", STRENGTH if settings.strength is None else settings.strength)
    if not isinstance(wanted, str):
        return float(wanted)
    return STRENGTH if depth is None else comfort.auto_strength(depth)


def inputs_of(
    config: zero.ZeroConfig, noise: Sequence[Tensor], seed: int, place: tuple[int, int], device: str
) -> zero.Inputs:
    """The random draws of a window: they depend on (seed, shot, window) alone."""
    shape = tuple(noise[0].shape)

    def draws(purpose: int) -> Iterator[Tensor]:
        source = latents.generator(seed, *place, purpose)
        while True:
            yield latents.noise(shape, source).to(device)

    count = config.restart.iterations if config.restart.noise == "per_iteration" else config.restart.passes
    restart, fill = draws(_RESTART), next(draws(_FILL))
    return zero.Inputs(noise, [next(restart) for _ in range(count)], draws(_FRESH), fill)


def scales(eyes: str, percent: float) -> tuple[float | None, float | None]:
    """Shift in % of (left, right) view; None: that view is the source itself."""
    return {"right": (None, percent), "left": (-percent, None), "both": (-percent / 2, percent / 2)}[eyes]


@dataclass(frozen=True, slots=True)
class Before:
    """What a window of a generated film passes on to the next."""

    window: int  # number of the next one
    percent: float  # strength
    views: tuple[Tensor | None, Tensor | None]  # latents [1, 4, n, h, w] of the frames that both have


class SecondView:
    """The other view, or both, of a film that is being generated."""

    def __init__(self, model: VideoModel, conditions: Conditions, steps: list[Step], settings: SamplerSettings) -> None:
        """Raises UsageError for settings the sampler doesn't have."""
        if getattr(settings, "cfg_image", None) is not None:
            raise UsageError("--cfg-image works only with --format mono")
        self.model, self.steps, self.settings = model, steps, settings
        self.config = zero_config(model.config, settings, len(steps))
        self.network = VideoViews(model, conditions, script=settings.zero_preset == "script")
        self.store = FeatureStore(int(settings.feature_budget_gb * 1e9))
        self.sampler = zero.ZeroSampler(self.network, steps, self.config, store=self.store)

    def left(self, x: Tensor, step: Step) -> Tensor:
        """The guided prediction for the first view, its features kept for the second."""
        return self.sampler.guided_left(self.steps.index(step), x)

    def views(
        self,
        levels: Sequence[Tensor],
        noise: Tensor,
        pictures: Array,
        depth: Array,
        progress: OnProgress = silent,
        before: "Before | None" = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Final latents of the left and right view, None where it is the first view itself. Raises OutOfMemory.

        levels: S + 1 latents; noise [S, 4, T, h, w]; pictures RGB in 0..1; depth float32 [T, h', w']; `before`: what the
        window before this one leaves behind.
        """
        FlickerGuard(propagated=self.settings.propagate).check(pictures, depth)
        percent = strength(self.settings, depth) if before is None else before.percent
        self.config = replace(self.config, scale_percent=percent)
        device = self.model.device
        each = [noise[i : i + 1].to(device) for i in range(len(noise))]
        made: list[Tensor | None] = []
        wanted = scales(self.settings.eyes or "right", self.config.scale_percent)
        for number, shift in enumerate(wanted):
            if shift is None:
                made.append(None)
                continue
            config = replace(self.config, scale_percent=shift)
            sampler = zero.ZeroSampler(self.network, self.steps, config, store=self.store)
            sampler.adopt(levels)
            small = latent_depth(depth, levels[0], self.settings)
            place = (0, 0 if before is None else before.window)
            inputs = inputs_of(config, each, self.settings.seed, place, device)
            known = None if before is None else before.views[number]
            held = None
            if known is not None:
                draw = latents.noise(tuple(known.shape), latents.generator(self.settings.seed, *place, FILM))
                held = zero.Held(known.to(device), draw.to(device))
            made.append(finished(sampler, small, inputs, held, progress))
        return made[0], made[1]

    def leaves(self, window: int, views: tuple[Tensor | None, Tensor | None], frames: int) -> Before:
        """What these latents leave for window number `window`, which shares their last `frames` frames."""
        kept = tuple(None if view is None else view[:, :, -frames:].clone() for view in views)
        return Before(window, self.config.scale_percent, (kept[0], kept[1]))

    def screen(self, depth: Array) -> float:
        """The depth at the screen."""
        wanted = self.settings.convergence
        return comfort.auto_screen(depth, self.settings.pop_out) if isinstance(wanted, str) else wanted

    def converged(self, left: Array, right: Array, at: float) -> tuple[Array, Array]:
        """Both views moved apart so that depth `at` is on the screen; RGB [T, H, W, 3]."""
        shift = at * self.config.scale_percent / 100 * left.shape[2] / 2
        return moved(left, -shift), moved(right, shift)


def latent_depth(depth: Array, like: Tensor, settings: ZeroOptions) -> Tensor:
    """Depth float32 [T, h', w'] at the size of latents [1, 4, T, h, w]."""
    values = torch.from_numpy(np.ascontiguousarray(depth, np.float32))[:, None]
    if settings.zero_preset == "script" and settings.exponent != 1.0:
        values = values**settings.exponent
    return warped.small_depth(values, *like.shape[-2:]).to(like.device)


def finished(
    sampler: zero.ZeroSampler,
    depth: Tensor,
    inputs: zero.Inputs,
    held: zero.Held | None,
    progress: OnProgress = silent,
) -> Tensor:
    """Walks a whole run. Raises OutOfMemory."""
    try:
        for at in sampler.right(depth, inputs, held):
            progress(Progress("second view", at.done, at.total))
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            "the stereo sampler doesn't fit; use --feature-budget-gb 0, --offload, or a smaller model"
        ) from error
    x = at.result.x
    return x if held is None else held.over(x, held.clean)


def moved(view: Array, pixels: float) -> Array:
    """Pictures [T, H, W, 3] moved to the right by `pixels`, edges repeated."""
    matrix = np.array([[1, 0, pixels], [0, 1, 0]], np.float32)
    size = (view.shape[2], view.shape[1])
    return np.stack(
        [cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for frame in view]
    )
