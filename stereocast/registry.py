"""Names to back ends. Nothing here is imported before it is asked for.

To add a back end: its module, and one line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from stereocast.errors import ExtraMissing, UnknownName


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a back end lives, what it needs, and what to tell people about it."""

    target: str  # "module:attribute"
    extra: str | None = None
    requires: tuple[str, ...] = ()  # packages that the extra brings
    about: str = ""

    @property
    def installed(self) -> bool:
        return all(find_spec(package) for package in self.requires)


_TORCH = ("torch", "safetensors", "transformers")
_VDA = "stereocast.depth.video_depth_anything"
_IMAGE = "stereocast.depth.image"

DEPTH: Mapping[str, Backend] = {
    "embedded": Backend("stereocast.depth.embedded:EmbeddedDepth", about="small network in the wheel, CPU"),
    "file": Backend("stereocast.depth.file:FileDepth", about="a depth video or folder of your own"),
    "video-depth-anything-small": Backend(f"{_VDA}:SmallVideoDepth", "depth", _TORCH, "video, consistent, free"),
    "video-depth-anything-base": Backend(f"{_VDA}:BaseVideoDepth", "depth", _TORCH, "video, non-commercial"),
    "video-depth-anything-large": Backend(f"{_VDA}:LargeVideoDepth", "depth", _TORCH, "video, non-commercial"),
    "depth-anything-v2-small": Backend(f"{_IMAGE}:DepthAnythingSmall", "depth", _TORCH, "single frames, free"),
    "depth-anything-v2-base": Backend(f"{_IMAGE}:DepthAnythingBase", "depth", _TORCH, "single frames, non-commercial"),
    "depth-anything-v2-large": Backend(
        f"{_IMAGE}:DepthAnythingLarge", "depth", _TORCH, "single frames, non-commercial"
    ),
    "depth-pro": Backend(f"{_IMAGE}:DepthPro", "depth", _TORCH, "single frames, metric, research"),
    "depthcrafter": Backend(
        "stereocast.depth.depthcrafter:DepthCrafter",
        "diffusion",
        (*_TORCH, "diffusers", "accelerate"),
        "video by diffusion, finest detail, research",
    ),
}

SYNTH: Mapping[str, Backend] = {
    "warp": Backend("stereocast.stereo.synthesizer:WarpSynthesizer", about="sub-pixel warp and fill, CPU"),
    "stereocrafter-zero": Backend(
        "stereocast.stereo.diffuse:ZeroSynthesizer",
        "diffusion",
        (*_TORCH, "ftfy"),
        "diffusion, GPU: what the warp uncovers",
    ),
}

_DIFFUSION = (*_TORCH, "ftfy")

GENERATORS: Mapping[str, Backend] = {
    "camera": Backend("stereocast.gen.camera:CameraMove", about="a camera move through the picture, CPU"),
    "dynamicrafter": Backend("stereocast.gen.diffusion:open_source", "diffusion", _DIFFUSION, "picture to video"),
    "stereo": Backend("stereocast.stereo.diffuse:SecondView", "diffusion", _DIFFUSION, "the generated second view"),
}

ENGINES: Mapping[str, Backend] = {
    "local": Backend("stereocast.jobs.convert.engines.local:LocalEngine", about="processes of this machine"),
    "ray": Backend("stereocast.jobs.convert.engines.ray:RayEngine", "cluster", ("ray",), about="a Ray cluster"),
}


def find(shelf: Mapping[str, Backend], kind: str, name: str) -> Backend:
    """The back end `name`, nothing imported. Raises UnknownName, ExtraMissing."""
    if name not in shelf:
        raise UnknownName(kind, name, shelf)
    backend = shelf[name]
    if not backend.installed:
        raise ExtraMissing(f"{kind} '{name}'", backend.extra or "all")
    return backend


def load(shelf: Mapping[str, Backend], kind: str, name: str) -> Any:
    """The attribute behind `name`. Raises UnknownName, ExtraMissing."""
    module, attribute = find(shelf, kind, name).target.split(":")
    return getattr(import_module(module), attribute)
