"""Starts a run at the beginning of the film, or resumes an interrupted one.

Depth and stereo carry state within a shot and reset it at a cut. A resumed run therefore reads from the start of the shot
that was open and drops, after packing, the frames that were already encoded. The finished chunks' packets are copied from
the old part file, so the result has the same frames as an uninterrupted run.
"""

import itertools
import logging
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from stereocast.errors import SourceError
from stereocast.jobs.comfort import ShotFigures
from stereocast.jobs.convert import kept_windows
from stereocast.jobs.convert.chunks import Chunk, Chunker, Identity, Journal, identity, journal_path
from stereocast.jobs.plan import ConvertPlan
from stereocast.media import owned, reader, splice
from stereocast.media.passthrough import Passthrough
from stereocast.media.writer import PairSink, VideoSink, part_path
from stereocast.shots import cuts
from stereocast.types import Frame, PackedClip, Shot

log = logging.getLogger(__name__)

SECTION_NAMES = re.compile(r"\d{5}\.part(\.kept)?(\.part)?\.\w+(\.tagging)?|\d{5}\.part\.part\.json(\.new)?")


def kept_path(output: Path) -> Path:
    """The path that keeps an interrupted run's part file until its packets are copied to the new one."""
    return output.with_name(f"{output.stem}.kept.part{output.suffix}")


def sections_folder(output: Path) -> Path:
    """The folder for the sections of an output until they are joined."""
    return output.with_name(f"{output.stem}.sections.part")


def begin(made: ConvertPlan, source: Any) -> "Run":
    """The run of a plan on an open source; the run closes it. Raises UsageError, SourceError, SinkError."""
    reason = why_not(made)
    if reason:
        if made.settings.resume:
            log.warning("%s: starting from the beginning, because %s", made.output, reason)
        return Run(made, source)
    assert made.profile is not None
    wanted = identity(made.settings, made.source, made.profile.name, made.info.time_base)
    path = journal_path(made.outputs[0])
    folder = kept_windows.windows_folder(made.outputs[0])
    if not made.settings.resume:
        _forget(made, path)
        kept_windows.clear(folder)
        return Run(made, source, Journal(path, wanted))
    journal = Journal.load(path, wanted)
    chunks = [] if journal is None else _usable(made, journal)
    if not chunks:
        there = journal is not None or any(part_path(output).exists() for output in made.outputs)
        windows = kept_windows.count(folder)
        log.log(
            logging.WARNING if there and not windows else logging.INFO,
            "%s: nothing encoded to resume from; starting from the beginning%s",
            made.output,
            f" with {windows} finished windows" if windows else "",
        )
        return Run(made, source, Journal(path, wanted))
    return _resumed(made, source, wanted, chunks, journal.comfort if journal else [])


def why_not(made: ConvertPlan) -> str:
    """Why a plan can't be resumed or divided; '' where it can."""
    if made.profile is None or not made.outputs:
        return "a still or standard output can't be resumed"
    if made.container not in ("mp4", "mkv"):
        return f"{made.container} can't be resumed"
    return "" if made.profile.via == "pyav" else f"encoder {made.profile.name} can't be resumed"


def _forget(made: ConvertPlan, path: Path) -> None:
    chunks = Journal.chunks_of(path)
    for output in made.outputs:  # checked before work started; parts of version 0.1 have no mark
        for part in (kept_path(output), part_path(output)):
            owned.discard(part, known=part.is_file() and holds(part, chunks, made))
    if path.exists():
        log.warning(
            "%s: replacing the part file of an interrupted run (--resume would have continued it)", made.outputs[0]
        )
        owned.discard(path)


def holds(path: Path, chunks: Sequence[Chunk], made: ConvertPlan) -> bool:
    """Whether a file contains the first of these chunks, and so is the part file that they were written to."""
    alone = tuple(chunk for chunk in chunks if not chunk.file)[:1]
    return bool(alone) and splice.complete(path, alone, made.info.time_base) == 1


def clear_sections(folder: Path) -> None:
    """Deletes the sections of an output, and their folder if it is then empty."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if SECTION_NAMES.fullmatch(path.name):
            owned.discard(path, known=owned.finished(path))
    with suppress(OSError):
        folder.rmdir()


def _usable(made: ConvertPlan, journal: Journal) -> list[Chunk]:
    """The finished chunks that are complete in every output's old file, which is moved to its kept path."""
    count = len(journal.chunks)
    for output in made.outputs:
        whole = {
            path: splice.complete(path, journal.chunks, made.info.time_base)
            for path in (kept_path(output), part_path(output))
            if path.is_file()
        }
        best = max(whole, key=lambda path: whole[path], default=None)
        count = min(count, whole[best] if best is not None else 0)
        if best == part_path(output):
            owned.check_idle(best)
            os.replace(best, kept_path(output))
        else:
            owned.discard(part_path(output), known=whole.get(part_path(output), 0) > 0)
    return journal.chunks[:count]


def _resumed(
    made: ConvertPlan, source: Any, wanted: Identity, chunks: list[Chunk], comfort: list[dict[str, Any]]
) -> "Run":
    shot = chunks[-1].after
    settings = made.settings
    if settings.depth_out is not None or settings.disparity is not None or settings.depth_path is not None:
        shot = None  # files with one map per frame must be read and written from the first frame
    journal = Journal(journal_path(made.outputs[0]), wanted, tuple(chunks))
    if shot is None:
        return Run(made, source, journal, chunks)
    opened, frames = _at(source, shot)
    start = float(shot.pts * made.info.time_base)
    journal.comfort = [figures for figures in comfort if figures["start_s"] < start]  # the open shot is measured again
    return Run(made, opened, journal, chunks, shot, frames)


def _at(source: Any, shot: Shot) -> tuple[Any, Iterator[Frame]]:
    """Reopens the source at the start of a shot and returns it with its frames from there. Raises SourceError."""
    name, options = source.name, source.options
    source.close()
    for seek in (True, False):
        opened = reader.VideoSource(name, replace(options, first=shot.pts, seek=seek))
        frames = iter(opened)
        head = next(frames, None)
        if head is not None and head.pts == shot.pts and cuts.checksum(head.image) == shot.check:
            return opened, itertools.chain([head], frames)
        opened.close()
        log.info("%s: seeking to tick %d isn't exact; decoding from the start", name, shot.pts)
    raise SourceError(f"{name}: the frame to resume at is missing; run again without --resume")


def section(made: ConvertPlan, source: Any, shot: Shot, stop: int | None) -> "Run":
    """A run without sound over whole shots, from `shot` to just before tick `stop` (None: the end). Raises SourceError."""
    opened, frames = _at(source, shot)
    if stop is not None:
        frames = itertools.takewhile(lambda frame: frame.pts < stop, frames)
    run = Run(made, opened, shot=shot, frames=frames)
    run.chunkers = [Chunker(made.info.time_base)]
    run.picture_only = True
    return run


def joined(made: ConvertPlan, source: Any, journal: Journal) -> "Run":
    """A run that only joins the finished chunks with the other streams."""
    return Run(made, source, journal, journal.chunks, frames=iter(()))


class Run:
    """One attempt at a conversion: what it reads, what it keeps from an earlier run, what it adds to the journal."""

    def __init__(
        self, made: ConvertPlan, source: Any, journal: Journal | None = None, kept: Sequence[Chunk] = (),
        shot: Shot | None = None, frames: Iterator[Frame] | None = None,
    ) -> None:  # fmt: skip
        self.source = source
        self.number = shot.number if shot else 0
        self.picture_only = False
        self._known = {kept_path(output) for output in made.outputs} if kept else set()  # parts of 0.1 have no mark
        self._made, self._journal, self._kept, self._frames = made, journal, kept, frames
        self._beside = splice.Beside(source.name) if kept else None
        self._queues: list[deque[Any]] = []
        count = max(1, len(made.outputs))
        self.chunkers: list[Chunker | None] = [None] * count
        if journal is not None:  # the second eye's file is cut at the same frames; one journal serves both
            self.chunkers = [Chunker(made.info.time_base, journal if k == 0 else None) for k in range(count)]

    @property
    def windows(self) -> "kept_windows.KeptWindows | None":
        """The saved windows of the synthesis; None in a run that can't be resumed."""
        return self._windows("")

    @property
    def depth_windows(self) -> "kept_windows.KeptWindows | None":
        """The saved windows of the depth estimator; None in a run that can't be resumed."""
        return self._windows(kept_windows.DEPTH)

    def _windows(self, kind: str) -> "kept_windows.KeptWindows | None":
        if self._journal is None:
            return None
        folder = kept_windows.windows_folder(self._made.outputs[0])
        return kept_windows.KeptWindows(folder, self._journal.identity, kind)

    @property
    def comfort(self) -> list[ShotFigures]:
        """Figures of the shots that an earlier run finished."""
        return [ShotFigures(**figures) for figures in self._journal.comfort] if self._journal is not None else []

    def measured(self, figures: ShotFigures) -> None:
        """Records a shot's figures; they are saved with the next chunk."""
        if self._journal is not None:
            self._journal.comfort.append(asdict(figures))

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.source.close()
        if self._beside is not None:
            self._beside.close()

    def streams(self) -> list[Passthrough | None]:
        """The source's sound and subtitles, for each output."""
        alone = self.picture_only or self._made.still
        return [None if alone else self._other_streams() for _ in self.chunkers]

    def _other_streams(self) -> Passthrough:
        container, packets = (
            (self.source.container, self.source.share_packets())
            if self._beside is None
            else (self._beside.container, self._beside.share())
        )
        settings = self._made.settings
        return Passthrough(
            container,
            packets,
            audio=settings.audio,
            subs=settings.subs,
            shift=self.source.start_pts * self.source.time_base,
            stop=self.source.stop_s,
        )

    def copy_into(self, target: Any) -> int:
        """Copies the finished chunks into the new part file and returns the number of frames."""
        if not self._kept:
            return 0
        beside = self._beside
        assert beside is not None
        sinks: tuple[VideoSink, ...] = (target.left, target.right) if isinstance(target, PairSink) else (target,)
        time_base, shift = self._made.info.time_base, self.source.start_pts * self.source.time_base

        def fetch(seconds: Fraction) -> None:
            beside.until(seconds + shift)

        for output, sink in zip(self._made.outputs, sinks, strict=True):
            for file, chunks in itertools.groupby(self._kept, lambda chunk: chunk.file):
                path = output.parent / file if file else kept_path(output)
                sink.copy(splice.packets(path, tuple(chunks), time_base), fetch)
        frames = sum(chunk.frames for chunk in self._kept)
        log.info("%s: %d frames in %d chunks are kept", self._made.output, frames, len(self._kept))
        return frames

    def frames(self) -> Iterator[Frame]:
        """The frames to convert; sound is queued up to each frame's time."""
        frames = iter(self.source) if self._frames is None else self._frames
        if self._beside is None:
            return frames
        return self._along(frames, self._beside)

    def _along(self, frames: Iterator[Frame], beside: splice.Beside) -> Iterator[Frame]:
        begin = self.source.start_pts * self.source.time_base
        try:
            for frame in frames:
                beside.until(frame.pts * self._made.info.time_base + begin)
                yield frame
            beside.until(self.source.stop_s)
        finally:
            close = getattr(frames, "close", None)
            if close is not None:
                close()

    def stretch(self, target: Any) -> None:
        """Lets the last picture last as long as in the source."""
        end = getattr(self.source, "shown_until", None)
        if end is not None and self._made.profile is not None:
            target.last_until(end)

    def rest(self, clips: Iterator[PackedClip]) -> Iterator[PackedClip]:
        """A stage that drops the frames already encoded."""
        if not self._kept:
            return clips
        return _after(clips, self._kept[-1].last)

    def finish(self) -> None:
        """Deletes the journal and all unfinished files, once the output is complete."""
        if self._journal is None:
            return
        for output in self._made.outputs:
            for path in (kept_path(output), part_path(output)):
                owned.discard(path, known=path in self._known)
            clear_sections(sections_folder(output))
            kept_windows.clear(kept_windows.windows_folder(output))
        with suppress(OSError):
            self._journal.remove()


def _after(clips: Iterator[PackedClip], last: int) -> Iterator[PackedClip]:
    for clip in clips:
        new = clip.pts > last
        if new.all():
            yield clip
        elif new.any():
            second = None if clip.second is None else clip.second[new]
            yield replace(clip, frames=clip.frames[new], pts=clip.pts[new], second=second)
