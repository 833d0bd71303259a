"""The three jobs as functions, for programs: the same settings, recipes and errors as the command line."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from stereocast import catalog
from stereocast.errors import UsageError
from stereocast.jobs.convert import job
from stereocast.jobs.generate.job import Generated
from stereocast.jobs.generate.job import generate as _generate
from stereocast.jobs.reconstruct.job import Order, Reconstructed
from stereocast.jobs.reconstruct.job import reconstruct as _reconstruct
from stereocast.settings import ConvertSettings, FourDSettings, GenSettings, Settings

Model = TypeVar("Model", bound=Settings)


def _settings(model: type[Model], values: dict[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{first['loc'][0]}={first.get('input')!r}: {first['msg']}") from None


def convert(source: str | Path, output: str | Path | None = None, **settings: Any) -> job.Converted:
    """One film, URL or image to stereo; `settings` are the fields of ConvertSettings. The output goes beside the source
    unless `output` names a file or a folder. Raises StereocastError."""
    wanted = _settings(ConvertSettings, settings)
    layout = catalog.preset(wanted.preset).format
    if "format" not in settings and layout is not None:
        wanted = wanted.model_copy(update={"format": layout})
    return job.convert(*job.prepare(str(source), output, wanted))


def generate(picture: str | Path, output: str | Path | None = None, **settings: Any) -> Generated:
    """One picture to a stereo clip; `settings` are the fields of GenSettings. Raises StereocastError."""
    return _generate(str(picture), output, _settings(GenSettings, settings))


def reconstruct(source: str | Path, output: str | Path | None = None, **settings: Any) -> Reconstructed:
    """A picture or video of an object to a dynamic scene and its films; `settings` are the fields of FourDSettings.
    Raises StereocastError."""
    place = None if output is None else Path(output)
    return _reconstruct(Order(str(source), None, None, None, _settings(FourDSettings, settings)), place)
