"""Stable Video Diffusion XT and SV3D_p: one UNet topology, from the published single files or diffusers' folders.

Blattmann et al. 2023 (SVD), Voleti et al. 2024 (SV3D). The blocks are diffusers'. This module adds what differs: the
published norm epsilon, one vector per frame (SV3D's angles), and the key maps from the published names.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNetSpatioTemporalConditionModel
from torch import Tensor

from stereocast.errors import WeightsError

UNET_PREFIX = "model.diffusion_model."
LATENT_SCALE = 0.18215
_EPS = 1e-5  # of every residual block; diffusers has 1e-6 in 72 places


class VideoUNet(UNetSpatioTemporalConditionModel):
    """The UNet of both models, called with one vector per frame."""

    def forward(self, x: Tensor, levels: Tensor, context: Tensor, vector: Tensor, frames: int) -> Tensor:
        """Raw output [B·T, 4, h, w].

        x [B·T, 8, h, w]: scaled latents and condition, video-major; levels [B·T]: ln σ/4; context [B, 1, D];
        vector [B·T, 768 | 1280]; frames = T.
        """
        emb = self.time_embedding(self.time_proj(levels).to(x.dtype)) + self.add_embedding(vector.to(x.dtype))
        context = context.to(x.dtype).repeat_interleave(frames, 0)
        still = x.new_zeros(len(x) // frames, frames)
        common: dict[str, Any] = {"temb": emb, "image_only_indicator": still}
        h = self.conv_in(x)
        skips = [h]
        for block in self.down_blocks:
            crossed = {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
            h, made = block(hidden_states=h, **common, **crossed)
            skips.extend(made)
        h = self.mid_block(hidden_states=h, encoder_hidden_states=context, **common)
        for block in self.up_blocks:
            count = len(block.resnets)
            taken, skips = tuple(skips[-count:]), skips[:-count]
            crossed = {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
            target = skips[-1].shape[2:] if skips else None
            h = block(hidden_states=h, res_hidden_states_tuple=taken, upsample_size=target, **common, **crossed)
        result: Tensor = self.conv_out(self.conv_act(self.conv_norm_out(h)))
        return result


def build_unet(config: dict[str, Any], vector: int) -> VideoUNet:
    """An empty UNet of diffusers' `config` with corrected norms. `vector`: length, 768 for SVD, 1280 for SV3D_p."""
    known = {key: tuple(v) if isinstance(v, list) else v for key, v in config.items() if not key.startswith("_")}
    model = VideoUNet(**{**known, "projection_class_embeddings_input_dim": vector})
    for block in model.modules():
        if type(block).__name__ == "SpatioTemporalResBlock":
            for part in (block.spatial_res_block, block.temporal_res_block):
                part.norm1.eps = part.norm2.eps = _EPS
    model.eval()
    return model


def full_config() -> dict[str, Any]:
    """diffusers' settings of the published UNets."""
    return {
        "block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "num_attention_heads": (5, 10, 20, 20),
        "cross_attention_dim": 1024, "addition_time_embed_dim": 256,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shapes:
    """The widths of the networks in a published single file."""

    unet: dict[str, Any]  # diffusers' settings
    vae: tuple[int, ...]  # channels of the VAE's levels


def shapes_of(published: Mapping[str, Tensor], what: str) -> Shapes:
    """The widths, read from a single file's tensors, with 64 channels per head as published. Raises WeightsError."""
    try:
        first = f"{UNET_PREFIX}input_blocks"
        widths = tuple(int(published[f"{first}.{1 + 3 * n}.0.out_layers.3.weight"].shape[0]) for n in range(4))
        context = int(published[f"{first}.1.1.transformer_blocks.0.attn2.to_k.weight"].shape[1])
        levels = [f"first_stage_model.decoder.up.{n}.block.0.conv1.weight" for n in range(4)]
        vae = tuple(int(published[name].shape[0]) for name in levels)
    except KeyError as error:
        raise WeightsError(f"{what} is not a published SVD or SV3D file: it lacks {error.args[0]}") from error
    heads = tuple(max(1, width // 64) for width in widths)
    return Shapes({"block_out_channels": widths, "num_attention_heads": heads, "cross_attention_dim": context}, vae)


# ---- vectors and guidance ------------------------------------------------------------------------------------------


def sinusoid(values: Tensor, size: int) -> Tensor:
    """[N] to [N, size], float32: cosines, then sines, period 10000."""
    half = size // 2
    rates = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32, device=values.device) / half)
    angles = values.float()[:, None] * rates
    return torch.cat([torch.cos(angles), torch.sin(angles)], -1)


def svd_vector(frames: int, fps_id: float = 24, motion: float = 127, cond_aug: float = 0.02) -> Tensor:
    """SVD's vector, float32 [frames, 768], the same for each frame."""
    parts = [sinusoid(torch.tensor([value]), 256) for value in (fps_id, motion, cond_aug)]
    return torch.cat(parts, -1).repeat(frames, 1)


def sv3d_vector(polars_rad: Tensor, azimuths_rad: Tensor, cond_aug: float = 1e-5) -> Tensor:
    """SV3D's vector, float32 [views, 1280], for angles [views]: 256 for the augmentation, 512 each for polar and azimuth."""
    augmented = sinusoid(torch.full_like(polars_rad, cond_aug), 256)
    return torch.cat([augmented, sinusoid(polars_rad, 512), sinusoid(azimuths_rad, 512)], -1)


def azimuths(views: int, *, closed: bool = True) -> Tensor:
    """k·2π/views for k = 1..views, float64 [views] in radians.

    The last is the input view, at 2π (`closed`, as in Diffusion²) or at 0 (as in SV3D's sampler).
    """
    angles = torch.arange(1, views + 1, dtype=torch.float64) * (2 * math.pi / views)
    if not closed:
        angles[-1] = 0
    return angles


def linear_guidance(frames: int, low: float = 1.5, high: float = 3.0) -> Tensor:
    """SVD's guidance ramp over time, float32 [frames]."""
    return torch.linspace(low, high, frames)


def triangle_guidance(views: int, low: float = 2.5, high: float = 2.5) -> Tensor:
    """Guidance that is low at both ends and high in the middle, float32 [views]. SV3D: 1 and 2.5; Diffusion²: constant 2.5."""
    x = torch.linspace(0, 1, views)
    return low + (high - low) * (1 - (2 * x - 1).abs())


# ---- published names -----------------------------------------------------------------------------------------------

_BLOCK = {
    "in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.0": "norm2",
    "out_layers.3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
_UNET_ENDS = {
    "time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in", "out.0": "conv_norm_out", "out.2": "conv_out",
}  # fmt: skip


def unet_key(published: str) -> str | None:
    """diffusers' name of a published UNet entry, None for entries of other parts."""
    if not published.startswith(UNET_PREFIX):
        return None
    name = published.removeprefix(UNET_PREFIX)
    stem, _, leaf = name.rpartition(".")
    if stem in _UNET_ENDS:
        return f"{_UNET_ENDS[stem]}.{leaf}"
    side, *rest = name.split(".")
    number = int(rest[0])
    if side == "middle_block":
        home, slot = "mid_block", number // 2
        kind = "attentions" if number == 1 else "resnets"
        slot = 0 if kind == "attentions" else slot
        return f"{home}.{kind}.{slot}." + _inside(kind, ".".join(rest[1:]))
    part, tail = int(rest[1]), ".".join(rest[2:])
    if side == "input_blocks":
        level, slot = (number - 1) // 3, (number - 1) % 3
        home = f"down_blocks.{level}"
        if slot == 2:
            return f"{home}.downsamplers.0.conv.{leaf}"
    else:
        level, slot = number // 3, number % 3
        home = f"up_blocks.{level}"
        if tail.startswith("conv."):
            return f"{home}.upsamplers.0.{tail}"
    kind = "resnets" if part == 0 else "attentions"
    return f"{home}.{kind}.{slot}." + _inside(kind, tail)


def _inside(kind: str, tail: str) -> str:
    if kind == "attentions":
        tail = re.sub(r"^time_pos_embed\.(0|2)\.", lambda m: f"time_pos_embed.linear_{1 + int(m[1]) // 2}.", tail)
        return re.sub(r"^time_stack\.", "temporal_transformer_blocks.", tail)
    if tail.startswith("time_mixer."):
        return tail
    side = "temporal_res_block" if tail.startswith("time_stack.") else "spatial_res_block"
    return f"{side}." + _block(tail.removeprefix("time_stack."))


def _block(tail: str) -> str:
    stem, _, leaf = tail.rpartition(".")
    return f"{_BLOCK.get(stem, stem)}.{leaf}"


_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def vae_key(published: str, *, temporal: bool) -> str | None:
    """diffusers' name of a published VAE entry, None for entries of other parts.

    The decoder is that of `first_stage_model`; encoder and quant_conv are the conditioner's copy. `temporal`: svd_xt
    (temporal decoder), else sv3d_p (plain decoder).
    """
    encoder = f"conditioner.embedders.{3 if temporal else 1}.encoder."
    if published.startswith("first_stage_model.decoder."):
        side, name, blocks = "decoder", published.removeprefix("first_stage_model.decoder."), temporal
    elif published.startswith(encoder):
        name = published.removeprefix(encoder)
        if name.startswith("quant_conv."):
            return name
        if not name.startswith("encoder."):
            return None
        side, name, blocks = "encoder", name.removeprefix("encoder."), False
    else:
        return None
    name = re.sub(r"^norm_out\.", "conv_norm_out.", name)
    if name.startswith("conv_out.time_mix_conv."):
        return f"{side}.time_conv_out.{name.rpartition('.')[2]}"
    if m := re.match(r"mid\.attn_1\.(\w+)\.(\w+)$", name):
        return f"{side}.mid_block.attentions.0.{_ATTENTION[m[1]]}.{m[2]}"
    if m := re.match(r"mid\.block_(\d)\.(.+)$", name):
        return f"{side}.mid_block.resnets.{int(m[1]) - 1}.{_vae_block(m[2], blocks)}"
    if m := re.match(r"(down|up)\.(\d)\.(block\.(\d)|downsample|upsample)\.(.+)$", name):
        level = int(m[2]) if m[1] == "down" else 3 - int(m[2])
        home = f"{side}.{m[1]}_blocks.{level}"
        if m[4] is None:
            return f"{home}.{m[3]}rs.0.{m[5]}"
        return f"{home}.resnets.{m[4]}.{_vae_block(m[5], blocks)}"
    return f"{side}.{name}"


def _vae_block(tail: str, temporal: bool) -> str:
    if tail == "mix_factor":
        return "time_mixer.mix_factor"
    if tail.startswith("time_stack."):
        return "temporal_res_block." + _block(tail.removeprefix("time_stack."))
    plain = tail.replace("nin_shortcut", "conv_shortcut")
    return f"spatial_res_block.{plain}" if temporal else plain


CLIP_PREFIX = "conditioner.embedders.0.open_clip.model.visual."
_CLIP = {
    "class_embedding": "vision_model.embeddings.class_embedding",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "ln_pre": "vision_model.pre_layrnorm", "ln_post": "vision_model.post_layernorm",
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}  # fmt: skip


def clip_tensors(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published image tower as entries of transformers' CLIPVisionModelWithProjection. Skips other entries."""
    table: dict[str, Tensor] = {}
    for key, value in published.items():
        if not key.startswith(CLIP_PREFIX):
            continue
        name = key.removeprefix(CLIP_PREFIX)
        if name == "proj":
            table["visual_projection.weight"] = value.T.contiguous()
        elif m := re.match(r"transformer\.resblocks\.(\d+)\.(.+)$", name):
            home, tail = f"vision_model.encoder.layers.{m[1]}", m[2]
            if "in_proj_" in tail:
                leaf = tail.rpartition("_")[2]
                for which, third in zip("qkv", value.chunk(3), strict=True):
                    table[f"{home}.self_attn.{which}_proj.{leaf}"] = third
                continue
            stem, _, leaf = tail.rpartition(".")
            table[f"{home}.{_CLIP[stem]}.{leaf}"] = value
        elif name in _CLIP:
            table[_CLIP[name]] = value
        else:
            stem, _, leaf = name.rpartition(".")
            table[f"{_CLIP[stem]}.{leaf}"] = value
    return table
