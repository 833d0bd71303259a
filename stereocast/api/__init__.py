"""The single entry point: jobs as functions. The command line and the server call these and only add text.

Every function takes the options of its job as keywords, as a settings object, or both (keywords take precedence). Missing
options are filled in here: defaults, the preset's layout, the engine. Errors are subclasses of `StereocastError` with
one-line messages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack

from stereocast.api.keywords import ConvertKeywords, FourDKeywords, GenKeywords, PreviewKeywords
from stereocast.catalog import settle
from stereocast.errors import UsageError
from stereocast.jobs import doctor
from stereocast.jobs.convert import batch, job
from stereocast.jobs.convert.batch import Outcome
from stereocast.jobs.convert.job import Converted
from stereocast.jobs.generate import job as generating
from stereocast.jobs.generate.job import Generated
from stereocast.jobs.plan import ConvertPlan
from stereocast.jobs.preview import job as previewing
from stereocast.jobs.preview.job import Previewed
from stereocast.jobs.reconstruct import job as reconstructing
from stereocast.jobs.reconstruct.job import Order, Reconstructed
from stereocast.media import inspection
from stereocast.media.writer import part_path
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.pipeline.stages import Source
from stereocast.settings import ConvertSettings, FourDSettings, GenSettings, PreviewSettings

__all__ = [
    "Conversion",
    "ConvertPlan",
    "Converted",
    "Generated",
    "OnProgress",
    "Outcome",
    "Previewed",
    "Progress",
    "Reconstructed",
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
    "settle",
]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A film ready to be converted: its plan and the open source. Close it, or use it as a context manager."""

    plan: ConvertPlan
    source: Source

    @property
    def parts(self) -> tuple[Path, ...]:
        """The part files, which hold the outputs until they are complete."""
        return tuple(part_path(path) for path in self.plan.outputs)

    def run(self, progress: OnProgress = silent) -> Converted:
        """Converts the film on the engine and workers of the settings. Raises StereocastError."""
        return job.convert(self.plan, self.source, progress)

    def close(self) -> None:
        """Closes the source. May be called twice."""
        self.source.close()

    def __enter__(self) -> "Conversion":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def prepare(
    source: str | Path,
    output: str | Path | None = None,
    settings: ConvertSettings | None = None,
    **options: Unpack[ConvertKeywords],
) -> Conversion:
    """Opens the source and makes the plan of a conversion; nothing is written yet.

    `output` is a file, a folder, '-' (standard output) or None (the source's folder). Raises UsageError, SourceError,
    SinkError, LimitExceeded, ExtraMissing, WeightsError.
    """
    chosen = settle(ConvertSettings, options, settings)
    return Conversion(*job.prepare(str(source), _output(output), chosen))


def plan(
    source: str | Path,
    output: str | Path | None = None,
    settings: ConvertSettings | None = None,
    **options: Unpack[ConvertKeywords],
) -> ConvertPlan:
    """What `convert` would do: names, encoder, sizes, memory. Nothing is written. Raises what `prepare` raises."""
    with prepare(source, output, settings, **options) as ready:
        return ready.plan


def convert(
    source: str | Path,
    output: str | Path | None = None,
    settings: ConvertSettings | None = None,
    *,
    progress: OnProgress = silent,
    **options: Unpack[ConvertKeywords],
) -> Converted:
    """Converts a film, URL or image to stereo. `output` is a file, a folder, '-' or None (the source's folder).

    `progress` is called every few frames; an exception that it raises ends the job and keeps the part file. Raises
    StereocastError.
    """
    with prepare(source, output, settings, **options) as ready:
        return ready.run(progress)


def convert_all(
    sources: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    settings: ConvertSettings | None = None,
    *,
    recursive: bool = False,
    stop_on_error: bool = False,
    **options: Unpack[ConvertKeywords],
) -> Iterator[Outcome]:
    """Converts many films (files, folders, globs, URLs) in order; an error ends only the film that it occurs in.

    `output` is a folder or None. Yields the outcome of each film. Raises, before any work, SourceError where nothing is found,
    UsageError, SinkError.
    """
    chosen = settle(ConvertSettings, options, settings)
    folder = None if output is None else Path(output)
    names = [sources] if isinstance(sources, str | Path) else sources
    todo = batch.jobs([str(name) for name in names], folder, chosen, recursive=recursive)
    batch.check(todo, None, chosen)

    def work(one: batch.Job) -> dict[str, Any]:
        return {"frames": convert(one.source, one.output, chosen).frames}

    return batch.run(todo, work, overwrite=chosen.overwrite, stop_on_error=stop_on_error)


def generate(
    picture: str | Path,
    output: str | Path | None = None,
    settings: GenSettings | None = None,
    *,
    progress: OnProgress = silent,
    **options: Unpack[GenKeywords],
) -> Generated:
    """Makes a stereo clip from a picture and a prompt. `output` is as for `convert`. Raises StereocastError."""
    chosen = settle(GenSettings, options, settings)
    if not Path(picture).exists():
        raise UsageError(f"no such picture: {picture}")
    return generating.generate(str(picture), _output(output), chosen, progress)


def reconstruct(
    source: str | Path | None = None,
    output: str | Path | None = None,
    settings: FourDSettings | None = None,
    *,
    prompt: str | None = None,
    views_dir: str | Path | None = None,
    scene: str | Path | None = None,
    progress: OnProgress = silent,
    **options: Unpack[FourDKeywords],
) -> Reconstructed:
    """Makes a dynamic scene and its films, in the folder `output`, from a picture or film of an object, a 3D object, a text
    (`prompt`) or an existing scene (`scene`, a .4dgs file).

    `views_dir` is a folder with the reference ring. Raises StereocastError.
    """
    order = _order(source, settle(FourDSettings, options, settings), prompt, views_dir, scene)
    return reconstructing.reconstruct(order, None if output is None else Path(output), progress)


def reconstruction_cost(
    source: str | Path | None = None,
    output: str | Path | None = None,
    settings: FourDSettings | None = None,
    *,
    prompt: str | None = None,
    views_dir: str | Path | None = None,
    scene: str | Path | None = None,
    **options: Unpack[FourDKeywords],
) -> dict[str, Any]:
    """What `reconstruct` would do: model, sizes, weights, work, memory and hours on this machine. Nothing is written.
    Raises StereocastError."""
    order = _order(source, settle(FourDSettings, options, settings), prompt, views_dir, scene)
    return reconstructing.cost(order, None if output is None else Path(output))


def _order(
    source: str | Path | None, settings: FourDSettings, prompt: str | None, views_dir: str | Path | None,
    scene: str | Path | None,
) -> Order:  # fmt: skip
    return Order(
        None if source is None else str(source),
        prompt,
        None if views_dir is None else Path(views_dir),
        None if scene is None else Path(scene),
        settings,
    )


def preview(
    source: str | Path,
    output: str | Path | None = None,
    settings: PreviewSettings | None = None,
    **options: Unpack[PreviewKeywords],
) -> Previewed:
    """Shows what `convert` would make in one picture, with the comfort figures of each moment. Raises StereocastError."""
    chosen = settle(PreviewSettings, options, settings)
    return previewing.preview(str(source), None if output is None else Path(output), chosen)


def inspect(file: str | Path, preset: str = "quest3") -> dict[str, Any]:
    """What players see in a file: streams, sizes, colour, tags, and whether the preset's headset plays it.

    Raises SourceError, UnknownName."""
    return inspection.describe(str(file), preset)


def examine() -> dict[str, dict[str, str]]:
    """What this machine has, by heading, as names and one-line findings: versions, devices, encoders, extras, disk."""
    return doctor.examine()


def _output(output: str | Path | None) -> Path | str | None:
    return None if output is None else "-" if str(output) == "-" else Path(output)
