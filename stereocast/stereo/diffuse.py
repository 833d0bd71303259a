"""The second view by StereoCrafter-Zero: for a generated film, and as the synthesis stage of a given one.

The sampler is `diffusion.zero`; here it gets its network, its depth and its windows, and its result is put where the
warp uncovers something. Knows nothing of files.
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
from stereocast.diffusion.schedules import Step
from stereocast.errors import OutOfMemory, UsageError
from stereocast.models import checkpoints, weights
from stereocast.models.attention import fused
from stereocast.models.video import Branch, Conditions, VideoConfig, VideoModel
from stereocast.pictures import planes
from stereocast.pictures.devices import choose_device, to_host
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.pipeline.stages import DepthClip
from stereocast.settings import ConvertSettings
from stereocast.stereo import blend, comfort
from stereocast.stereo.crossview import Record, Replay
from stereocast.stereo.flicker import FlickerGuard
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.types import Array, Clip, DepthMap, StereoClip, StreamInfo

log = logging.getLogger(__name__)

LAST_WARP = {"1024": 34, "512": 44, "256": 45}
STRENGTH = 4.0  # % of the width
_FILM, _RESTART, _FRESH, _FILL, _HELD = range(10, 15)  # purposes of noise


class VideoViews:
    """The video network as the sampler wants it: two views that meet in the attention processors."""

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


def zero_config(model: VideoConfig, settings: ConvertSettings, steps: int) -> zero.ZeroConfig:
    """The sampler's constants: preset, model, settings; lists are stretched to the number of steps."""
    made = zero.ZeroConfig.preset(settings.zero_preset)
    rescale = settings.guidance_rescale
    if rescale is None:
        rescale = model.guidance_rescale if settings.zero_preset == "paper" else 0.0
    made = replace(
        made,
        prediction=model.prediction,
        guidance=settings.cfg,
        guidance_rescale=rescale,
        scale_percent=strength(settings),
        exponent=1.0 if settings.zero_preset == "script" else settings.exponent,
        warps=replace(made.warps, last=LAST_WARP[model.name]),
        fill=settings.fill_latents,
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


def strength(settings: ConvertSettings) -> float:
    """Largest disparity in % of the width."""
    return STRENGTH if settings.strength is None or isinstance(settings.strength, str) else settings.strength


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


class SecondView:
    """The other view, or both, of a film that is being generated."""

    def __init__(self, model: VideoModel, conditions: Conditions, steps: list[Step], settings: ConvertSettings) -> None:
        """Raises UsageError for settings the sampler doesn't have."""
        if getattr(settings, "cfg_image", None) is not None:
            raise UsageError("--cfg-image works with --format mono alone; leave it out for stereo")
        self.model, self.steps, self.settings = model, steps, settings
        self.config = zero_config(model.config, settings, len(steps))
        self.network = VideoViews(model, conditions, script=settings.zero_preset == "script")
        self.store = zero.FeatureStore(int(settings.feature_budget_gb * 1e9))
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
    ) -> tuple[Tensor | None, Tensor | None]:
        """Final latents of the left and right view, None where it is the first view itself. Raises OutOfMemory.

        levels: S + 1 latents; noise [S, 4, T, h, w]; pictures RGB in 0..1; depth float32 [T, h', w'].
        """
        FlickerGuard(propagated=self.settings.propagate).check(pictures, depth)
        device = self.model.device
        each = [noise[i : i + 1].to(device) for i in range(len(noise))]
        made: list[Tensor | None] = []
        wanted = scales(self.settings.eyes or "right", self.config.scale_percent)
        for percent in wanted:
            if percent is None:
                made.append(None)
                continue
            config = replace(self.config, scale_percent=percent)
            sampler = zero.ZeroSampler(self.network, self.steps, config, store=self.store)
            sampler.adopt(levels)
            small = latent_depth(depth, levels[0], self.settings)
            inputs = inputs_of(config, each, self.settings.seed, (0, 0), device)
            made.append(finished(sampler, small, inputs, None, progress))
        return made[0], made[1]

    def converged(self, left: Array, right: Array, depth: Array) -> tuple[Array, Array]:
        """Both views moved apart so that the wanted depth lies on the screen; RGB [T, H, W, 3]."""
        screen = self.settings.convergence
        at = comfort.auto_screen(depth, self.settings.pop_out) if isinstance(screen, str) else screen
        shift = at * self.config.scale_percent / 100 * left.shape[2] / 2
        return moved(left, -shift), moved(right, shift)


def latent_depth(depth: Array, like: Tensor, settings: ConvertSettings) -> Tensor:
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
    return x if held is None else torch.cat([held.clean.to(x), x[:, :, held.clean.shape[2] :]], 2)


def moved(view: Array, pixels: float) -> Array:
    """Pictures [T, H, W, 3] moved to the right by `pixels`, edges repeated."""
    matrix = np.array([[1, 0, pixels], [0, 1, 0]], np.float32)
    size = (view.shape[2], view.shape[1])
    return np.stack(
        [cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for frame in view]
    )


# ---- convert ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Waiting:
    """Frames that wait, and what the last window left behind."""

    clips: list[DepthClip]
    known: list[Tensor | None]  # per view: right latents of the frames that stay, [1, 4, n, h, w]
    window: int = 0
    fresh: int = 0  # waiting frames that haven't been given out
    scale: comfort.DepthScale | None = None
    begun: bool = False
    number: int = 0  # of the shot


class ZeroSynthesizer:
    """Windows of frames, each sampled with the overlap of the one before held; cuts start afresh."""

    def __init__(
        self,
        settings: ConvertSettings,
        info: StreamInfo,
        model: VideoModel | None = None,
        fov_deg: float = comfort.SCREEN_FOV_DEG,
    ) -> None:
        """`model`: one that is loaded already; `fov_deg`: as for WarpSynthesizer.

        Raises WeightsError, LicenceNotAccepted, UsageError, OutOfMemory."""
        if settings.zero_overlap >= settings.zero_window:
            raise UsageError(
                f"--zero-overlap {settings.zero_overlap}: must be below --zero-window {settings.zero_window}"
            )
        self.settings = settings
        self._fov_deg = fov_deg
        self.held = settings.zero_window
        self.model = model or _loaded(settings)
        self.steps = self.model.config.schedule().steps(settings.steps, self.model.config.spacing, settings.eta)
        self.config = zero_config(self.model.config, settings, len(self.steps))
        self.shape = working_shape(self.model, info.height, info.width)
        self._guard = FlickerGuard(propagated=settings.propagate)

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[StereoClip]:
        shot = _Waiting([], [None, None])
        for clip, depth in clips:
            if clip.first:
                shot = _Waiting([], [None, None], number=clip.shot.number)
            for t in range(clip.overlap, len(clip)):
                shot.clips.append(_single(clip, depth, t))
                shot.fresh += 1
                if shot.fresh == self.settings.zero_window - (self.settings.zero_overlap if shot.begun else 0):
                    yield self._window(shot, last=clip.last and t == len(clip) - 1)
            if clip.last and shot.fresh:
                yield self._window(shot, last=True)

    def _window(self, shot: _Waiting, *, last: bool) -> StereoClip:
        """Samples what waits, and gives out what is new in it."""
        settings, frames = self.settings, shot.clips[-self.settings.zero_window :]
        clip, depth = _joined(frames, shot)
        old = len(frames) - shot.fresh
        if shot.scale is None:
            unit = comfort.metric_unit(depth.values) if depth.metric else 1.0
            percent = strength(settings)
            shot.scale = comfort.scale_for(
                depth.values, clip.width, percent, settings.convergence, settings.pop_out, unit, self._fov_deg
            )
        views = self._sampled(clip, depth, shot, old)
        stereo = self._warped(clip, depth, shot.scale, old)
        made = self._composed(stereo, views, shot.scale, clip, old)
        shot.clips = frames  # the shot's last window reaches back as far as it is long
        shot.known = [None if v is None else v[:, :, : len(frames)] for v in self._latents]
        log.info("shot %d, window %d: %d frames", shot.number, shot.window, shot.fresh)
        made = replace(made, first=not shot.begun, last=last)
        shot.begun, shot.fresh, shot.window = True, 0, shot.window + 1
        return made

    def _sampled(self, clip: Clip, depth: DepthMap, shot: _Waiting, old: int) -> list[Array | None]:
        """The generated view(s) as RGB in 0..1 at working size, padded frames left out."""
        settings, model = self.settings, self.model
        pictures = planes.rgb_frames(clip, self.shape)
        count = len(pictures)
        video = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))) * 2 - 1
        values = to_host(depth.values) / np.float32(comfort.metric_unit(depth.values) if depth.metric else 1.0)
        self._guard.check(pictures, values)
        missing = settings.zero_window - count if count < 2 else 0  # temporal layers want a film, not a still
        if missing:
            video = torch.cat([video, video[-1:].expand(missing, -1, -1, -1)])
            values = np.concatenate([values, np.repeat(values[-1:], missing, 0)])
        clean = model.encode(video, None).float()
        conditions = model.conditions("", video[0], video[0], frames=len(video), fs=model.config.fs)
        network = VideoViews(model, conditions, script=settings.zero_preset == "script")
        place = (shot.number, shot.window)
        source = latents.generator(settings.seed, *place, _FILM)
        shape = tuple(clean.shape)
        fixed = latents.noise(shape, source).to(clean.device)
        noise = [latents.noise(shape, source).to(clean.device) for _ in self.steps]
        store = zero.FeatureStore(int(settings.feature_budget_gb * 1e9))
        small = latent_depth(values, clean, settings)
        views: list[Array | None] = []
        levels: list[Tensor] = []
        self._latents: list[Tensor | None] = []
        for number, percent in enumerate(scales(settings.synthesised, self.config.scale_percent)):
            if percent is None:
                views.append(None)
                self._latents.append(None)
                continue
            config = replace(self.config, scale_percent=percent)
            sampler = zero.ZeroSampler(network, self.steps, config, store=store)
            if levels:
                sampler.adopt(levels)
            elif settings.zero_levels == "inversion":
                for _ in sampler.inverted(clean):
                    pass
            else:
                sampler.given(clean, fixed)
            levels = sampler.levels
            known = shot.known[number]
            held = None if known is None or not old else zero.Held(known[:, :, -old:], fixed[:, :, :old])
            inputs = inputs_of(config, noise, settings.seed, place, model.device)
            x = finished(sampler, small, inputs, held)
            self._latents.append(x)
            rgb = ((model.decode(x)[0].clamp(-1, 1) + 1) / 2).permute(1, 2, 3, 0).cpu().numpy()
            views.append(rgb[:count])
        return views

    def _warped(self, clip: Clip, depth: DepthMap, scale: comfort.DepthScale, old: int) -> StereoClip:
        """Our own sub-pixel warp of the new frames, at the source's size."""
        unit = comfort.metric_unit(depth.values) if depth.metric else 1.0
        settings = self.settings.model_copy(
            update={
                "synth": "warp",
                "eyes": self.settings.synthesised,
                "strength": scale.gain * unit / clip.width * 100,
                "convergence": scale.screen / unit,
            }
        )
        new = replace(clip, overlap=old, first=True)
        return next(iter(WarpSynthesizer(settings)(iter([(new, depth)]))))

    def _composed(
        self, stereo: StereoClip, views: list[Array | None], scale: comfort.DepthScale, clip: Clip, old: int
    ) -> StereoClip:
        changed: dict[str, Array] = {}
        parts = (("left", views[0], stereo.holes_left, -1), ("right", views[1], stereo.holes_right, 1))
        half = 0.5 if self.settings.synthesised == "both" else 1.0
        for name, view, holes, side in parts:
            if view is None:
                continue
            warped = getattr(stereo, name)
            shift = side * half * scale.gain * scale.screen  # the sampler's screen is the farthest depth
            frames = []
            for t in range(len(warped)):
                large = planes.resize(view[old + t], clip.height, clip.width)
                if shift:
                    large = moved(large[None], shift)[0]
                drawn = planes.from_rgb(large, clip.pixel_format, clip.colour)
                mask = None if self.settings.full_view or holes is None else holes[t]
                frames.append(blend.composed(warped[t], drawn, mask, clip.pixel_format))
            changed[name] = np.stack(frames)
        return replace(stereo, **changed)


def working_shape(model: VideoModel, height: int, width: int) -> tuple[int, int]:
    """The size at which a film is sampled: its shape, about the model's number of pixels, sides as the network needs."""
    stride = model.stride
    area = model.config.height * model.config.width
    rows = max(stride, round((area * height / width) ** 0.5 / stride) * stride)
    columns = max(stride, round((area * width / height) ** 0.5 / stride) * stride)
    return rows, columns


def _loaded(settings: ConvertSettings) -> VideoModel:
    store = weights.WeightStore(weights.parse_paths(settings.weights, "dynamicrafter"), settings.accept_licence)
    names = [f"dynamicrafter-{size}" for size in ("1024", "512", "256")]
    name = next((n for n in names if store.has(n)), names[0])
    device = choose_device(settings.device).name
    thrift = checkpoints.thrift_of(settings, device)
    return checkpoints.load(store.path(name), device, settings.precision, thrift)


def _single(clip: Clip, depth: DepthMap, t: int) -> DepthClip:
    one = replace(clip, frames=to_host(clip.frames)[t : t + 1], pts=clip.pts[t : t + 1], overlap=0)
    return one, DepthMap(to_host(depth.values)[t : t + 1], depth.metric)


def _joined(frames: list[DepthClip], shot: _Waiting) -> DepthClip:
    clips, maps = [clip for clip, _ in frames], [depth for _, depth in frames]
    joined = replace(
        clips[0],
        frames=np.concatenate([clip.frames for clip in clips]),
        pts=np.concatenate([clip.pts for clip in clips]),
        first=not shot.begun,
    )
    return joined, DepthMap(np.concatenate([depth.values for depth in maps]), maps[0].metric)
