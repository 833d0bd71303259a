"""stereocast: 2D video to stereo video for VR headsets.

    import stereocast
    stereocast.convert("film.mp4", format="half-sbs")

The functions are imported when they are first asked for: `import stereocast` itself costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stereocast.api import convert, generate, reconstruct

__version__ = "0.1.0"
__all__ = ["__version__", "convert", "generate", "reconstruct"]


def __getattr__(name: str) -> Any:
    if name in ("convert", "generate", "reconstruct"):
        from stereocast import api

        return getattr(api, name)
    raise AttributeError(f"module 'stereocast' has no attribute '{name}'")
