"""A film cut into sections, made by an engine, and joined without encoding again."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stereocast import recipes, registry, report, resume
from stereocast.engines.section import Result, Task
from stereocast.errors import SourceError
from stereocast.journal import Journal, Sections, Segment, Shot, checksum, job, journal_path
from stereocast.media import splice
from stereocast.pipeline import Clock
from stereocast.plan import Plan
from stereocast.recipes import Converted, Progress
from stereocast.segment import cuts
from stereocast.types import Layout

log = logging.getLogger(__name__)

SECTION_S = 12  # a section is at least so long: a worker takes a second or two to begin


def convert_in_sections(made: Plan, source: Any, progress: Progress) -> Converted:
    """Runs a plan on the engine of its settings. Raises what `recipes.convert` raises."""
    reason = _why_not(made)
    if reason:
        log.warning("%s: %s, so it is made in one piece", made.output, reason)
        return recipes.convert(made, source, progress)
    assert made.profile is not None
    make_engine = registry.load(registry.ENGINES, "engine", made.settings.engine)  # before anything is written
    output = made.outputs[0]
    folder = resume.sections_folder(output)
    wanted = job(made.settings, made.source, made.profile.name, made.info.time_base)
    known = Journal.load(journal_path(output), wanted) if made.settings.resume else None
    if known is None:
        resume.clear_sections(folder)
    folder.mkdir(exist_ok=True)
    journal = Journal(journal_path(output), wanted)
    finished = _finished(output, known, made)
    results: list[Result] = []
    with ExitStack() as stack:
        stack.callback(source.close)
        engine = make_engine(made.settings)
        stack.callback(engine.close)
        for result in _made(engine, _tasks(made, source, folder), finished):
            results.append(result)
            for segment in result.segments:
                journal.segments.append(segment)
            journal.save()
            progress(result.frames, Clock())
    if not results:
        raise SourceError(f"{made.source}: no frame could be decoded in the part that was asked for")
    return _joined(made, journal, results)


def _why_not(made: Plan) -> str:
    if made.source == "-":
        return "standard input can be read once only"
    if made.form.layout is Layout.PAIR:
        return "a pair has two files"
    settings = made.settings
    if settings.depth_out is not None or settings.disparity is not None or settings.depth_path is not None:
        return "a file with one map per frame is read or written in order"
    if settings.fps is not None:
        return "a new frame rate counts from the first frame"
    return resume.why_not(made)


def _tasks(made: Plan, source: Any, folder: Path) -> Iterator[Task]:
    """The sections as the shots are found; reading stays as far ahead as the engine takes tasks."""
    base, settings = made.info.time_base, made.settings.model_dump(mode="json")
    suffix = made.outputs[0].suffix
    sections = Sections(base)
    begun: Shot | None = None
    number = count = 0

    def task(shot: Shot, stop: int | None) -> Task:
        return Task(made.source, settings, shot, stop, str(folder / f"{count:05d}.part{suffix}"))

    for frame, cut in cuts.mark_cuts(iter(source)):
        if cut:
            shot = Shot(frame.pts, number, checksum(frame.image))
            number += 1
            sections.note(shot)
            begun = begun or shot
        if sections.begins(frame.pts) and cut and begun is not None and (frame.pts - begun.pts) * base >= SECTION_S:
            yield task(begun, frame.pts)
            begun, count = shot, count + 1
    if begun is not None:
        yield task(begun, None)


def _finished(output: Path, known: Journal | None, made: Plan) -> dict[int, tuple[Segment, ...]]:
    """Sections of an interrupted run that are whole, by their first tick."""
    groups: dict[str, list[Segment]] = {}
    for segment in known.segments if known else []:
        if segment.file:
            groups.setdefault(segment.file, []).append(segment)
    return {
        group[0].first: tuple(group)
        for file, group in groups.items()
        if splice.complete(output.parent / file, group, made.info.time_base) == len(group)
    }


def _made(engine: Any, tasks: Iterator[Task], finished: dict[int, tuple[Segment, ...]]) -> Iterator[Result]:
    """Results in order; those that are finished aren't made again."""
    order: list[tuple[Segment, ...] | None] = []

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


def _joined(made: Plan, journal: Journal, results: list[Result]) -> Converted:
    _, source = recipes.prepare(made.source, made.outputs[0], made.settings.model_copy(update={"overwrite": True}))
    done = recipes.convert(made, source, run=resume.joined(made, source, journal))
    seconds: dict[str, float] = dict(done.seconds)
    for result in results:
        for name, value in result.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + value
    damaged = max((result.damaged for result in results), default=0)
    return Converted(made, done.frames, damaged, seconds, report.joined([result.comfort for result in results]))
