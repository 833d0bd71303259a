"""stereocast: 2D video to stereo video for VR headsets.

    import stereocast
    stereocast.convert("film.mp4", format="half-sbs")

Names are imported on first use, so `import stereocast` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stereocast.api import (
        Conversion,
        Converted,
        ConvertPlan,
        Generated,
        OnProgress,
        Outcome,
        Previewed,
        Progress,
        Reconstructed,
        convert,
        convert_all,
        examine,
        generate,
        inspect,
        plan,
        prepare,
        preview,
        reconstruct,
        reconstruction_cost,
    )
    from stereocast.errors import (
        ExtraMissing,
        LicenceNotAccepted,
        LimitExceeded,
        OutOfMemory,
        OutputExists,
        SinkError,
        SourceError,
        StereocastError,
        UnknownName,
        UsageError,
        WeightsError,
    )
    from stereocast.settings import ConvertSettings, FourDSettings, GenSettings, PreviewSettings

__version__ = "0.2.0"
__all__ = [
    "Conversion",
    "ConvertPlan",
    "ConvertSettings",
    "Converted",
    "ExtraMissing",
    "FourDSettings",
    "GenSettings",
    "Generated",
    "LicenceNotAccepted",
    "LimitExceeded",
    "OnProgress",
    "OutOfMemory",
    "Outcome",
    "OutputExists",
    "PreviewSettings",
    "Previewed",
    "Progress",
    "Reconstructed",
    "SinkError",
    "SourceError",
    "StereocastError",
    "UnknownName",
    "UsageError",
    "WeightsError",
    "__version__",
    "convert",
    "convert_all",
    "examine",
    "generate",
    "inspect",
    "plan",
    "prepare",
    "preview",
    "reconstruct",
    "reconstruction_cost",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in ("stereocast.errors", "stereocast.settings", "stereocast.api"):  # the light ones first
            found = getattr(import_module(module), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module 'stereocast' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
