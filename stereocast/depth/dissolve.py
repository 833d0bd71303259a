"""Dissolved depth: fine detail removed from clean depth latents by one call of the denoiser.

StereoCrafter-Zero, Eq. 5. In EDM's terms (y = z/sqrt(a), sigma = sqrt(1/a - 1)) the equation is the one-step prediction
x0 = c_skip y + c_out F at the chosen sigma; no Euler step follows. What y is, is a choice:

official  y = x0, the clean latents with no noise added (the authors' published program; no flicker)
noised    y = x0 + sigma n, in the network's distribution; n is fixed per frame
literal   z = x0 unscaled, x0' = sqrt(a) x0 - sqrt(1 - a) F: the printed formula with x = the clean latents
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import torch
from torch import Tensor

from stereocast.depth import choice
from stereocast.depth.crafter import (
    Decoder,
    Frames,
    Noise,
    Options,
    SeededNoise,
    conditions,
    join,
    network_size,
    open_networks,
    options_for,
    ramp,
    to_pixels,
)
from stereocast.diffusion import edm
from stereocast.errors import UsageError
from stereocast.models.depthcrafter import Networks
from stereocast.settings import EstimatorSettings
from stereocast.types import Array

STEPS = 50
Input = Literal["official", "noised", "literal"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How strongly, and with which input."""

    sigma: float
    input: Input = "official"


def sigma_at(index: int) -> float:
    """Sigma of an index (0 = noisiest) of the 50-step schedule. Raises UsageError."""
    if not 0 <= index < STEPS:
        raise UsageError(f"dissolve index {index} is outside 0..{STEPS - 1}")
    return float(edm.karras_sigmas(STEPS)[index])


def sigma_of(t: int) -> float:
    """Sigma of the paper's t (1..50; larger removes more): index 50 - t. Raises UsageError."""
    return sigma_at(STEPS - t)


def sigma_vp(t: int) -> float:
    """Sigma of DDIM step t of 50 on Stable Diffusion's scaled-linear betas: a far gentler scale for the same t."""
    if not 1 <= t <= STEPS:
        raise UsageError(f"dissolve step {t} is outside 1..{STEPS}")
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alpha = torch.cumprod(1 - betas, 0)[1000 // STEPS * t + 1 if t < STEPS else 999]
    return float((1 / alpha - 1).sqrt())


def recipe(settings: EstimatorSettings) -> Recipe | None:
    """What the settings ask for, or None."""
    if settings.dissolve_sigma is not None:
        return Recipe(settings.dissolve_sigma, settings.dissolve_input)
    strength = choice.dissolve_of(settings)
    if not strength:
        return None
    scale = {"paper": sigma_of, "index": sigma_at, "vp": sigma_vp}[settings.dissolve_scale]
    return Recipe(scale(strength), settings.dissolve_input)


def dissolve(networks: Networks, recipe: Recipe, frames: Frames, noise: Tensor | None, strength: float) -> Tensor:
    """Dissolved latents [T, 4, h, w] of clean ones; `noise` (unit, same shape) is used by `noised` alone."""
    x0, sigma = frames.latents.float(), recipe.sigma
    scale, level = edm.scalings(sigma), edm.noise_level(sigma)

    def predict(seen: Tensor) -> Tensor:
        return networks.predict(seen[None], level, frames.tokens, frames.images, strength)[0].float()

    if recipe.input == "literal":
        return scale.c_in * x0 - sqrt(1 - scale.c_skip) * predict(x0)
    if recipe.input == "noised":
        if noise is None:
            raise ValueError("the noised input needs noise")
        x0 = edm.add_noise(x0, noise, sigma)
    return edm.denoised(predict(x0 * scale.c_in), x0, sigma)


class Dissolver:
    """Clean latents in, dissolved latents out, over the same windows and with the same stitching as sampling."""

    def __init__(self, networks: Networks, options: Options, recipe: Recipe, noise: Noise) -> None:
        self._networks, self._options, self._recipe, self._noise = networks, options, recipe, noise
        self._waiting: Frames | None = None
        self._carried: Tensor | None = None  # dissolved latents of the first frames that wait
        self._start = 0

    def push(self, frames: Frames) -> Iterator[Tensor]:
        self._waiting = frames if self._waiting is None else join(self._waiting, frames)
        while len(self._waiting.latents) > self._options.window:
            yield self._advance(self._options.window, self._options.overlap)

    def finish(self) -> Iterator[Tensor]:
        if self._waiting is not None:
            yield self._advance(len(self._waiting.latents), 0)
        self._waiting = self._carried = None

    def _advance(self, count: int, kept: int) -> Tensor:
        assert self._waiting is not None
        window = self._waiting.part(0, count)
        shape = tuple(window.latents.shape[1:])
        slots = [(self._start + n) % self._options.window for n in range(count)]
        noise = None
        if self._recipe.input == "noised":
            noise = torch.stack([self._noise.latent(slot, shape) for slot in slots]).to(window.latents.device)
        fresh = dissolve(self._networks, self._recipe, window, noise, self._options.strength)
        if self._carried is not None and len(self._carried):
            shared = len(self._carried)
            weight = ramp(shared, fresh)
            fresh = torch.cat([(1 - weight) * self._carried + weight * fresh[:shared], fresh[shared:]])
        self._carried = fresh[count - kept :]
        self._waiting = self._waiting.part(count - kept)
        self._start += count - kept
        return fresh[: count - kept]


class ForeignShot:
    """Dissolves depth of another estimator: it is encoded like a picture, dissolved, and decoded."""

    def __init__(self, networks: Networks, options: Options, recipe: Recipe, noise: Noise) -> None:
        self._networks, self._options, self._noise = networks, options, noise
        self._dissolver = Dissolver(networks, options, recipe, noise)
        self._decoder = Decoder(networks, options.chunk)
        self._seen = 0

    @torch.inference_mode()
    def push(self, frames: Array, depth: Array) -> Iterator[Array]:
        """frames RGB 0..1 [T, H, W, 3], depth 0..1 [T, H, W], float32, sides multiples of 64; gives depth out."""
        for begin in range(0, len(frames), self._options.chunk):
            part = slice(begin, begin + self._options.chunk)
            pixels = to_pixels(frames[part], self._networks.device)
            shape = tuple(pixels.shape[1:])
            noise = torch.stack([self._noise.image(self._seen + n, shape) for n in range(len(pixels))])
            self._seen += len(pixels)
            tokens, images = conditions(self._networks, pixels, noise.to(pixels.device), self._options.strength)
            grey = to_pixels(depth[part][..., None].repeat(3, -1), self._networks.device)
            latents = self._networks.encode(grey).float() * self._networks.latent_scale
            for done in self._dissolver.push(Frames(latents, tokens, images)):
                yield from self._decoder.push(done)

    @torch.inference_mode()
    def finish(self) -> Iterator[Array]:
        for done in self._dissolver.finish():
            yield from self._decoder.push(done)
        yield from self._decoder.finish()


class ForeignDissolve:
    """Starts a `ForeignShot` for each shot of a film; see `refine`."""

    def __init__(self, settings: EstimatorSettings, height: int, width: int) -> None:
        chosen = recipe(settings)
        if chosen is None:
            raise UsageError("nothing to dissolve: give --dissolve or --dissolve-sigma")
        self._recipe, self._seed = chosen, settings.seed
        self.networks = open_networks(settings)
        self.shape = network_size(height, width, settings.depth_size or 1024)
        self.options = options_for(settings, self.shape, self.networks.device, self.networks.dtype.itemsize)
        self.held = self.options.window + self.options.chunk

    def begin(self, shot: int) -> ForeignShot:
        """The state of one shot."""
        return ForeignShot(self.networks, self.options, self._recipe, SeededNoise(self._seed, shot))
