"""The options of `4d`: the scene of an object, its films, and the Diffusion² image matrix."""

from typing import Literal

from pydantic import Field

from stereocast.settings.groups import Settings


class SceneOptions(Settings):
    """How an object is reconstructed and filmed."""

    model: Literal["auto", "relief", "diffusion2"] = "auto"
    """relief runs on any machine without weights and guesses the unseen sides. diffusion2 generates them and needs a GPU
    with SVD and SV3D weights. auto takes diffusion2 where both are available."""
    orbit: bool = True
    """Write a turntable film: orbit.mp4, and its stereo version in --format."""
    fixed_view: bool = True
    """Write a stereo film from the reference view."""
    sequence: Literal["none", "ply", "splat"] = "none"
    """Also write one file of Gaussians per frame."""
    keep_matrix: bool = False
    """Keep the image matrix as PNG files."""
    size: int = Field(512, ge=64, le=4096, multiple_of=2)
    """Width and height of the films in pixels."""
    seconds: float = Field(5.0, gt=0, le=600)
    """Length of the films in seconds, rounded to whole cycles of the motion so that they loop."""
    rate: int = Field(24, ge=1, le=120)
    """Frames per second of the films. The speed of the motion doesn't change."""
    ipd_mm: float = Field(63.0, ge=0, le=200)
    """Distance between the two cameras in millimetres. The screen is at the object."""
    views: int = Field(0, ge=0, le=200)
    """Views of the image matrix (0: 13 for relief, 21 for diffusion2)."""
    frames: int = Field(0, ge=0, le=200)
    """Frames of the image matrix (0: 9 for a picture, up to 13 for a video; 25 for diffusion2)."""
    matrix_size: int = Field(0, ge=0, le=1024)
    """Width and height of the matrix's pictures (0: 192 for relief, whose Gaussians are as fine as --size; 576 for
    diffusion2)."""
    iterations: int = Field(0, ge=0, le=200_000)
    """Number of reconstruction steps (0: 100 for a relief of a picture, 500 for one of a video, 5000 for diffusion2)."""
    elevation: float = Field(0.0, ge=-60, le=60)
    """Elevation of the cameras in degrees."""
    reference_frame: int = Field(-1, ge=-1)
    """Frame that defines the canonical shape (-1: the middle of a video, the first of a picture)."""
    resume: bool = False
    """Resume an interrupted run, in the matrix or in the reconstruction."""


class MatrixOptions(Settings):
    """How Diffusion² samples the image matrix, and how its pictures are weighted in the reconstruction."""

    option_set: Literal["paper", "official"] = "paper"
    """diffusion2: use the values of the paper (s 0.5, 5 repeated steps) or of its code (0.6, 10, cosine view weights)."""
    steps: int = Field(50, ge=2, le=1000)
    """diffusion2: number of sampling steps."""
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
    """diffusion2: noise added before a step is repeated: linear (as published, less than in the schedule) or variance (the
    full amount)."""
    motion_bucket: float = Field(127, ge=0, le=1023)
    """diffusion2: SVD's motion bucket; larger = more motion."""
    fps_id: float = Field(24, ge=1, le=120)
    """diffusion2: SVD's frame rate minus one. The generated video plays at this rate plus one."""
    decoupled: bool = True
    """diffusion2: the canonical Gaussians learn less from pictures far from the reference view and frame."""
    warm_up: float = Field(0.6, ge=0, le=1)
    """diffusion2: share of the iterations that use only the reference frame."""
    clockwise: bool = False
    """The ring of the multi-view model runs clockwise, seen from above."""
    text_model: str = "sdxl-turbo"
    """--prompt: the text-to-image model, a name listed by `stereocast models`."""
    ranks: int = Field(1, ge=1, le=64)
    """diffusion2: number of processes that share the matrix, one per GPU. torchrun works too."""
