"""StereoCrafter-Zero as the synthesis stage of a given film: windows whose result goes where the warp uncovers something."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from torch import Tensor

from stereocast.errors import UsageError
from stereocast.models import checkpoints, choice, shelf, weights
from stereocast.models.video import VideoModel
from stereocast.pictures import planes
from stereocast.pictures.devices import choose_device, to_device, to_host
from stereocast.pipeline.progress import OnProgress, silent
from stereocast.pipeline.stages import Cost, DepthClip
from stereocast.settings import ViewSettings
from stereocast.stereo import comfort, register
from stereocast.stereo.blend import Composer
from stereocast.stereo.diffuse import moved
from stereocast.stereo.flicker import FlickerGuard
from stereocast.stereo.register import Geometry, Seen
from stereocast.stereo.sampling import Sampling, Window, stride_of
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.stereo.unseen import unseen_share
from stereocast.types import Array, Clip, DepthMap, StereoClip, StreamInfo

log = logging.getLogger(__name__)


class WindowKeeper(Protocol):
    """Keeps the results of windows, so that a resumed run need not sample them again."""

    def load(self, place: tuple[int, int], pts: Array) -> dict[str, Array] | None:
        """What was saved for this window of these frames, or None."""
        ...

    def save(self, place: tuple[int, int], pts: Array, arrays: dict[str, Array]) -> None:
        """Keeps a finished window."""
        ...


@dataclass(slots=True)
class _Part:
    """One window of a group: which of the waiting frames it has, and its result."""

    place: tuple[int, int]
    start: int
    stop: int
    new: int  # its first frame that isn't of the window before
    latents: list[Tensor | None] | None = None  # None: keeps the classical fill
    wanted: bool = True


@dataclass(slots=True)
class _Waiting:
    """Waiting frames of a shot, and the result of the last window."""

    number: int
    clips: list[DepthClip] = field(default_factory=list)
    known: list[Tensor | None] = field(
        default_factory=lambda: [None, None]
    )  # per view: latents of the frames that stay
    window: int = 0
    fresh: int = 0  # waiting frames that haven't been emitted
    begun: bool = False
    scales: list[Geometry | None] | None = None  # of each view
    composers: list[Composer | None] = field(default_factory=lambda: [None, None])


class ZeroSynthesizer:
    """Windows of frames, each sampled with the overlap of the one before held; cuts start a new sequence."""

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
        self._stride = settings.zero_window - settings.zero_overlap
        self.held = settings.zero_window + (settings.zero_batch - 1) * self._stride
        self.model = model or loaded(settings, info)
        self.shape = self.model.shape_for(info.height, info.width)
        self.sampling = Sampling(self.model, settings, stride_of(self.model.config, info.rate, settings.fs))
        self.progress: OnProgress = silent
        self.keeper: WindowKeeper | None = None
        self.classical = 0  # windows that kept the classical fill
        eyes = {"synth": "warp", "eyes": settings.synthesised, "strength": settings.strength_percent}
        self._warp = WarpSynthesizer(settings.model_copy(update=eyes), fov_deg=fov_deg)
        self._warp.disparities = {}
        self._guard = FlickerGuard(propagated=settings.propagate)

    @classmethod
    def cost(cls, settings: ViewSettings, info: StreamInfo) -> Cost:
        """Windows that wait, are joined and are warped; on a CPU the weights and the features that are kept, too."""
        span = settings.zero_window + (settings.zero_batch - 1) * (settings.zero_window - settings.zero_overlap)
        window = WarpSynthesizer.cost(settings, info) + Cost(4 * span)
        if choose_device(settings.device).on_gpu:
            return window
        return window + Cost(0, shelf.find("dynamicrafter-1024").size + int(settings.feature_budget_gb * 1e9))

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[StereoClip]:
        shot = _Waiting(0)
        for clip, depth in clips:
            if clip.first:
                shot = _Waiting(clip.shot.number)
            for t in range(clip.overlap, len(clip)):
                shot.clips.append(_single(clip, depth, t))
                shot.fresh += 1
                if shot.fresh == self.held - (self.settings.zero_overlap if shot.begun else 0):
                    yield from self._group(shot, last=clip.last and t == len(clip) - 1)
            if clip.last and shot.fresh:
                yield from self._group(shot, last=True)

    def _group(self, shot: _Waiting, *, last: bool) -> Iterator[StereoClip]:
        """Samples the waiting frames and emits new ones, a window at a time."""
        settings = self.settings
        held = min(len(shot.clips), max(shot.fresh + settings.zero_overlap, settings.zero_window))
        shot.clips = shot.clips[-held:]  # the shot's last window reaches back as far as it is long
        clip, depth = _joined(shot.clips)
        parts = self._parts(shot, len(clip))
        stereos = [self._warped(shot, clip, depth, part) for part in parts]
        if shot.scales is None:
            self._begin(shot, clip, depth, parts[0], stereos[0][1])
        values = self._relative(clip, depth)
        for part, (_, seen) in zip(parts, stereos, strict=True):
            part.wanted = self._wants(clip, values, part, seen)
        self._fill_in(shot, clip, values, parts)
        for number, (part, (stereo, seen)) in enumerate(zip(parts, stereos, strict=True)):
            made = self._composed(shot, part, stereo, seen, values)
            log.info("shot %d, window %d: %d frames", *part.place, len(made))
            yield replace(made, first=not shot.begun, last=last and number == len(parts) - 1)
            shot.begun = True
        shot.known = parts[-1].latents or [None, None]
        kept = min(parts[-1].stop - parts[-1].start, settings.zero_window)
        shot.clips, shot.fresh, shot.window = shot.clips[-kept:], 0, shot.window + len(parts)

    def _parts(self, shot: _Waiting, count: int) -> list[_Part]:
        """The windows of the waiting frames."""
        settings, old = self.settings, count - shot.fresh
        parts: list[_Part] = []
        while not parts or parts[-1].stop < count:
            new = parts[-1].stop if parts else old
            start = 0 if not parts and old + shot.fresh <= settings.zero_window else max(0, new - settings.zero_overlap)
            stop = min(count, start + settings.zero_window)
            if stop == count:
                start = max(0, stop - settings.zero_window)
            parts.append(_Part((shot.number, shot.window + len(parts)), start, stop, new))
        return parts

    def _warped(self, shot: _Waiting, clip: Clip, depth: DepthMap, part: _Part) -> tuple[StereoClip, list[list[Seen]]]:
        """Our own sub-pixel warp of a window's new frames, at the source's size, and what it sees in each view."""
        first = not shot.begun and part.new == 0
        one = replace(clip, frames=clip.frames[part.new : part.stop], pts=clip.pts[part.new : part.stop], first=first)
        values = DepthMap(depth.values[part.new : part.stop], depth.metric)
        if first:
            self._fix(part, clip)
        table: dict[int, Array] = {}
        self._warp.disparities = table
        stereo = next(iter(self._warp(iter([(one, values)]))))
        scale, unit = self._warp.scale, self._warp.unit
        gain = 0.5 if self.settings.synthesised == "both" else 1.0
        distrust = min(self.settings.edge_dilation, 1)
        seen: list[list[Seen]] = []
        for holes, mirror in ((stereo.holes_left, True), (stereo.holes_right, False)):
            found = [] if holes is None else [
                Seen.of(table[t], gain, scale.gain * unit, scale.screen / unit, mirror=mirror, distrust=distrust)
                for t in range(len(one))
            ]  # fmt: skip
            seen.append(found)
        return stereo, seen

    def _fix(self, part: _Part, clip: Clip) -> None:
        """Gives the shot the scale that an earlier run found for it."""
        kept = self._kept(part, clip)
        if kept is not None and "scale" in kept:
            gain, screen, unit = (float(value) for value in kept["scale"])
            self._warp.fix(comfort.DepthScale(gain, screen), unit)

    def _kept(self, part: _Part, clip: Clip) -> dict[str, Array] | None:
        return None if self.keeper is None else self.keeper.load(part.place, clip.pts[part.start : part.stop])

    def _begin(self, shot: _Waiting, clip: Clip, depth: DepthMap, part: _Part, seen: list[list[Seen]]) -> None:
        """The geometry of a shot's views, and who composes them."""
        scale, unit = self._warp.scale, self._warp.unit
        factor = self.model.networks.first_stage_model.factor
        rows, columns = self.shape[0] // factor, self.shape[1] // factor
        half = 0.5 if self.settings.synthesised == "both" else 1.0
        largest = scale.gain * unit / clip.width * half * columns
        base = Geometry(max(largest, 1e-3), rows, columns, self.sampling.config.exponent)
        kept, values = self._kept(part, clip), self._relative(clip, depth)
        shot.scales = []
        for number, views in enumerate(seen):
            mirror = number == 0
            if not views:
                shot.scales.append(None)
                continue
            geometry = base
            if kept is not None and f"geometry{number}" in kept:
                latents, phase = (float(value) for value in kept[f"geometry{number}"])
                geometry = replace(base, latents=latents, phase=phase)
            elif not self.settings.full_view:
                few = range(0, len(views), max(1, len(views) // 4))
                turned = [register.at_latents(values[part.new + t], rows, columns, mirror=mirror) for t in few]
                geometry = register.fitted(base, [views[t] for t in few], turned)
            shot.scales.append(geometry)
            shot.composers[number] = Composer(geometry, clip.pixel_format, clip.colour, mirror)

    def _relative(self, clip: Clip, depth: DepthMap) -> Array:
        """Depth as the sampler takes it, float32 [T, h, w]: 1 is the nearest surface."""
        return np.asarray(to_host(depth.values) / np.float32(self._warp.unit if depth.metric else 1.0))

    def _wants(self, clip: Clip, values: Array, part: _Part, seen: list[list[Seen]]) -> bool:
        """Whether a window is worth sampling: its holes are large, and seen in no frame beside."""
        if self.settings.full_view:
            return True
        if not any(one.holes.any() for views in seen for one in views):
            return False
        if not self.settings.zero_holes:
            return True
        frames, depth = clip.frames[part.start : part.stop], values[part.start : part.stop]
        share = 0.0
        for number, views in enumerate(seen):
            if views:
                turn = np.s_[:, ::-1] if number == 0 else np.s_[:, :]
                hidden = [one.hidden() for one in views]
                holes, behind = ([hole[turn] for hole, _ in hidden], [depth[turn] for _, depth in hidden])
                first = part.new - part.start
                share = max(share, unseen_share(frames, depth, holes, behind, first, clip.pixel_format))
        return share * 100 >= self.settings.zero_holes

    def _fill_in(self, shot: _Waiting, clip: Clip, values: Array, parts: list[_Part]) -> None:
        """Latents for the windows that want them: kept ones, then every other one, then those between."""
        assert shot.scales is not None
        for part in parts:
            kept = self._kept(part, clip)
            if kept is not None:
                part.wanted = any(key.startswith("latents") for key in kept)
                part.latents = [self._tensor(kept.get(f"latents{view}")) for view in (0, 1)] if part.wanted else None
        todo = [k for k, part in enumerate(parts) if part.wanted and part.latents is None]
        ready = sum(parts[k].stop - parts[k].new for k in todo)
        for group in ([k for k in todo if k % 2 == 0], [k for k in todo if k % 2]):
            windows = [self._window(shot, clip, values, parts, k) for k in group]
            if windows:
                share = ready * len(group) // len(todo)
                found = self.sampling.latents(windows, shot.scales, self.progress, share)
                for k, latents in zip(group, found, strict=True):
                    parts[k].latents = latents
                    self._save(shot, clip, parts[k])
        for part in parts:
            if not part.wanted:
                self.classical += 1
                self._save(shot, clip, part)

    def _tensor(self, array: Array | None) -> Tensor | None:
        return None if array is None else to_device(array, self.model.device)

    def _save(self, shot: _Waiting, clip: Clip, part: _Part) -> None:
        if self.keeper is None:
            return
        scale, unit = self._warp.scale, self._warp.unit
        arrays = {"scale": np.array([scale.gain, scale.screen, unit])}
        for view, geometry in enumerate(shot.scales or []):
            if geometry is not None:
                arrays[f"geometry{view}"] = np.array([geometry.latents, geometry.phase])
        for view, latents in enumerate(part.latents or []):
            if latents is not None:
                arrays[f"latents{view}"] = to_host(latents.float())
        self.keeper.save(part.place, clip.pts[part.start : part.stop], arrays)

    def _window(self, shot: _Waiting, clip: Clip, values: Array, parts: list[_Part], k: int) -> Window:
        """A window with the known latents of its neighbours."""
        part = parts[k]
        frames = replace(clip, frames=clip.frames[part.start : part.stop], pts=clip.pts[part.start : part.stop])
        pictures = planes.rgb_frames(frames, self.shape)
        depth = values[part.start : part.stop]
        self._guard.check(pictures, depth)
        before = parts[k - 1].latents if k else shot.known
        after = parts[k + 1].latents if k + 1 < len(parts) else None
        shared = part.new - part.start
        ahead = part.stop - parts[k + 1].start if k + 1 < len(parts) else 0
        return Window(
            part.place,
            pictures,
            depth,
            [None if x is None or not shared else x[:, :, -shared:] for x in before or (None, None)],
            [None if x is None or ahead <= 0 else x[:, :, :ahead] for x in after or (None, None)],
        )

    def _composed(
        self, shot: _Waiting, part: _Part, stereo: StereoClip, seen: list[list[Seen]], values: Array
    ) -> StereoClip:
        """The warped frames with generated pixels in their holes, or the whole generated view."""
        changed: dict[str, Array] = {}
        for number, (name, views) in enumerate(zip(("left", "right"), seen, strict=True)):
            composer = shot.composers[number]
            if not views or composer is None:
                continue
            latents = None if part.latents is None else part.latents[number]
            if latents is None:
                composer.rest()
                continue
            drawn = self.sampling.pictures(latents)[part.new - part.start :]
            warped = getattr(stereo, name)
            if self.settings.full_view:
                frames = [self._whole(one, stereo, number) for one in drawn]
            else:
                rows, columns = composer.geometry.rows, composer.geometry.columns
                frames = [
                    composer(warped[t], drawn[t], views[t], register.at_latents(values[part.new + t], rows, columns))
                    for t in range(len(warped))
                ]
            changed[name] = np.stack(frames)
        return replace(stereo, **changed)

    def _whole(self, drawn: Array, stereo: StereoClip, number: int) -> Array:
        """A whole generated view at the film's size; the sampler's screen is the farthest depth, the film's isn't."""
        half = 0.5 if self.settings.synthesised == "both" else 1.0
        shift = (-1 if number == 0 else 1) * half * self._warp.scale.gain * self._warp.scale.screen
        large = planes.resize(drawn, stereo.height, stereo.width)
        if shift:
            large = moved(large[None], shift)[0]
        return planes.from_rgb(large, stereo.pixel_format, stereo.colour)


def loaded(settings: ViewSettings, info: StreamInfo) -> VideoModel:
    """The video model of the settings, placed as the GPU allows. Raises WeightsError, LicenceNotAccepted, OutOfMemory."""
    store = weights.WeightStore.of(settings, choice.FAMILY)
    device = choose_device(settings.device).name
    thrift = checkpoints.thrift_of(settings, device)
    return checkpoints.load(store.path(choice.video_model(settings)), device, settings.precision, thrift)


def _single(clip: Clip, depth: DepthMap, t: int) -> DepthClip:
    one = replace(clip, frames=to_host(clip.frames)[t : t + 1], pts=clip.pts[t : t + 1], overlap=0)
    return one, DepthMap(to_host(depth.values)[t : t + 1], depth.metric)


def _joined(frames: list[DepthClip]) -> DepthClip:
    clips, maps = [clip for clip, _ in frames], [depth for _, depth in frames]
    joined = replace(
        clips[0],
        frames=np.concatenate([clip.frames for clip in clips]),
        pts=np.concatenate([clip.pts for clip in clips]),
    )
    return joined, DepthMap(np.concatenate([depth.values for depth in maps]), maps[0].metric)
