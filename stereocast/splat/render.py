"""Rendering of scenes: one contract, two back ends. On the CPU it is our rasteriser, on CUDA gsplat.

Only this module uses gsplat. Both back ends follow its conventions (see `raster`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stereocast.errors import ExtraMissing
from stereocast.pictures.devices import to_host
from stereocast.splat import raster
from stereocast.splat.motion import Motion
from stereocast.splat.scene import Camera, Gaussians, Scene, SceneInfo, orbit_camera, posed
from stereocast.types import Array, DepthMap, PixelFormat, StereoClip

CLIP_FRAMES = 8
_REMEMBERED = 64  # renderings
_KEPT_BYTES = 256_000_000  # of Gaussians' shapes
WHITE = (1.0, 1.0, 1.0)


@dataclass(slots=True)
class Rendering:
    """What cameras see."""

    rgb: Tensor  # [C, H, W, 3]
    alpha: Tensor  # [C, H, W, 1]
    depth: Tensor  # [C, H, W, 1], expected depth, metres along the axis
    radii: Any  # [C, N, 2], pixels
    _kept: Any

    def place_gradients(self) -> Array:
        """Gradients of the Gaussians' positions in pixels, float32 [C, N, 2]. Call after backward."""
        if isinstance(self._kept, list):
            return np.stack([view.grad[:, :2] for view in self._kept])
        return to_host(self._kept["means2d"].grad)


def rasterize(
    shapes: tuple[Tensor, Tensor, Tensor],  # means, quats, linear scales, as `posed` gives them
    opacities: Tensor,  # [N]
    harmonics: Tensor,  # [N, K, 3]
    cameras: list[Camera],  # of one size
    background: tuple[float, float, float] | Array = WHITE,
    degree: int = 3,
    antialiased: bool = False,
) -> Rendering:
    """Renders Gaussians: with gsplat if the tensors are on CUDA, else with our rasteriser. Raises ExtraMissing."""
    views = np.stack([camera.view for camera in cameras])
    ks = np.stack([camera.intrinsics for camera in cameras])
    width, height = cameras[0].width, cameras[0].height
    backgrounds = np.broadcast_to(np.asarray(background, np.float32), (len(cameras), 3))
    if opacities.is_cuda:
        return _gsplat(shapes, opacities, harmonics, (views, ks, backgrounds), (width, height), degree, antialiased)
    options = raster.Options(width, height, degree, antialiased)
    rgb, alpha, depth, kept = raster.rasterize(*shapes, opacities, harmonics, views, ks, options, backgrounds)
    expected = depth / alpha.clamp_min(1e-10)
    return Rendering(rgb, alpha, expected, np.stack([view.radii for view in kept]), kept)


def _gsplat(
    shapes: tuple[Tensor, Tensor, Tensor], opacities: Tensor, harmonics: Tensor, cameras: tuple[Array, Array, Array],
    size: tuple[int, int], degree: int, antialiased: bool,
) -> Rendering:  # fmt: skip
    try:
        from gsplat import rasterization
    except ImportError as error:
        raise ExtraMissing("rendering on CUDA", "4d") from error
    views, ks, backgrounds = (torch.as_tensor(a.copy(), dtype=torch.float32, device=opacities.device) for a in cameras)
    colours, alpha, meta = rasterization(
        *shapes, opacities, harmonics, views, ks, *size, sh_degree=degree, packed=False, render_mode="RGB+ED",
        backgrounds=backgrounds,
        rasterize_mode="antialiased" if antialiased else "classic",
    )  # fmt: skip
    if meta["means2d"].requires_grad:
        meta["means2d"].retain_grad()
    return Rendering(colours[..., :3], alpha, colours[..., 3:], to_host(meta["radii"]), meta)


def render(
    gaussians: Gaussians,
    motion: Motion | None,
    time: float,
    cameras: list[Camera],
    background: tuple[float, float, float] | Array = WHITE,
    *,
    degree: int | None = None,
    antialiased: bool = False,
) -> Rendering:
    """Renders the scene at `time` (0..1) from cameras of one size. Differentiable."""
    shown = gaussians.degree if degree is None else min(degree, gaussians.degree)
    return _drawn(gaussians, posed(gaussians, motion, time), cameras, background, shown, antialiased)


def _drawn(
    gaussians: Gaussians, shapes: tuple[Tensor, Tensor, Tensor], cameras: list[Camera],
    background: tuple[float, float, float] | Array, degree: int, antialiased: bool,
) -> Rendering:  # fmt: skip
    harmonics = torch.cat([gaussians.sh0, gaussians.sh_rest], 1)
    return rasterize(shapes, torch.sigmoid(gaussians.logits), harmonics, cameras, background, degree, antialiased)


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of a film: the scene's time and the camera."""

    time: float  # 0..1
    camera: Camera


@dataclass(frozen=True, slots=True)
class Rig:
    """A pair of eyes. The screen is at the object; farther points lie behind it."""

    ipd_m: float = 0.063
    converge_m: float = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The length of a film and the speed of its scene."""

    frames: int  # of the film
    step: float  # frames of the scene per frame of the film

    @classmethod
    def of(cls, info: SceneInfo, seconds: float, rate: float) -> "Pace":
        """About `seconds` at `rate` frames per second: whole rounds of the motion, so the film loops seamlessly.

        The motion keeps the scene's speed, to within half a frame per film. A film shorter than half a round keeps the
        requested length.
        """
        round_frames = _round(info)
        rounds = round(seconds * info.fps / round_frames) if round_frames else 0
        if not rounds:
            return cls(max(2, round(seconds * rate)), info.fps / rate)
        frames = max(2, round(rounds * round_frames * rate / info.fps))
        return cls(frames, rounds * round_frames / frames)


def _round(info: SceneInfo) -> int:
    """Frames of the scene until its motion repeats: once through a loop, otherwise forward and back."""
    return (info.frames - 1) * (1 if info.loop else 2)


def orbit(scene: Scene, size: int, pace: Pace, turns: float = 1.0) -> list[Moment]:
    """The camera circles the object `turns` times while time runs."""
    info = scene.info
    moments = []
    for i in range(pace.frames):
        azimuth = 360 * turns * i / pace.frames
        camera = orbit_camera(azimuth, size, info.elevation_deg, info.radius_m, info.fov_deg)
        moments.append(Moment(play(scene, i * pace.step), camera))
    return moments


def fixed(scene: Scene, size: int, pace: Pace, azimuth_deg: float = 0.0) -> list[Moment]:
    """The camera stands still while time runs."""
    info = scene.info
    camera = orbit_camera(azimuth_deg, size, info.elevation_deg, info.radius_m, info.fov_deg)
    return [Moment(play(scene, i * pace.step), camera) for i in range(pace.frames)]


def play(scene: Scene, frame: float) -> float:
    """The time (0..1) of a frame number of the scene, which may be fractional. Loops wrap; others run back and forth."""
    last = scene.info.frames - 1
    if last < 1:
        return 0.0
    at = frame % _round(scene.info)
    return (at if at <= last else 2 * last - at) / last


class Poses:
    """A scene on a device. Its Gaussians' shapes are kept by time: the films of a scene show the same times again.

    Those that came first are kept, since a film runs through all times before it repeats one.
    """

    def __init__(self, scene: Scene, device: str = "cpu") -> None:
        self.info = scene.info
        self._gaussians = Gaussians(*(tensor.detach().to(device) for tensor in scene.gaussians.tensors().values()))
        self._motion = None if scene.motion is None else scene.motion.to(device)
        self._rows: dict[float, int] = {}
        count = len(self._gaussians)
        most = _KEPT_BYTES // (40 * max(1, count)) if self._motion is not None else 0
        self._kept = torch.empty(most, count, 10, device=device)  # memory that nothing is written to costs nothing

    def _posed(self, time: float) -> tuple[Tensor, Tensor, Tensor]:
        key = round(time, 6)
        if key in self._rows:
            means, quats, scales = self._kept[self._rows[key]].split((3, 4, 3), 1)
            return means.contiguous(), quats.contiguous(), scales.contiguous()
        shapes = posed(self._gaussians, self._motion, time)
        if len(self._rows) < len(self._kept):
            torch.cat(shapes, 1, out=self._kept[len(self._rows)])
            self._rows[key] = len(self._rows)
        return shapes

    def render(self, time: float, cameras: list[Camera], background: tuple[float, float, float] = WHITE) -> Rendering:
        """The scene at `time` (0..1) from cameras of one size, antialiased and without gradients."""
        with torch.no_grad():
            return _drawn(self._gaussians, self._posed(time), cameras, background, self._gaussians.degree, True)


def stereo_clips(
    poses: Poses, moments: list[Moment], rig: Rig | None, background: tuple[float, float, float] = WHITE
) -> Iterator[StereoClip]:
    """The film as the packer takes it: RGB of both eyes and the left eye's depth. Without a rig both eyes are equal."""
    seen_before: dict[
        tuple[float, bytes], tuple[Array, Array, Array]
    ] = {}  # a fixed camera sees the same pictures in every round

    def see(moment: Moment) -> tuple[Array, Array, Array]:
        key = (round(moment.time, 6), moment.camera.view.tobytes())
        if key in seen_before:
            return seen_before[key]
        eyes = [moment.camera]
        if rig is not None:
            eyes = [moment.camera.moved_right(side * rig.ipd_m / 2, rig.converge_m) for side in (-1, 1)]
        seen = poses.render(moment.time, eyes, background)
        pictures = [np.rint(to_host(p.clamp(0, 1)) * 255).astype(np.uint8) for p in seen.rgb]
        made = pictures[0], pictures[-1], _inverse_depth(seen, poses.info.radius_m)
        if len(seen_before) < _REMEMBERED:
            seen_before[key] = made
        return made

    for at in range(0, len(moments), CLIP_FRAMES):
        part = [see(moment) for moment in moments[at : at + CLIP_FRAMES]]
        lefts, rights, depths = (np.stack(column) for column in zip(*part, strict=True))
        yield StereoClip(
            lefts, rights, np.arange(at, at + len(part)), PixelFormat.RGB24, depth=DepthMap(depths),
            first=at == 0, last=at + len(part) == len(moments),
        )  # fmt: skip


def _inverse_depth(seen: Rendering, radius_m: float) -> Array:
    """Relative inverse depth float32 [H, W] in 0..1: 1 = nearest (0.4 radius in front of the origin), 0 = background."""
    depth, alpha = to_host(seen.depth[0, ..., 0]), to_host(seen.alpha[0, ..., 0])
    near, far = 1 / (radius_m * 0.6), 1 / (radius_m * 1.4)
    value = (1 / np.maximum(depth, 0.1 * radius_m) - far) / (near - far)
    return np.where(alpha > 0.5, np.clip(value, 0.02, 1), 0).astype(np.float32)
