"""Settings: every option once, in groups; the options of each job; explanations of wrong values.

Precedence: default < preset or profile < given options; `catalog.settle` applies it.
"""

from stereocast.settings.diffusion import DiffusionOptions, GenerateOptions, ZeroFilmOptions, ZeroOptions
from stereocast.settings.groups import (
    DepthFileSettings,
    DepthSettings,
    DeviceSettings,
    EngineSettings,
    FileSettings,
    FilmSettings,
    NetworkSettings,
    OutputSettings,
    PackSettings,
    RecipeSettings,
    ScreenSettings,
    Settings,
    SizeSettings,
    SourceSettings,
    StereoSettings,
    TrackSettings,
    WeightSettings,
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
    "RecipeSettings",
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
