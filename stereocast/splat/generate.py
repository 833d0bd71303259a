"""Stage 1 of Diffusion² with SVD-XT and SV3D_p: from an object's picture or video to an image matrix.

The reference ring and video are generated first unless they are given. SVD then denoises every row given its ring view,
and SV3D every column given its video frame; the two are composed (diffusion.compose). The state stays on the host; rows
and columns pass through the card in batches. Several processes can share the work (diffusion.ranks), and finished parts
are saved (splat.keep).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stereocast.diffusion import compose, edm
from stereocast.diffusion.ranks import Ranks
from stereocast.models import svd
from stereocast.models.loading import without_advice
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.splat import prepare
from stereocast.splat.keep import Keep
from stereocast.splat.matrix import Matrix
from stereocast.splat.networks import Models, Network, in_pieces
from stereocast.splat.scene import FOV_DEG, RADIUS_M, SceneInfo
from stereocast.types import Array

_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_CHUNKS = (
    10,
    5,
    2,
    1,
)  # frames per call of SVD's temporal decoder: 10 as published, fewer if memory runs out
_SVD_AUG, _SV3D_AUG = 0.02, 1e-5


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


@dataclass(frozen=True, slots=True)
class Known:
    """The input of stage 1, uint8 RGB on white: a picture [S, S, 3], a reference video [F, S, S, 3], or a ring
    [V, S, S, 3] with the input view last. Alphas, uint8, if the input has them."""

    image: Array | None = None
    video: Array | None = None
    ring: Array | None = None
    alpha: Array | None = None  # [S, S] of the picture, [F, S, S] of the video
    ring_alpha: Array | None = None  # [V, S, S]
    fps: float | None = None  # of the video

    @property
    def start(self) -> Array:
        """The picture from which the rest is generated. Raises ValueError if nothing is given."""
        for pictures, which in ((self.image, ...), (self.video, self.reference_frame), (self.ring, -1)):
            if pictures is not None:
                return pictures[which]
        raise ValueError("stage 1 needs a picture, a video or a ring of views")

    @property
    def reference_frame(self) -> int:
        """The first frame if SVD generates the video, the last if a video is given (as published)."""
        return 0 if self.video is None else len(self.video) - 1


def pixels(images: Array) -> Tensor:
    """uint8 RGB [N, S, S, 3] as float32 [N, 3, S, S] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def conditions(images: Array, augment: float, purpose: str, models: Models, seed: int) -> tuple[Tensor, Tensor]:
    """CLIP tokens [N, 1, D] of the clean pictures and latents [N, 4, s, s] (unscaled) of the slightly noisy ones."""
    with without_advice():
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
    """SV3D conditioned on these pictures: generates all views of each."""
    tokens, latents = conditions(images, _SV3D_AUG, purpose, models, options.seed)
    vector = svd.sv3d_vector(_polars(options), svd.azimuths(options.views), _SV3D_AUG)
    network = Network(models.sv3d, models, models.svd)
    return compose.Guided(network, tokens, latents, vector, svd.triangle_guidance(options.views), models.device)


def row_denoiser(images: Array, options: Stage1, models: Models, purpose: str) -> compose.Guided:
    """SVD conditioned on these pictures: generates a video of each."""
    tokens, latents = conditions(images, _SVD_AUG, purpose, models, options.seed)
    vector = svd.svd_vector(options.frames, options.fps_id, options.motion_bucket, _SVD_AUG)
    network = Network(models.svd, models, models.sv3d)
    return compose.Guided(network, tokens, latents, vector, svd.linear_guidance(options.frames), models.device)


def sample(denoiser: compose.Guided, length: int, purpose: str, options: Stage1, progress: OnProgress) -> Tensor:
    """One sequence of latents [T, 4, s, s] by plain Euler steps. `purpose` names its noise and its progress."""
    sigmas = edm.karras_sigmas(options.steps)
    shape = (1, length, *denoiser.image.shape[1:])
    x = compose.seeded_noise(options.seed, purpose, 0, shape) * float(torch.sqrt(1 + sigmas[0] ** 2))
    for step in range(options.steps):
        clean = denoiser(x, float(sigmas[step]), torch.tensor([0]))
        x = edm.euler_step(x, clean, float(sigmas[step]), float(sigmas[step + 1]))
        progress(Progress(purpose, step + 1, options.steps))
    return x[0]


def decode(latents: Tensor, vae: Any, device: str, *, temporal: bool) -> Array:
    """Decodes latents [T, 4, s, s] to uint8 RGB [T, S, S, 3]. `temporal`: by SVD's decoder. Raises OutOfMemory."""
    vae.to(device)

    def work(part: Tensor) -> Tensor:
        z = part.to(device) / svd.LATENT_SCALE
        out = vae.decode(z, num_frames=len(z)).sample if temporal else vae.decode(z).sample
        return ((out.float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte()

    with torch.no_grad():
        made = in_pieces(work, latents, _CHUNKS if temporal else (1,), device)
    return np.asarray(made.permute(0, 2, 3, 1).numpy())


def references(
    models: Models, options: Stage1, known: Known, ranks: Ranks, keep: Keep, progress: OnProgress
) -> tuple[Array, Array]:
    """Ring and video, generated unless given; two processes generate them in parallel."""
    start = known.start[None]

    def ring() -> Array:
        guided = column_denoiser(start, options, models, "ringcond")
        latents = sample(guided, options.views, "ring", options, progress)
        made = decode(latents, models.image_vae, models.device, temporal=False)
        made[-1] = start[0]
        return made

    def video() -> Array:
        guided = row_denoiser(start, options, models, "videocond")
        latents = sample(guided, options.frames, "video", options, progress)
        return decode(latents, models.video_vae, models.device, temporal=True)

    makers = {"ring": (ring, known.ring, options.views), "video": (video, known.video, options.frames)}
    kept = {name: ranks.told(keep.load(name)) for name in makers}  # only the first process's folder counts
    made: dict[str, Array] = {}
    for rank, (name, (make, given, count)) in enumerate(makers.items()):
        table = kept[name]
        if given is not None:
            made[name] = given
        elif table is not None:
            made[name] = table["pictures"]
        else:
            mine = ranks.rank == rank % ranks.count
            made[name] = make() if mine else np.zeros((count, *start.shape[1:]), np.uint8)
    for name, (_, given, _) in makers.items():  # after the loop above, so that neither process waits before it starts
        if given is None and kept[name] is None:
            made[name] = ranks.gather(torch.from_numpy(made[name])).numpy()
            if ranks.rank == 0:
                keep.save(name, pictures=made[name])
    return made["ring"], made["video"]


def stage1(
    models: Models, options: Stage1, progress: OnProgress, known: Known, *, ranks: Ranks | None = None,
    keep: Keep | None = None,
) -> Matrix:  # fmt: skip
    """The matrix [V, F], the same in all processes. Raises OutOfMemory."""
    ranks, keep = ranks or Ranks(), keep or Keep()
    reference = known.reference_frame
    if known.video is not None:
        options = replace(options, frames=len(known.video))
    if known.ring is not None:
        options = replace(options, views=len(known.ring))
    ring, video = references(models, options, known, ranks, keep, progress)
    columns = column_denoiser(video, options, models, "columns")
    rows = row_denoiser(ring, options, models, "rows")
    state = _sampled(rows, columns, options, ranks, keep, progress)
    models.rest()
    images = _decoded(state, models, ranks, keep, progress)
    turn = -1.0 if options.clockwise else 1.0
    azimuths = tuple(float(turn * a) % 360 for a in np.degrees(svd.azimuths(options.views).numpy()))
    # SVD's fps_id is one less than the frame rate
    fps = known.fps if known.video is not None and known.fps else options.fps_id + 1
    info = SceneInfo(
        options.frames, fps, RADIUS_M, FOV_DEG, options.elevation_deg, images.shape[2], method="SVD and SV3D"
    )
    return Matrix(images, masks_of(images, known), azimuths, info, options.views - 1, reference)


def _sampled(
    rows: compose.Guided, columns: compose.Guided, options: Stage1, ranks: Ranks, keep: Keep, progress: OnProgress
) -> Tensor:
    """The denoised latents [V, F, 4, s, s]; resumes where an earlier run stopped."""
    noise = compose.seeded_noise(options.seed, "matrix", 0, (options.views, options.frames, *rows.image.shape[1:]))
    total = len(compose.plan(options.steps, options.choices.rollback_steps))
    table = ranks.told(keep.load("latents"))
    kept = None if table is None else (int(table["done"]), torch.from_numpy(table["state"]))
    done, state = kept or (0, noise)
    steps = compose.evaluations(
        rows,
        columns,
        noise,
        edm.karras_sigmas(options.steps),
        options.choices,
        seed=options.seed,
        ranks=ranks,
        kept=kept,
    )
    first = done
    try:
        for evaluation in steps:
            state, done = evaluation.state, done + 1
            if ranks.rank == 0:
                keep.save_now_and_then("latents", state=state.numpy(), done=np.array(done))
                progress(Progress("matrix", done, total))
    finally:  # also after an error or Ctrl-C
        if ranks.rank == 0 and done > first:
            keep.save("latents", state=state.numpy(), done=np.array(done))
    return state


def _decoded(state: Tensor, models: Models, ranks: Ranks, keep: Keep, progress: OnProgress) -> Array:
    """Decodes latents to pictures uint8 [V, F, S, S, 3]. Every process decodes and saves some of the views."""
    views: list[Array | None] = []
    for v, row in enumerate(state):
        kept = keep.load(f"view_{v:02d}") if ranks.rank == v % ranks.count else None
        if ranks.rank != v % ranks.count:
            views.append(None)
            continue
        views.append(decode(row, models.video_vae, models.device, temporal=True) if kept is None else kept["pictures"])
        keep.save(f"view_{v:02d}", pictures=views[-1])
        progress(Progress("decoding", v + 1, len(state)))
    shape = next((view.shape for view in views if view is not None), None)
    shape = ranks.told(shape)
    return np.stack([
        ranks.gather(torch.from_numpy(np.zeros(shape, np.uint8) if view is None else view)).numpy() for view in views
    ])  # fmt: skip


def masks_of(images: Array, known: Known) -> Array:
    """uint8 masks [V, F, S, S] of the matrix's pictures on white, or the input's alpha where it is known."""
    masks = np.stack([[prepare.mask_on_white(picture) for picture in row] for row in images])
    if known.alpha is not None and known.video is not None:
        masks[-1] = known.alpha
    elif known.alpha is not None:
        masks[-1, known.reference_frame] = known.alpha
    if known.ring_alpha is not None:
        masks[:, known.reference_frame] = known.ring_alpha
    return masks


def square(frames: Array, size: int, ratio: float = 0.9) -> tuple[Array, Array]:
    """RGBA [T, H, W, 4] as the models take it: uint8 RGB [T, size, size, 3] on white and alpha [T, size, size].

    All frames share one box.
    """
    box = prepare.bounding_box(frames[..., 3], ratio)
    framed = np.stack([prepare.framed(frame, size, box=box) for frame in frames])
    return prepare.on_white(framed), framed[..., 3]
