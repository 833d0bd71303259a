"""DynamiCrafter as one object: five networks, their conditions, and the guided prediction that a sampler calls.

It knows prompts and pictures as tensors in -1..1, but no files, stereo or sampling loops.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from stereocast.diffusion import guidance, schedules
from stereocast.diffusion.samplers import Prediction
from stereocast.diffusion.schedules import Schedule, Spacing, Step
from stereocast.errors import UsageError
from stereocast.models import budget, tokenizer, turns
from stereocast.models.attention import Attend, fused
from stereocast.models.dynamicrafter import TEXT_TOKENS, UNet, UNetConfig
from stereocast.models.kl_vae import KlVae, VaeConfig
from stereocast.models.openclip import ClipConfig, ImageEncoder, TextEncoder
from stereocast.models.resampler import Resampler, ResamplerConfig
from stereocast.pictures.devices import to_device

Branch = Literal["cond", "uncond"]


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """Networks, schedule, and the authors' settings."""

    name: str  # "256", "512" or "1024"
    height: int
    width: int
    prediction: Prediction
    zero_snr: bool
    base_scale: float | None
    spacing: Spacing
    guidance_rescale: float
    fs: int  # frame stride (256) or frames per second
    fs_range: tuple[int, int]
    unet: UNetConfig = field(default_factory=UNetConfig)
    vae: VaeConfig = field(default_factory=VaeConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    resampler: ResamplerConfig = field(default_factory=ResamplerConfig)
    scale_factor: float = 0.18215

    @classmethod
    def published(cls, name: str) -> "VideoConfig":
        """The config of a published model: 256, 512 or 1024. Raises UsageError."""
        if name not in _PUBLISHED:
            raise UsageError(f"no DynamiCrafter of size {name}; known: {', '.join(_PUBLISHED)}")
        return _PUBLISHED[name]

    @classmethod
    def of(cls, published: Mapping[str, Any], name: str) -> "VideoConfig":
        """A published model with the widths of a config file; missing entries are as published. Raises UsageError.

        Entries: model, unet_params, vae_params, open_clip_config, resampler_params, scale_factor, height, width.
        """
        made = cls.published(str(published.get("model", name)))
        parts: dict[str, Any] = {}
        for key, target, kind in (
            ("unet_params", "unet", UNetConfig),
            ("vae_params", "vae", VaeConfig),
            ("open_clip_config", "clip", ClipConfig),
            ("resampler_params", "resampler", ResamplerConfig),
        ):
            if key in published:
                parts[target] = kind.of(published[key])
        plain = {k: published[k] for k in ("scale_factor", "height", "width") if k in published}
        return replace(made, **parts, **plain)

    def schedule(self) -> Schedule:
        """The noise schedule with which it was trained."""
        return schedules.linear(zero_snr=self.zero_snr, base_scale=self.base_scale)


_UNET_256 = UNetConfig(image_cross_attention_scale_learnable=True, default_fs=3)
_PUBLISHED = {
    "256": VideoConfig("256", 256, 256, "eps", False, None, "uniform", 0.0, 3, (1, 6), _UNET_256),
    "512": VideoConfig("512", 320, 512, "v", True, 0.7, "uniform_trailing", 0.7, 24, (15, 30), UNetConfig(default_fs=24)),
    "1024": VideoConfig("1024", 576, 1024, "v", True, 0.3, "uniform_trailing", 0.7, 10, (5, 15)),
}  # fmt: skip


class VideoNetworks(nn.Module):
    """All networks and the schedule's buffers, under the names of the published checkpoints."""

    def __init__(self, config: VideoConfig) -> None:
        super().__init__()
        for name, values in config.schedule().buffers().items():
            self.register_buffer(name, torch.from_numpy(values))
        self.model: Any = nn.Module()
        self.model.diffusion_model = UNet(config.unet)
        self.first_stage_model = KlVae(config.vae)
        self.cond_stage_model = TextEncoder(config.clip)
        self.embedder = ImageEncoder(config.clip)
        self.image_proj_model = Resampler(config.resampler)

    @property
    def unet(self) -> UNet:
        net: UNet = self.model.diffusion_model
        return net


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a window, the same for both views and, except for the tokens, both branches."""

    context: Tensor  # [1, 77 + m, c]
    uncond_context: Tensor
    concat: Tensor  # [1, 4, T, h, w]
    fs: int

    def tokens(self, branch: Branch) -> Tensor:
        return self.context if branch == "cond" else self.uncond_context


class VideoModel:
    """The networks on their device. With `offload`, only the running network is on it."""

    def __init__(
        self,
        networks: VideoNetworks,
        config: VideoConfig,
        device: str = "cpu",
        *,
        offload: bool = False,
        batched: bool = False,
        tile: int = 0,
        compiled: bool = False,
    ) -> None:
        """`batched`: run both guidance branches in one pass (faster, more memory). `tile`: see `KlVae.decode`."""
        self.networks, self.config, self.device = networks, config, device
        self.offload, self.batched, self.tile = offload, batched, tile
        self.resident = not offload
        self._texts: dict[str, Tensor] = {}
        if not offload:
            networks.to(device)
            turns.join(self)
        self._unet: Callable[..., Tensor] = torch.compile(networks.unet) if compiled else networks.unet

    @property
    def bytes(self) -> int:
        """The weights' size."""
        return sum(p.numel() * p.element_size() for p in self.networks.parameters())

    @property
    def work_bytes(self) -> int:
        """About what an evaluation of a window needs in addition to the weights (see `budget`)."""
        return budget.video_work(self.config.height, self.config.width)

    def place(self, *, resident: bool) -> None:
        """Moves all weights to the device, or to main memory."""
        self.networks.to(self.device if resident and not self.offload else "cpu")
        self.resident = resident
        torch.cuda.empty_cache()

    def retreat(self) -> None:
        """Turns `offload` on: from now on only the running network is on the device."""
        self.offload = True
        self.networks.to("cpu")
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    @property
    def stride(self) -> int:
        """Pixel sides must be multiples of this."""
        return self.networks.first_stage_model.factor * self.networks.unet.stride

    def shape_for(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns closest to a picture's shape: about the model's number of pixels, multiples of `stride`."""
        stride, area = self.stride, self.config.height * self.config.width
        rows = max(stride, round((area * height / width) ** 0.5 / stride) * stride)
        columns = max(stride, round((area * width / height) ** 0.5 / stride) * stride)
        return rows, columns

    @contextmanager
    def using(self, part: nn.Module) -> Iterator[None]:
        """Keeps the part on the device within the block. With `offload` it returns to the host afterwards."""
        if not self.offload:
            yield
            return
        part.to(self.device)
        try:
            yield
        finally:
            part.to("cpu")
            if self.device.startswith("cuda"):
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def text(self, prompt: str) -> Tensor:
        """Text tokens [1, 77, c], computed once per prompt."""
        if prompt in self._texts:
            return self._texts[prompt]
        ids = to_device(tokenizer.tokens([prompt]), self.device)
        with self.using(self.networks.cond_stage_model):
            result: Tensor = self.networks.cond_stage_model(ids)
        self._texts[prompt] = result
        return result

    @torch.inference_mode()
    def image(self, picture: Tensor) -> Tensor:
        """Image tokens [1, m, c] of a picture [3, H, W] in -1..1."""
        with self.using(self.networks.embedder):
            tokens = self.networks.embedder(picture[None].to(self.device))
        with self.using(self.networks.image_proj_model):
            result: Tensor = self.networks.image_proj_model(tokens)
            return result

    @torch.inference_mode()
    def encode(self, pictures: Tensor, noise: Tensor | None) -> Tensor:
        """Pictures [T, 3, H, W] in -1..1 to scaled latents [1, 4, T, h, w], the posterior's mean if `noise` is None."""
        vae = self.networks.first_stage_model
        with self.using(vae):
            z = vae.encode(pictures.to(self.device), None if noise is None else noise.to(self.device))
        return (z * self.config.scale_factor).transpose(0, 1)[None]

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, 4, T, h, w] to pictures [B, 3, T, H, W], float32, in about -1..1."""
        vae = self.networks.first_stage_model
        with self.using(vae):
            frames = latents.transpose(1, 2).flatten(0, 1).to(self.device) / self.config.scale_factor
            pictures = vae.decode(frames, self.tile)
        return pictures.unflatten(0, (len(latents), -1)).transpose(1, 2)

    def conditions(
        self,
        prompt: str,
        picture: Tensor,
        seen: Tensor,
        end: Tensor | None = None,
        *,
        frames: int,
        fs: int,
        noise: Tensor | None = None,
    ) -> Conditions:
        """The conditions of a window of `frames` frames.

        picture [3, H, W]: the first frame; seen, any size: the image tower's input; end: the last frame (interpolation,
        loop); noise [T, 4, h, w]: for sampling the posterior, of which the first and last are used.
        """
        context = torch.cat([self.text(prompt), self.image(seen)], 1)
        grey = torch.zeros(3, *seen.shape[-2:])
        uncond = torch.cat([self.text(""), self.image(grey)], 1)
        first = self.encode(picture[None], None if noise is None else noise[:1])
        if end is None:
            concat = first.expand(-1, -1, frames, -1, -1)
        else:
            last = self.encode(end[None], None if noise is None else noise[frames - 1 : frames])
            empty = torch.zeros_like(first).expand(-1, -1, frames - 2, -1, -1)
            concat = torch.cat([first, empty, last], 2)
        return Conditions(context, uncond, concat, fs)

    @torch.inference_mode()
    def predict(
        self, x: Tensor, timestep: int, conditions: Conditions, branch: Branch, attend: Attend = fused
    ) -> Tensor:
        """The network's output for latents [B, 4, T, h, w] of one branch."""
        return self._run(x, timestep, conditions, conditions.tokens(branch).expand(len(x), -1, -1), attend)

    def _run(self, x: Tensor, timestep: int, conditions: Conditions, tokens: Tensor, attend: Attend) -> Tensor:
        count = len(x)
        concat = conditions.concat.expand(count, -1, -1, -1, -1).to(x.dtype)
        t = torch.full((count,), timestep, device=x.device)
        fs = torch.full((count,), conditions.fs, device=x.device)
        with self.using(self.networks.unet):
            return self._unet(torch.cat([x, concat], 1), t, tokens, fs, attend=attend)

    def guided(
        self, conditions: Conditions, scale: float, rescale: float, image_scale: float | None = None
    ) -> Callable[[Tensor, Step], Tensor]:
        """The guided prediction as a function of latents and step. Scale 1 skips the unconditional pass."""

        @torch.inference_mode()
        def network(x: Tensor, step: Step) -> Tensor:
            if scale == 1.0 and image_scale is None:
                return self.predict(x, step.timestep, conditions, "cond")
            if self.batched:
                both = torch.cat([conditions.context, conditions.uncond_context]).repeat_interleave(len(x), 0)
                cond, uncond = self._run(torch.cat([x, x]), step.timestep, conditions, both, fused).chunk(2)
            else:
                cond = self.predict(x, step.timestep, conditions, "cond")
                uncond = self.predict(x, step.timestep, conditions, "uncond")
            if image_scale is None:
                out = guidance.classifier_free(cond, uncond, scale)
            else:
                context = torch.cat(
                    [conditions.uncond_context[:, :TEXT_TOKENS], conditions.context[:, TEXT_TOKENS:]], 1
                )
                middle = self._run(x, step.timestep, conditions, context.expand(len(x), -1, -1), fused)
                out = guidance.three_way(cond, middle, uncond, scale, image_scale)
            return guidance.rescaled(out, cond, rescale)

        made: Callable[[Any, Step], Any] = network
        return made
