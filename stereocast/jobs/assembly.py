"""Turns settings into stages: each function makes one stage of a job. They only choose; the rooms do the work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from stereocast import catalog, registry
from stereocast.depth import captions, choice, refine
from stereocast.depth.file import FileDepth, folder_maps
from stereocast.errors import UsageError
from stereocast.jobs import plan
from stereocast.jobs.plan import Plan
from stereocast.media import depthfile, pictures, probe, reader, writer
from stereocast.media import rate as rates
from stereocast.media.passthrough import Passthrough
from stereocast.pack.packer import FlatPacker
from stereocast.pack.projection import SpherePacker
from stereocast.pipeline.progress import OnProgress
from stereocast.pipeline.stages import (
    Cost,
    DepthClip,
    DepthEstimator,
    Packer,
    Sink,
    StereoSynthesizer,
    WindowKeeper,
    cost_of,
)
from stereocast.settings import ConvertSettings, EstimatorSettings, OutputSettings, ViewSettings
from stereocast.types import Layout, Projection, StreamInfo


def read_options(settings: ConvertSettings) -> reader.ReadOptions:
    """The reader's options from the settings; format and crop are set later. Raises UsageError."""
    start = probe.parse_time(settings.start, "start") if settings.start else None
    end = probe.parse_time(settings.end, "end") if settings.end else None
    if settings.duration:
        end = (start or Fraction(0)) + probe.parse_time(settings.duration, "duration")
    if end is not None and end <= (start or 0):
        given = f"--duration {settings.duration}" if settings.duration else f"--end {settings.end}"
        raise UsageError(f"{given}: nothing is left to convert; give a later end")
    rate = rates.of_number(settings.fps) if settings.fps else None
    return reader.ReadOptions(
        None, start, end, settings.scale, rate, settings.tonemap, deinterlace=settings.deinterlace
    )


def estimator(settings: EstimatorSettings, info: StreamInfo, windows: WindowKeeper | None = None) -> DepthEstimator:
    """The depth stage: the user's maps, or an estimator. Raises UnknownName, ExtraMissing, SourceError.

    An estimator whose windows take minutes saves the finished ones in `windows`.
    """
    made = _estimator(settings, info, windows)
    return made if settings.text_depth == "none" else captions.SteadyText(made, settings.text_depth)


def _estimator(settings: EstimatorSettings, info: StreamInfo, windows: WindowKeeper | None) -> DepthEstimator:
    brought = settings.depth_path
    if brought is not None and brought.is_dir():
        return refine.refined(FileDepth(folder_maps(brought), name=str(brought)), settings, info, "file")
    if brought is not None:
        maps, metric = depthfile.depth_maps(str(brought))
        return refine.refined(FileDepth(maps, metric=metric, name=str(brought)), settings, info, "file")
    name, _ = choice.resolve(settings)
    made: DepthEstimator = registry.load(registry.DEPTH, "depth estimator", name)(settings, info)
    if hasattr(made, "keeper"):
        made.keeper = windows
    return refine.refined(made, settings, info, name)


def depth_recorder(
    path: Path | None, info: StreamInfo, stack: ExitStack, *, overwrite: bool = True
) -> Callable[[Iterator[DepthClip]], Iterator[DepthClip]]:
    """A stage that also writes the depth passing through it to `path`, if given."""
    if path is None:
        return lambda clips: clips

    def keep(clips: Iterator[DepthClip]) -> Iterator[DepthClip]:
        depth_sink: depthfile.DepthSink | None = None
        for clip, depth in clips:
            if depth_sink is None:
                depth_sink = depthfile.DepthSink(path, info, metric=depth.metric, overwrite=overwrite)
                stack.callback(depth_sink.close)
            depth_sink.write(depth.values, clip.pts)
            yield clip, depth
        if depth_sink is not None:
            depth_sink.finish()

    return keep


def synthesizer(settings: ViewSettings, info: StreamInfo, fov_deg: float, *, holes: bool = True) -> StereoSynthesizer:
    """The stage that makes the second view, for a screen `fov_deg` wide. `holes`: whether it reports the filled areas."""
    made: StereoSynthesizer = registry.load(registry.SYNTH, "synthesis", settings.synth)(
        settings, info, fov_deg=fov_deg
    )
    if not holes and hasattr(made, "keeps_holes"):
        made.keeps_holes = False
    return made


def attend(stage: StereoSynthesizer, progress: OnProgress, windows: Any) -> None:
    """Gives a synthesis that takes minutes per window its progress callback and the saved `windows` (or None). Other
    stages have no such attributes."""
    found: Any = stage
    if hasattr(found, "progress"):
        found.progress = progress
    if hasattr(found, "keeper"):
        found.keeper = windows


def costs(settings: ViewSettings, info: StreamInfo, depth: str) -> tuple[Cost, Cost]:
    """The memory that depth and synthesis declare. `depth` is the estimator's name, or "file" for the user's maps. Nothing
    is loaded."""
    estimate = FileDepth if depth == "file" else registry.load(registry.DEPTH, "depth estimator", depth)
    synthesis = registry.load(registry.SYNTH, "synthesis", settings.synth)
    return (
        cost_of(estimate, settings, info) + refine.cost(settings, depth),
        cost_of(synthesis, settings, info),
    )


def packer(settings: OutputSettings, info: StreamInfo) -> Packer:
    """The stage that packs both views into one picture."""
    form = plan.stereo_format(settings)
    if form.projection is Projection.EQUIRECT_180:
        size = catalog.preset(settings.preset).vr180_size
        return SpherePacker(form, size, settings.fov, float(info.sample_aspect))
    return FlatPacker(form)


def sink(
    made: Plan, splitters: Sequence[writer.Splitter | None] = (), streams: Sequence[Passthrough | None] = ()
) -> Sink:
    """The sink of packed clips: one file, or one per eye. For each file, `splitters` decide where its encoder restarts and
    `streams` supply sound and subtitles; none by default."""
    if made.container == "images" and isinstance(made.output, Path):
        return pictures.SequenceSink(made.output, overwrite=made.overwrite)
    plan.make_folders(made.outputs)
    if made.profile is None:
        alone = made.form.layout in (Layout.LEFT, Layout.RIGHT, Layout.MONO, Layout.PAIR)
        trim = made.info.padding if alone else (0, 0)  # a single view keeps the source's size, even an odd one
        sinks: list[Any] = [
            pictures.ImageSink(path, trim, overwrite=made.overwrite, extras=made.extras) for path in made.outputs
        ]
    else:
        options, paths = plan.sink_options(made), made.outputs or (made.output,)
        sinks = [
            writer.VideoSink(path, replace(options, splitter=splitter), brought)
            for path, splitter, brought in zip(
                paths, splitters or [None] * len(paths), streams or [None] * len(paths), strict=True
            )
        ]
    return writer.PairSink(*sinks) if len(sinks) == 2 else sinks[0]
