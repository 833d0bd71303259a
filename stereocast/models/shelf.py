"""The weights that stereocast can use: where they are published, at which revision, under which terms.

Plain data: no network, no torch. `weights` fetches and reads what is named here. A pinned revision is the hub's commit;
where none is known the first download pins it (see `weights.pinned`). A hash is the SHA-256 of the file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stereocast.errors import UnknownName

NON_COMMERCIAL = "research and non-commercial use only"
_APACHE = "free for any use, with notice"


@dataclass(frozen=True, slots=True)
class Weights:
    """One published set of files."""

    name: str
    repo: str  # owner/name on the hub
    files: tuple[str, ...]
    licence: str
    terms: str  # what the licence means for a user, in a few words
    size: int  # bytes, rounded
    revision: str | None = None  # commit; None: pinned by the first download
    sha256: Mapping[str, str] = field(default_factory=dict)  # by file
    family: str = ""  # a name under which `--weights` may also give it
    extra: str = "depth"
    needs: tuple[str, ...] = ()  # other sets without which this one can't run
    about: str = ""

    @property
    def url(self) -> str:
        """The page that shows the licence."""
        return f"https://huggingface.co/{self.repo}"

    @property
    def summary(self) -> str:
        """Licence, size and terms on one line."""
        return f"{self.name}: {human(self.size)}, {self.licence} ({self.terms}), {self.url}"


def human(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def _depth_anything(size: str, millions: float, revision: str) -> Weights:
    small = size == "small"
    return Weights(
        name=f"depth-anything-v2-{size}",
        repo=f"depth-anything/Depth-Anything-V2-{size.title()}-hf",
        files=("config.json", "model.safetensors"),
        licence="Apache-2.0" if small else "CC-BY-NC-4.0",
        terms=_APACHE if small else NON_COMMERCIAL,
        size=round(millions * 4e6),
        revision=revision,
        about="depth of single frames",
    )


def _video_depth_anything(size: str, millions: float, revision: str | None, sha256: str | None = None) -> Weights:
    small, file = size == "small", f"video_depth_anything_vit{size[0]}.pth"
    return Weights(
        name=f"video-depth-anything-{size}",
        repo=f"depth-anything/Video-Depth-Anything-{size.title()}",
        files=(file,),
        licence="Apache-2.0" if small else "CC-BY-NC-4.0",
        terms=_APACHE if small else NON_COMMERCIAL,
        size=round(millions * 4e6),
        revision=revision,
        sha256={file: sha256} if sha256 else {},
        about="depth of video, consistent over time",
    )


def _dynamicrafter(name: str, repo: str, revision: str | None = None) -> Weights:
    return Weights(
        name=name,
        repo=f"Doubiiu/{repo}",
        files=("model.ckpt",),
        licence="Apache-2.0 (repository)",
        terms="the authors ask that the weights be used for research",
        size=10_400_000_000,
        revision=revision,
        family="dynamicrafter",
        extra="diffusion",
        about="image to video",
    )


_SVD = "stabilityai/stable-video-diffusion-img2vid-xt"
_SVD_REVISION = "9e43909513c6714f1bc78bcb44d96e733cd242aa"
_STABILITY = "Stability AI community licence"

TEXT_TO_IMAGE = "text-to-image"  # the family of --text-model


def _text_to_image(name: str, repo: str, licence: str, terms: str) -> Weights:
    """A Stable Diffusion XL pipeline in diffusers' layout, half precision."""
    half = "diffusion_pytorch_model.fp16.safetensors"
    tokens = ("merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json")
    return Weights(
        name=name,
        repo=repo,
        files=(
            "model_index.json",
            "scheduler/scheduler_config.json",
            *(f"{part}/{file}" for part in ("text_encoder", "text_encoder_2") for file in ("config.json", "model.fp16.safetensors")),
            *(f"{part}/{file}" for part in ("tokenizer", "tokenizer_2") for file in tokens),
            *(f"{part}/{file}" for part in ("unet", "vae") for file in ("config.json", half)),
        ),
        licence=licence,
        terms=terms,
        size=6_940_000_000,
        family=TEXT_TO_IMAGE,
        extra="4d",
        about="text to a picture, for 4d --prompt",
    )  # fmt: skip


_ENTRIES = (
    _video_depth_anything(
        "small",
        29.1,
        "256875362cff76724b920335dfb4b29dd611f66e",
        "13379300b739e659f076a59d52e9801bd8d38c541a7e71f73bbca4dcfb013609",
    ),
    _video_depth_anything("base", 114.4, None),
    _video_depth_anything("large", 384.4, None),
    _depth_anything("small", 24.8, "5426e4f0f36572d16453bbda7a8389317b1bef99"),
    _depth_anything("base", 97.5, "b1958afc87fb45a9e3746cb387596094de553ed8"),
    _depth_anything("large", 335.3, "7581137eff8d4e94f6e796d3baea0e9fa79b22d2"),
    Weights(
        name="depth-pro",
        repo="apple/DepthPro-hf",
        files=("config.json", "model.safetensors"),
        licence="Apple Machine Learning Research licence (apple-amlr)",
        terms=NON_COMMERCIAL,
        size=1_904_000_000,
        about="metric depth of single frames",
    ),
    Weights(
        name="depthcrafter",
        repo="tencent/DepthCrafter",
        files=("config.json", "diffusion_pytorch_model.safetensors"),
        licence="DepthCrafter licence",
        terms="academic, research and education only; no commercial or production use",
        size=3_050_000_000,
        revision="c1a22b53f8abf80cd0b025adf29e637773229eca",
        extra="diffusion",
        needs=("svd",),
        about="depth of video by diffusion, finest detail",
    ),
    Weights(
        name="svd",
        repo=_SVD,
        files=(
            "image_encoder/config.json",
            "image_encoder/model.fp16.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
            "scheduler/scheduler_config.json",
        ),
        licence=_STABILITY,
        terms="see the licence; larger companies need their own",
        size=1_460_000_000,
        revision=_SVD_REVISION,
        extra="diffusion",
        about="Stable Video Diffusion XT: image encoder and VAE",
    ),
    Weights(
        name="svd-unet",
        repo=_SVD,
        files=("unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors"),
        licence=_STABILITY,
        terms="see the licence; larger companies need their own",
        size=3_050_000_000,
        revision=_SVD_REVISION,
        family="svd",
        extra="diffusion",
        needs=("svd",),
        about="Stable Video Diffusion XT: image to video",
    ),
    Weights(
        name="sv3d",
        repo="stabilityai/sv3d",
        files=("sv3d_p.safetensors",),
        licence=_STABILITY,
        terms="gated: accept the terms on its page first",
        size=9_000_000_000,
        revision="31213729b4314a44b574ce7cc2d0c28356f097ed",
        extra="4d",
        about="views around an object",
    ),
    _text_to_image(
        "sdxl-turbo", "stabilityai/sdxl-turbo", _STABILITY, "see the licence; larger companies need their own"
    ),
    _text_to_image(
        "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "CreativeML OpenRAIL++-M", "any use except those it lists"
    ),
    _dynamicrafter("dynamicrafter-1024", "DynamiCrafter_1024"),
    _dynamicrafter("dynamicrafter-512", "DynamiCrafter_512", "9eb874455b7903c0244fe7bf53ca21cb979cd05a"),
    _dynamicrafter("dynamicrafter-256", "DynamiCrafter"),
    _dynamicrafter("dynamicrafter-512-interp", "DynamiCrafter_512_Interp"),
)

SHELF: dict[str, Weights] = {entry.name: entry for entry in _ENTRIES}


def find(name: str) -> Weights:
    """The entry `name`. Raises UnknownName."""
    if name not in SHELF:
        raise UnknownName("weights", name, SHELF)
    return SHELF[name]


def with_needs(name: str) -> list[Weights]:
    """The entry `name` and all that it needs, each once, itself first. Raises UnknownName."""
    found: dict[str, Weights] = {}
    waiting = [name]
    while waiting:
        entry = find(waiting.pop(0))
        if entry.name not in found:
            found[entry.name] = entry
            waiting += entry.needs
    return list(found.values())


def names_for_paths(entries: Iterable[Weights] | None = None) -> set[str]:
    """Every name that may stand left of the `=` in `--weights NAME=PATH`."""
    chosen = list(SHELF.values() if entries is None else entries)
    return {entry.name for entry in chosen} | {entry.family for entry in chosen if entry.family}
