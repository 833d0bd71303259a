"""What this machine has, found by trying it instead of reading build options."""

import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stereocast import __version__, catalog, registry
from stereocast.errors import how_to_install
from stereocast.media import inspection, profile
from stereocast.pictures import devices


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
        "depth estimators": _states(registry.DEPTH, "depth estimator"),
        "synthesis": _states(registry.SYNTH, "synthesis"),
        "extras": {name: _extra(name) for name in registry.EXTRAS},
        "disk": {
            "here": f"{shutil.disk_usage(Path()).free / 1e9:.1f} GB free",
            "weights": _cache(Path(os.environ.get("HF_HOME", os.path.expanduser("~/.cache/huggingface")))),
        },
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _states(shelf: Mapping[str, registry.Backend], kind: str) -> dict[str, str]:
    return {
        name: f"{one.about}; needs: {how_to_install(one.extra or '')}" if one.missing else one.about
        for name, one in registry.offered(shelf, kind).items()
    }


def _extra(name: str) -> str:
    missing = registry.Backend("", name).missing
    return f"{how_to_install(name)} (missing: {', '.join(missing)})" if missing else "installed"


def _cache(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}: nothing downloaded"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return f"{folder}: {size / 1e9:.2f} GB"
