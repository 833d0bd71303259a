"""The video UNet of DynamiCrafter (Xing et al. 2023, arXiv:2310.12190) and the model that holds its five networks.

Modules carry the names of the published checkpoints, so a state dict needs no key map. Every width comes from a
config. Knows nothing of schedules, prompts or pictures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stereocast.models.attention import Attend, Site, fused, join_heads, split_heads

TEXT_TOKENS = 77
TOKENS_PER_FRAME = 16  # fixed in the published code: image tokens of one frame
GROUPS = 32
INITIAL_HEADS = 8


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Widths and switches; names are those of the published configuration files."""

    in_channels: int = 8
    out_channels: int = 4
    model_channels: int = 320
    attention_resolutions: tuple[int, ...] = (4, 2, 1)
    num_res_blocks: int = 2
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_head_channels: int = 64
    transformer_depth: int = 1
    context_dim: int = 1024
    image_cross_attention_scale_learnable: bool = False
    default_fs: int = 10

    @classmethod
    def of(cls, published: Mapping[str, Any]) -> "UNetConfig":
        """From the `unet_params` of a published config; keys that don't change the network are ignored."""
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in published.items() if k in known}
        return cls(**values)


def sinusoid(steps: Tensor, width: int) -> Tensor:
    """[B] to [B, width] float32: cosines, then sines, frequencies exp(-ln(10000) i / half)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32) / half).to(steps.device)
    angles = steps.float()[:, None] * frequencies[None]
    embedded = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return F.pad(embedded, (0, width % 2))


class Attention(nn.Module):
    """Multi-head attention. With `image`, tokens behind the text's are attended separately with the same query."""

    def __init__(self, width: int, context: int, heads: int, head: int, *, image: bool, learnable: bool) -> None:
        super().__init__()
        inner = heads * head
        self.heads = heads
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(context, inner, bias=False)
        self.to_v = nn.Linear(context, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width), nn.Dropout(0.0))
        self.image = image
        if image:
            self.to_k_ip = nn.Linear(context, inner, bias=False)
            self.to_v_ip = nn.Linear(context, inner, bias=False)
        self.alpha = nn.Parameter(torch.tensor(0.0)) if learnable else None
        self.site = self.image_site = Site("", "spatial")

    def forward(self, x: Tensor, context: Tensor | None, attend: Attend) -> Tensor:
        """x [N, n, width], context [N, m, context] or None (self-attention) to [N, n, width]."""
        q = split_heads(self.to_q(x), self.heads)
        source = x if context is None else context[:, :TEXT_TOKENS] if self.image else context
        k, v = split_heads(self.to_k(source), self.heads), split_heads(self.to_v(source), self.heads)
        out = join_heads(attend(self.site, q, k, v))
        if self.image and context is not None:
            tokens = context[:, TEXT_TOKENS:]
            k, v = split_heads(self.to_k_ip(tokens), self.heads), split_heads(self.to_v_ip(tokens), self.heads)
            seen = join_heads(attend(self.image_site, q, k, v))
            out = out + (seen if self.alpha is None else seen * (torch.tanh(self.alpha) + 1))
        result: Tensor = self.to_out(out)
        return result


class GatedGelu(nn.Module):
    """Linear, half of it gated by the exact GELU of the other half."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, inner * 2)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GatedGelu(width, width * 4), nn.Dropout(0.0), nn.Linear(width * 4, width))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.net(x)
        return result


class Block(nn.Module):
    """Pre-norm transformer block; without a context both attentions are self-attention."""

    def __init__(self, width: int, heads: int, head: int, context: int | None, *, learnable: bool) -> None:
        super().__init__()
        self.attn1 = Attention(width, width, heads, head, image=False, learnable=False)
        self.ff = FeedForward(width)
        crosses = context is not None
        self.attn2 = Attention(width, context or width, heads, head, image=crosses, learnable=learnable and crosses)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, context: Tensor | None, attend: Attend) -> Tensor:
        x = self.attn1(self.norm1(x), None, attend) + x
        x = self.attn2(self.norm2(x), context, attend) + x
        result: Tensor = self.ff(self.norm3(x)) + x
        return result


class SpatialTransformer(nn.Module):
    """Tokens are the pixels of one frame; the context is text and image."""

    def __init__(self, width: int, config: UNetConfig) -> None:
        super().__init__()
        head = config.num_head_channels
        heads = width // head
        self.norm = nn.GroupNorm(GROUPS, width, eps=1e-6)
        self.proj_in = nn.Linear(width, heads * head)
        self.transformer_blocks = nn.ModuleList(
            Block(
                heads * head,
                heads,
                head,
                config.context_dim,
                learnable=config.image_cross_attention_scale_learnable,
            )
            for _ in range(config.transformer_depth)
        )
        self.proj_out = nn.Linear(heads * head, width)

    def forward(self, x: Tensor, context: Tensor, attend: Attend) -> Tensor:
        """x [B*T, C, H, W], context [B*T, m, c]."""
        height, width = x.shape[-2:]
        y = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.transformer_blocks:
            y = block(y, context, attend)
        y = self.proj_out(y).transpose(1, 2).unflatten(2, (height, width))
        return x + y


class TemporalTransformer(nn.Module):
    """Tokens are the frames of one pixel. No mask and no positions; norm statistics run over all frames."""

    def __init__(self, width: int, heads: int, head: int, depth: int, *, linear: bool) -> None:
        super().__init__()
        inner = heads * head
        self.linear = linear
        self.norm = nn.GroupNorm(GROUPS, width, eps=1e-6)
        self.proj_in: nn.Module = nn.Linear(width, inner) if linear else nn.Conv1d(width, inner, 1)
        self.transformer_blocks = nn.ModuleList(Block(inner, heads, head, None, learnable=False) for _ in range(depth))
        self.proj_out: nn.Module = nn.Linear(inner, width) if linear else nn.Conv1d(inner, width, 1)

    def forward(self, x: Tensor, frames: int, attend: Attend) -> Tensor:
        """x [B*T, C, H, W]."""
        height, width = x.shape[-2:]
        video = x.unflatten(0, (-1, frames)).transpose(1, 2)  # [B, C, T, H, W]
        y = self.norm(video).permute(0, 3, 4, 1, 2).flatten(0, 2)  # [B*H*W, C, T]
        y = self.proj_in(y.transpose(1, 2)) if self.linear else self.proj_in(y).transpose(1, 2)
        for block in self.transformer_blocks:
            y = block(y, None, attend)
        y = self.proj_out(y) if self.linear else self.proj_out(y.transpose(1, 2)).transpose(1, 2)
        y = y.unflatten(0, (-1, height, width)).permute(0, 3, 4, 1, 2).flatten(0, 1)  # [B*T, C, H, W]
        return x + y


class TemporalConv(nn.Module):
    """Four convolutions over time, with one skip around all of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for number in range(1, 5):
            conv = nn.Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0))
            drop = [nn.Dropout(0.0)] if number > 1 else []
            setattr(self, f"conv{number}", nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), *drop, conv))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """x [B*T, C, H, W]."""
        video = x.unflatten(0, (-1, frames)).transpose(1, 2)
        y = video
        for number in range(1, 5):
            y = getattr(self, f"conv{number}")(y)
        return (video + y).transpose(1, 2).flatten(0, 1)


class ResBlock(nn.Module):
    """Two convolutions with the time embedding between them, then the temporal convolution of the sum."""

    def __init__(self, width: int, out: int, embedding: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, out), nn.SiLU(), nn.Dropout(0.0), nn.Conv2d(out, out, 3, padding=1)
        )
        self.skip_connection: nn.Module = nn.Identity() if width == out else nn.Conv2d(width, out, 1)
        self.temopral_conv = TemporalConv(out)  # spelled so in the published keys

    def forward(self, x: Tensor, embedding: Tensor, frames: int) -> Tensor:
        y = self.in_layers(x) + self.emb_layers(embedding)[:, :, None, None]
        y = self.skip_connection(x) + self.out_layers(y)
        result: Tensor = self.temopral_conv(y, frames)
        return result


class Downsample(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.op(x)
        return result


class Upsample(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        return result


class UNet(nn.Module):
    """Noisy latents and conditions to the network's output (eps or v, as it was trained)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        base, embedding = config.model_channels, config.model_channels * 4

        def mlp() -> nn.Sequential:
            return nn.Sequential(nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

        def temporal(width: int) -> TemporalTransformer:
            head = config.num_head_channels
            return TemporalTransformer(width, width // head, head, config.transformer_depth, linear=True)

        def attended(width: int, factor: int) -> list[nn.Module]:
            return (
                [SpatialTransformer(width, config), temporal(width)] if factor in config.attention_resolutions else []
            )

        self.time_embed, self.fps_embedding = mlp(), mlp()
        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(config.in_channels, base, 3, padding=1)])])
        self.init_attn = nn.ModuleList(
            [TemporalTransformer(base, INITIAL_HEADS, config.num_head_channels, config.transformer_depth, linear=False)]
        )
        widths, width, factor = [base], base, 1
        for level, multiple in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks):
                parts: list[nn.Module] = [ResBlock(width, multiple * base, embedding)]
                width = multiple * base
                self.input_blocks.append(nn.ModuleList(parts + attended(width, factor)))
                widths.append(width)
            if level + 1 < len(config.channel_mult):
                self.input_blocks.append(nn.ModuleList([Downsample(width)]))
                widths.append(width)
                factor *= 2
        self.middle_block = nn.ModuleList(
            [
                ResBlock(width, width, embedding),
                SpatialTransformer(width, config),
                temporal(width),
                ResBlock(width, width, embedding),
            ]
        )
        self.output_blocks = nn.ModuleList()
        for level, multiple in reversed(list(enumerate(config.channel_mult))):
            for number in range(config.num_res_blocks + 1):
                parts = [ResBlock(width + widths.pop(), multiple * base, embedding)]
                width = multiple * base
                parts += attended(width, factor)
                if level and number == config.num_res_blocks:
                    parts.append(Upsample(width))
                    factor //= 2
                self.output_blocks.append(nn.ModuleList(parts))
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, config.out_channels, 3, padding=1)
        )
        self._name_sites()

    def _name_sites(self) -> None:
        for name, module in self.named_modules():
            if not isinstance(module, Attention):
                continue
            within = self.get_submodule(name.split(".transformer_blocks")[0])
            own = "temporal" if isinstance(within, TemporalTransformer) else "text" if module.image else "spatial"
            module.site, module.image_site = Site(name, own), Site(f"{name}.image", "image")

    @property
    def stride(self) -> int:
        """Latent sides must be multiples of this."""
        return int(2 ** (len(self.config.channel_mult) - 1))

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        fs: Tensor | None = None,
        *,
        attend: Attend = fused,
    ) -> Tensor:
        """x [B, in, T, H, W], timesteps int [B], context [B, 77 + m, c], fs int [B] or None (the config's default).

        Returns [B, out, T, H, W]. Image tokens go to their frame where m is 16 T, else all of them to every frame.
        Raises ValueError for sides that are not multiples of `stride`.
        """
        count, _, frames, height, width = x.shape
        if height % self.stride or width % self.stride:
            raise ValueError(f"latent of {height}x{width}: sides must be multiples of {self.stride}")
        last: Any = self.out[2]
        dtype: torch.dtype = last.weight.dtype
        embedding = self.embed(timesteps, fs, count, dtype).repeat_interleave(frames, 0)
        context = self.per_frame(context.to(dtype), frames)
        h = x.to(dtype).transpose(1, 2).flatten(0, 1)
        kept = []
        for number, block in enumerate(self.input_blocks):
            h = self._run(block, h, embedding, context, frames, attend)
            if number == 0:
                h = self._run(self.init_attn, h, embedding, context, frames, attend)
            kept.append(h)
        h = self._run(self.middle_block, h, embedding, context, frames, attend)
        for block in self.output_blocks:
            h = self._run(block, torch.cat([h, kept.pop()], 1), embedding, context, frames, attend)
        return self.out(h).unflatten(0, (count, frames)).transpose(1, 2).to(x.dtype)

    def embed(self, timesteps: Tensor, fs: Tensor | None, count: int, dtype: torch.dtype) -> Tensor:
        """The sum of both embeddings, [B, 4 * model_channels]."""
        base = self.config.model_channels
        if fs is None:
            fs = torch.full((count,), self.config.default_fs, device=timesteps.device)
        time = self.time_embed(sinusoid(timesteps, base).to(dtype))
        rate: Tensor = self.fps_embedding(sinusoid(fs, base).to(dtype))
        return time + rate

    @staticmethod
    def per_frame(context: Tensor, frames: int) -> Tensor:
        """[B, m, c] to [B*T, m', c]."""
        if context.shape[1] != TEXT_TOKENS + TOKENS_PER_FRAME * frames:
            return context.repeat_interleave(frames, 0)
        text = context[:, :TEXT_TOKENS].repeat_interleave(frames, 0)
        image = context[:, TEXT_TOKENS:].unflatten(1, (frames, TOKENS_PER_FRAME)).flatten(0, 1)
        return torch.cat([text, image], 1)

    @staticmethod
    def _run(parts: Any, h: Tensor, embedding: Tensor, context: Tensor, frames: int, attend: Attend) -> Tensor:
        for part in parts:
            match part:
                case ResBlock():
                    h = part(h, embedding, frames)
                case SpatialTransformer():
                    h = part(h, context, attend)
                case TemporalTransformer():
                    h = part(h, frames, attend)
                case _:
                    h = part(h)
        return h
