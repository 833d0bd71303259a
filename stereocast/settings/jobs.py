"""The options of each job, and those passed on to an estimator or a synthesizer: combinations of groups."""

from pydantic import Field

from stereocast.settings.diffusion import DiffusionOptions, GenerateOptions, ZeroFilmOptions, ZeroOptions
from stereocast.settings.groups import (
    DepthFileSettings,
    DepthSettings,
    EngineSettings,
    FileSettings,
    FilmSettings,
    NetworkSettings,
    OutputSettings,
    PackSettings,
    ScreenSettings,
    SizeSettings,
    SourceSettings,
    StereoSettings,
    TrackSettings,
    WeightSettings,
)
from stereocast.settings.scene import MatrixOptions, SceneOptions


class EstimatorSettings(DepthSettings, WeightSettings, NetworkSettings):
    """All options that a depth estimator may use."""


class SamplerSettings(ScreenSettings, DepthSettings, WeightSettings, NetworkSettings, DiffusionOptions, ZeroOptions):
    """All options that the StereoCrafter-Zero sampler may use."""


class ViewSettings(StereoSettings, SamplerSettings, EstimatorSettings, ZeroFilmOptions):
    """All options for making two views of a film."""


class ConvertSettings(
    FilmSettings,
    OutputSettings,
    SourceSettings,
    TrackSettings,
    ViewSettings,
    DepthFileSettings,
    FileSettings,
    EngineSettings,
):
    """All options of `stereocast convert`."""


class GenSettings(GenerateOptions, OutputSettings, SizeSettings, SamplerSettings, EstimatorSettings, FileSettings):
    """All options of `stereocast gen`."""


class FourDSettings(SceneOptions, MatrixOptions, PackSettings, WeightSettings, NetworkSettings, FileSettings):
    """All options of `stereocast 4d`."""


class PreviewSettings(FilmSettings, ViewSettings, FileSettings):
    """All options of `stereocast preview`."""

    preset: str = "quest3"
    """Headset whose screen the comfort figures are for."""
    moments: int = Field(4, ge=1, le=24)
    """How many moments of the film."""
    width: int = Field(320, ge=64, le=1920)
    """Width of each small picture."""
