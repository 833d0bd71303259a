"""DepthCrafter on a stream: windows whose noise is rolled, latents stitched, each frame emitted once it is final.

Hu et al., 2024. Three stages in a row, each of which takes frames as they come and emits them once they can no longer
change: `Sampler` (windows of denoising), `dissolve.Dissolver` (optional), `Decoder`. What they keep depends on the window
alone, never on the film. Latents are [T, 4, h, w], clean and scaled, in float32.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from stereocast.depth import choice, headroom
from stereocast.diffusion import edm
from stereocast.models import depthcrafter, shelf, turns, weights
from stereocast.models.budget import Share
from stereocast.models.depthcrafter import STRIDE, Networks
from stereocast.pictures import devices
from stereocast.pictures.devices import to_device
from stereocast.settings import EstimatorSettings
from stereocast.types import Array

_log = logging.getLogger(__name__)
MIN_WINDOW = 4
MAX_SIDE = 1024
_PART = 0.8  # of a share: what fragments leave
WEIGHTS_BYTES = 4_500_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How a film is cut into windows and how each is denoised; the published tool's defaults."""

    steps: int = 5
    guidance: float = 1.0
    window: int = 110
    overlap: int = 25
    chunk: int = 8  # frames per decoder call: its temporal layers see no further, so this changes results
    strength: float = 0.02  # of the noise on the conditioning frames

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.window:
            raise ValueError(f"overlap {self.overlap} must be smaller than the window {self.window}")


class Noise(Protocol):
    """Unit normal noise by frame number, so that it depends on nothing else."""

    def image(self, frame: int, shape: tuple[int, ...]) -> Tensor: ...

    def latent(self, slot: int, shape: tuple[int, ...]) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class SeededNoise:
    """Noise from (seed, shot, frame)."""

    seed: int
    shot: int

    def _draw(self, kind: int, number: int, shape: tuple[int, ...]) -> Tensor:
        stream = np.random.Generator(np.random.Philox(key=[self.seed, (self.shot << 32) | (kind << 31) | number]))
        return torch.from_numpy(stream.standard_normal(shape, dtype=np.float32))

    def image(self, frame: int, shape: tuple[int, ...]) -> Tensor:
        return self._draw(0, frame, shape)

    def latent(self, slot: int, shape: tuple[int, ...]) -> Tensor:
        return self._draw(1, slot, shape)


class Frames(NamedTuple):
    """Values of consecutive frames."""

    latents: Tensor  # [T, 4, h, w], depth
    tokens: Tensor  # [T, C]
    images: Tensor  # [T, 4, h, w]

    def part(self, begin: int, end: int | None = None) -> "Frames":
        return Frames(*(value[begin:end] for value in self))


def join(*parts: Frames) -> Frames:
    """One after the other."""
    return Frames(*(torch.cat(values) for values in zip(*parts, strict=True)))


class Step(NamedTuple):
    """One evaluation, for comparison with other implementations."""

    scaled: Tensor  # what the network saw of the depth latents, [1, T, 4, h, w]
    cond: Tensor  # F
    uncond: Tensor | None
    latents: Tensor  # after the Euler step


def denoise(networks: Networks, options: Options, x: Tensor, tokens: Tensor, images: Tensor) -> Iterator[Step]:
    """Euler steps of one window from noise `x` [T, 4, h, w] at sigma 700 (SVD's Karras schedule)."""
    sigmas = edm.karras_sigmas(options.steps).tolist()
    x = x[None]
    for sigma, following in pairwise(sigmas):
        scaled, level = x * edm.scalings(sigma).c_in, edm.noise_level(sigma)
        cond = networks.predict(scaled, level, tokens, images, options.strength).float()
        uncond = None
        if options.guidance > 1:
            zeros = torch.zeros_like(tokens), torch.zeros_like(images)
            uncond = networks.predict(scaled, level, *zeros, options.strength).float()
        guided = cond if uncond is None else uncond + options.guidance * (cond - uncond)
        x = edm.euler_step(x, edm.denoised(guided, x, sigma), sigma, following)
        yield Step(scaled, cond, uncond, x)


def ramp(overlap: int, like: Tensor) -> Tensor:
    """The new window's weights over the frames that it shares with the one before, [overlap, 1, 1, 1]."""
    return torch.linspace(0, 1, overlap, device=like.device).view(-1, 1, 1, 1)


class Sampler:
    """Conditions in, clean depth latents out, window by window.

    A frame's starting noise is that of its number modulo the window (rolling the window's noise amounts to this), and
    frames seen before start from their stitched latents instead of zero. A window that doesn't fit into memory is taken
    again at half its length.
    """

    def __init__(
        self,
        networks: Networks,
        options: Options,
        noise: Noise,
        trace: Callable[[int, int, Step], None] | None = None,
    ) -> None:
        self._networks, self._options, self._noise, self._trace = networks, options, noise, trace
        self.window, self.overlap = options.window, options.overlap
        self._waiting: Frames | None = None  # latents: zeros where there are none yet
        self._carried = 0  # leading frames of `_waiting` that have stitched latents
        self._start = 0  # number of the first frame that waits
        self._windows = 0

    def push(self, tokens: Tensor, images: Tensor) -> Iterator[Frames]:
        new = Frames(torch.zeros_like(images, dtype=torch.float32), tokens, images)
        self._waiting = new if self._waiting is None else join(self._waiting, new)
        while len(self._waiting.latents) > self.window:
            yield from self._advance(self.window)

    def finish(self) -> Iterator[Frames]:
        while self._waiting is not None and len(self._waiting.latents) > self._carried:
            yield from self._advance(min(self.window, len(self._waiting.latents)))
        if self._waiting is not None and self._carried:
            yield self._waiting
        self._waiting, self._carried = None, 0

    def _advance(self, count: int) -> Iterator[Frames]:
        """Denoises the first `count` waiting frames and emits those that no later window will change."""
        assert self._waiting is not None
        try:
            fresh = self._denoise(self._waiting.part(0, count))
        except (RuntimeError, MemoryError) as error:
            if not headroom.is_exhausted(error):
                raise
            yield from self._shrink(count, error)
            return
        shared = self._carried
        if shared:
            weight = ramp(shared, fresh)
            blend = (1 - weight) * self._waiting.latents[:shared] + weight * fresh[:shared]
            fresh = torch.cat([blend, fresh[shared:]])
        done = Frames(fresh, *self._waiting.part(0, count)[1:])
        rest = self._waiting.part(count)
        self._windows += 1
        kept = self.overlap if len(rest.latents) else 0
        self._carried, self._start = kept, self._start + count - kept
        self._waiting = join(done.part(count - kept), rest) if kept else rest if len(rest.latents) else None
        yield done.part(0, count - kept)

    def _denoise(self, frames: Frames) -> Tensor:
        count, shape = len(frames.latents), tuple(frames.latents.shape[1:])
        slots = [(self._start + n) % self._options.window for n in range(count)]
        noise = torch.stack([self._noise.latent(slot, shape) for slot in slots]).to(frames.latents.device)
        x = noise * edm.initial_sigma()
        x[: self._carried] = edm.add_noise(frames.latents[: self._carried], noise[: self._carried], edm.SIGMA_MAX)
        step: Step | None = None
        for number, step in enumerate(denoise(self._networks, self._options, x, frames.tokens, frames.images)):
            if self._trace is not None:
                self._trace(self._windows, number, step)
        assert step is not None
        return step.latents[0]

    def _shrink(self, count: int, error: BaseException) -> Iterator[Frames]:
        assert self._waiting is not None
        self.window = headroom.smaller(count, MIN_WINDOW, self._networks.device, error)
        self.overlap = min(self.overlap, self.window // 4)
        early = self._carried - self.overlap
        if early > 0:  # these keep the values that they have
            yield self._waiting.part(0, early)
            self._waiting = self._waiting.part(early)
            self._carried, self._start = self.overlap, self._start + early


class Decoder:
    """Clean latents in, depth out: the decoder runs over groups of `chunk` frames counted from the shot's first."""

    def __init__(self, networks: Networks, chunk: int) -> None:
        self._networks, self._chunk = networks, chunk
        self._waiting: Tensor | None = None

    def push(self, latents: Tensor) -> Iterator[Array]:
        self._waiting = latents if self._waiting is None else torch.cat([self._waiting, latents])
        while self._waiting is not None and len(self._waiting) >= self._chunk:
            group, self._waiting = self._waiting[: self._chunk], self._waiting[self._chunk :]
            yield self._decode(group)

    def finish(self) -> Iterator[Array]:
        if self._waiting is not None and len(self._waiting):
            yield self._decode(self._waiting)
        self._waiting = None

    def _decode(self, latents: Tensor) -> Array:
        return devices.to_host(to_depth(headroom.in_halves(self._networks.decode, latents, self._networks.device)))


def to_depth(decoded: Tensor) -> Tensor:
    """Decoded pictures [T, 3, H, W] in about -1..1 to depth [T, H, W] in 0..1, 1 = near: the mean of the channels."""
    return (decoded.float() / 2 + 0.5).clamp(0, 1).mean(1)


def conditions(networks: Networks, frames: Tensor, noise: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Tokens [T, C] and image latents [T, 4, h, w] of frames [T, 3, H, W] in -1..1; unit noise of the frames' shape."""
    return networks.tokens(frames), networks.encode(frames + strength * noise)


class CrafterShot:
    """One shot: frames to depth."""

    def __init__(self, networks: Networks, options: Options, noise: Noise, after: "Refiner | None" = None) -> None:
        self._networks, self._options, self._noise = networks, options, noise
        self.sampler = Sampler(networks, options, noise)
        self._after = after
        self._decoder = Decoder(networks, options.chunk)
        self._seen = 0

    @torch.inference_mode()
    def push(self, frames: Array) -> Iterator[Array]:
        for begin in range(0, len(frames), self._options.chunk):
            pixels = to_pixels(frames[begin : begin + self._options.chunk], self._networks.device)
            shape = tuple(pixels.shape[1:])
            noise = torch.stack([self._noise.image(self._seen + n, shape) for n in range(len(pixels))])
            self._seen += len(pixels)
            given = conditions(self._networks, pixels, noise.to(pixels.device), self._options.strength)
            yield from self._decode(self.sampler.push(*given))

    @torch.inference_mode()
    def finish(self) -> Iterator[Array]:
        yield from self._decode(self.sampler.finish())
        if self._after is not None:
            for latents in self._after.finish():
                yield from self._decoder.push(latents)
        yield from self._decoder.finish()

    def _decode(self, pieces: Iterator[Frames]) -> Iterator[Array]:
        for piece in pieces:
            for latents in [piece.latents] if self._after is None else self._after.push(piece):
                yield from self._decoder.push(latents)


class Refiner(Protocol):
    """Something done to clean latents before they are decoded (see `dissolve`)."""

    def push(self, frames: Frames, /) -> Iterator[Tensor]: ...

    def finish(self) -> Iterator[Tensor]: ...


def to_pixels(frames: Array, device: str) -> Tensor:
    """RGB [T, H, W, 3] in 0..1 to [T, 3, H, W] in -1..1 on `device`."""
    return to_device(frames, device).permute(0, 3, 1, 2).float() * 2 - 1


def network_size(height: int, width: int, longest: int = MAX_SIDE) -> tuple[int, int]:
    """The size at which a film is seen: sides rounded to multiples of 64, the longer one at most `longest`."""
    factor = min(1.0, longest / max(height, width))
    return max(STRIDE, round(height * factor / STRIDE) * STRIDE), max(STRIDE, round(width * factor / STRIDE) * STRIDE)


def window_for(
    shape: tuple[int, int], device: str, element_size: int, at_most: int = 110, share: Share | None = None
) -> int:
    """Frames per window that the device's free memory allows, or this network's share of it."""
    pixels = (shape[0] // 8) * (shape[1] // 8)
    cost = pixels * depthcrafter.BYTES_PER_LATENT_PIXEL * element_size // 2
    if share is not None:
        return max(MIN_WINDOW, min(at_most, int(share.for_depth * _PART) // cost))
    return devices.frames_that_fit(cost, device, at_least=MIN_WINDOW, at_most=at_most)


def options_for(settings: EstimatorSettings, shape: tuple[int, int], device: str, element_size: int) -> Options:
    """Windows by the settings, or by free memory."""
    share = turns.share_for(settings, device)
    window = settings.depth_window or window_for(shape, device, element_size, share=share)
    overlap = min(25, window // 4)
    _log.info("depthcrafter: windows of %d frames, %d shared, at %dx%d", window, overlap, shape[1], shape[0])
    return Options(settings.depth_steps, choice.guidance_of(settings), window, overlap)


def open_networks(settings: EstimatorSettings) -> Networks:
    """The networks that the settings ask for. Raises WeightsError, LicenceNotAccepted, UsageError."""
    device = devices.choose_device(settings.device).name
    # a bare path belongs to the estimator that was asked for, also when these networks only dissolve its depth
    main = settings.depth if settings.depth in shelf.SHELF else "depthcrafter"
    store = weights.WeightStore.of(settings, main)
    dtype = headroom.dtype_for(settings.precision, device)
    share = turns.share_for(settings, device)
    wanted = settings.depth_offload
    if share is not None and wanted == "auto":
        wanted = "model" if share.offload else "none"
    offload = headroom.offload_for(wanted, device, WEIGHTS_BYTES)
    turns.make_room(device, WEIGHTS_BYTES if offload == "none" else 0)
    return depthcrafter.load(store, dtype, device, offload)
