"""What this machine has: found by trying, not by asking what was compiled in."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from stereocast import __version__, catalog, registry
from stereocast.media import inspection, profile
from stereocast.pictures import devices

EXTRAS = {  # extra: the packages that show it is there
    "depth": ("torch", "safetensors", "transformers", "huggingface_hub"),
    "diffusion": ("torch", "diffusers", "accelerate", "ftfy"),
    "4d": ("torch", "diffusers", "gsplat", "trimesh"),
    "serve": ("starlette", "uvicorn", "cryptography", "segno"),
    "cluster": ("ray",),
    "ffmpeg": ("ffmpeg",),
}


def examine() -> dict[str, dict[str, str]]:
    """Findings by heading, each a name and a line."""
    device = devices.choose_device()
    return {
        "versions": {
            "stereocast": __version__,
            "python": platform.python_version(),
            "ffmpeg": inspection.ffmpeg_version(),
            **{name: _version(name) for name in ("numpy", "av", "opencv-python-headless", "numba", "torch")},
        },
        "devices": {
            "cpu": f"{os.cpu_count()} cores, {devices.free_bytes() / 1e9:.1f} GB free",
            "chosen": f"{device.name} ({device.reason})",
        },
        "encoders": {name: profile.why_not(name) or "opens" for name in catalog.names("encoders")},
        "depth estimators": {name: _state(backend) for name, backend in registry.DEPTH.items()},
        "extras": {name: _extra(name, packages) for name, packages in EXTRAS.items()},
        "disk": {
            "here": f"{shutil.disk_usage(Path()).free / 1e9:.1f} GB free",
            "weights": _cache(Path(os.environ.get("HF_HOME", Path.home() / ".cache/huggingface"))),
        },
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _state(backend: registry.Backend) -> str:
    return backend.about if backend.installed else f"{backend.about}; needs: pip install 'stereocast[{backend.extra}]'"


def _extra(name: str, packages: tuple[str, ...]) -> str:
    missing = [package for package in packages if find_spec(package) is None]
    return f"pip install 'stereocast[{name}]' (missing: {', '.join(missing)})" if missing else "installed"


def _cache(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}: nothing downloaded"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return f"{folder}: {size / 1e9:.2f} GB"
