"""The whole program: what is connected to what, in which order, for `convert`, `gen` and `4d`.

`makers` turns settings into stages, `preparation` decides what is decided before work starts, `generation` and
`reconstruction` are what takes the place of depth and synthesis. Packer and writer are the same for all three.
Whatever ends a recipe early, every stage is closed and the part file stays readable.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stereocast import generation, makers, reconstruction, repack, report, resume
from stereocast.errors import SourceError
from stereocast.generation import Generated
from stereocast.media.writer import part_path
from stereocast.pipeline import Clock, Steps, chain, prefetch
from stereocast.plan import CLIP_FRAMES, Plan
from stereocast.preparation import prepare
from stereocast.reconstruction import Reconstructed
from stereocast.segment.windows import Windows
from stereocast.settings import FourDSettings, GenSettings

__all__ = ["Converted", "Generated", "Reconstructed", "convert", "generate", "part_path", "prepare", "reconstruct"]

Progress = Callable[[int, Clock], None]


@dataclass(frozen=True, slots=True)
class Converted:
    """What came out."""

    plan: Plan
    frames: int
    damaged: int  # packets of the source that couldn't be decoded
    seconds: dict[str, float]  # per stage
    comfort: report.Comfort | None = None


def convert(
    made: Plan, source: Any, progress: Progress = lambda frames, clock: None, *, run: resume.Run | None = None
) -> Converted:
    """Runs a plan of `prepare`; one with `resume` goes on where it stopped. Raises StereocastError."""
    clock = Clock()
    with ExitStack() as stack:
        run = stack.enter_context(run or resume.begin(made, source))
        sink = makers.sink(made, run)
        stack.callback(sink.close)
        progress(run.copy_into(sink), clock)
        meter = report.Meter(made.preset.screen_fov_deg, made.info.time_base, run.comfort, run.measured)
        if made.views is not None:
            middle: tuple[Any, ...] = repack.stages(
                made.views, made.info, made.form, makers.packer(made.settings, made.info)
            )
        else:
            middle = (
                clock.stage("depth", makers.estimator(made.settings, made.info)),
                makers.depth_recorder(made, stack),
                clock.stage("synthesis", makers.synthesizer(made.settings, made.info)),
                meter,
                prefetch,
                clock.stage("packing", makers.packer(made.settings, made.info)),
            )
        stages = (
            Windows(CLIP_FRAMES, number=run.number),
            run.watch,
            prefetch,
            *middle,
            run.rest,
        )
        with chain(clock.source("reading", run.frames()), *stages) as clips:
            write = clock.timed("encoding", sink.write)
            for clip in clips:
                write(clip)
                progress(len(clip), clock)
        if not sink.frames:
            raise SourceError(f"{made.source}: no frame could be decoded in the part that was asked for")
        clock.timed("encoding", sink.finish)()
        run.finish()
    return Converted(made, sink.frames, run.source.damaged, clock.seconds, meter.result())


def generate(
    name: str, output: Path | str | None, settings: GenSettings, progress: Steps = lambda what, done, total: None
) -> Generated:
    """A picture to a stereo clip. Raises StereocastError."""
    made, film = generation.prepare(name, output, settings, progress)
    with ExitStack() as stack:
        sink = makers.sink(made)
        stack.callback(sink.close)
        packer = makers.packer(settings, made.info)
        with chain(generation.clips(film, made.info.pixel_format), packer) as clips:
            for clip in clips:
                sink.write(clip)
                progress("writing", sink.frames, film.frames)
        sink.finish()
    return Generated(made, sink.frames, film.model, film.notes)


def reconstruct(
    source: str | None, output: Path | None, settings: FourDSettings, progress: Steps = lambda what, done, total: None,
    *, prompt: str | None = None, views: Path | None = None, scene_file: Path | None = None,
) -> Reconstructed:  # fmt: skip
    """An object's pictures (or a prompt, or a scene made before) to a scene, and that to files and films, in a folder
    (NAME_4d beside the source). Raises StereocastError."""
    order = reconstruction.Order(source, prompt, views, scene_file, settings)
    result = reconstruction.open_folder(order, output)
    scene = reconstruction.scene_of(order, result, progress)
    reconstruction.write_scene(scene, order, result)
    for titles, clips, count in reconstruction.films(scene, settings):
        with ExitStack() as stack:
            plans = [reconstruction.film_plan(result.folder, *title, settings, count) for title in titles.items()]
            sinks = [makers.sink(made) for made in plans]
            for sink in sinks:
                stack.callback(sink.close)
            packers = [makers.packer(made.settings, made.info) for made in plans]
            with chain(clips, reconstruction.as_planes(plans[0].info.pixel_format), prefetch) as ready:
                for clip in ready:
                    for packer, sink in zip(packers, sinks, strict=True):
                        for packed in packer(iter([clip])):
                            sink.write(packed)
                    progress(" and ".join(titles), sinks[0].frames, count)
            for made, sink in zip(plans, sinks, strict=True):
                sink.finish()
                result.files += list(made.outputs)
    return result
