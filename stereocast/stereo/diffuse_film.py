"""StereoCrafter-Zero as the synthesis stage of a given film: windows whose result is put where the warp uncovers something."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion import latents, zero
from stereocast.errors import UsageError
from stereocast.models import checkpoints, shelf, weights
from stereocast.models.video import VideoModel
from stereocast.pictures import planes
from stereocast.pictures.devices import choose_device, to_host
from stereocast.pipeline.stages import Cost, DepthClip
from stereocast.settings import ViewSettings
from stereocast.stereo import blend, comfort
from stereocast.stereo.diffuse import (
    FILM,
    VideoViews,
    finished,
    inputs_of,
    latent_depth,
    moved,
    scales,
    strength,
    zero_config,
)
from stereocast.stereo.flicker import FlickerGuard
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.types import Array, Clip, DepthMap, StereoClip, StreamInfo

log = logging.getLogger(__name__)


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
        settings: ViewSettings,
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

    @classmethod
    def cost(cls, settings: ViewSettings, info: StreamInfo) -> Cost:
        """A window that waits, is joined and is warped; on a CPU the weights and the features that are kept, too."""
        window = WarpSynthesizer.cost(settings, info) + Cost(4 * settings.zero_window)
        if choose_device(settings.device).on_gpu:
            return window
        return window + Cost(0, shelf.find("dynamicrafter-1024").size + int(settings.feature_budget_gb * 1e9))

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
        source = latents.generator(settings.seed, *place, FILM)
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
            rgb = to_host(((model.decode(x)[0].clamp(-1, 1) + 1) / 2).permute(1, 2, 3, 0))
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


def _loaded(settings: ViewSettings) -> VideoModel:
    store = weights.WeightStore.of(settings, "dynamicrafter")
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
