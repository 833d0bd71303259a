"""Stage 1 of Diffusion² with SVD-XT and SV3D_p: an object's picture or video to an image matrix.

The reference ring and the reference video are made first where they weren't given; then every row is denoised by SVD on
its ring view and every column by SV3D on its video frame, both composed (diffusion.compose). The state stays on the
host; rows and columns go through the card in batches.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion import compose, edm
from stereocast.models import svd
from stereocast.models.loading import load_into, read_config, tensors
from stereocast.models.weights import WeightStore
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.splat import prepare
from stereocast.splat.matrix import Matrix
from stereocast.splat.scene import FOV_DEG, RADIUS_M, SceneInfo
from stereocast.types import Array

log = logging.getLogger(__name__)
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_CHUNK = 10  # frames that SVD's temporal decoder takes together, as published
_SVD_AUG, _SV3D_AUG = 0.02, 1e-5


@dataclass(slots=True)
class Models:
    """The networks, any size: both UNets, the image tower, both decoders (SVD's also encodes)."""

    svd: Any
    sv3d: Any
    tower: Any
    video_vae: Any  # AutoencoderKLTemporalDecoder
    image_vae: Any  # AutoencoderKL
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    together: bool = True  # both UNets stay on the device


@dataclass(frozen=True, slots=True)
class Stage1:
    """How to sample."""

    views: int = 21
    frames: int = 25
    steps: int = 50
    elevation_deg: float = 0.0
    choices: compose.ComposeOptions = compose.PAPER
    fps_id: float = 24
    motion_bucket: float = 127
    clockwise: bool = False
    seed: int = 0


def load_models(store: WeightStore, device: str) -> Models:
    """The published weights, bf16 on a card. Raises WeightsError, LicenceNotAccepted."""
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder
    from transformers import CLIPVisionModelWithProjection

    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    folder, unet_folder, sv3d_file = store.path("svd"), store.path("svd-unet"), store.path("sv3d")
    if sv3d_file.is_dir():
        sv3d_file /= "sv3d_p.safetensors"
    video = svd.build_unet(svd.full_config() | _topology(read_config(unet_folder / "unet")), 768)
    load_into(video, unet_folder / "unet" / "diffusion_pytorch_model.fp16.safetensors", dtype=dtype)
    table = tensors(sv3d_file)
    ring = load_into(svd.build_unet(svd.full_config(), 1280), table, rename=svd.unet_key, dtype=dtype)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    plain = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, use_post_quant_conv=False, **blocks
    )
    load_into(plain, table, rename=lambda key: svd.vae_key(key, temporal=False))
    temporal = AutoencoderKLTemporalDecoder.from_pretrained(folder / "vae", variant="fp16").float().eval()
    image_tower: Any = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder", variant="fp16")
    tower = image_tower.to(dtype).eval()
    free = torch.cuda.mem_get_info(device)[0] if device.startswith("cuda") else 0
    return Models(video, ring, tower, temporal, plain, device, dtype, together=free > 30e9)


def _topology(config: dict[str, Any]) -> dict[str, Any]:
    names = svd.full_config()
    return {name: config[name] for name in names if name in config}


class _Network:
    """A UNet as the composition calls it: it comes to the device when it is needed."""

    def __init__(self, unet: Any, models: Models, other: Any) -> None:
        self.unet, self.models, self.other = unet, models, other

    def __call__(self, x: Tensor, level: Tensor, context: Tensor, vector: Tensor) -> Tensor:
        m, length = self.models, x.shape[1]
        if not m.together:
            self.other.to("cpu")
        self.unet.to(m.device)
        with torch.no_grad():
            out = self.unet(
                x.flatten(0, 1).to(m.dtype), level.repeat_interleave(length), context.to(m.dtype),
                vector.flatten(0, 1).to(m.dtype), length,
            )  # fmt: skip
        return torch.unflatten(out.float(), 0, (-1, length))


def pixels(images: Array) -> Tensor:
    """uint8 RGB [N, S, S, 3] as float32 [N, 3, S, S] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def conditions(images: Array, augment: float, purpose: str, models: Models, seed: int) -> tuple[Tensor, Tensor]:
    """CLIP tokens [N, 1, D] of the clean pictures and latents [N, 4, s, s] (unscaled) of the slightly noisy ones."""
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import _resize_with_antialiasing

    x = pixels(images)
    side = int(models.tower.config.image_size)
    small = (_resize_with_antialiasing(x, (side, side)) + 1) / 2
    mean, std = (torch.tensor(v)[:, None, None] for v in (_CLIP_MEAN, _CLIP_STD))
    models.tower.to(models.device)
    models.video_vae.to(models.device)
    tokens, latents = [], []
    with torch.no_grad():
        for i in range(len(x)):
            picture = ((small[i : i + 1] - mean) / std).to(models.device, models.dtype)
            tokens.append(models.tower(picture).image_embeds.float().cpu()[:, None])
            noisy = x[i : i + 1] + augment * compose.seeded_noise(seed, purpose, i, tuple(x[i : i + 1].shape))
            latents.append(models.video_vae.encode(noisy.to(models.device)).latent_dist.mode().float().cpu())
    models.tower.to("cpu")
    return torch.cat(tokens), torch.cat(latents)


def _polars(options: Stage1) -> Tensor:
    return torch.full((options.views,), np.pi / 2 - np.radians(options.elevation_deg), dtype=torch.float64)


def column_denoiser(images: Array, options: Stage1, models: Models, purpose: str) -> compose.Guided:
    """SV3D on these pictures: all views of each."""
    tokens, latents = conditions(images, _SV3D_AUG, purpose, models, options.seed)
    vector = svd.sv3d_vector(_polars(options), svd.azimuths(options.views), _SV3D_AUG)
    network = _Network(models.sv3d, models, models.svd)
    return compose.Guided(network, tokens, latents, vector, svd.triangle_guidance(options.views), models.device)


def row_denoiser(images: Array, options: Stage1, models: Models, purpose: str) -> compose.Guided:
    """SVD on these pictures: a video of each."""
    tokens, latents = conditions(images, _SVD_AUG, purpose, models, options.seed)
    vector = svd.svd_vector(options.frames, options.fps_id, options.motion_bucket, _SVD_AUG)
    network = _Network(models.svd, models, models.sv3d)
    return compose.Guided(network, tokens, latents, vector, svd.linear_guidance(options.frames), models.device)


def sample(denoiser: compose.Guided, length: int, purpose: str, options: Stage1, progress: OnProgress) -> Tensor:
    """One sequence of latents [T, 4, s, s] by plain Euler steps."""
    sigmas = edm.karras_sigmas(options.steps)
    shape = (1, length, *denoiser.image.shape[1:])
    x = compose.seeded_noise(options.seed, purpose, 0, shape) * float(torch.sqrt(1 + sigmas[0] ** 2))
    for step in range(options.steps):
        clean = denoiser(x, float(sigmas[step]), torch.tensor([0]))
        x = edm.euler_step(x, clean, float(sigmas[step]), float(sigmas[step + 1]))
        progress(Progress(purpose, step + 1, options.steps))
    return x[0]


def decode(latents: Tensor, vae: Any, device: str, *, temporal: bool) -> Array:
    """uint8 RGB [T, S, S, 3]; SVD's decoder takes ten frames at a time."""
    vae.to(device)
    parts = []
    with torch.no_grad():
        for part in latents.split(_CHUNK if temporal else 1):
            z = part.to(device) / svd.LATENT_SCALE
            out = vae.decode(z, num_frames=len(z)).sample if temporal else vae.decode(z).sample
            parts.append(((out.float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte())
    return np.asarray(torch.cat(parts).permute(0, 2, 3, 1).numpy())


def stage1(
    models: Models, options: Stage1, progress: OnProgress, *, image: Array | None = None, video: Array | None = None,
    ring: Array | None = None,
) -> Matrix:  # fmt: skip
    """The matrix [V, F] from what is known: a picture [S, S, 3], a reference video [F, S, S, 3], a ring [V, S, S, 3]
    (the input view last), all uint8 RGB on white. What is missing is made first.

    The reference frame is the first where SVD makes the video, the last where one is given (as published).
    """
    reference = 0
    if video is not None:
        options = replace(options, frames=len(video))
        reference = len(video) - 1
    if ring is not None:
        options = replace(options, views=len(ring))
    start = (
        image
        if image is not None
        else video[reference]
        if video is not None
        else ring[-1]
        if ring is not None
        else None
    )
    if start is None:
        raise ValueError("stage 1 needs a picture, a video or a ring")
    if ring is None:
        guided = column_denoiser(start[None], options, models, "ringcond")
        ring = decode(
            sample(guided, options.views, "ring", options, progress), models.image_vae, models.device, temporal=False
        )
        ring[-1] = start
    if video is None:
        guided = row_denoiser(start[None], options, models, "videocond")
        video = decode(
            sample(guided, options.frames, "video", options, progress), models.video_vae, models.device, temporal=True
        )
    columns = column_denoiser(video, options, models, "columns")
    rows = row_denoiser(ring, options, models, "rows")
    shape = (options.views, options.frames, *rows.image.shape[1:])
    noise = compose.seeded_noise(options.seed, "matrix", 0, shape)
    total = options.steps + min(options.choices.rollback_steps, options.steps)
    state = noise
    for done, evaluation in enumerate(
        compose.evaluations(rows, columns, noise, edm.karras_sigmas(options.steps), options.choices, seed=options.seed),
        1,
    ):
        state = evaluation.state
        progress(Progress("matrix", done, total))
    images = np.stack([decode(row, models.video_vae, models.device, temporal=True) for row in state])
    turn = -1.0 if options.clockwise else 1.0
    azimuths = tuple(float(turn * a) % 360 for a in np.degrees(svd.azimuths(options.views).numpy()))
    info = SceneInfo(
        options.frames, 12.0, RADIUS_M, FOV_DEG, options.elevation_deg, images.shape[2], method="SVD and SV3D"
    )
    return Matrix(images, masks_of(images), azimuths, info, options.views - 1, reference)


def masks_of(images: Array) -> Array:
    """uint8 masks of pictures on white [.., S, S, 3]: what differs from white."""
    away = 255 - images.min(-1).astype(np.int32)
    return np.clip((away - 4) * 24, 0, 255).astype(np.uint8)


def picture_from_text(prompt: str, device: str, seed: int, model: str = "stabilityai/sdxl-turbo") -> Array:
    """RGBA of an object made from text by diffusers' text-to-image pipeline, cut out of its plain background."""
    from diffusers import AutoPipelineForText2Image

    pipe = AutoPipelineForText2Image.from_pretrained(model, torch_dtype=torch.float16).to(device)
    generator = torch.Generator("cpu").manual_seed(seed)
    made = pipe(f"{prompt}, full body, centred, plain white background", generator=generator, output_type="np")
    return prepare.cut_out(np.rint(made.images[0] * 255).astype(np.uint8))


def square(frames: Array, size: int, ratio: float = 0.9) -> Array:
    """RGBA [T, H, W, 4] as the models take it: one box for all, `size`, on white; uint8 RGB [T, size, size, 3]."""
    box = prepare.bounding_box(frames[..., 3], ratio)
    return prepare.on_white(np.stack([prepare.framed(frame, size, box=box) for frame in frames]))
