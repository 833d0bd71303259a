"""Resampler: image tokens to a fixed number of context tokens (a Perceiver resampler, as in DynamiCrafter)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from stereocast.models.attention import join_heads, split_heads


@dataclass(frozen=True, slots=True)
class ResamplerConfig:
    """Widths, named as in the published configuration files."""

    dim: int = 1024
    depth: int = 4
    dim_head: int = 64
    heads: int = 12
    num_queries: int = 16
    embedding_dim: int = 1280
    output_dim: int = 1024
    ff_mult: int = 4
    video_length: int = 16

    @classmethod
    def of(cls, published: Mapping[str, Any]) -> "ResamplerConfig":
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in published.items() if k in known})


class _Attention(nn.Module):
    def __init__(self, config: ResamplerConfig) -> None:
        super().__init__()
        inner = config.heads * config.dim_head
        self.heads = config.heads
        self.norm1, self.norm2 = nn.LayerNorm(config.dim), nn.LayerNorm(config.dim)
        self.to_q = nn.Linear(config.dim, inner, bias=False)
        self.to_kv = nn.Linear(config.dim, inner * 2, bias=False)
        self.to_out = nn.Linear(inner, config.dim, bias=False)

    def forward(self, image: Tensor, latents: Tensor) -> Tensor:
        image, latents = self.norm1(image), self.norm2(latents)
        q = split_heads(self.to_q(latents), self.heads)
        k, v = (split_heads(part, self.heads) for part in self.to_kv(torch.cat([image, latents], 1)).chunk(2, -1))
        scale = q.shape[-1] ** -0.25  # on q and k, which is safer in half precision
        weights = torch.softmax(((q * scale) @ (k * scale).transpose(-1, -2)).float(), -1).to(v.dtype)
        result: Tensor = self.to_out(join_heads(weights @ v))
        return result


class Resampler(nn.Module):
    """[B, tokens, embedding_dim] to [B, num_queries * video_length, output_dim]."""

    def __init__(self, config: ResamplerConfig) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.empty(1, config.num_queries * config.video_length, config.dim))
        self.proj_in = nn.Linear(config.embedding_dim, config.dim)
        self.proj_out = nn.Linear(config.dim, config.output_dim)
        self.norm_out = nn.LayerNorm(config.output_dim)
        inner = config.dim * config.ff_mult
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    _Attention(config),
                    nn.Sequential(
                        nn.LayerNorm(config.dim),
                        nn.Linear(config.dim, inner, bias=False),
                        nn.GELU(),
                        nn.Linear(inner, config.dim, bias=False),
                    ),
                ]
            )
            for _ in range(config.depth)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        image = self.proj_in(tokens)
        latents = self.latents.expand(len(image), -1, -1)
        layers: Any = self.layers
        for attention, feed in layers:
            latents = attention(image, latents) + latents
            latents = feed(latents) + latents
        result: Tensor = self.norm_out(self.proj_out(latents))
        return result
