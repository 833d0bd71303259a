"""The three wirings. Each command is one short function: what is connected to what, in which order."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from stereocast import catalog, plan, registry, report, resume, sheet
from stereocast.depth import choice, refine
from stereocast.depth.file import FileDepth, folder_maps
from stereocast.errors import SourceError
from stereocast.media import bars, depthfile, probe, reader, writer
from stereocast.media.passthrough import Passthrough
from stereocast.media.writer import part_path
from stereocast.pack.packer import FlatPacker
from stereocast.pack.projection import SpherePacker
from stereocast.pipeline import Clock, chain, prefetch
from stereocast.plan import CLIP_FRAMES, Plan
from stereocast.segment.windows import Windows
from stereocast.settings import ConvertSettings, FourDSettings
from stereocast.stages import DepthClip, DepthEstimator, Packer, StereoSynthesizer
from stereocast.stereo.memory import look_ahead
from stereocast.types import DepthMap, Layout, PixelFormat, Projection, StereoClip, StereoFormat, StreamInfo

__all__ = ["Converted", "convert", "part_path", "prepare", "reconstruct"]

Progress = Callable[[int, Clock], None]


@dataclass(frozen=True, slots=True)
class Converted:
    """What came out."""

    plan: Plan
    frames: int
    damaged: int  # packets of the source that couldn't be decoded
    seconds: dict[str, float]  # per stage
    comfort: report.Comfort | None = None


def read_options(settings: ConvertSettings, pixel_format: PixelFormat | None, name: str) -> reader.ReadOptions:
    """The settings as the reader takes them."""
    start = probe.parse_time(settings.start, "start") if settings.start else None
    end = probe.parse_time(settings.end, "end") if settings.end else None
    if settings.duration:
        end = (start or Fraction(0)) + probe.parse_time(settings.duration, "duration")
    crop = bars.detect(name) if settings.crop == "auto" and not probe.is_image(name) and name != "-" else None
    rate = Fraction(settings.fps).limit_denominator(1001) if settings.fps else None
    return reader.ReadOptions(
        pixel_format, start, end, settings.scale, rate, settings.tonemap, crop if crop and any(crop) else None
    )


def estimator(settings: ConvertSettings, info: StreamInfo) -> DepthEstimator:
    """The depth stage: brought by the user, or made. Raises UnknownName, ExtraMissing, SourceError."""
    brought = Path(settings.depth)
    if brought.is_dir():
        return refine.refined(FileDepth(folder_maps(brought), name=str(brought)), settings, info, "file")
    if brought.is_file():
        maps, metric = depthfile.depth_maps(str(brought))
        return refine.refined(FileDepth(maps, metric=metric, name=str(brought)), settings, info, "file")
    name, _ = choice.resolve(settings)
    made: DepthEstimator = registry.load(registry.DEPTH, "depth estimator", name)(settings, info)
    return refine.refined(made, settings, info, name)


def synthesizer(settings: ConvertSettings, info: StreamInfo) -> StereoSynthesizer:
    """The stage that makes the second view."""
    fov_deg = catalog.preset(settings.preset).screen_fov_deg
    made: StereoSynthesizer = registry.load(registry.SYNTH, "synthesis", settings.synth)(
        settings, info, fov_deg=fov_deg
    )
    return made


def packer(settings: ConvertSettings, info: StreamInfo) -> Packer:
    """The stage that packs both views into one picture."""
    form = plan.stereo_format(settings)
    if form.projection is Projection.EQUIRECT_180:
        size = catalog.preset(settings.preset).vr180_size
        return SpherePacker(form, size, settings.fov, float(info.sample_aspect))
    return FlatPacker(form)


def prepare(name: str, output: Path | str | None, settings: ConvertSettings) -> tuple[Plan, Any]:
    """Decides everything before work starts. Returns the plan and the open source (the caller closes it).

    Raises UsageError, SourceError, SinkError, LimitExceeded.
    """
    preset, form = catalog.preset(settings.preset), plan.stereo_format(settings)
    _check_names(settings)
    source = reader.open_source(name, read_options(settings, None, name))
    try:
        if isinstance(source, reader.ImageSource):
            return _prepare_still(name, output, settings, source), source
        profile = plan.choose_encoder(settings, preset, source.info)
        if source.info.pixel_format is not profile.pixel_format:
            if name == "-":
                source.retarget(profile.pixel_format)
            else:
                source.close()
                source = reader.open_source(name, read_options(settings, profile.pixel_format, name))
        container = plan.container_of(settings, output)
        target = "-" if output == "-" else plan.output_path(
            name, None if output is None else Path(output), form, plan.default_suffix(container, name, still=False)
        )  # fmt: skip
        info = source.info
        pack = packer(settings, info)
        packed = plan.packed_info(info, form, pack.shape(info.height, info.width), profile.pixel_format)
        depth, reason = ("file", "") if Path(settings.depth).exists() else choice.resolve(settings)
        waiting = 2 * CLIP_FRAMES + choice.held(depth, settings)
        stages = {"segmenter": CLIP_FRAMES + 2, "depth": waiting, "synthesis": 2 * CLIP_FRAMES + look_ahead(settings)}
        bill = plan.memory_bill(info, packed, stages)
        notes: tuple[str, ...] = ("HDR is tone-mapped to SDR",) if source.tone_mapped else ()
        if reason:
            notes += (f"depth: {depth} ({reason})",)
        if form.layout is Layout.SPATIAL and target != "-":
            notes += (plan.multiview_note(Path(target), preset),)
        made = Plan(name, target, settings, preset, form, info, packed, container, profile, notes, bill)
        plan.check_output(made.outputs, name, overwrite=settings.overwrite or container == "hls")
        plan.check_limits(made)
        plan.check_disk(made)
        return made, source
    except BaseException:
        source.close()
        raise


def _check_names(settings: ConvertSettings) -> None:
    """Refuses unknown or uninstalled back ends before anything is opened."""
    if not Path(settings.depth).exists():
        choice.resolve(settings)
    registry.find(registry.SYNTH, "synthesis", settings.synth)


def _prepare_still(name: str, output: Path | str | None, settings: ConvertSettings, source: reader.ImageSource) -> Plan:
    form, info = plan.stereo_format(settings), source.info
    suffix = plan.default_suffix("", name, still=True)
    target = plan.output_path(name, None if output in (None, "-") else Path(str(output)), form, suffix)
    packed = plan.packed_info(info, form, packer(settings, info).shape(info.height, info.width), info.pixel_format)
    made = Plan(name, target, settings, catalog.preset(settings.preset), form, info, packed, "image", None)
    plan.check_output(made.outputs, name, overwrite=settings.overwrite)
    return made


def sink(made: Plan, run: resume.Run) -> Any:
    """Where packed clips go: one file, or one per eye."""
    if made.profile is None:
        alone = made.form.layout in (Layout.LEFT, Layout.RIGHT, Layout.MONO, Layout.PAIR)
        trim = made.info.padding if alone else (0, 0)  # a view alone is as large as the source, even at an odd size
        sinks: list[Any] = [writer.ImageSink(path, trim) for path in made.outputs]
    else:
        options = plan.sink_options(made)
        sinks = [
            writer.VideoSink(path, replace(options, splitter=splitter), _other_streams(made, run))
            for path, splitter in zip(made.outputs or (made.output,), run.splitters, strict=True)
        ]
    return writer.PairSink(*sinks) if len(sinks) == 2 else sinks[0]


def _other_streams(made: Plan, run: resume.Run) -> Passthrough | None:
    if run.picture_only:
        return None
    container, packets = run.other_streams()
    return Passthrough(
        container,
        packets,
        audio=made.settings.audio,
        subs=made.settings.subs,
        shift=run.source.start_pts * run.source.time_base,
        stop=run.source.stop_s,
    )


def convert(
    made: Plan, source: Any, progress: Progress = lambda frames, clock: None, *, run: resume.Run | None = None
) -> Converted:
    """Runs a plan: reader, cuts and windows, depth, synthesis, packer, writer, each on its own clips.

    Whatever ends it early, every stage is closed, the part file stays readable, and a run with `resume` goes on.
    """
    clock = Clock()
    with ExitStack() as stack:
        run = stack.enter_context(run or resume.begin(made, source))
        target = sink(made, run)
        stack.callback(target.close)
        progress(run.copy_into(target), clock)
        kept = _depth_out(made, stack)
        meter = report.Meter(made.preset.screen_fov_deg, made.info.time_base, run.comfort, run.measured)
        stages = (
            Windows(CLIP_FRAMES, number=run.number),
            run.watch,
            prefetch,
            clock.stage("depth", estimator(made.settings, made.info)),
            kept,
            clock.stage("synthesis", synthesizer(made.settings, made.info)),
            meter,
            prefetch,
            clock.stage("packing", packer(made.settings, made.info)),
            run.rest,
        )
        with chain(clock.source("reading", run.frames()), *stages) as clips:
            write = clock.timed("encoding", target.write)
            for clip in clips:
                write(clip)
                progress(len(clip), clock)
        if not target.frames:
            raise SourceError(f"{made.source}: no frame could be decoded in the part that was asked for")
        clock.timed("encoding", target.finish)()
        run.finish()
    return Converted(made, target.frames, run.source.damaged, clock.seconds, meter.result())


def _depth_out(made: Plan, stack: ExitStack) -> Callable[[Iterator[DepthClip]], Iterator[DepthClip]]:
    """A stage that also writes the depth that passes, if that was asked for."""
    path = made.settings.depth_out
    if path is None:
        return lambda clips: clips

    def keep(clips: Iterator[DepthClip]) -> Iterator[DepthClip]:
        depth_sink: depthfile.DepthSink | None = None
        for clip, depth in clips:
            if depth_sink is None:
                depth_sink = depthfile.DepthSink(path, made.info, metric=depth.metric)
                stack.callback(depth_sink.close)
            depth_sink.write(depth.values, clip.pts)
            yield clip, DepthMap(depth.values, depth.metric)
        if depth_sink is not None:
            depth_sink.finish()

    return keep


def preview(
    name: str, output: Path | None, settings: ConvertSettings, *, moments: int, width: int
) -> tuple[Path, list[dict[str, Any]]]:
    """A sheet of `moments` moments of the film and the disparity figures of each. Raises what `prepare` raises."""
    path = output or plan.output_path(name, None, StereoFormat(Layout.MONO), ".png").with_name(
        f"{Path(name).stem}_preview.png"
    )
    plan.check_output((path,), name, overwrite=settings.overwrite)
    rows, figures = [], []
    for start in _moments(name, moments):
        source = reader.open_source(name, reader.ReadOptions(start=start))
        try:
            frames = list(islice(source, 3))
        finally:
            source.close()
        if not frames:
            continue
        clip = reader.concatenate(frames)
        made = estimator(settings, source.info)(iter([clip]))
        stereo = next(iter(synthesizer(settings, source.info)(made)))
        rows.append((f"{float(start):.1f} s", sheet.row(clip, stereo, width)))
        figures.append(
            {"time_s": round(float(start), 3), **_figures(stereo, catalog.preset(settings.preset).screen_fov_deg)}
        )
    if not rows:
        raise SourceError(f"{name}: no frame could be decoded")
    reader.write_image(path, sheet.sheet(rows))
    return path, figures


def _moments(name: str, count: int) -> list[Fraction]:
    source = reader.open_source(name)
    duration = source.info.duration if source.info.frames != 1 else None
    source.close()
    return [duration * (2 * n + 1) / (2 * count) for n in range(count)] if duration else [Fraction(0)]


def _figures(stereo: StereoClip, fov_deg: float) -> dict[str, Any]:
    meter = report.Meter(fov_deg, Fraction(1))
    list(meter(iter([stereo])))
    result = meter.result()
    return {} if result is None else result.table()


def figure_line(figure: dict[str, Any]) -> str:
    """One moment's figures as text."""
    if "verdict" not in figure:
        return f"{figure['time_s']:>8} s"
    percent, degrees = figure["percent"], figure["degrees"]
    values = f"{percent['p1']:.2f} .. {percent['p99']:.2f} % of the width ({degrees['p1']:.2f} .. {degrees['p99']:.2f} degrees)"
    return f"{figure['time_s']:>8} s  {figure['verdict']}: disparity {values}"


def reconstruct(source: str | None, output: Path | None, settings: FourDSettings, **more: Any) -> Any:
    """A picture, an object video or a 3D object to a dynamic scene and its films; see `reconstruction`."""
    from stereocast import reconstruction

    return reconstruction.reconstruct(source, output, settings, **more)
