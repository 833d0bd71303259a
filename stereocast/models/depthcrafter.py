"""DepthCrafter's networks: SVD's image encoder and VAE, and a UNet that sees every frame's own image token.

Hu et al., "DepthCrafter: Generating Consistent Long Depth Sequences for Open-world Videos", 2024. It knows nothing of
windows or films: frames in, latents and predictions out. All tensors are on `device`; frames are RGB in -1..1.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import cpu_offload, init_empty_weights
from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
from torch import Tensor
from torch.nn import functional
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from stereocast.models import loading, turns, weights

Offload = Literal["none", "model", "sequential"]
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
FPS, MOTION_BUCKET = 7.0, 127.0  # fps is 7 here, not SVD's 7 - 1
STRIDE = 64  # pixels: the VAE halves three times and the UNet three times more, without fixing sizes up
# Activations of one frame in one UNet call, bytes per latent pixel in half precision: 26 GB for 110 frames of 72x128,
# 9 GB for 110 frames of 32x64 (the model's own page), weights taken off.
BYTES_PER_LATENT_PIXEL = 24_000


class DepthCrafterUNet(UNetSpatioTemporalConditionModel):
    """SVD's UNet with one image token per frame. The keys are those of SVD's UNet."""

    def forward(self, sample: Tensor, sigma_level: Tensor, tokens: Tensor, added_time_ids: Tensor) -> Tensor:
        """The raw prediction F.

        sample: [B, T, 8, h, w], noisy depth (scaled by c_in) and image latents; h and w multiples of 8
        sigma_level: [1], ln(sigma)/4
        tokens: [B, T, C]
        added_time_ids: [B, 3]
        Returns [B, T, 4, h, w].
        """
        batch, frames = sample.shape[:2]
        sinusoid = self.time_proj(sigma_level.expand(batch)).to(sample.dtype)
        embedding = self.time_embedding(sinusoid)
        added = self.add_time_proj(added_time_ids.flatten()).reshape(batch, -1)
        embedding = embedding + self.add_embedding(added.to(embedding.dtype))
        shared = {
            "temb": embedding.repeat_interleave(frames, dim=0),
            "image_only_indicator": sample.new_zeros(batch, frames),
        }
        context = {"encoder_hidden_states": tokens.flatten(0, 1).unsqueeze(1)}  # [B*T, 1, C]

        def options(block: Any) -> dict[str, Tensor]:
            return {**shared, **context} if getattr(block, "has_cross_attention", False) else shared

        x = self.conv_in(sample.flatten(0, 1))
        skips = [x]
        for block in self.down_blocks:
            x, outputs = block(hidden_states=x, **options(block))
            skips.extend(outputs)
        x = self.mid_block(hidden_states=x, **shared, **context)
        for block in self.up_blocks:
            count = len(block.resnets)
            taken, skips = tuple(skips[-count:]), skips[:-count]
            x = block(hidden_states=x, res_hidden_states_tuple=taken, **options(block))
        x = self.conv_out(self.conv_act(self.conv_norm_out(x)))
        return x.unflatten(0, (batch, frames))


def antialiased_resize(images: Tensor, rows: int, columns: int) -> Tensor:
    """SVD's resize: a Gaussian (sigma = half of what the factor exceeds 1 by) with mirrored borders, then bicubic
    interpolation whose corner samples coincide. images: [T, C, H, W] -> [T, C, rows, columns]."""
    for axis, size in ((-2, rows), (-1, columns)):
        sigma = max((images.shape[axis] / size - 1) / 2, 0.001)
        width = max(int(4 * sigma), 3) | 1
        offsets = torch.arange(width, dtype=images.dtype, device=images.device) - width // 2
        kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
        kernel = (kernel / kernel.sum()).reshape((1, 1, -1, 1) if axis == -2 else (1, 1, 1, -1))
        pad = (0, 0, width // 2, width // 2) if axis == -2 else (width // 2, width // 2, 0, 0)
        channels = images.shape[1]
        images = functional.conv2d(
            functional.pad(images, pad, mode="reflect"),
            kernel.expand(channels, 1, -1, -1),
            groups=channels,
        )
    return functional.interpolate(images, (rows, columns), mode="bicubic", align_corners=True)


def _dtype(network: Any) -> torch.dtype:
    return next(network.parameters()).dtype


def _cast(network: Any, dtype: torch.dtype) -> None:
    # diffusers' own `to` warns at each call of modules that should stay float32: there are none
    torch.nn.Module.to(network, dtype)


@dataclass(slots=True, weakref_slot=True)
class Networks:
    """The three networks, where they run, and how they are moved there.

    offload: none keeps all on the device, model moves each there for its turn, sequential moves layer by layer.
    """

    unet: Any
    vae: Any
    image_encoder: Any
    device: str = "cpu"
    offload: Offload = "none"

    resident: bool = True  # offload none: the weights are on the device, not waiting for their turn (see `turns`)
    work_bytes: int = 4_000_000_000  # beside the weights, for a window as it was planned

    def __post_init__(self) -> None:
        for network in (self.unet, self.vae, self.image_encoder):
            network.eval().requires_grad_(False)
            if self.offload == "none":
                network.to(self.device)
            elif self.offload == "sequential":
                cpu_offload(network, self.device, offload_buffers=True)
        if self.offload == "none":
            turns.join(self)

    @property
    def bytes(self) -> int:
        """The weights' size."""
        return sum(
            p.numel() * p.element_size() for n in (self.unet, self.vae, self.image_encoder) for p in n.parameters()
        )

    def place(self, *, resident: bool) -> None:
        """Brings the weights to the device, or to main memory."""
        for network in (self.unet, self.vae, self.image_encoder):
            network.to(self.device if resident else "cpu")
        self.resident = resident
        torch.cuda.empty_cache()

    @property
    def dtype(self) -> torch.dtype:
        return _dtype(self.unet)

    @contextmanager
    def on_device(self, network: Any) -> Iterator[Any]:
        """The network where it can run, for the time of the block."""
        if self.offload != "model":
            with turns.turn(self):
                yield network
            return
        network.to(self.device)
        try:
            yield network
        finally:
            network.to("cpu")

    def tokens(self, frames: Tensor) -> Tensor:
        """One image token per frame, [T, C], of frames [T, 3, H, W] in -1..1."""
        size = self.image_encoder.config.image_size
        images = (antialiased_resize(frames.float(), size, size) + 1) / 2
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
        with self.on_device(self.image_encoder) as encoder:
            return encoder(((images - mean) / std).to(self.dtype)).image_embeds

    def encode(self, frames: Tensor) -> Tensor:
        """Latents (the mode, not scaled), [T, 4, H/8, W/8], of frames [T, 3, H, W] in -1..1.

        SVD's encoder overflows in fp16: it is lifted to fp32 for its turn (`force_upcast`). It sees one frame at a
        time: it knows no neighbours, and eight at once would take 14 GB at 576x1024.
        """
        kept = _dtype(self.vae)
        wide = torch.float32 if kept == torch.float16 and self.vae.config.force_upcast else kept
        with self.on_device(self.vae) as vae:
            if wide != kept:
                _cast(vae, wide)
            try:
                latents = torch.cat([vae.encode(one).latent_dist.mode() for one in frames.to(wide).split(1)])
            finally:
                if wide != kept:
                    _cast(vae, kept)
        return latents.to(self.dtype)

    @property
    def latent_scale(self) -> float:
        return float(self.vae.config.scaling_factor)

    def decode(self, latents: Tensor) -> Tensor:
        """Frames [T, 3, H, W], about -1..1, of scaled latents [T, 4, h, w]; its temporal layers see these frames."""
        with self.on_device(self.vae) as vae:
            scaled = latents.to(_dtype(vae)) / self.latent_scale
            return vae.decode(scaled, num_frames=len(latents)).sample

    def predict(self, scaled: Tensor, level: float, tokens: Tensor, image_latents: Tensor, strength: float) -> Tensor:
        """F, [1, T, 4, h, w], for noisy depth latents already times c_in [1, T, 4, h, w], at noise level ln(sigma)/4.

        tokens [T, C]; image_latents [T, 4, h, w]; strength: the conditioning noise.
        """
        sample = torch.cat([scaled.to(self.dtype), image_latents[None].to(self.dtype)], dim=2)
        ids = torch.tensor([[FPS, MOTION_BUCKET, strength]], dtype=self.dtype, device=scaled.device)
        time = torch.tensor([level], dtype=torch.float32, device=scaled.device)
        with self.on_device(self.unet) as unet:
            return unet(sample, time, tokens[None].to(self.dtype), ids)


def _known(cls: Any, config: dict[str, Any]) -> Any:
    return cls.from_config({key: value for key, value in config.items() if not key.startswith("_")})


BUILDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "unet": partial(_known, DepthCrafterUNet),
    "vae": partial(_known, AutoencoderKLTemporalDecoder),
    "image_encoder": lambda config: CLIPVisionModelWithProjection(CLIPVisionConfig(**config)),
}


def build_empty(part: str, config: dict[str, Any]) -> Any:
    """The network `part` (unet, vae, image_encoder) of a published configuration, parameters on the meta device."""
    with init_empty_weights(include_buffers=False):
        return BUILDERS[part](config)


def without_buffers(key: str) -> str | None:
    """Key map: older checkpoints carry position ids, which are not weights."""
    return None if key.endswith("position_ids") else key


def load(store: weights.WeightStore, dtype: torch.dtype, device: str, offload: Offload = "none") -> Networks:
    """The published networks: the UNet of `depthcrafter`, image encoder and VAE of `svd` (or beside the UNet, where a
    folder holds all of them). Raises WeightsError, LicenceNotAccepted."""
    own = store.path("depthcrafter")
    complete = own.is_dir() and (own / "vae").is_dir() and (own / "image_encoder").is_dir()
    base = own if complete else store.path("svd")
    unet = own / "unet" if (own / "unet").is_dir() else own
    # layers that are brought in one by one can't be lifted to fp32 for encoding, and don't need to be small either
    vae_dtype = torch.float32 if offload == "sequential" and dtype == torch.float16 else dtype
    return Networks(
        _part("unet", unet, "diffusion_pytorch_model", dtype),
        _part("vae", base / "vae", "diffusion_pytorch_model", vae_dtype),
        _part("image_encoder", base / "image_encoder", "model", dtype),
        device,
        offload,
    )


def _part(part: str, folder: Path, stem: str, dtype: torch.dtype) -> Any:
    model = build_empty(part, loading.read_config(folder))
    return loading.load_into(
        model, loading.find_checkpoint(folder, stem), rename=without_buffers, dtype=dtype, what=str(folder)
    )
