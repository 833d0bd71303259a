"""Checkpoint folders in the published layouts, with tiny networks: the real path from weights on disk to depth."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tests.fill import fill

VDA = {
    "embed_dim": 32,
    "depth": 4,
    "num_heads": 2,
    "intermediate_layer_idx": [0, 1, 2, 3],
    "features": 32,
    "out_channels": [16, 24, 32, 64],
    "img_size": 42,
}


def _drawn(model: torch.nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    return {
        key: torch.from_numpy(np.asarray(fill(prefix + key, tuple(value.shape))))
        for key, value in model.state_dict().items()
    }


def _write(folder: Path, config: dict, state: dict[str, torch.Tensor], stem: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({key: value.contiguous() for key, value in state.items()}, folder / f"{stem}.safetensors")


def depthcrafter(folder: Path, configs: dict) -> list[str]:
    """`--weights` arguments of a tiny DepthCrafter; configs: unet, vae, image_encoder."""
    from stereocast.models import depthcrafter as models

    stems = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model.fp16", "image_encoder": "model.fp16"}
    for part, stem in stems.items():
        state = _drawn(models.build_empty(part, configs[part]), f"{part}/")
        state = {key: value.half() if "fp16" in stem else value for key, value in state.items()}
        _write(folder / ("crafter" if part == "unet" else f"svd/{part}"), configs[part], state, stem)
    return [f"depthcrafter={folder / 'crafter'}", f"svd={folder / 'svd'}"]


def video_depth_anything(folder: Path, name: str) -> list[str]:
    from stereocast.models.video_depth_anything import Config, VideoDepthAnything

    network = VideoDepthAnything(Config.of(VDA))
    state = {key: network.state_dict()[key] if key.endswith(".pe") else value for key, value in _drawn(network).items()}
    state["head.scratch.output_conv2.2.bias"] += 3
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(VDA))
    torch.save(state, folder / f"video_depth_anything_vit{name.rsplit('-', 1)[1][0]}.pth")
    return [f"{name}={folder}"]


def _contrasting(model: torch.nn.Module) -> torch.nn.Module:
    """Weights that keep the size of what passes: as transformers draws them, depth would be flat but for rounding."""
    for value in model.parameters():
        if value.ndim > 1:
            torch.nn.init.normal_(value, std=(2 / value[0].numel()) ** 0.5)
    return model


def depth_anything(folder: Path, name: str) -> list[str]:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(1)
    backbone = Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=42, patch_size=14,
        out_indices=[1, 2, 3, 4], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=32, neck_hidden_sizes=[16, 24, 32, 32],
        fusion_hidden_size=16, head_hidden_size=8, patch_size=14,
    )  # fmt: skip
    model = _contrasting(DepthAnythingForDepthEstimation(config))
    model.head.conv3.bias.data += 3
    model.save_pretrained(folder)
    return [f"{name}={folder}"]


def depth_pro(folder: Path, name: str) -> list[str]:
    from transformers import DepthProConfig, DepthProForDepthEstimation

    torch.manual_seed(2)
    vision = {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "patch_size": 8,
        "image_size": 32, "mlp_ratio": 2,
    }  # fmt: skip
    config = DepthProConfig(
        patch_size=32, fusion_hidden_size=16, intermediate_hook_ids=[2, 0], intermediate_feature_dims=[16, 8],
        scaled_images_ratios=[0.25, 0.5, 1], scaled_images_overlap_ratios=[0.0, 0.5, 0.25],
        scaled_images_feature_dims=[16, 16, 16], use_fov_model=True, num_fov_head_layers=2,
        image_model_config=vision, patch_model_config=vision, fov_model_config=vision,
    )  # fmt: skip
    model = _contrasting(DepthProForDepthEstimation(config))
    model.save_pretrained(folder)
    return [f"{name}={folder}"]
