"""A picture of an object from text, by one of the text-to-image models on the shelf."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from stereocast.errors import OutOfMemory, WeightsError, first_line
from stereocast.models.loading import without_advice
from stereocast.models.weights import WeightStore
from stereocast.splat import prepare
from stereocast.types import Array

WITH = "full body, centred, plain white background"
_DISTILLED = {"sdxl-turbo": {"num_inference_steps": 4, "guidance_scale": 0.0}}  # others: their pipeline's defaults


def picture(prompt: str, store: WeightStore, model: str, device: str, precision: str, seed: int) -> Array:
    """An object generated from text and cut out of its plain background, uint8 RGBA [H, W, 4].

    Raises WeightsError, LicenceNotAccepted, SourceError, OutOfMemory.
    """
    with without_advice():
        from diffusers import AutoPipelineForText2Image

    folder = store.path(model)
    named = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    dtype = named.get(precision, torch.float16 if device.startswith("cuda") else torch.float32)
    try:
        pipe: Any = AutoPipelineForText2Image.from_pretrained(
            str(folder), torch_dtype=dtype, local_files_only=True, use_safetensors=True, **_variant(folder)
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = first_line(error)
        raise WeightsError(f"{folder} is not a text-to-image pipeline of diffusers: {reason}") from error
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(seed)
    try:
        made = pipe.to(device)(f"{prompt}, {WITH}", generator=generator, output_type="np", **_DISTILLED.get(model, {}))
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{model} doesn't fit on {device}; make the picture with another program and give that instead"
        ) from error
    return prepare.cut_out(np.rint(made.images[0] * 255).astype(np.uint8))


def _variant(folder: Path) -> dict[str, str]:
    """Selects a folder's files: full precision if present, else half precision."""
    full = (folder / "unet/diffusion_pytorch_model.safetensors").is_file()
    half = (folder / "unet/diffusion_pytorch_model.fp16.safetensors").is_file()
    return {"variant": "fp16"} if half and not full else {}
