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

from stereocast.errors import SourceError
from stereocast.jobs import assembly, comfort
from stereocast.jobs.convert import resume
from stereocast.jobs.convert.prepare import prepare
from stereocast.jobs.generate import pairs
from stereocast.jobs.generate.pairs import Generated
from stereocast.jobs.plan import CLIP_FRAMES, Plan
from stereocast.jobs.reconstruct import steps
from stereocast.jobs.reconstruct.steps import Reconstructed
from stereocast.media.writer import part_path
from stereocast.pipeline.chain import Clock, Steps, chain, prefetch
from stereocast.settings import FourDSettings, GenSettings
from stereocast.shots.clips import Windows

__all__ = ["Converted", "Generated", "Reconstructed", "convert", "generate", "part_path", "prepare", "reconstruct"]

Progress = Callable[[int, Clock], None]


@dataclass(frozen=True, slots=True)
class Converted:
    """What came out."""

    plan: Plan
    frames: int
    damaged: int  # packets of the source that couldn't be decoded
    seconds: dict[str, float]  # per stage
    comfort: comfort.Comfort | None = None


def convert(
    made: Plan, source: Any, progress: Progress = lambda frames, clock: None, *, run: resume.Run | None = None
) -> Converted:
    """Runs a plan of `prepare`; one with `resume` goes on where it stopped. Raises StereocastError."""
    clock = Clock()
    with ExitStack() as stack:
        run = stack.enter_context(run or resume.begin(made, source))
        sink = assembly.sink(made, run)
        stack.callback(sink.close)
        progress(run.copy_into(sink), clock)
        meter = comfort.Meter(made.preset.screen_fov_deg, made.info.time_base, run.comfort, run.measured)
        stages = (
            Windows(CLIP_FRAMES, number=run.number),
            run.watch,
            prefetch,
            clock.stage("depth", assembly.estimator(made.settings, made.info)),
            assembly.depth_recorder(made, stack),
            clock.stage("synthesis", assembly.synthesizer(made.settings, made.info)),
            meter,
            prefetch,
            clock.stage("packing", assembly.packer(made.settings, made.info)),
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
    made, film = pairs.prepare(name, output, settings, progress)
    with ExitStack() as stack:
        sink = assembly.sink(made)
        stack.callback(sink.close)
        packer = assembly.packer(settings, made.info)
        with chain(pairs.clips(film, made.info.pixel_format), packer) as clips:
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
    order = steps.Order(source, prompt, views, scene_file, settings)
    result = steps.open_folder(order, output)
    scene = steps.scene_of(order, result, progress)
    steps.write_scene(scene, order, result)
    for titles, clips, count in steps.films(scene, settings):
        with ExitStack() as stack:
            plans = [steps.film_plan(result.folder, *title, settings, count) for title in titles.items()]
            sinks = [assembly.sink(made) for made in plans]
            for sink in sinks:
                stack.callback(sink.close)
            packers = [assembly.packer(made.settings, made.info) for made in plans]
            with chain(clips, steps.as_planes(plans[0].info.pixel_format), prefetch) as ready:
                for clip in ready:
                    for packer, sink in zip(packers, sinks, strict=True):
                        for packed in packer(iter([clip])):
                            sink.write(packed)
                    progress(" and ".join(titles), sinks[0].frames, count)
            for made, sink in zip(plans, sinks, strict=True):
                sink.finish()
                result.files += list(made.outputs)
    return result
