"""Tiny networks with random weights in the published layouts, half precision: what `--model diffusion2` loads."""

import gzip
import json
from functools import cache
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from stereocast.models import svd

_KEYS = Path(__file__).parents[1] / "data/reference/diffusion2/keys_sv3d_p.json.gz"
_UNET = {
    "block_out_channels": (32, 32, 32, 32), "num_attention_heads": (1, 1, 1, 1), "cross_attention_dim": 16,
    "layers_per_block": 2, "addition_time_embed_dim": 256,
}  # fmt: skip
_VAE = {"block_out_channels": (32,) * 4, "layers_per_block": 2, "down_block_types": ("DownEncoderBlock2D",) * 4}


@cache
def networks():
    """SVD's UNet, SV3D's, the image tower, SVD's VAE, SV3D's."""
    torch.manual_seed(0)
    tower = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14,
        projection_dim=16,
    )  # fmt: skip
    made = (
        svd.build_unet(_UNET, 768), svd.build_unet(_UNET, 1280), CLIPVisionModelWithProjection(tower).eval(),
        AutoencoderKLTemporalDecoder(**_VAE).eval(),
        AutoencoderKL(**_VAE, up_block_types=("UpDecoderBlock2D",) * 4, use_post_quant_conv=False).eval(),
    )  # fmt: skip
    for network in made:
        for parameter in network.parameters():  # numbers that half precision holds: both precisions load the same
            parameter.data = parameter.data.half().float()
    return made


def published(names, network, rename):
    """The network's weights under the published names."""
    state = network.state_dict()
    return {name: state[new].half().contiguous() for name in names if (new := rename(name)) in state}


def write(folder):
    """`folder`/svd and `folder`/sv3d_p.safetensors; returns what --weights takes."""
    video, ring, tower, temporal, plain = networks()
    for part, network, stem in (
        ("unet", video, "diffusion_pytorch_model"), ("vae", temporal, "diffusion_pytorch_model"),
        ("image_encoder", tower, "model"),
    ):  # fmt: skip
        place = folder / "svd" / part
        place.mkdir(parents=True)
        config = network.config.to_dict() if part == "image_encoder" else dict(network.config)
        (place / "config.json").write_text(json.dumps(config))
        save_file(
            {k: v.half().contiguous() for k, v in network.state_dict().items()}, place / f"{stem}.fp16.safetensors"
        )
    names = json.loads(gzip.decompress(_KEYS.read_bytes()))
    table = published(names, ring, svd.unet_key)
    table |= published(names, plain, lambda name: svd.vae_key(name, temporal=False))
    save_file(table, folder / "sv3d_p.safetensors")
    return [f"svd={folder / 'svd'}", f"sv3d={folder / 'sv3d_p.safetensors'}"]
