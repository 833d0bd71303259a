"""Video Depth Anything on a stream: windows of 32 that share keyframes, aligned and cross-faded; or frame by frame.

Chen et al., 2025 (section 3.3). A window begins with ten frames of the one before: its first, its twelfth and its last
eight. The first two carry scale and shift over, the eight are faded. Each frame passes the encoder once.
"""

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from stereocast.depth import frames as pictures
from stereocast.depth import headroom, windowed
from stereocast.models import loading, shelf, weights
from stereocast.models.video_depth_anything import VARIANTS, Cache, Config, VideoDepthAnything
from stereocast.pictures import devices
from stereocast.pipeline.stages import Cost, DepthClip
from stereocast.settings import EstimatorSettings
from stereocast.types import Array, Clip, StreamInfo

_log = logging.getLogger(__name__)
LENGTH, SHARED, FADED = 32, 10, 8
STEP = LENGTH - SHARED
KEYFRAMES = (0, 12, *range(24, 32))
ALIGNED = SHARED - FADED  # keyframes that fit scale and shift
MIN_BATCH = 1
KEPT = 42  # entries of the streaming cache


def network_size(height: int, width: int, short: int = 518, patch: int = 14) -> tuple[int, int]:
    """The size at which a film is seen: wide pictures get a smaller short side, so that the token count stays."""
    aspect = max(height, width) / min(height, width)
    if aspect > 1.78:
        short = max(patch, round(int(short * 1.777 / aspect) / patch) * patch)
    return pictures.size_at_least(height, width, short, patch)


def fit(values: Array, target: Array) -> tuple[float, float]:
    """Least-squares scale and shift that bring `values` to `target`."""
    x, y = values.astype(np.float64).ravel(), target.astype(np.float64).ravel()
    normal = np.array([[x @ x, x.sum()], [x.sum(), len(x)]])
    if abs(np.linalg.det(normal)) <= 1e-12 * max(1.0, normal[0, 0] * normal[1, 1]):
        return 1.0, float(y.mean() - x.mean())  # a flat picture says nothing about scale
    scale, shift = np.linalg.solve(normal, [x @ y, y.sum()])
    return float(scale), float(shift)


class Alignment:
    """Joins the depth of windows, in order, to that of the film; emits frames that can no longer change."""

    def __init__(self) -> None:
        self._reference: list[Array] = []
        self._open: Array | None = None  # the last frames, which the next window fades into
        self.fits: list[tuple[float, float]] = []

    def push(self, window: Array) -> Array:
        """window [32, H, W] -> the frames that are final, the last eight held back."""
        if not self._reference:
            self._reference = [window[number] for number in KEYFRAMES[:ALIGNED]]
            body = window
        else:
            scale, shift = fit(window[:ALIGNED], np.stack(self._reference))
            self.fits.append((scale, shift))
            moved = np.maximum(window * np.float32(scale) + np.float32(shift), 0)
            self._reference = [self._reference[0], *(moved[number] for number in KEYFRAMES[1:ALIGNED])]
            weight = np.linspace(0, 1, FADED, dtype=np.float32)[:, None, None]
            assert self._open is not None
            faded = (1 - weight) * self._open + weight * moved[ALIGNED:SHARED]
            body = np.concatenate([faded, moved[SHARED:]])
        self._open = body[-FADED:]
        return body[:-FADED]

    def finish(self) -> Array | None:
        """The frames held back."""
        return self._open


@dataclass(slots=True)
class Engine:
    """The network, its device, and the sizes of its input and output."""

    network: Any
    device: str
    shape: tuple[int, int]
    out: tuple[int, int] | None = None  # None: the network's own size
    batch: int = 8
    traced: list[Array] | None = field(default=None)  # raw outputs, kept for comparison

    def encode(self, frames: Array) -> list[Tensor]:
        """Features [T, C, h, w] of RGB frames 0..1 [T, H, W, 3]."""
        images = pictures.normalised(frames, self.shape).to(self.device)
        parts = [self._encode(part) for part in images.split(self.batch)]
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    def _encode(self, images: Tensor) -> list[Tensor]:
        try:
            levels: list[Tensor] = self.network.encode(images)
            return levels
        except (RuntimeError, MemoryError) as error:
            if not headroom.is_exhausted(error):
                raise
            self.batch = headroom.smaller(len(images), MIN_BATCH, self.device, error)
        parts = [self._encode(part) for part in images.split(self.batch)]
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    def decode(self, features: list[Tensor], past: Cache | None = None) -> tuple[Array, Cache]:
        """Depth [T, H, W] and the frames' cache."""
        depth, cache = self.network(features, past)
        if self.traced is not None:
            self.traced.append(devices.to_host(depth))
        if self.out is not None and self.out != tuple(depth.shape[1:]):
            depth = functional.interpolate(depth[:, None], self.out, mode="bilinear", align_corners=True)[:, 0]
        return devices.to_host(depth), cache


class WindowShot:
    """One shot in windows of 32 frames."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.alignment = engine, Alignment()
        self._frames: deque[list[Tensor]] = deque()  # features of single frames, from `_start` on
        self._keyframes: list[list[Tensor]] = []
        self._start = 0  # of the frames that wait
        self._seen = self._given = 0

    @torch.inference_mode()
    def push(self, frames: Array) -> Iterator[Array]:
        levels = self._engine.encode(frames)
        self._frames.extend([level[n : n + 1] for level in levels] for n in range(len(frames)))
        self._seen += len(frames)
        while len(self._frames) >= self._wanted:
            yield self._give(self._window())

    @property
    def _wanted(self) -> int:
        return LENGTH if not self._keyframes else STEP

    def _window(self) -> Array:
        wanted = self._wanted
        new = [self._frames.popleft() for _ in range(wanted)]
        window = new if not self._keyframes else self._keyframes + new
        self._keyframes = [window[number] for number in KEYFRAMES]
        features = [torch.cat([frame[level] for frame in window]) for level in range(4)]
        return self.alignment.push(self._engine.decode(features)[0])

    def _give(self, depth: Array) -> Array:
        self._given += len(depth)
        return depth

    @torch.inference_mode()
    def finish(self) -> Iterator[Array]:
        if not self._seen:
            return
        windows = -(-self._seen // STEP)
        done = (self._given + FADED - SHARED) // STEP if self._given else 0
        last = self._frames[-1] if self._frames else self._keyframes[-1]
        for _ in range(done, windows):
            self._frames.extend([last] * (self._wanted - len(self._frames)))
            body = self._window()
            left = self._seen - self._given
            yield self._give(body[:left])
        rest = self.alignment.finish()
        if rest is not None and self._given < self._seen:
            yield self._give(rest[: self._seen - self._given])


class StreamingShot:
    """One shot, each frame at once: it attends to the cache of earlier frames, the two oldest and the 29 newest."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache: list[Cache] = []
        self.frame_ids: list[int] = []
        self._next = 0

    @torch.inference_mode()
    def push(self, frames: Array) -> Iterator[Array]:
        for frame in frames:
            features = self._engine.encode(frame[None])
            if not self._cache:
                depth, cache = self._engine.decode(features)
                self._cache = [cache] * LENGTH
                self.frame_ids = [0] * LENGTH
            else:
                chosen = self._cache[:2] + self._cache[3 - LENGTH :]
                past = [torch.cat(entries, 1) for entries in zip(*chosen, strict=True)]
                depth, cache = self._engine.decode(features, past)
                self._cache.append(cache)
                self.frame_ids.append(self._next)
            if len(self._cache) > KEPT:
                del self._cache[1], self.frame_ids[1]
            self._next += 1
            yield depth

    def finish(self) -> Iterator[Array]:
        return iter(())


def load_network(
    store: weights.WeightStore, name: str, variant: str, dtype: torch.dtype, device: str
) -> VideoDepthAnything:
    """The published network. A folder may hold a config.json for other sizes. Raises WeightsError."""
    path = store.path(name)
    config = VARIANTS[variant]
    if path.is_dir() and (path / "config.json").is_file():
        config = Config.of(loading.read_config(path))
    file = loading.find_checkpoint(path, f"video_depth_anything_vit{variant[0]}")
    network = VideoDepthAnything(config)
    loading.load_into(network, file)
    placed: VideoDepthAnything = (network if dtype == torch.float32 else network.to_half(dtype)).to(device)
    return placed


class _VideoDepth:
    variant = ""

    def __init__(self, settings: EstimatorSettings, info: StreamInfo) -> None:
        name = f"video-depth-anything-{self.variant}"
        device = devices.choose_device(settings.device).name
        store = weights.WeightStore.of(settings, name)
        dtype = headroom.dtype_for(settings.precision, device)
        network = load_network(store, name, self.variant, dtype, device)
        patch = network.config.patch_size
        self.shape = network_size(info.height, info.width, settings.depth_size or network.config.img_size, patch)
        self.engine = Engine(network, device, self.shape)
        self._streaming = settings.depth_mode == "streaming"
        self.held = 0 if self._streaming else LENGTH + FADED
        _log.info("video-depth-anything %s at %dx%d on %s", self.variant, self.shape[1], self.shape[0], device)

    @classmethod
    def cost(cls, settings: EstimatorSettings, info: StreamInfo) -> Cost:
        """Frames that wait, and the weights where they are in main memory."""
        on_gpu = devices.choose_device(settings.device).on_gpu
        weights_bytes = 0 if on_gpu else shelf.find(f"video-depth-anything-{cls.variant}").size
        return Cost(0 if settings.depth_mode == "streaming" else LENGTH + FADED, weights_bytes)

    def begin(self, shot: int) -> windowed.ShotDepth:
        """The state of one shot."""
        return StreamingShot(self.engine) if self._streaming else WindowShot(self.engine)

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        return windowed.run(clips, self.begin, self.shape)


class SmallVideoDepth(_VideoDepth):
    """ViT-S."""

    variant = "small"


class BaseVideoDepth(_VideoDepth):
    """ViT-B."""

    variant = "base"


class LargeVideoDepth(_VideoDepth):
    """ViT-L."""

    variant = "large"
