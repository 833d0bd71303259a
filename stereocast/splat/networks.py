"""SVD-XT and SV3D_p for stage 1 of Diffusion²: loaded from the published files, run even on small cards."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stereocast.errors import OutOfMemory
from stereocast.models import depthcrafter, loading, svd
from stereocast.models.weights import WeightStore
from stereocast.pictures.devices import free_bytes

log = logging.getLogger(__name__)
NAMES = ("svd", "svd-unet", "sv3d")  # on the shelf
_BOTH = 20e9  # free bytes from which both UNets stay on the card: 6.1 GB of weights plus working memory


@dataclass(slots=True)
class Models:
    """The networks: both UNets, the image tower, both decoders (SVD's also encodes)."""

    svd: Any
    sv3d: Any
    tower: Any
    video_vae: Any  # AutoencoderKLTemporalDecoder
    image_vae: Any  # AutoencoderKL
    device: str = "cpu"
    dtype: torch.dtype = torch.float32  # of UNets and tower; the VAEs are float32
    together: bool = True  # both UNets stay on the device

    def rest(self) -> None:
        """Moves both UNets off the device to make room."""
        if self.device != "cpu":
            self.svd.to("cpu"), self.sv3d.to("cpu")
            release()


def release() -> None:
    """Frees torch's cached memory on the card."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load_models(store: WeightStore, device: str, precision: str = "auto") -> Models:
    """Loads the published weights: bf16 on a card, float32 on a CPU, unless `precision` says otherwise.

    The files may have either precision. Raises WeightsError, LicenceNotAccepted.
    """
    from diffusers import AutoencoderKL

    on_card = device.startswith("cuda")
    named = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    dtype = named.get(precision, torch.bfloat16 if on_card else torch.float32)
    base, unet_folder, sv3d_file = (store.path(name) for name in NAMES)
    if sv3d_file.is_dir():
        sv3d_file = loading.find_checkpoint(sv3d_file, "sv3d_p")
    config = svd.full_config() | _topology(loading.read_config(unet_folder / "unet"))
    video = loading.load_into(
        svd.build_unet(config, 768),
        loading.find_checkpoint(unet_folder / "unet", "diffusion_pytorch_model"),
        dtype=dtype,
    )
    table = loading.tensors(sv3d_file)
    shapes = svd.shapes_of(table, str(sv3d_file))
    ring = svd.build_unet(svd.full_config() | shapes.unet, 1280)
    loading.load_into(ring, table, rename=svd.unet_key, dtype=dtype, what=str(sv3d_file))
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    plain = AutoencoderKL(block_out_channels=shapes.vae, layers_per_block=2, use_post_quant_conv=False, **blocks)
    names = _without_temporal
    loading.load_into(plain, table, rename=names, dtype=torch.float32, what=str(sv3d_file))
    temporal = _part("vae", base / "vae", "diffusion_pytorch_model", torch.float32)
    tower = _part("image_encoder", base / "image_encoder", "model", dtype)
    free = free_bytes(device) if on_card else 0
    return Models(video, ring, tower, temporal, plain, device, dtype, together=free > _BOTH)


def _without_temporal(key: str) -> str | None:
    return svd.vae_key(key, temporal=False)


def _topology(config: dict[str, Any]) -> dict[str, Any]:
    names = svd.full_config()
    return {name: config[name] for name in names if name in config}


def _part(part: str, folder: Path, stem: str, dtype: torch.dtype) -> Any:
    model = depthcrafter.build_empty(part, loading.read_config(folder))
    checkpoint = loading.find_checkpoint(folder, stem)
    return loading.load_into(model, checkpoint, rename=depthcrafter.without_buffers, dtype=dtype, what=str(folder))


class Network:
    """A UNet as the composition calls it.

    It is moved to the device when needed and processes fewer sequences at once when memory runs out.
    """

    def __init__(self, unet: Any, models: Models, other: Any) -> None:
        self.unet, self.models, self.other = unet, models, other
        self.most = 1 << 30  # sequences at once

    def __call__(self, x: Tensor, level: Tensor, context: Tensor, vector: Tensor) -> Tensor:
        """Raw output [B, T, 4, h, w] of x [B, T, 8, h, w], level [B], context [B, 1, D], vector [B, T, E].

        Raises OutOfMemory.
        """
        m = self.models
        if not m.together and m.device != "cpu":
            self.other.to("cpu")
        self.unet.to(m.device)
        while True:
            try:
                parts = [t.split(self.most) for t in (x, level, context, vector)]
                return torch.cat([self._run(*part) for part in zip(*parts, strict=True)])
            except torch.OutOfMemoryError as error:
                self._yield_memory(min(self.most, len(x)), error)

    def _yield_memory(self, tried: int, error: Exception) -> None:
        m = self.models
        if tried > 1:
            self.most = tried // 2
            log.warning("memory ran out: processing %d sequence(s) at once from now on", self.most)
        elif m.together:
            m.together = False
            self.other.to("cpu")
            log.warning("memory ran out: the two UNets take turns on the card from now on")
        else:
            raise OutOfMemory(
                f"{m.device} is too small for one sequence of the image matrix; use a smaller --matrix-size"
            ) from error
        release()

    def _run(self, x: Tensor, level: Tensor, context: Tensor, vector: Tensor) -> Tensor:
        m, length = self.models, x.shape[1]
        with torch.no_grad():
            out = self.unet(
                x.flatten(0, 1).to(m.dtype), level.repeat_interleave(length), context.to(m.dtype),
                vector.flatten(0, 1).to(m.dtype), length,
            )  # fmt: skip
        return torch.unflatten(out.float(), 0, (-1, length))


def in_pieces(work: Callable[[Tensor], Tensor], x: Tensor, sizes: tuple[int, ...], device: str) -> Tensor:
    """work(x) in pieces of `sizes[0]` elements; starts over with the next size when memory runs out.

    Raises OutOfMemory.
    """
    for size in sizes:
        try:
            return torch.cat([work(part) for part in x.split(size)])
        except torch.OutOfMemoryError:
            release()
            log.warning("memory ran out: decoding fewer than %d frames at once", size)
    raise OutOfMemory(f"{device} is too small to decode one picture; use a smaller --matrix-size")
