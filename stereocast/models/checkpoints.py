"""Published DynamiCrafter files to a model that runs: which one it is, its key quirks, memory, and conversion.

`loading` does the reading. A folder may hold a `config.json` beside the checkpoint (`model`, `unet_params`,
`vae_params`, `open_clip_config`, `resampler_params`, `height`, `width`) for networks of other widths.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from stereocast.errors import OutOfMemory, WeightsError
from stereocast.models import budget, loading, turns
from stereocast.models.video import VideoConfig, VideoModel, VideoNetworks
from stereocast.pictures.devices import to_device
from stereocast.settings import DiffusionOptions

log = logging.getLogger(__name__)

_STRIP = "_forward_module."  # DeepSpeed's, 16 characters
_RENAMED = ("model.diffusion_model.framestride_embed.", "model.diffusion_model.fps_embedding.")
_IGNORED = ("attn_mask", "embedder.mean", "embedder.std", "model_ema.", "first_stage_model.loss.")

CONVERTED = "model.fp16.safetensors"

Precision = Literal["auto", "fp32", "fp16", "bf16"]


@dataclass(frozen=True, slots=True)
class Thrift:
    """Trade-offs between memory, time and exactness."""

    offload: bool = False  # only the working network is on the device
    batched: bool = False  # both guidance branches in one pass
    tile: int = 0  # latent samples per tile of the decoder; 0: whole frames
    compiled: bool = False


def thrift_of(settings: DiffusionOptions, device: str) -> Thrift:
    """The settings as they apply on a device, next to the other models of the job. Raises OutOfMemory."""
    share = turns.share_for(settings, device)
    return Thrift(
        settings.offload or (share is not None and share.offload),
        settings.batch_cfg,
        settings.vae_tile,
        settings.compile,
    )


def renamed(key: str) -> str | None:
    """A published key as ours: prefixes stripped, the 256 model's name of the rate embedding; None: left out."""
    key = key.removeprefix(_STRIP)
    if key.startswith(_RENAMED[0]):
        key = key.replace(*_RENAMED)
    if any(part in key for part in _IGNORED):
        return None
    return key


def recognised(state: Mapping[str, Any], path: Path) -> str:
    """Which published model it is: 256 by its learnable scales, 512 and 1024 by their dynamic scale, else by name."""
    if any(key.endswith("attn2.alpha") for key in state):
        return "256"
    scales = state.get("scale_arr")
    if scales is not None and len(scales):
        return "512" if float(scales[-1]) > 0.5 else "1024"
    text = f"{path.parent.name}/{path.name}"
    found = [name for name in ("1024", "512") if name in text]
    if not found:
        log.warning("%s doesn't say whether it is the 512 or the 1024 model; assuming 1024", path)
    return found[0] if found else "1024"


def config_of(path: Path, state: Mapping[str, Any]) -> VideoConfig:
    """The config beside the checkpoint, or the published one it is recognised as. Raises WeightsError."""
    name, beside = recognised(state, path), path.parent / "config.json"
    if not beside.is_file():
        return VideoConfig.published(name)
    try:
        return VideoConfig.of(json.loads(beside.read_text("utf-8")), name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{beside} is not a configuration of this model ({error}); repair or remove it") from error


def find(path: Path) -> Path:
    """The checkpoint of a folder (a converted one first), or the file itself. Raises WeightsError."""
    if path.is_dir() and (path / CONVERTED).is_file():
        return path / CONVERTED
    return loading.find_checkpoint(path, "model")


def load(path: Path, device: str = "cpu", precision: Precision = "auto", thrift: Thrift | None = None) -> VideoModel:
    """A model from a file or folder in one of the published layouts, entry by entry onto its device.

    `auto` is float32 on a CPU and float16 on a GPU. Raises WeightsError, OutOfMemory.
    """
    thrift = thrift or Thrift()
    file = find(path)
    state = _entries(file)
    config = config_of(file, state)
    for name in VideoConfig.published("1024").schedule().buffers():
        state.pop(name, None)  # recomputed: half precision would spoil them
    with torch.device("meta"):
        networks = VideoNetworks(config)
    dtype = dtype_of(precision, device)
    home = "cpu" if thrift.offload else device
    turns.make_room(home, budget.VIDEO_WEIGHTS)
    try:
        for key in list(state):
            value = state[key]
            state[key] = value.to(home, dtype if value.is_floating_point() else None)
        for name, values in config.schedule().buffers().items():
            state[name] = to_device(values, home)
        loading.load_into(networks, state, what=str(file))
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"{file} doesn't fit on {device}; use --offload, or --device cpu") from error
    return VideoModel(
        networks,
        config,
        device,
        offload=thrift.offload,
        batched=thrift.batched,
        tile=thrift.tile,
        compiled=thrift.compiled,
    )


def dtype_of(precision: Precision, device: str) -> torch.dtype:
    """The number format: as asked, or half precision on a GPU."""
    if precision == "auto":
        return torch.float32 if device == "cpu" else torch.float16
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def _entries(file: Path) -> dict[str, Tensor]:
    found = loading.tensors(file)
    state = {new: value for key, value in found.items() if (new := renamed(key)) is not None}
    del found
    if not any(key.startswith("model.diffusion_model.") for key in state):
        some = ", ".join(sorted(state)[:3]) or "nothing"
        raise WeightsError(f"{file} is not a DynamiCrafter checkpoint (it holds {some}); give the folder of model.ckpt")
    return state


def convert(path: Path, target: Path | None = None) -> Path:
    """Writes the checkpoint as float16 safetensors beside it (or to `target`): half the size, mapped in seconds.

    Checked against its model first. Raises WeightsError.
    """
    from safetensors.torch import save_file

    file = find(path)
    state = _entries(file)
    config = config_of(file, state)
    with torch.device("meta"):
        want = {key: tuple(value.shape) for key, value in VideoNetworks(config).state_dict().items()}
    buffers = set(config.schedule().buffers())
    wrong = [key for key in want if key not in buffers and (key not in state or tuple(state[key].shape) != want[key])]
    if wrong:
        raise WeightsError(
            f"{file} is not complete: {wrong[0]} and {len(wrong) - 1} more are missing or have the wrong shape"
        )
    half = {key: state[key].to(torch.float16).contiguous().clone() for key in want if key not in buffers}
    half["scale_arr"] = torch.full((1,), config.base_scale or 1.0) if config.base_scale else torch.empty(0)
    target = target or file.with_name(CONVERTED)
    part = target.with_suffix(".part")
    save_file(half, part, metadata={"model": config.name, "source": file.name})
    part.replace(target)
    return target
