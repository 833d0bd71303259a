"""Converts a film in sections on an engine and joins them without re-encoding."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from stereocast import registry
from stereocast.errors import SourceError
from stereocast.jobs import comfort
from stereocast.jobs.convert import compiling, resume, whole
from stereocast.jobs.convert.chunks import Chunk, Chunker, Journal, identity, journal_path
from stereocast.jobs.convert.engines import Engine
from stereocast.jobs.convert.engines.section import Result, Task
from stereocast.jobs.convert.prepare import prepare
from stereocast.jobs.convert.whole import Converted
from stereocast.jobs.plan import ConvertPlan, make_folders
from stereocast.media import splice
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.pipeline.stages import Source
from stereocast.shots import cuts
from stereocast.types import Layout, Shot

log = logging.getLogger(__name__)

SECTION_S = 12  # shortest section: a worker takes a second or two to start


def convert_in_sections(made: ConvertPlan, source: Source, progress: OnProgress) -> Converted:
    """Runs a plan on the engine of its settings. Raises what `whole.convert` raises."""
    reason = _why_not(made)
    if reason:
        log.warning("%s: converting in a single process, because %s", made.output, reason)
        return whole.convert(made, source, progress)
    assert made.profile is not None
    make_engine = registry.load(registry.ENGINES, "engine", made.settings.engine)  # before anything is written
    output = made.outputs[0]
    folder = resume.sections_folder(output)
    wanted = identity(made.settings, made.source, made.profile.name, made.info.time_base)
    known = Journal.load(journal_path(output), wanted) if made.settings.resume else None
    if known is None:
        resume.clear_sections(folder)
    make_folders(made.outputs)
    folder.mkdir(exist_ok=True)
    journal = Journal(journal_path(output), wanted)
    finished = _finished(output, known, made)
    results: list[Result] = []
    frames = 0
    with ExitStack() as stack:
        stack.callback(source.close)
        if made.settings.engine == "local" and made.settings.synth == "warp":
            compiling.ahead(made.info.pixel_format)  # once, not in each worker
        engine: Engine = make_engine(made.settings)
        stack.callback(engine.close)
        for result in _made(engine, _tasks(made, source, folder), finished):
            results.append(result)
            for chunk in result.chunks:
                journal.chunks.append(chunk)
            journal.save()
            frames += result.frames
            progress(Progress("frames", frames, made.info.frames))
    if not results:
        raise SourceError(f"{made.source}: no frame could be decoded in the selected part")
    return replace(_joined(made, journal, results), missing_s=source.missing_s)


def _why_not(made: ConvertPlan) -> str:
    if made.source == "-":
        return "standard input can be read only once"
    if made.form.layout is Layout.PAIR:
        return "a pair is written to two files"
    settings = made.settings
    if settings.depth_out is not None or settings.disparity is not None or settings.depth_path is not None:
        return "a file with one map per frame must be read or written in order"
    if settings.fps is not None:
        return "a new frame rate is counted from the first frame"
    return resume.why_not(made)


def _tasks(made: ConvertPlan, source: Source, folder: Path) -> Iterator[Task]:
    """Yields sections as shots are found; the source is read only as fast as the engine takes tasks."""
    base, settings = made.info.time_base, made.settings.model_dump(mode="json")
    suffix = made.outputs[0].suffix
    chunker = Chunker(base)
    shot = Shot()
    head: Shot | None = None  # the section's first shot
    count = 0

    def task(shot: Shot, stop: int | None) -> Task:
        return Task(made.source, settings, shot, stop, str(folder / f"{count:05d}.part{suffix}"))

    for frame, begun in cuts.mark_shots(iter(source)):
        shot = begun or shot
        head = head or shot
        if chunker.begins(frame.pts, shot) and begun is not None and (frame.pts - head.pts) * base >= SECTION_S:
            yield task(head, frame.pts)
            head, count = shot, count + 1
    if head is not None:
        yield task(head, None)


def _finished(output: Path, known: Journal | None, made: ConvertPlan) -> dict[int, tuple[Chunk, ...]]:
    """The complete sections of an interrupted run, by their first tick."""
    groups: dict[str, list[Chunk]] = {}
    for chunk in known.chunks if known else []:
        if chunk.file:
            groups.setdefault(chunk.file, []).append(chunk)
    return {
        group[0].first: tuple(group)
        for file, group in groups.items()
        if splice.complete(output.parent / file, group, made.info.time_base) == len(group)
    }


def _made(engine: Engine, tasks: Iterator[Task], finished: dict[int, tuple[Chunk, ...]]) -> Iterator[Result]:
    """Yields results in order; finished sections aren't converted again."""
    order: list[tuple[Chunk, ...] | None] = []

    def wanted() -> Iterator[Task]:
        for task in tasks:
            there = finished.get(task.shot.pts)
            order.append(there)
            if there is None:
                yield task

    results = engine.map(wanted())
    at = 0
    for result in results:
        while order[at] is not None:
            yield Result(order[at] or ())
            at += 1
        yield result
        at += 1
    for there in order[at:]:
        yield Result(there or ())


def _joined(made: ConvertPlan, journal: Journal, results: list[Result]) -> Converted:
    _, source = prepare(made.source, made.outputs[0], made.settings.model_copy(update={"overwrite": True}))
    done = whole.convert(made, source, run=resume.joined(made, source, journal))
    seconds: dict[str, float] = dict(done.seconds)
    for result in results:
        for name, value in result.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + value
    damaged = max((result.damaged for result in results), default=0)
    return Converted(made, done.frames, damaged, seconds, comfort.joined([result.comfort for result in results]))
