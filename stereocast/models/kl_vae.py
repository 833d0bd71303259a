"""The KL autoencoder of Stable Diffusion: pictures to latents and back, frame by frame, whole or in tiles.

Modules have the names of the published checkpoints. Attention is fused, so no (hw)² matrix is in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 32
LOGVAR_RANGE = (-30.0, 20.0)


@dataclass(frozen=True, slots=True)
class VaeConfig:
    """Widths, named as in the published configuration files."""

    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    in_channels: int = 3
    out_ch: int = 3
    z_channels: int = 4
    embed_dim: int = 4

    @classmethod
    def of(cls, published: Mapping[str, Any]) -> "VaeConfig":
        """From the `vae_params` of a published config."""
        inner = published["ddconfig"]
        return cls(
            inner["ch"],
            tuple(inner["ch_mult"]),
            inner["num_res_blocks"],
            inner["in_channels"],
            inner["out_ch"],
            inner["z_channels"],
            published["embed_dim"],
        )


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, width, eps=1e-6)


class _Res(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(width), nn.Conv2d(width, out, 3, padding=1)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, padding=1)
        if width != out:
            self.nin_shortcut = nn.Conv2d(width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        skip: Tensor = self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x
        return skip + y


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = (part(y).flatten(2).transpose(1, 2)[:, None] for part in (self.q, self.k, self.v))
        out = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).unflatten(2, x.shape[-2:])
        result: Tensor = x + self.proj_out(out)
        return result


def _middle(width: int) -> nn.Module:
    middle: Any = nn.Module()
    middle.block_1, middle.attn_1, middle.block_2 = _Res(width, width), _Attention(width), _Res(width, width)
    return middle


class _Encoder(nn.Module):
    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3, padding=1)
        self.down = nn.ModuleList()
        width = config.ch
        for level, multiple in enumerate(config.ch_mult):
            stage: Any = nn.Module()
            stage.block = nn.ModuleList()
            for _ in range(config.num_res_blocks):
                stage.block.append(_Res(width, config.ch * multiple))
                width = config.ch * multiple
            if level + 1 < len(config.ch_mult):
                stage.downsample = nn.Module()
                stage.downsample.conv = nn.Conv2d(width, width, 3, stride=2)
            self.down.append(stage)
        self.mid = _middle(width)
        self.norm_out = _norm(width)
        self.conv_out = nn.Conv2d(width, 2 * config.z_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(x)
        stages: Any = self.down
        for stage in stages:
            for block in stage.block:
                h = block(h)
            if hasattr(stage, "downsample"):
                h = stage.downsample.conv(F.pad(h, (0, 1, 0, 1)))  # right and bottom only
        mid: Any = self.mid
        h = mid.block_2(mid.attn_1(mid.block_1(h)))
        result: Tensor = self.conv_out(F.silu(self.norm_out(h)))
        return result


class _Decoder(nn.Module):
    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        width = config.ch * config.ch_mult[-1]
        self.conv_in = nn.Conv2d(config.z_channels, width, 3, padding=1)
        self.mid = _middle(width)
        stages: list[nn.Module] = []
        for level, multiple in reversed(list(enumerate(config.ch_mult))):
            stage: Any = nn.Module()
            stage.block = nn.ModuleList()
            for _ in range(config.num_res_blocks + 1):
                stage.block.append(_Res(width, config.ch * multiple))
                width = config.ch * multiple
            if level:
                stage.upsample = nn.Module()
                stage.upsample.conv = nn.Conv2d(width, width, 3, padding=1)
            stages.insert(0, stage)
        self.up = nn.ModuleList(stages)
        self.norm_out = _norm(width)
        self.conv_out = nn.Conv2d(width, config.out_ch, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.conv_in(z)
        mid: Any = self.mid
        h = mid.block_2(mid.attn_1(mid.block_1(h)))
        stages: Any = self.up
        for stage in reversed(list(stages)):
            for block in stage.block:
                h = block(h)
            if hasattr(stage, "upsample"):
                h = stage.upsample.conv(F.interpolate(h, scale_factor=2, mode="nearest"))
        result: Tensor = self.conv_out(F.silu(self.norm_out(h)))
        return result


class KlVae(nn.Module):
    """Pictures [B, 3, H, W] in -1..1, moments [B, 8, H/8, W/8], latents [B, 4, H/8, W/8] without scale factor."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = _Encoder(config), _Decoder(config)
        self.quant_conv = nn.Conv2d(2 * config.z_channels, 2 * config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)

    @property
    def factor(self) -> int:
        """Pixels per latent, along each side."""
        return int(2 ** (len(self.config.ch_mult) - 1))

    def moments(self, pictures: Tensor) -> Tensor:
        """Mean and log-variance, concatenated along the channels."""
        result: Tensor = self.quant_conv(self.encoder(pictures.to(self.quant_conv.weight.dtype)))
        return result

    def encode(self, pictures: Tensor, noise: Tensor | None) -> Tensor:
        """A sample of the posterior for standard normal `noise`, or its mean if None. Processes frames one by one."""
        parts = []
        for number in range(len(pictures)):
            mean, logvar = self.moments(pictures[number : number + 1]).float().chunk(2, 1)
            if noise is not None:
                mean = mean + torch.exp(0.5 * logvar.clamp(*LOGVAR_RANGE)) * noise[number : number + 1].float()
            parts.append(mean)
        return torch.cat(parts)

    def decode(self, latents: Tensor, tile: int = 0) -> Tensor:
        """Pictures, float32, unclamped, from latents. Processes frames one by one.

        tile > 0: uses blended tiles of `tile` x `tile` latents that overlap by a quarter. That takes less memory and
        isn't bit-exact.
        """
        frames = [latents[number : number + 1] for number in range(len(latents))]
        return torch.cat([self._tiled(frame, tile) if tile else self._whole(frame) for frame in frames])

    def _whole(self, latent: Tensor) -> Tensor:
        dtype = self.post_quant_conv.weight.dtype
        result: Tensor = self.decoder(self.post_quant_conv(latent.to(dtype)))
        return result.float()

    def _tiled(self, latent: Tensor, tile: int) -> Tensor:
        height, width = latent.shape[-2:]
        if height <= tile and width <= tile:
            return self._whole(latent)
        step, scale = max(1, tile - tile // 4), self.factor
        rows, columns = _starts(height, tile, step), _starts(width, tile, step)
        total = torch.zeros(1, self.config.out_ch, height * scale, width * scale, device=latent.device)
        weights = torch.zeros(1, 1, height * scale, width * scale, device=latent.device)
        for top in rows:
            for left in columns:
                part = self._whole(latent[..., top : top + tile, left : left + tile])
                ramp = _ramp(part.shape[-2], tile // 4 * scale).to(part.device)[:, None] * _ramp(
                    part.shape[-1], tile // 4 * scale
                ).to(part.device)
                place = (
                    ...,
                    slice(top * scale, top * scale + part.shape[-2]),
                    slice(left * scale, left * scale + part.shape[-1]),
                )
                total[place] += part * ramp
                weights[place] += ramp
        return total / weights


def _starts(size: int, tile: int, step: int) -> list[int]:
    if size <= tile:
        return [0]
    return [*range(0, size - tile, step), size - tile]


def _ramp(size: int, edge: int) -> Tensor:
    at = torch.arange(size, dtype=torch.float32) + 1
    return (torch.minimum(at, at.flip(0)) / max(edge, 1)).clamp(max=1)
