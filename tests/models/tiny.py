"""A tiny DynamiCrafter in the published layouts."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stereocast.models.video import VideoConfig, VideoNetworks
from tests.fill import fill

CONFIG: dict[str, Any] = {
    "height": 64,
    "width": 128,
    "unet_params": {
        "model_channels": 32,
        "num_head_channels": 16,
        "context_dim": 32,
        "num_res_blocks": 1,
        "channel_mult": [1, 1, 1, 2],
    },
    "vae_params": {
        "embed_dim": 4,
        "ddconfig": {
            "ch": 32,
            "ch_mult": [1, 1, 1, 1],
            "num_res_blocks": 1,
            "in_channels": 3,
            "out_ch": 3,
            "z_channels": 4,
        },
    },
    "open_clip_config": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 224, "layers": 1, "width": 80, "head_width": 20, "patch_size": 14},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    },
    "resampler_params": {
        "dim": 32,
        "depth": 1,
        "dim_head": 16,
        "heads": 2,
        "num_queries": 16,
        "embedding_dim": 80,
        "output_dim": 32,
        "video_length": 4,
    },
}


def config(model: str) -> dict[str, Any]:
    unet = dict(CONFIG["unet_params"], image_cross_attention_scale_learnable=model == "256")
    return {**CONFIG, "model": model, "unet_params": unet}


@cache
def state(model: str) -> dict[str, torch.Tensor]:
    """Random weights, small enough that latents stay in range; buffers as published."""
    made = VideoConfig.of(config(model), model)
    with torch.device("meta"):
        shapes = {k: tuple(v.shape) for k, v in VideoNetworks(made).state_dict().items()}
    buffers = made.schedule().buffers()
    return {
        k: torch.from_numpy(buffers[k] if k in buffers else np.asarray(fill(k, shape))) for k, shape in shapes.items()
    }


def write(folder: Path, model: str, layout: str = "state_dict") -> Path:
    """A folder with model.ckpt in one of the published layouts and the config of its widths."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = dict(state(model))
    if model == "256":
        entries = {k.replace("fps_embedding", "framestride_embed"): v for k, v in entries.items()}
    wrapped: Any = {
        "state_dict": {"state_dict": entries, "epoch": 3},
        "module": {"module": {f"_forward_module.{k}": v for k, v in entries.items()}},
        "bare": entries,
    }[layout]
    torch.save(wrapped, folder / "model.ckpt")
    (folder / "config.json").write_text(json.dumps(config(model)))
    return folder
