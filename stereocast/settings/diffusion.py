"""The options of video diffusion: sampling, the StereoCrafter-Zero sampler, what is generated."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from stereocast.settings.groups import Settings


class DiffusionOptions(Settings):
    """Sampling, memory and speed of diffusion models (gen, and convert --synth stereocrafter-zero)."""

    steps: int = Field(50, ge=1, le=1000)
    """Sampling steps."""
    cfg: float = Field(7.5, ge=1, le=30)
    """Guidance scale: how closely prompt and picture are followed; 1 = none, twice as fast."""
    guidance_rescale: float | None = Field(None, ge=0, le=1)
    """Keeps guided colours in range (default: the model's, 0.7 for 512 and 1024)."""
    eta: float = Field(1.0, ge=0, le=1)
    """Randomness of each step: 1 = as published, 0 = none."""
    offload: bool = False
    """Keep idle networks off the GPU (automatic if the models do not fit otherwise): slower, much less GPU memory."""
    batch_cfg: bool = False
    """Run both guidance branches in one pass: faster, more memory."""
    vae_tile: int = Field(0, ge=0, le=256)
    """Decode in tiles of this many latent pixels (8 image pixels each); 0 = whole frames."""
    compile: bool = False
    """Use torch.compile: takes minutes at first, then runs faster."""


class ZeroOptions(Settings):
    """The StereoCrafter-Zero sampler; defaults are the paper's."""

    zero_preset: Literal["paper", "script"] = "paper"
    """The rules of the paper, or those of its authors' program."""
    restart_passes: int | None = Field(None, ge=1, le=50)
    """Noisy restart: passes (paper 7)."""
    restart_steps: int | None = Field(None, ge=1, le=50)
    """Noisy restart: iterations of each pass (paper 5)."""
    last_warp: int | None = Field(None, ge=0, le=999)
    """Last iteration that warps (default: 34 for 1024, 44 for 512, 45 for 256)."""
    exponent: float = Field(1.0, gt=0, le=10)
    """Exponent on depth."""
    border_lambda: float | None = Field(None, ge=0, le=1)
    """Share of the left view in the opened border (paper 1, script 0.9)."""
    warp_at: str | None = Field(None, pattern=r"^\d+(,\d+)*$")
    """Iterations (of 50) that warp, such as 9,14,19 (default: the preset's list)."""
    repetitions: str | None = Field(None, pattern=r"^(off|\d+(,\d+)*)$")
    """Refinement: number of steps after each warp in turn, such as 8,7,6,5,4,3; the last one applies to all that follow. off: one step each."""
    refine: Literal["eq4", "latent"] | None = None
    """Refinement: eq4 (Eq. 4 of the paper) or latent (as in its program); default: the preset's."""
    cross_view: str | None = Field(None, pattern=r"^(all|off|\d+-\d+)$")
    """Cross-view attention: all, off, or FIRST-END in iterations (with --zero-preset script, in steps of the pair; default 25-45)."""
    fill_latents: Literal["left", "noise", "mix"] = "left"
    """What fills the holes at first: the left view's latents, noise, or half of each."""
    feature_budget_gb: float = Field(4.0, ge=0, le=512)
    """Memory for features of the left view in GB; what does not fit is recomputed."""


class ZeroFilmOptions(Settings):
    """StereoCrafter-Zero on a given film."""

    zero_levels: Literal["noise", "inversion"] = "noise"
    """convert: where the noise of the film's latents comes from: one fixed noise per window, or DDIM inversion (two more
    evaluations per step)."""
    zero_window: int = Field(16, ge=2, le=128)
    """convert: frames per window."""
    zero_overlap: int = Field(4, ge=0, le=64)
    """convert: frames that a window shares with the one before."""
    zero_batch: int = Field(1, ge=1, le=16)
    """convert: windows sampled at once, every other one first; for small models on large GPUs."""
    zero_holes: float = Field(0.0, ge=0, le=100)
    """convert: keep the classical fill in windows whose holes, as far as no neighbouring frame shows them, cover less than
    this % of the picture (draft 1, good 0.25, paper 0)."""
    known_outside: bool = False
    """convert: generate only the holes; everything else is held at its known latents in every step (draft and good)."""
    prompt: str = ""
    """convert: a description of the film for the diffusion model."""
    model: Literal["auto", "1024", "512", "256"] = "auto"
    """convert: the DynamiCrafter model of --synth stereocrafter-zero (auto: the largest one whose weights are installed)."""
    fs: int | None = Field(None, ge=1, le=60)
    """convert: frames per second for the model (256: its frame stride); default: from the film's rate."""


class GenerateOptions(Settings):
    """What is generated, and by which model."""

    prompt: str = ""
    """What happens in the picture. Without a generative model, its motion words choose the camera move."""
    model: Literal["auto", "camera", "1024", "512", "256", "512-interp"] = "auto"
    """auto: the DynamiCrafter model whose weights are installed, otherwise a camera move through the picture."""
    end_image: Path | None = None
    """Last picture of the clip (model 512-interp)."""
    loop: bool = False
    """Make the clip end where it starts."""
    move: Literal["auto", "orbit", "dolly", "pan", "tilt", "zoom", "swing"] = "auto"
    """Camera move: auto reads the prompt, otherwise a gentle orbit."""
    amount: float = Field(1.0, ge=0, le=3)
    """How far the camera moves; 1 = comfortable."""
    seconds: float | None = Field(None, gt=0, le=600)
    """Length of the clip in seconds (default: 4 for a camera move, one window for a generative model). Longer clips
    continue from the last frames of each window."""
    frames: int = Field(16, ge=2, le=128)
    """Frames per window of the generative models (trained on 16; fewer look poor)."""
    gen_overlap: int = Field(4, ge=1, le=64)
    """Frames that a window of a longer clip shares with the one before."""
    shape: Literal["picture", "model"] = "picture"
    """Shape of the clip: that of the picture, as closely as the model allows, or that of the model (cropped, or with bars)."""
    upscale: str | None = None
    """Your own program for enlarging the frames. It is run once per view as COMMAND IN OUT, with folders of numbered PNGs."""
    interpolate: str | None = None
    """Your own program for frames in between, run like --upscale. The frame rate rises with their number."""
    cfg_image: float | None = Field(None, ge=0, le=30)
    """Separate guidance scale for the picture (three passes per step)."""
    fs: int | None = Field(None, ge=1, le=60)
    """Motion: frames per second (1024: 5..15, default 10; 512: 15..30, default 24; 512-interp: 5..30, default 5; smaller =
    more motion), for 256 the frame stride (1..6, default 3; larger = more motion)."""
    pad_colour: Literal["black", "grey"] = "black"
    """--shape model: colour of the bars beside a picture that is narrower than the model's shape."""
