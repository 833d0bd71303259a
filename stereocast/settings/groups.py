"""Defines every option once, with its range, default and help, in groups of related options.

The command line, the keywords of `api` and the docs read them from here. Models are frozen and reject unknown keys.
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
    """Digits as an int: the command line passes text."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


class Settings(BaseModel):
    """Base: frozen, no unknown keys, attribute docstrings become the help text."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True, coerce_numbers_to_str=True
    )


Level = Literal["draft", "good", "paper"]


class RecipeSettings(Settings):
    """Options read from a file."""

    recipe: str | None = None
    """Read options from a TOML file, or from a recipe in presets/recipes by name. Options given directly take precedence."""


class PackSettings(RecipeSettings):
    """How the picture is packed and encoded."""

    format: Layout = Layout.SBS
    """Layout of the stereo picture."""
    anaglyph: Anaglyph = Anaglyph.DUBOIS
    """Colours of --format anaglyph."""
    preset: str = "quest3"
    """Target headset or site. It sets the order of encoders, the size limits and the screen for the comfort figures."""
    encoder: str = "auto"
    """Encoder profile: a name or the path of a .toml file. auto takes the first in the preset's list that works on this machine."""
    quality: Annotated[int, Field(ge=0, le=63)] | Level | None = None
    """draft, good or paper: how much work diffusion puts into the second view (default: good for convert, paper for gen).
    For the constant quality of the encoder, use --crf."""
    crf: int | None = Field(None, ge=0, le=63)
    """Constant quality of the encoder (CRF/CQ); lower is better and makes larger files."""

    @property
    def constant_quality(self) -> int | None:
        """`crf`, or a number given as `quality`."""
        return self.quality if self.crf is None and isinstance(self.quality, int) else self.crf


class OutputSettings(PackSettings):
    """Container and tags of the output."""

    out_format: OutFormat | None = None
    """Container: mp4, mkv, hls (a folder) or fmp4 (fragmented mp4, also to standard output). The default follows the output's
    name."""
    fov: float | None = Field(None, ge=20, le=180)
    """vr180: horizontal field of view that the source fills, in degrees (default: a comfortable screen)."""
    sei: bool = False
    """Also write the H.264/HEVC frame-packing message. Desktop players that support it show one eye."""


class SizeSettings(Settings):
    """Size and frame rate of the result."""

    scale: float = Field(1.0, gt=0, le=4)
    """Resize the source by this factor before converting it."""
    fps: float | None = Field(None, gt=0, le=240)
    """Resample to this constant frame rate (default: keep every frame at its own time)."""


class SourceSettings(SizeSettings):
    """Which part of the source is read, and how."""

    crop: Literal["none", "auto"] = "none"
    """auto removes black bars."""
    start: str | None = None
    """Start at this time: seconds or [HH:]MM:SS[.mmm]."""
    end: str | None = None
    """Stop at this time: seconds or [HH:]MM:SS[.mmm]."""
    duration: str | None = None
    """Convert only this length: seconds or [HH:]MM:SS[.mmm]. Overrides --end."""
    tonemap: bool = False
    """Convert HDR to SDR (BT.709)."""
    swap_eyes: bool = False
    """With --source-layout: swap the source's left and right views."""
    sidecars: bool = False
    """Also copy the subtitle files stored next to the source (film.srt, film.de.srt), renamed to match the result."""
    spool: bool = False
    """Save standard input to a temporary file first. Some formats can't be read from a pipe."""


class TrackSettings(Settings):
    """Which sound and subtitle tracks are kept."""

    audio: str = "all"
    """Audio tracks to keep: all, none, or numbers such as 0,2."""
    subs: str = "all"
    """Subtitle tracks to keep: all, none, or numbers such as 0,2."""


class ScreenSettings(Settings):
    """How much depth the picture has, and where the screen is in it."""

    strength: Annotated[float, Field(ge=0, le=20)] | Literal["auto"] | None = None
    """Amount of depth: the largest disparity in % of the width. auto keeps it within one degree on the screen, which is
    comfortable (default: 2.0 for warp, auto for convert with stereocrafter-zero, 4.0 for gen and --quality paper)."""
    convergence: Annotated[float, _UNIT] | Literal["auto"] = "auto"
    """The depth that appears at the screen, from 0 (farthest) to 1 (nearest). auto chooses it per shot."""
    pop_out: float = Field(0.25, ge=0, le=1)
    """With --convergence auto: the largest share of the disparity that may be in front of the screen."""
    eyes: Eyes | None = None
    """Which views to synthesise: both (default for warp), left or right. The other view is the source itself."""


class StereoSettings(ScreenSettings):
    """How the second view of a film is made."""

    edge_dilation: int = Field(1, ge=0, le=8)
    """Grow near surfaces by this many pixels before the warp, so that their soft outlines move with them."""
    fill: Literal["fast", "best"] = "fast"
    """How disoccluded areas are filled. best is slower: it continues finer structure and uses neighbouring frames."""
    border: Literal["fill", "paper", "crop", "scale"] = "fill"
    """What to do with strips at the sides of the frame that no source pixel reaches: fill them, paper (copy them from the
    other view), crop, or scale the picture over them."""
    window_guard: bool = False
    """Floating window: mask the side of the frame where it cuts off an object in front of the screen."""
    synth: str = "warp"
    """How the second view is made: warp (CPU, streaming), stereocrafter-zero (GPU, diffusion), or the name of a plugin."""
    disparity: Path | None = None
    """Use exact disparities from this file, unscaled: .npz with key 'disparity', or .npy; float32 [H,W] or [T,H,W] in source
    pixels, x_left - x_right, nan = unknown."""
    full_view: bool = False
    """stereocrafter-zero: use the whole generated view instead of only its disoccluded areas."""

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
    """auto (the best installed estimator), the name of an estimator or plugin, or the path of your own depth video or folder."""
    dissolve: int | None = Field(None, ge=0, le=50)
    """DepthCrafter: remove detail from the depth with one denoising call at this step of a 50-step schedule; 0 = off
    (default: off; with diffusion stereo the paper's 45 for 1024, 40 for 512, off for 256)."""
    dissolve_scale: Literal["paper", "index", "vp"] = "paper"
    """How --dissolve counts steps: paper (larger removes more: index 50 - t), index (0 is the noisiest), or vp (DDIM's gentler
    scale)."""
    dissolve_sigma: float | None = Field(None, gt=0, le=700)
    """Dissolve at this noise level instead of a step. 0.1 to 5 removes detail gradually."""
    dissolve_input: Literal["official", "noised", "literal"] = "official"
    """What is dissolved: official (clean latents), noised (one fixed noise per frame), or literal (the printed formula)."""
    depth_size: int | None = Field(None, ge=64, le=4096)
    """Size at which the depth network sees the film: its longer side for video models, its shorter side for image models
    (default: the model's)."""
    depth_window: int | None = Field(None, ge=4, le=400)
    """DepthCrafter: frames per window (default: as many as fit into memory, at most 110)."""
    depth_steps: int = Field(5, ge=1, le=50)
    """DepthCrafter: denoising steps."""
    depth_guidance: float | None = Field(None, ge=1, le=10)
    """DepthCrafter: guidance scale; above 1 doubles the work (default: 1; with diffusion stereo the paper's 1.2)."""
    depth_mode: Literal["windows", "streaming"] = "windows"
    """Video Depth Anything: windows of 32 frames, or streaming (one frame at a time, less accurate, no delay)."""
    depth_offload: Literal["auto", "none", "model", "sequential"] = "auto"
    """DepthCrafter: keep weights in main memory to save GPU memory. model moves one network at a time to the GPU, sequential
    one layer at a time."""
    depth_downsample: Annotated[Literal[1, 2, 4], BeforeValidator(_number)] = 1
    """Reduce the depth map to 1/2 or 1/4 of its size."""
    propagate: bool = False
    """Average depth along optical flow (disparity propagation). It steadies the depth of small, fast objects."""
    text_depth: Annotated[float, _UNIT] | Literal["auto", "none"] = "none"
    """Keep burned-in subtitles and other still text at one steady depth: 0 (farthest) to 1 (nearest), auto (in front of
    whatever the text covers), or none."""
    smooth: float = Field(0.8, ge=0, lt=1)
    """How strongly depth is smoothed over time, along motion; 0 = not at all."""
    motion: Literal["auto", "off"] = "auto"
    """auto corrects the estimated depth with the parallax of a moving camera."""

    @property
    def depth_path(self) -> Path | None:
        """The user's depth file or folder; None where `depth` names an estimator, even if a file has that name."""
        from stereocast import registry

        path = Path(self.depth)
        return path if self.depth not in ("auto", *registry.DEPTH) and path.exists() else None


class DepthFileSettings(Settings):
    """Where the depth is saved."""

    depth_out: Path | None = None
    """Also write the depth to this file: ffv1 mkv, gray16le, 65535 = nearest. The file can be passed to --depth."""


class WeightSettings(Settings):
    """Where weights come from."""

    weights: tuple[str, ...] = ()
    """Use weights from disk instead of downloading them: NAME=PATH, repeatable. A bare path means the main model."""
    accept_licence: bool = False
    """Accept the licences of the weights to be downloaded."""


class FilmSettings(Settings):
    """How the source is stored, if it isn't an ordinary film."""

    source_layout: SourceLayout | None = None
    """The source is already 3D, with its views in this layout (auto: from its tags and name). It is repacked to --format
    without estimating depth. mono treats it as a flat picture."""
    deinterlace: Literal["auto", "field", "frame", "telecine", "none"] = "auto"
    """auto deinterlaces the frames flagged as interlaced, frame all frames. field makes a picture of each field, which
    doubles the rate. telecine removes pulldown, back to 24 frames per second. none leaves the frames as they are."""


class DeviceSettings(Settings):
    """Device and seed."""

    device: str = "auto"
    """Device for neural networks: auto, cpu, cuda, cuda:1 or mps."""
    seed: int = Field(0, ge=0)
    """Random seed."""


class NetworkSettings(DeviceSettings):
    """Where and how networks run."""

    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Number format of neural networks."""


class FileSettings(Settings):
    """What happens to existing files."""

    overwrite: bool = False
    """Replace an existing output."""


class EngineSettings(Settings):
    """Where a film is converted, and whether the conversion resumes."""

    resume: bool = False
    """Resume an interrupted conversion where it stopped. Source and options must be the same."""
    engine: Literal["local", "ray"] = "local"
    """Where the film is converted: local (this machine), or ray (a cluster; see docs/cluster.md)."""
    workers: int = Field(0, ge=0, le=1024)
    """Number of processes that convert sections of the film in parallel (0: local uses one process, ray the whole cluster)."""
    ray_address: str | None = None
    """--engine ray: address of the cluster, auto or ray://HOST:10001 (default: a temporary cluster on this machine)."""
