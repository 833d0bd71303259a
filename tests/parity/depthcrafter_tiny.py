"""Tiny DepthCrafter networks of a case's folder, with random weights."""

import json
from functools import cache
from pathlib import Path

import torch

from stereocast.models import depthcrafter, loading
from tests.fill import fill


@cache
def configs(folder: Path) -> dict:
    return json.loads((folder / "configs.json").read_text("utf-8"))


def drawn_state(part: str, config: dict) -> dict[str, torch.Tensor]:
    model = depthcrafter.build_empty(part, config)
    return {
        key: torch.from_numpy(fill(f"{part}/{key}", tuple(value.shape))) for key, value in model.state_dict().items()
    }


@cache
def networks(folder: Path, offload: str = "none") -> depthcrafter.Networks:
    parts = {
        part: loading.load_into(
            depthcrafter.build_empty(part, configs(folder)[part]), drawn_state(part, configs(folder)[part])
        )
        for part in ("unet", "vae", "image_encoder")
    }
    return depthcrafter.Networks(**parts, offload=offload)
