"""Converts a film in one pipeline (`sections` divides it instead): connects the stages in order.

However the run ends, every stage is closed and the part file stays readable.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from stereocast.errors import SourceError
from stereocast.jobs import assembly
from stereocast.jobs.comfort import Comfort, Meter
from stereocast.jobs.convert import compiling, repack, resume, sidecars
from stereocast.jobs.plan import ConvertPlan, clip_frames
from stereocast.media import probe
from stereocast.pipeline.chain import Clock, chain, prefetch
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.pipeline.stages import Source
from stereocast.shots.clips import Clipper

_PATIENCE_S = 1.0  # how long an interruption waits for a source that may never answer


@dataclass(frozen=True, slots=True)
class Converted:
    """The result of a conversion."""

    plan: ConvertPlan
    frames: int
    damaged: int  # packets of the source that were damaged, wholly or in part
    seconds: dict[str, float]  # per stage
    comfort: Comfort | None = None
    missing_s: float = 0.0  # seconds that the source's container promised but didn't hold


def convert(
    made: ConvertPlan, source: Source, progress: OnProgress = silent, *, run: resume.Run | None = None
) -> Converted:
    """Runs a plan of `prepare`; with `resume`, an interrupted run resumes where it stopped. Raises StereocastError."""
    clock = Clock()
    if made.views is None and made.settings.synth == "warp":
        compiling.ahead(made.info.pixel_format)
    with ExitStack() as stack:
        run = stack.enter_context(run or resume.begin(made, source))
        sink = assembly.sink(made, run.chunkers, run.streams())
        stack.callback(sink.close)

        def tell() -> None:
            progress(Progress("frames", sink.frames, made.info.frames, clock.seconds))

        run.copy_into(sink)
        tell()
        meter = Meter(made.preset.screen_fov_deg, made.info.time_base, run.comfort, run.measured)
        if made.views is not None:
            middle: tuple[Any, ...] = repack.stages(
                made.views, made.info, made.form, assembly.packer(made.settings, made.info)
            )
        else:
            depth = assembly.estimator(made.settings, made.info, run.depth_windows)
            synthesis = assembly.synthesizer(made.settings, made.info, made.preset.screen_fov_deg, holes=False)
            assembly.attend(synthesis, lambda at: progress(replace(at, seconds=clock.seconds)), run.windows)
            middle = (
                clock.stage("depth", depth),
                assembly.depth_recorder(
                    made.settings.depth_out, made.info, stack, overwrite=made.settings.overwrite or made.settings.resume
                ),
                clock.stage("synthesis", synthesis),
                meter,
                partial(prefetch, patience_s=2 * _PATIENCE_S if probe.flows(made.source) else None),
                clock.stage("packing", assembly.packer(made.settings, made.info)),
            )
        stages = (
            Clipper(clip_frames(made.info, made.packed), number=run.number),
            partial(prefetch, patience_s=_PATIENCE_S if probe.flows(made.source) else None),
            *middle,
            run.rest,
        )
        with chain(clock.source("reading", run.frames()), *stages) as clips:
            write = clock.timed("encoding", sink.write)
            for clip in clips:
                write(clip)
                del clip
                tell()
        if not sink.frames:
            raise SourceError(f"{made.source}: no frame could be decoded in the selected part")
        run.stretch(sink)
        clock.timed("encoding", sink.finish)()
        run.finish()
    if not run.picture_only:
        sidecars.copy(made)
    return Converted(made, sink.frames, run.source.damaged, clock.seconds, meter.result(), run.source.missing_s)
