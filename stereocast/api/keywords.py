"""The options of every job as typed keywords: editors complete them, mypy checks them.

Written by docs/make_keywords.py from `settings`, which says what each means.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

from stereocast.types import Anaglyph, Layout


class RecipeKeywords(TypedDict, total=False):
    """Options from a file."""

    recipe: str | None


class PackKeywords(RecipeKeywords, total=False):
    """How the picture is packed and encoded."""

    format: (
        Layout
        | Literal[
            "sbs",
            "half-sbs",
            "ou",
            "half-ou",
            "cross-eyed",
            "anaglyph",
            "rgbd",
            "vr180",
            "row-interlaced",
            "pair",
            "left",
            "right",
            "mono",
            "spatial",
        ]
    )
    anaglyph: Anaglyph | Literal["dubois", "color", "half-color", "gray", "wimmer"]
    preset: str
    encoder: str
    quality: int | Literal["draft", "good", "paper"] | None
    crf: int | None


class OutputKeywords(PackKeywords, total=False):
    """What is written."""

    out_format: Literal["mp4", "mkv", "hls", "fmp4"] | None
    fov: float | None
    sei: bool


class SizeKeywords(TypedDict, total=False):
    """Size and frame rate of the work."""

    scale: float
    fps: float | None


class SourceKeywords(SizeKeywords, total=False):
    """Which part of the source is read, and how."""

    crop: Literal["none", "auto"]
    start: str | None
    end: str | None
    duration: str | None
    tonemap: bool
    swap_eyes: bool
    sidecars: bool
    spool: bool


class TrackKeywords(TypedDict, total=False):
    """What is kept besides the picture."""

    audio: str
    subs: str


class ScreenKeywords(TypedDict, total=False):
    """How deep the picture is, and where the screen is."""

    strength: float | Literal["auto"] | None
    convergence: float | Literal["auto"]
    pop_out: float
    eyes: Literal["both", "left", "right"] | None


class StereoKeywords(ScreenKeywords, total=False):
    """How the second view of a film is made."""

    edge_dilation: int
    fill: Literal["fast", "best"]
    border: Literal["fill", "paper", "crop", "scale"]
    window_guard: bool
    synth: str
    disparity: str | PathLike[str] | None
    full_view: bool


class DepthKeywords(TypedDict, total=False):
    """Where depth comes from."""

    depth: str
    dissolve: int | None
    dissolve_scale: Literal["paper", "index", "vp"]
    dissolve_sigma: float | None
    dissolve_input: Literal["official", "noised", "literal"]
    depth_size: int | None
    depth_window: int | None
    depth_steps: int
    depth_guidance: float | None
    depth_mode: Literal["windows", "streaming"]
    depth_offload: Literal["auto", "none", "model", "sequential"]
    depth_downsample: Literal[1, 2, 4]
    propagate: bool
    text_depth: float | Literal["auto", "none"]
    smooth: float
    motion: Literal["auto", "off"]


class DepthFileKeywords(TypedDict, total=False):
    """What is kept of the depth."""

    depth_out: str | PathLike[str] | None


class WeightKeywords(TypedDict, total=False):
    """Where weights come from."""

    weights: Sequence[str]
    accept_licence: bool


class FilmKeywords(TypedDict, total=False):
    """What kind of source it is, if not an ordinary film."""

    source_layout: (
        Literal["auto", "mono", "sbs", "half-sbs", "ou", "half-ou", "cross-eyed", "row-interlaced", "multiview"] | None
    )
    deinterlace: Literal["auto", "field", "frame", "telecine", "none"]


class DeviceKeywords(TypedDict, total=False):
    """Device and seed."""

    device: str
    seed: int


class NetworkKeywords(DeviceKeywords, total=False):
    """Where and how networks run."""

    precision: Literal["auto", "fp32", "fp16", "bf16"]


class FileKeywords(TypedDict, total=False):
    """What happens to an existing result."""

    overwrite: bool


class EngineKeywords(TypedDict, total=False):
    """Where a film is converted, and whether the conversion resumes."""

    resume: bool
    engine: Literal["local", "ray"]
    workers: int
    ray_address: str | None


class DiffusionKeywords(TypedDict, total=False):
    """Sampling, memory and speed of diffusion models (gen, and convert --synth stereocrafter-zero)."""

    steps: int
    cfg: float
    guidance_rescale: float | None
    eta: float
    offload: bool
    batch_cfg: bool
    vae_tile: int
    compile: bool


class ZeroKeywords(TypedDict, total=False):
    """The StereoCrafter-Zero sampler; defaults are the paper's."""

    zero_preset: Literal["paper", "script"]
    restart_passes: int | None
    restart_steps: int | None
    last_warp: int | None
    exponent: float
    border_lambda: float | None
    warp_at: str | None
    repetitions: str | None
    refine: Literal["eq4", "latent"] | None
    cross_view: str | None
    fill_latents: Literal["left", "noise", "mix"]
    feature_budget_gb: float


class ZeroFilmKeywords(TypedDict, total=False):
    """StereoCrafter-Zero on a given film."""

    zero_levels: Literal["noise", "inversion"]
    zero_window: int
    zero_overlap: int
    zero_batch: int
    zero_holes: float
    known_outside: bool
    prompt: str
    model: Literal["auto", "1024", "512", "256"]
    fs: int | None


class GenerateKeywords(TypedDict, total=False):
    """What is generated, and by which model."""

    prompt: str
    model: Literal["auto", "camera", "1024", "512", "256", "512-interp"]
    end_image: str | PathLike[str] | None
    loop: bool
    move: Literal["auto", "orbit", "dolly", "pan", "tilt", "zoom", "swing"]
    amount: float
    seconds: float | None
    frames: int
    gen_overlap: int
    shape: Literal["picture", "model"]
    upscale: str | None
    interpolate: str | None
    cfg_image: float | None
    fs: int | None
    pad_colour: Literal["black", "grey"]


class SceneKeywords(TypedDict, total=False):
    """How an object is reconstructed and filmed."""

    model: Literal["auto", "relief", "diffusion2"]
    orbit: bool
    fixed_view: bool
    sequence: Literal["none", "ply", "splat"]
    keep_matrix: bool
    size: int
    seconds: float
    rate: int
    ipd_mm: float
    views: int
    frames: int
    matrix_size: int
    iterations: int
    elevation: float
    reference_frame: int
    resume: bool


class MatrixKeywords(TypedDict, total=False):
    """How Diffusion² makes the image matrix, and what its reconstruction trusts."""

    option_set: Literal["paper", "official"]
    steps: int
    share: float | None
    share_end: float
    share_curve: Literal["constant", "linear", "cosine", "logistic"]
    view_weights: Literal["none", "cosine"] | None
    rollback_steps: int | None
    renoise: Literal["linear", "variance"]
    motion_bucket: float
    fps_id: float
    decoupled: bool
    warm_up: float
    clockwise: bool
    text_model: str
    ranks: int


class EstimatorKeywords(DepthKeywords, WeightKeywords, NetworkKeywords, total=False):
    """All options that a depth estimator may use."""


class SamplerKeywords(
    ScreenKeywords, DepthKeywords, WeightKeywords, NetworkKeywords, DiffusionKeywords, ZeroKeywords, total=False
):
    """All options that the StereoCrafter-Zero sampler may use."""


class ViewKeywords(StereoKeywords, SamplerKeywords, EstimatorKeywords, ZeroFilmKeywords, total=False):
    """All options for making two views of a film."""


class ConvertKeywords(
    FilmKeywords,
    OutputKeywords,
    SourceKeywords,
    TrackKeywords,
    ViewKeywords,
    DepthFileKeywords,
    FileKeywords,
    EngineKeywords,
    total=False,
):
    """All options of `stereocast convert`."""


class GenKeywords(
    GenerateKeywords, OutputKeywords, SizeKeywords, SamplerKeywords, EstimatorKeywords, FileKeywords, total=False
):
    """All options of `stereocast gen`."""


class FourDKeywords(
    SceneKeywords, MatrixKeywords, PackKeywords, WeightKeywords, NetworkKeywords, FileKeywords, total=False
):
    """All options of `stereocast 4d`."""


class PreviewKeywords(FilmKeywords, ViewKeywords, FileKeywords, total=False):
    """All options of `stereocast preview`."""

    preset: str
    moments: int
    width: int
