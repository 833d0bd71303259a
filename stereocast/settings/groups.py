"""Every option, once: its range, its default and its help, in groups that belong together and are used together.

The command line, the keywords of `api` and the docs read them from here. Models are frozen and refuse unknown keys.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from stereocast.types import Anaglyph, Layout

Eyes = Literal["both", "left", "right"]
OutFormat = Literal["mp4", "mkv", "hls", "fmp4"]
SourceLayout = Literal["auto", "mono", "sbs", "half-sbs", "ou", "half-ou", "cross-eyed", "row-interlaced", "multiview"]
_UNIT = Field(ge=0, le=1)


def _number(value: object) -> object:
    """Digits as a number: the command line hands text over."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


class Settings(BaseModel):
    """Base: frozen, no unknown keys, attribute docstrings become the help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True)


Level = Literal["draft", "good", "paper"]


class RecipeSettings(Settings):
    """Options from a file."""

    recipe: str | None = None
    """Take options from a TOML file (or a name of presets/recipes); options that are given win."""


class PackSettings(RecipeSettings):
    """How the picture is packed and encoded."""

    format: Layout = Layout.SBS
    """Layout of the stereo picture."""
    anaglyph: Anaglyph = Anaglyph.DUBOIS
    """Colours of --format anaglyph."""
    preset: str = "quest3"
    """Headset or site: sets codec order, size limits and the screen for comfort figures."""
    encoder: str = "auto"
    """Encoder profile by name or .toml path; auto takes the first of the preset's list that opens here."""
    quality: Annotated[int, Field(ge=0, le=63)] | Level | None = None
    """draft, good or paper: how much work diffusion puts into a second view (default: good for convert, paper for gen). A
    number is the encoder's constant quality, as --crf."""
    crf: int | None = Field(None, ge=0, le=63)
    """The encoder's constant quality (CRF/CQ); lower is better."""

    @property
    def constant_quality(self) -> int | None:
        """The encoder's quality: `crf`, or a number given as `quality`."""
        return self.quality if self.crf is None and isinstance(self.quality, int) else self.crf


class OutputSettings(PackSettings):
    """What is written."""

    out_format: OutFormat | None = None
    """Container: mp4, mkv, hls (a folder) or fmp4 (fragmented, also to '-'); default: from the output's name."""
    fov: float | None = Field(None, ge=20, le=180)
    """vr180: horizontal field of view of the source in degrees (default: a comfortable screen)."""
    sei: bool = False
    """Also write the H.264/HEVC frame-packing message (desktop players that honour it show one eye)."""


class SizeSettings(Settings):
    """Size and frame rate of the work."""

    scale: float = Field(1.0, gt=0, le=4)
    """Resize the source by this factor first."""
    fps: float | None = Field(None, gt=0, le=240)
    """Constant frame rate; default: the source's own timestamps, frame for frame."""


class SourceSettings(SizeSettings):
    """Which part of the source is read, and how."""

    crop: Literal["none", "auto"] = "none"
    """auto: cut away black bars."""
    start: str | None = None
    """Start here: seconds or [HH:]MM:SS[.mmm]."""
    end: str | None = None
    """Stop here: seconds or [HH:]MM:SS[.mmm]."""
    duration: str | None = None
    """Convert only this much: seconds or [HH:]MM:SS[.mmm]."""
    tonemap: bool = False
    """Turn HDR into SDR BT.709."""
    swap_eyes: bool = False
    """With --source-layout: exchange the source's eyes."""
    sidecars: bool = False
    """Also copy subtitle files beside the source (film.srt, film.de.srt), under the result's name."""
    spool: bool = False
    """Save standard input to a temporary file first, for formats that can't be read from a pipe."""


class TrackSettings(Settings):
    """What is kept besides the picture."""

    audio: str = "all"
    """Audio tracks to keep: all, none, or numbers such as 0,2."""
    subs: str = "all"
    """Subtitle tracks to keep: all, none, or numbers such as 0,2."""


class ScreenSettings(Settings):
    """How deep the picture is, and where the screen is in it."""

    strength: Annotated[float, Field(ge=0, le=20)] | Literal["auto"] | None = None
    """Largest disparity in % of the width, or auto, which stays inside the 1-degree rule
    (default: 2.0 for warp, auto for convert with stereocrafter-zero, 4.0 for gen and --quality paper)."""
    convergence: Annotated[float, _UNIT] | Literal["auto"] = "auto"
    """Which depth is on the screen: 0 (farthest) to 1 (nearest), or auto (per shot)."""
    pop_out: float = Field(0.25, ge=0, le=1)
    """Largest share of the disparity in front of the screen when convergence is auto."""
    eyes: Eyes | None = None
    """Which views are synthesised: both (default for warp), left or right; the other one is the source itself."""


class StereoSettings(ScreenSettings):
    """How the second view of a film is made."""

    edge_dilation: int = Field(1, ge=0, le=8)
    """Grow near surfaces by this many pixels before the warp, so that soft outlines move with them."""
    fill: Literal["fast", "best"] = "fast"
    """How disoccluded areas are filled: fast, or best (slower: finer structure, and what neighbouring frames show)."""
    border: Literal["fill", "paper", "crop", "scale"] = "fill"
    """Strips at the frame's sides that no source pixel reaches: fill, paper (use the other view's), crop, or scale."""
    window_guard: bool = False
    """Floating window: mask the side of the frame where it cuts off something in front of the screen."""
    synth: str = "warp"
    """How the second view is made: warp (CPU, streaming), stereocrafter-zero (GPU, diffusion), or one that a package adds."""
    disparity: Path | None = None
    """Exact disparities of your own, applied unscaled: .npz with key 'disparity', or .npy; float32 [H,W] or [T,H,W],
    pixels of the source, x_left - x_right, nan = unknown."""
    full_view: bool = False
    """stereocrafter-zero: use the whole generated view, not only its disoccluded areas."""

    @property
    def strength_percent(self) -> float | Literal["auto"]:
        """`strength`, or the default of the chosen synthesis."""
        if self.strength is not None:
            return self.strength
        if self.synth != "stereocrafter-zero":
            return 2.0
        return 4.0 if getattr(self, "quality", None) == "paper" else "auto"

    @property
    def synthesised(self) -> Eyes:
        """`eyes`, or the default of the chosen synthesis."""
        return self.eyes or ("right" if self.synth == "stereocrafter-zero" else "both")


class DepthSettings(Settings):
    """Where depth comes from."""

    depth: str = "auto"
    """auto (the best that is installed), an estimator's name (a package can add one), or a depth video or folder of your own."""
    dissolve: int | None = Field(None, ge=0, le=50)
    """DepthCrafter: dissolve the depth at this step of a 50-step schedule; 0 = off (default: off; with stereo by
    diffusion the paper's 45 for 1024, 40 for 512, off for 256)."""
    dissolve_scale: Literal["paper", "index", "vp"] = "paper"
    """What --dissolve counts: paper (larger removes more: index 50 - t), index (0 is the noisiest), vp (DDIM's gentler scale)."""
    dissolve_sigma: float | None = Field(None, gt=0, le=700)
    """Dissolve at this noise level instead; 0.1 to 5 removes detail gradually."""
    dissolve_input: Literal["official", "noised", "literal"] = "official"
    """What is dissolved: official (clean latents), noised (with fixed noise per frame), literal (the printed formula)."""
    depth_size: int | None = Field(None, ge=64, le=4096)
    """Longer (video models) or shorter (image models) side at which a depth network sees the film; default: the model's."""
    depth_window: int | None = Field(None, ge=4, le=400)
    """DepthCrafter: frames per window (default: what fits into memory, at most 110)."""
    depth_steps: int = Field(5, ge=1, le=50)
    """DepthCrafter: denoising steps."""
    depth_guidance: float | None = Field(None, ge=1, le=10)
    """DepthCrafter: guidance scale; above 1 doubles the work (default: 1; with stereo by diffusion the paper's 1.2)."""
    depth_mode: Literal["windows", "streaming"] = "windows"
    """Video Depth Anything: windows of 32 frames, or streaming (one frame at a time, less accurate, no delay)."""
    depth_offload: Literal["auto", "none", "model", "sequential"] = "auto"
    """DepthCrafter: keep weights in main memory: model moves one network at a time to the GPU, sequential one layer at a time."""
    depth_downsample: Annotated[Literal[1, 2, 4], BeforeValidator(_number)] = 1
    """Use the depth map at 1/2 or 1/4 of its size."""
    propagate: bool = False
    """Average depth along optical flow (disparity propagation): calmer depth on small, fast objects."""
    text_depth: Annotated[float, _UNIT] | Literal["auto", "none"] = "none"
    """Place burned-in subtitles and other still text at one steady depth: 0 (farthest) to 1 (nearest), auto (in front of
    what it covers), or none."""
    smooth: float = Field(0.8, ge=0, lt=1)
    """Temporal smoothing of depth along motion: 0 = none."""
    motion: Literal["auto", "off"] = "auto"
    """Correct the estimated depth with the parallax of a moving camera, where there is any."""

    @property
    def depth_path(self) -> Path | None:
        """The depth that the user brings; None where `depth` names an estimator, whatever files are there."""
        from stereocast import registry

        path = Path(self.depth)
        return path if self.depth not in ("auto", *registry.DEPTH) and path.exists() else None


class DepthFileSettings(Settings):
    """What is kept of the depth."""

    depth_out: Path | None = None
    """Also write the depth: ffv1 mkv, gray16le, 65535 = nearest. The file can be passed to --depth."""


class WeightSettings(Settings):
    """Where weights come from."""

    weights: tuple[str, ...] = ()
    """Weights on disk instead of a download: NAME=PATH, repeatable; a bare path means the main model."""
    accept_licence: bool = False
    """Accept the licence of the weights that have to be downloaded."""


class FilmSettings(Settings):
    """What kind of source it is, if not an ordinary film."""

    source_layout: SourceLayout | None = None
    """The source is already 3D: the layout of its views (auto: by tags and name). It is repacked to --format
    without depth; mono takes it as a flat picture."""
    deinterlace: Literal["auto", "field", "frame", "telecine", "none"] = "auto"
    """auto (interlaced frames, one picture each), frame (all frames, one picture each), field (one picture per field,
    twice the rate), telecine (remove pulldown, back to 24 frames a second), or none."""


class DeviceSettings(Settings):
    """Device and seed."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    seed: int = Field(0, ge=0)
    """Random seed."""


class NetworkSettings(DeviceSettings):
    """Where and how networks run."""

    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Number format of neural networks."""


class FileSettings(Settings):
    """What happens to an existing result."""

    overwrite: bool = False
    """Replace an existing output."""


class EngineSettings(Settings):
    """Where a film is converted, and whether it resumes."""

    resume: bool = False
    """Resume an interrupted conversion of the same film."""
    engine: Literal["local", "ray"] = "local"
    """Where a film's sections run: local (this machine), or ray (a cluster; see docs/cluster.md)."""
    workers: int = Field(0, ge=0, le=1024)
    """Sections converted at the same time, one process each (0: local uses a single process, ray all it has)."""
    ray_address: str | None = None
    """--engine ray: the cluster, auto or ray://HOST:10001 (default: a local one for the duration of the call)."""
