"""The options of `4d`: the object's scene and films, and how Diffusion² makes the image matrix."""

from typing import Literal

from pydantic import Field

from stereocast.settings.groups import Settings


class SceneOptions(Settings):
    """How an object is reconstructed and filmed."""

    model: Literal["auto", "relief", "diffusion2"] = "auto"
    """relief (no weights, any machine: a closed relief whose unseen sides are guessed), diffusion2 (SVD and SV3D weights, a
    GPU), or auto: diffusion2 if a GPU and its weights are available."""
    orbit: bool = True
    """Write the turntable: orbit.mp4 and, in --format, its stereo version."""
    fixed_view: bool = True
    """Write the stereo film from the reference view."""
    sequence: Literal["none", "ply", "splat"] = "none"
    """Also write one file of Gaussians for each frame."""
    keep_matrix: bool = False
    """Keep the image matrix as PNGs."""
    size: int = Field(512, ge=64, le=4096, multiple_of=2)
    """Side of the output pictures in pixels."""
    seconds: float = Field(5.0, gt=0, le=600)
    """Length of the films in seconds, rounded to whole cycles of the motion so that they loop."""
    rate: int = Field(24, ge=1, le=120)
    """Frames per second of the films; the motion keeps its own speed."""
    ipd_mm: float = Field(63.0, ge=0, le=200)
    """Distance between the two cameras; the screen is at the object."""
    views: int = Field(0, ge=0, le=200)
    """Views of the image matrix (0: 13 for relief, 21 for diffusion2)."""
    frames: int = Field(0, ge=0, le=200)
    """Frames of the image matrix (0: 9 for a picture, up to 13 for a video; 25 for diffusion2)."""
    matrix_size: int = Field(0, ge=0, le=1024)
    """Side of the matrix's pictures (0: 192 for relief, whose Gaussians are as fine as --size; 576 for diffusion2)."""
    iterations: int = Field(0, ge=0, le=200_000)
    """Steps of the reconstruction (0: 100 for a relief, 500 for one of a video; 5000 for diffusion2)."""
    elevation: float = Field(0.0, ge=-60, le=60)
    """Elevation of the cameras in degrees."""
    reference_frame: int = Field(-1, ge=-1)
    """The frame whose shape is the canonical one (-1: the middle of a video, the first of a picture)."""
    resume: bool = False
    """Resume an interrupted run: in the matrix or in the reconstruction."""


class MatrixOptions(Settings):
    """How Diffusion² makes the image matrix, and what its reconstruction trusts."""

    option_set: Literal["paper", "official"] = "paper"
    """diffusion2: the values of the paper (s 0.5, 5 repeated steps) or of its code (0.6, 10, cosine view weights)."""
    steps: int = Field(50, ge=2, le=1000)
    """diffusion2: sampling steps."""
    share: float | None = Field(None, ge=0, le=1)
    """diffusion2: s, the multi-view model's share of the score: 0 = video model only, 1 = multi-view model only (default:
    from --option-set)."""
    share_end: float = Field(0.0, ge=0, le=1)
    """diffusion2: final value of s on a falling curve."""
    share_curve: Literal["constant", "linear", "cosine", "logistic"] = "constant"
    """diffusion2: how s falls over the steps, from --share to --share-end."""
    view_weights: Literal["none", "cosine"] | None = None
    """diffusion2: how the video model's weight varies around the ring (default: from --option-set)."""
    rollback_steps: int | None = Field(None, ge=0, le=1000)
    """diffusion2: N_r, how many of the first steps are renoised and repeated; 0 = no variance-reducing sampling
    (default: from --option-set)."""
    renoise: Literal["linear", "variance"] = "linear"
    """diffusion2: noise added before a step is repeated: linear (less than the schedule's, as published) or variance (all of it)."""
    motion_bucket: float = Field(127, ge=0, le=1023)
    """diffusion2: SVD's motion bucket; larger = more motion."""
    fps_id: float = Field(24, ge=1, le=120)
    """diffusion2: SVD's frame rate minus one; the video it makes plays at this rate plus one."""
    decoupled: bool = True
    """diffusion2: canonical Gaussians learn less from pictures far from the reference view and frame."""
    warm_up: float = Field(0.6, ge=0, le=1)
    """diffusion2: share of the iterations that see the reference frame only."""
    clockwise: bool = False
    """The ring of the multi-view model runs clockwise, seen from above."""
    text_model: str = "sdxl-turbo"
    """--prompt: the text-to-image model, by its name in `stereocast models`."""
    ranks: int = Field(1, ge=1, le=64)
    """diffusion2: number of processes that share the matrix, one per GPU (torchrun works too)."""
