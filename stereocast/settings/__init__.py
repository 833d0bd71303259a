"""Settings: every option once, in groups; what each job takes; and what is wrong with a value.

Precedence: default < preset or profile < what was given; `catalog.settle` applies it.
"""

from stereocast.settings.groups import (
    DepthFileSettings,
    DepthSettings,
    DeviceSettings,
    DiffusionOptions,
    EngineSettings,
    FileSettings,
    FilmSettings,
    GenerateOptions,
    NetworkSettings,
    OutputSettings,
    PackSettings,
    ScreenSettings,
    Settings,
    SizeSettings,
    SourceSettings,
    StereoSettings,
    TrackSettings,
    WeightSettings,
    ZeroFilmOptions,
    ZeroOptions,
)
from stereocast.settings.jobs import (
    ConvertSettings,
    EstimatorSettings,
    FourDSettings,
    GenSettings,
    PreviewSettings,
    SamplerSettings,
    ViewSettings,
)
from stereocast.settings.scene import MatrixOptions, SceneOptions

__all__ = [
    "ConvertSettings",
    "DepthFileSettings",
    "DepthSettings",
    "DeviceSettings",
    "DiffusionOptions",
    "EngineSettings",
    "EstimatorSettings",
    "FileSettings",
    "FilmSettings",
    "FourDSettings",
    "GenSettings",
    "GenerateOptions",
    "MatrixOptions",
    "NetworkSettings",
    "OutputSettings",
    "PackSettings",
    "PreviewSettings",
    "SamplerSettings",
    "SceneOptions",
    "ScreenSettings",
    "Settings",
    "SizeSettings",
    "SourceSettings",
    "StereoSettings",
    "TrackSettings",
    "ViewSettings",
    "WeightSettings",
    "ZeroFilmOptions",
    "ZeroOptions",
]
