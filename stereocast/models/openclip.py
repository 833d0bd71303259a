"""The OpenCLIP towers as DynamiCrafter uses them (ViT-H-14 laion2b_s32b_b79k in the published models), with preprocessing.

Modules have OpenCLIP's names, so published entries need no key map.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stereocast.models.attention import join_heads, split_heads

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """Sizes of both towers. Defaults are ViT-H-14."""

    embed_dim: int = 1024
    image_size: int = 224
    vision_layers: int = 32
    vision_width: int = 1280
    vision_head: int = 80
    patch_size: int = 14
    context_length: int = 77
    vocab_size: int = 49408
    text_width: int = 1024
    text_heads: int = 16
    text_layers: int = 24

    @classmethod
    def of(cls, published: Mapping[str, Any]) -> "ClipConfig":
        """From an open_clip model config."""
        vision, text = published["vision_cfg"], published["text_cfg"]
        return cls(
            embed_dim=published["embed_dim"],
            image_size=vision["image_size"],
            vision_layers=vision["layers"],
            vision_width=vision["width"],
            vision_head=vision.get("head_width", 64),
            patch_size=vision["patch_size"],
            context_length=text["context_length"],
            vocab_size=text["vocab_size"],
            text_width=text["width"],
            text_heads=text["heads"],
            text_layers=text["layers"],
        )


class _Attention(nn.Module):
    """Self-attention with one projection for q, k and v, as torch's MultiheadAttention names it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        q, k, v = (split_heads(p, self.heads) for p in F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1))
        result: Tensor = self.out_proj(join_heads(F.scaled_dot_product_attention(q, k, v, is_causal=causal)))
        return result


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.c_proj(F.gelu(self.c_fc(x)))
        return result


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = _Attention(width, heads), _Mlp(width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        x = x + self.attn(self.ln_1(x), causal)
        result: Tensor = x + self.mlp(self.ln_2(x))
        return result


class _Transformer(nn.Module):
    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))


class _Vision(nn.Module):
    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        width, side = config.vision_width, config.image_size // config.patch_size
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(side * side + 1, width))
        self.proj = nn.Parameter(torch.empty(width, config.embed_dim))  # not used
        self.conv1 = nn.Conv2d(3, width, config.patch_size, config.patch_size, bias=False)
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = _Transformer(width, width // config.vision_head, config.vision_layers)
        self.ln_post = nn.LayerNorm(width)  # not used


class _Text(nn.Module):
    """What both published halves contain besides the towers."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.empty(config.context_length, config.text_width))
        self.text_projection = nn.Parameter(torch.empty(config.text_width, config.embed_dim))  # not used
        self.logit_scale = nn.Parameter(torch.empty(()))  # not used
        self.token_embedding = nn.Embedding(config.vocab_size, config.text_width)
        self.ln_final = nn.LayerNorm(config.text_width)


class TextEncoder(nn.Module):
    """Token ids int [B, 77] to [B, 77, width]: all blocks except the last, then the final norm."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.model = _Text(config)
        self.model.transformer = _Transformer(config.text_width, config.text_heads, config.text_layers)

    def forward(self, tokens: Tensor) -> Tensor:
        model: Any = self.model
        x = model.token_embedding(tokens) + model.positional_embedding
        for block in model.transformer.resblocks[:-1]:
            x = block(x, True)
        result: Tensor = model.ln_final(x)
        return result


class ImageEncoder(nn.Module):
    """Pictures to the 257 tokens after the last block, without final norm and projection."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Text(config)
        self.model.visual = _Vision(config)

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures [B, 3, H, W] in -1..1, any size, to [B, 257, width]."""
        return self.tokens(prepared(pictures, self.config.image_size))

    def tokens(self, x: Tensor) -> Tensor:
        """Prepared pixels [B, 3, 224, 224] to tokens."""
        visual: Any = self.model.visual
        patches = visual.conv1(x.to(visual.conv1.weight.dtype)).flatten(2).transpose(1, 2)
        first = visual.class_embedding.expand(len(x), 1, -1)
        y = visual.ln_pre(torch.cat([first, patches], 1) + visual.positional_embedding)
        for block in visual.transformer.resblocks:
            y = block(y, False)
        result: Tensor = y
        return result


def prepared(pictures: Tensor, side: int = 224) -> Tensor:
    """[B, 3, H, W] in -1..1 to normalised [B, 3, side, side]. The aspect ratio isn't kept."""
    x = (resized(pictures, side) + 1) / 2
    mean, std = (torch.tensor(v, dtype=x.dtype, device=x.device)[None, :, None, None] for v in (MEAN, STD))
    return (x - mean) / std


def resized(pictures: Tensor, side: int = 224) -> Tensor:
    """[B, 3, H, W] to [B, 3, side, side]: a Gaussian blur if the picture shrinks, then bicubic with aligned corners."""
    x = pictures.float()
    factors = (x.shape[-2] / side, x.shape[-1] / side)
    if max(factors) > 1:
        for axis, factor in zip((2, 3), factors, strict=True):
            sigma = max((factor - 1.0) / 2.0, 0.001)
            size = int(max(2.0 * 2 * sigma, 3))
            x = _blurred(x, axis, sigma, size + 1 - size % 2)
    return F.interpolate(x, size=(side, side), mode="bicubic", align_corners=True)


def _blurred(x: Tensor, axis: int, sigma: float, size: int) -> Tensor:
    at = torch.arange(size, dtype=x.dtype, device=x.device) - size // 2
    kernel = torch.exp(-(at**2) / (2 * torch.tensor(sigma, dtype=x.dtype, device=x.device) ** 2))
    kernel = kernel / kernel.sum()
    half = size // 2
    channels = x.shape[1]
    if axis == 2:
        return F.conv2d(
            F.pad(x, (0, 0, half, half), mode="reflect"),
            kernel[None, None, :, None].expand(channels, 1, -1, 1),
            groups=channels,
        )
    return F.conv2d(
        F.pad(x, (half, half, 0, 0), mode="reflect"),
        kernel[None, None, None].expand(channels, 1, 1, -1),
        groups=channels,
    )
