"""The options of video diffusion: sampling, the StereoCrafter-Zero sampler, and generation."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from stereocast.settings.groups import Settings


class DiffusionOptions(Settings):
    """Sampling, memory and speed of diffusion models (gen, and convert --synth stereocrafter-zero)."""

    steps: int = Field(50, ge=1, le=1000)
    """Number of sampling steps; more are slower and finer."""
    cfg: float = Field(7.5, ge=1, le=30)
    """Guidance: how strictly the prompt and the picture are followed. 1 turns it off and is twice as fast."""
    guidance_rescale: float | None = Field(None, ge=0, le=1)
    """Keeps the colours of guided frames in range (default: the model's, 0.7 for 512 and 1024)."""
    eta: float = Field(1.0, ge=0, le=1)
    """Randomness of each step: 1 = as published, 0 = none."""
    offload: bool = False
    """Keep idle networks off the GPU. This saves much GPU memory but is slower; it is automatic where the models don't fit."""
    batch_cfg: bool = False
    """Run both guidance branches in one pass: faster, but needs more memory."""
    vae_tile: int = Field(0, ge=0, le=256)
    """Decode in tiles of this many latent samples (8 pixels each) to save memory; 0 = whole frames."""
    compile: bool = False
    """Use torch.compile: sampling is faster after a few minutes of compilation."""


class ZeroOptions(Settings):
    """The StereoCrafter-Zero sampler; defaults are the paper's."""

    zero_preset: Literal["paper", "script"] = "paper"
    """Follow the paper, or the script that its authors published, where the two differ."""
    restart_passes: int | None = Field(None, ge=1, le=50)
    """Noisy restart: number of passes (paper 7)."""
    restart_steps: int | None = Field(None, ge=1, le=50)
    """Noisy restart: iterations per pass (paper 5)."""
    last_warp: int | None = Field(None, ge=0, le=999)
    """Last iteration that warps (default: 34 for 1024, 44 for 512, 45 for 256)."""
    exponent: float = Field(1.0, gt=0, le=10)
    """Raise depth to this power before the warp."""
    border_lambda: float | None = Field(None, ge=0, le=1)
    """Share of the left view in the strip uncovered at the border (paper 1, script 0.9)."""
    warp_at: str | None = Field(None, pattern=r"^\d+(,\d+)*$")
    """Iterations, of 50, that warp, such as 9,14,19 (default: the preset's list)."""
    repetitions: str | None = Field(None, pattern=r"^(off|\d+(,\d+)*)$")
    """Refinement: how often each warp is repeated, such as 8,7,6,5,4,3; the last number also applies to all later warps.
    off takes one step each."""
    refine: Literal["eq4", "latent"] | None = None
    """Refinement method: eq4 (the paper's Eq. 4) or latent (as in the script); default: the preset's."""
    cross_view: str | None = Field(None, pattern=r"^(all|off|\d+-\d+)$")
    """Cross-view attention: all, off, or a range of iterations FIRST-END (script: steps of the pair, 25-45 by default)."""
    fill_latents: Literal["left", "noise", "mix"] = "left"
    """What the holes contain at first: the left view's latents, noise, or half of each."""
    feature_budget_gb: float = Field(4.0, ge=0, le=512)
    """Memory for cached left-view features; those that don't fit are recomputed."""


class ZeroFilmOptions(Settings):
    """StereoCrafter-Zero on a given film."""

    zero_levels: Literal["noise", "inversion"] = "noise"
    """convert: how noise is added to the film's latents: one fixed noise per window, or DDIM inversion (two more
    evaluations per step)."""
    zero_window: int = Field(16, ge=2, le=128)
    """convert: frames per window."""
    zero_overlap: int = Field(4, ge=0, le=64)
    """convert: frames that a window shares with the previous one."""
    zero_batch: int = Field(1, ge=1, le=16)
    """convert: windows sampled at once, first every other one, then those in between. Use it for small models on large GPUs."""
    zero_holes: float = Field(0.0, ge=0, le=100)
    """convert: keep the classical fill in windows whose holes, not counting areas that neighbouring frames show, cover less
    than this % of the picture (draft 1, good 0.25, paper 0)."""
    known_outside: bool = False
    """convert: generate only the holes; everything else is held at its known latents in every step (set by draft and good)."""
    prompt: str = ""
    """convert: a description of the film for the diffusion model."""
    model: Literal["auto", "1024", "512", "256"] = "auto"
    """convert: the DynamiCrafter model of --synth stereocrafter-zero (auto: the largest one whose weights are on disk)."""
    fs: int | None = Field(None, ge=1, le=60)
    """convert: frames per second that the model assumes (256: its frame stride); default: from the film's rate."""


class GenerateOptions(Settings):
    """What is generated, and by which model."""

    prompt: str = ""
    """What happens in the clip. Without a generative model, its motion words choose the camera move."""
    model: Literal["auto", "camera", "1024", "512", "256", "512-interp"] = "auto"
    """auto takes the DynamiCrafter model whose weights are on disk, otherwise camera: a camera move, without weights."""
    end_image: Path | None = None
    """Last picture: the clip moves from the first picture to this one (model 512-interp)."""
    loop: bool = False
    """Make the clip end where it begins."""
    move: Literal["auto", "orbit", "dolly", "pan", "tilt", "zoom", "swing"] = "auto"
    """Camera move. auto takes it from the prompt, otherwise a gentle orbit."""
    amount: float = Field(1.0, ge=0, le=3)
    """How far the camera moves; 1 = comfortable."""
    seconds: float | None = Field(None, gt=0, le=600)
    """Length of the clip in seconds (default: 4 for a camera move, one window for a generative model). Longer clips continue
    from the last frames of each window."""
    frames: int = Field(16, ge=2, le=128)
    """Frames per window of a generative model (trained on 16; fewer look poor)."""
    gen_overlap: int = Field(4, ge=1, le=64)
    """Frames that each window of a longer clip shares with the previous one."""
    shape: Literal["picture", "model"] = "picture"
    """Shape of the clip: that of the picture, as closely as the model allows, or the model's (cropped, or with bars)."""
    upscale: str | None = None
    """Your own program that enlarges the frames. It is run once per view as COMMAND IN OUT, with folders of numbered PNGs."""
    interpolate: str | None = None
    """Your own program that adds frames in between, run like --upscale. The frame rate rises accordingly."""
    cfg_image: float | None = Field(None, ge=0, le=30)
    """Separate guidance scale for the picture (three passes per step)."""
    fs: int | None = Field(None, ge=1, le=60)
    """Amount of motion, as frames per second: smaller = more motion (1024: 5..15, default 10; 512: 15..30, default 24;
    512-interp: 5..30, default 5). For 256 it is the frame stride: larger = more motion (1..6, default 3)."""
    pad_colour: Literal["black", "grey"] = "black"
    """--shape model: colour of the bars beside a picture that is narrower than the model's shape."""
