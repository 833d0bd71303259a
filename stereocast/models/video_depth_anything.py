"""Video Depth Anything: DINOv2, a DPT head, and attention over time inside the head.

Chen et al., "Video Depth Anything: Consistent Depth Estimation for Super-Long Videos", 2025; Oquab et al., "DINOv2",
2023; Ranftl et al., "Vision Transformers for Dense Prediction", 2021. Modules have the names of the published
checkpoints, so no key map is needed. The network knows frames and a cache; the estimator handles windows and alignment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Cache = list[Tensor]  # one [P, T, C] per temporal attention


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of one variant."""

    embed_dim: int
    depth: int
    num_heads: int
    intermediate_layer_idx: tuple[int, ...]
    features: int
    out_channels: tuple[int, ...]
    img_size: int = 518
    patch_size: int = 14
    mlp_ratio: float = 4
    num_frames: int = 32

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Config":
        """From a table of settings. Unknown entries are ignored."""
        known: dict[str, Any] = {}
        for key in cls.__dataclass_fields__:
            if key in table:
                known[key] = tuple(table[key]) if isinstance(table[key], list) else table[key]
        return cls(**known)


VARIANTS = {
    "small": Config(384, 12, 6, (2, 5, 8, 11), 64, (48, 96, 192, 384)),
    "base": Config(768, 12, 12, (2, 5, 8, 11), 128, (96, 192, 384, 768)),
    "large": Config(1024, 24, 16, (4, 11, 17, 23), 256, (256, 512, 1024, 1024)),
}


# ---- encoder -------------------------------------------------------------------------------------------------------


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # [B, N, C]
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        return self.proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class _LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Mlp(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        self.norm1, self.attn, self.ls1 = nn.LayerNorm(width, 1e-6), _Attention(width, heads), _LayerScale(width)
        self.norm2, self.mlp, self.ls2 = (
            nn.LayerNorm(width, 1e-6),
            _Mlp(width, int(width * ratio)),
            _LayerScale(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class _PatchEmbed(nn.Module):
    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class DinoV2(nn.Module):
    """Vision transformer that returns the patch tokens of some of its layers."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, self.config = config.embed_dim, config
        self.grid = config.img_size // config.patch_size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.grid**2 + 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # for training only, but in the checkpoints
        self.patch_embed = _PatchEmbed(width, config.patch_size)
        self.blocks = nn.ModuleList(_Block(width, config.num_heads, config.mlp_ratio) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, 1e-6)

    def _positions(self, rows: int, columns: int) -> Tensor:
        """The learned positions, resized (bicubic) to another grid. The factor is 0.1 cells too large, as in training."""
        if rows == columns == self.grid:
            return self.pos_embed
        table = self.pos_embed[:, 1:].float().unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        factor = ((rows + 0.1) / self.grid, (columns + 0.1) / self.grid)
        table = functional.interpolate(table, scale_factor=factor, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], table.flatten(2).transpose(1, 2).to(self.pos_embed.dtype)], 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images [B, 3, H, W] to four maps [B, C, H/14, W/14] after the last norm."""
        rows, columns = (size // self.config.patch_size for size in images.shape[-2:])
        x = torch.cat([self.cls_token.expand(len(images), -1, -1), self.patch_embed(images)], 1)
        x = x + self._positions(rows, columns)
        taken = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.config.intermediate_layer_idx:
                taken.append(self.norm(x)[:, 1:].transpose(1, 2).unflatten(2, (rows, columns)))
        return taken


# ---- attention over time -------------------------------------------------------------------------------------------


class _Positions(nn.Module):
    """Fixed sinusoids, stored in the checkpoint."""

    pe: Tensor

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        position = torch.arange(length, dtype=torch.float32)[:, None]
        rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-log(10000.0) / width))
        self.register_buffer(
            "pe", torch.stack([(position * rates).sin(), (position * rates).cos()], -1).flatten(1)[None]
        )


class _TimeAttention(nn.Module):
    def __init__(self, width: int, length: int, heads: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.pos_encoder = _Positions(width, length)

    def forward(self, x: Tensor, past: Tensor | None) -> Tensor:  # [P, T, C], past [P, T', C]
        count = x.shape[1]
        seen = x if past is None else torch.cat([past, x], 1)
        seen = seen + self.pos_encoder.pe[:, : seen.shape[1]].to(seen.dtype)
        parts = self.to_q(seen[:, -count:]), self.to_k(seen), self.to_v(seen)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        out = functional.scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous())
        return self.to_out[0](out.transpose(1, 2).flatten(2))


class _Geglu(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, -1)
        return value * functional.gelu(gate)


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(_Geglu(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class _TimeBlock(nn.Module):
    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList(_TimeAttention(width, length) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.ff, self.ff_norm = _FeedForward(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, past: Sequence[Tensor | None], cache: Cache) -> Tensor:
        for attention, norm, before in zip(self.attention_blocks, self.norms, past, strict=True):
            normed = norm(x)
            cache.append(normed)
            x = x + attention(normed, before)
        return x + self.ff(self.ff_norm(x))


class _TimeTransformer(nn.Module):
    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.proj_in, self.proj_out = nn.Linear(width, width), nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([_TimeBlock(width, length)])


class TimeModule(nn.Module):
    """Each pixel attends over the frames."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.temporal_transformer = _TimeTransformer(width, length)

    def forward(self, x: Tensor, past: Sequence[Tensor | None], cache: Cache) -> Tensor:  # [T, C, h, w]
        inner = self.temporal_transformer
        frames, _, rows, columns = x.shape
        tokens = inner.norm(x).flatten(2).permute(2, 0, 1)  # [h*w, T, C]
        tokens = inner.transformer_blocks[0](inner.proj_in(tokens), past, cache)
        tokens = inner.proj_out(tokens).permute(1, 2, 0).reshape(frames, -1, rows, columns)
        return x + tokens


# ---- head ----------------------------------------------------------------------------------------------------------


class _ResidualUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(functional.relu(self.conv1(functional.relu(x))))


class _Fusion(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.resConfUnit1, self.resConfUnit2 = _ResidualUnit(width), _ResidualUnit(width)
        self.out_conv = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, skip: Tensor | None, size: Sequence[int]) -> Tensor:
        x = self.resConfUnit2(x if skip is None else x + self.resConfUnit1(skip))
        return self.out_conv(_resize(x, size))


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(x, tuple(size), mode="bilinear", align_corners=True)


class _Scratch(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.features
        for number, channels in enumerate(config.out_channels, 1):
            setattr(self, f"layer{number}_rn", nn.Conv2d(channels, width, 3, 1, 1, bias=False))
            setattr(self, f"refinenet{number}", _Fusion(width))
        self.output_conv1 = nn.Conv2d(width, width // 2, 3, 1, 1)
        self.output_conv2 = nn.Sequential(nn.Conv2d(width // 2, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 1, 1), nn.ReLU())


class Head(nn.Module):
    """Four maps of tokens to one map of inverse depth, with time modules in between."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second, third, fourth = config.out_channels
        self.projects = nn.ModuleList(nn.Conv2d(config.embed_dim, channels, 1) for channels in config.out_channels)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(first, first, 4, 4),
                nn.ConvTranspose2d(second, second, 2, 2),
                nn.Identity(),
                nn.Conv2d(fourth, fourth, 3, 2, 1),
            ]
        )
        self.scratch: Any = _Scratch(config)
        self.motion_modules = nn.ModuleList(
            TimeModule(width, config.num_frames) for width in (third, fourth, config.features, config.features)
        )
        self.patch = config.patch_size

    def forward(self, features: Sequence[Tensor], past: Cache | None) -> tuple[Tensor, Cache]:
        """Depth [T, 14 h, 14 w] and these frames' cache. features: four [T, C, h, w]; past: the cache of earlier frames."""
        cache: Cache = []

        def over_time(number: int, x: Tensor) -> Tensor:
            before = [None, None] if past is None else past[2 * number : 2 * number + 2]
            return self.motion_modules[number](x, before, cache)

        rows, columns = (size * self.patch for size in features[0].shape[-2:])
        x1, x2, x3, x4 = (
            resize(project(x)) for x, project, resize in zip(features, self.projects, self.resize_layers, strict=True)
        )
        x3, x4 = over_time(0, x3), over_time(1, x4)
        scratch = self.scratch
        x1, x2, x3, x4 = scratch.layer1_rn(x1), scratch.layer2_rn(x2), scratch.layer3_rn(x3), scratch.layer4_rn(x4)
        path = over_time(2, scratch.refinenet4(x4, None, x3.shape[2:]))
        path = over_time(3, scratch.refinenet3(path, x3, x2.shape[2:]))
        path = scratch.refinenet2(path, x2, x1.shape[2:])
        path = scratch.refinenet1(path, x1, [2 * size for size in x1.shape[2:]])
        wide = scratch.output_conv1.weight.dtype  # fp32 in half-precision models: fp16 here gave black frames
        # a few frames at a time, because these are the largest maps
        outs = [
            scratch.output_conv2(_resize(scratch.output_conv1(part.to(wide)), (rows, columns)))
            for part in path.split(4)
        ]
        return torch.cat(outs)[:, 0], cache


class VideoDepthAnything(nn.Module):
    """The whole network."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.pretrained = DinoV2(config)
        self.head = Head(config)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Features of independent frames: images [T, 3, H, W] normalised, sides multiples of 14."""
        levels: list[Tensor] = self.pretrained(images.to(self.pretrained.pos_embed.dtype))
        return levels

    def forward(self, features: Sequence[Tensor], past: Cache | None = None) -> tuple[Tensor, Cache]:
        """Inverse depth float32 [T, H, W], up to scale and shift, of at most `num_frames` frames, and their cache."""
        depth, cache = self.head(features, past)
        return depth.float(), cache

    def to_half(self, dtype: torch.dtype) -> "VideoDepthAnything":
        """Converts all but the last convolutions to half precision. Returns self."""
        self.to(dtype)
        for layer in (self.head.scratch.output_conv1, self.head.scratch.output_conv2):
            layer.float()
        return self
