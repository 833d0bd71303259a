"""Names to back ends. Back ends are imported on first use.

To add a back end to this package, add its module and one line here. Another package adds one by an entry point of the
group `stereocast.depth` or `stereocast.synth`; see docs/extending.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

from stereocast.errors import ExtraMissing, UnknownName, UsageError


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a back end is, what it needs, and its description."""

    target: str  # "module:attribute"
    extra: str | None = None  # of EXTRAS
    about: str = ""
    requires: tuple[str, ...] = ()  # packages without an extra of ours

    @property
    def installed(self) -> bool:
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages that aren't installed."""
        wanted = (*EXTRAS.get(self.extra or "", ()), *self.requires)
        return tuple(package for package in wanted if find_spec(package) is None)


EXTRAS: Mapping[str, tuple[str, ...]] = {  # extra of pyproject.toml: the modules that show it is there
    "depth": ("torch", "safetensors", "transformers", "huggingface_hub"),
    "diffusion": ("torch", "safetensors", "transformers", "huggingface_hub", "diffusers", "accelerate", "ftfy"),
    "4d": ("torch", "safetensors", "transformers", "diffusers", "trimesh"),
    "serve": ("starlette", "uvicorn", "cryptography", "segno", "platformdirs", "watchfiles", "pysubs2"),
    "cluster": ("ray",),
    "ffmpeg": ("ffmpeg",),
}

_VDA = "stereocast.depth.video_depth_anything"
_IMAGE = "stereocast.depth.image"

DEPTH: Mapping[str, Backend] = {
    "embedded": Backend("stereocast.depth.embedded:EmbeddedDepth", about="small network in the wheel, CPU"),
    "file": Backend("stereocast.depth.file:FileDepth", about="a depth video or folder of your own"),
    "video-depth-anything-small": Backend(f"{_VDA}:SmallVideoDepth", "depth", "video, consistent, free"),
    "video-depth-anything-base": Backend(f"{_VDA}:BaseVideoDepth", "depth", "video, non-commercial"),
    "video-depth-anything-large": Backend(f"{_VDA}:LargeVideoDepth", "depth", "video, non-commercial"),
    "depth-anything-v2-small": Backend(f"{_IMAGE}:DepthAnythingSmall", "depth", "single frames, free"),
    "depth-anything-v2-base": Backend(f"{_IMAGE}:DepthAnythingBase", "depth", "single frames, non-commercial"),
    "depth-anything-v2-large": Backend(f"{_IMAGE}:DepthAnythingLarge", "depth", "single frames, non-commercial"),
    "depth-pro": Backend(f"{_IMAGE}:DepthPro", "depth", "single frames, metric, research"),
    "depthcrafter": Backend(
        "stereocast.depth.depthcrafter:DepthCrafter",
        "diffusion",
        "video by diffusion, finest detail, research",
    ),
}

SYNTH: Mapping[str, Backend] = {
    "warp": Backend("stereocast.stereo.synthesizer:WarpSynthesizer", about="sub-pixel warp and fill, CPU"),
    "stereocrafter-zero": Backend(
        "stereocast.stereo.diffuse_film:ZeroSynthesizer",
        "diffusion",
        "diffusion, GPU: what the warp uncovers",
    ),
}

GENERATORS: Mapping[str, Backend] = {
    "camera": Backend("stereocast.gen.camera:CameraMove", about="a camera move through the picture, CPU"),
    "dynamicrafter": Backend("stereocast.gen.diffusion:open_source", "diffusion", "picture to video"),
    "stereo": Backend("stereocast.stereo.diffuse:SecondView", "diffusion", "the generated second view"),
}

ENGINES: Mapping[str, Backend] = {
    "local": Backend("stereocast.jobs.convert.engines.local:LocalEngine", about="processes of this machine"),
    "ray": Backend("stereocast.jobs.convert.engines.ray:RayEngine", "cluster", about="a Ray cluster"),
}


GROUPS = {"depth estimator": "stereocast.depth", "synthesis": "stereocast.synth"}  # kind: entry points


@cache
def _found(group: str) -> dict[str, Backend]:
    return {
        point.name: Backend(f"{point.module}:{point.attr}", about=f"from {point.dist.name}" if point.dist else "")
        for point in entry_points(group=group)
    }


def offered(shelf: Mapping[str, Backend], kind: str) -> dict[str, Backend]:
    """The shelf with what other packages bring; our own names win."""
    return {**(_found(GROUPS[kind]) if kind in GROUPS else {}), **shelf}


def find(shelf: Mapping[str, Backend], kind: str, name: str) -> Backend:
    """The back end `name`, nothing imported. Raises UnknownName, ExtraMissing."""
    known = offered(shelf, kind)
    if name not in known:
        raise UnknownName(kind, name, known)
    backend = known[name]
    if not backend.installed:
        raise ExtraMissing(f"{kind} '{name}'", backend.extra or "all")
    return backend


def load(shelf: Mapping[str, Backend], kind: str, name: str) -> Any:
    """The attribute behind `name`. Raises UnknownName, ExtraMissing, UsageError for a package that can't be imported."""
    backend = find(shelf, kind, name)
    module, attribute = backend.target.split(":")
    if name in shelf:
        return getattr(import_module(module), attribute)
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # somebody else's code may raise anything
        raise UsageError(
            f"{kind} '{name}' ({backend.about}) can't be loaded: {type(error).__name__}: {error}"
        ) from error
