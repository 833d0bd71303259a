"""Every path that a run will write or delete, known and checked before anything happens.

A result may replace an older one with --overwrite; the run's other files (part, journal, sections) may replace
only files that carry our mark. None may be a file that is being read, under any name or link.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stereocast.errors import OutputExists, SinkError, UsageError
from stereocast.jobs.convert import kept_windows, resume, sidecars
from stereocast.jobs.convert.chunks import Journal, beside_journal, journal_path
from stereocast.jobs.plan import ConvertPlan
from stereocast.media import hls, names, owned, pictures, spatial
from stereocast.media.owned import part_path

_URI = re.compile(r'URI="([^"]+)"')
_PLAYLISTS = (".m3u8", ".m3u")
_DEEPEST = 3  # playlists that name playlists


@dataclass(frozen=True, slots=True)
class Write:
    """A path that will be written. `result`: it is kept, and --overwrite may replace an existing file."""

    path: Path
    result: bool = False
    folder: bool = False
    option: str = "-o"


def of_plan(made: ConvertPlan) -> list[Write]:
    """All paths of a conversion, its later steps included."""
    found: list[Write] = []
    settings = made.settings
    if made.container == "images" and isinstance(made.output, Path):
        found += of_sequence(made.output)
    elif made.still:
        found += [write for path in made.outputs for write in of_picture(path)]
    elif made.container == "hls" and isinstance(made.output, Path):
        found += of_hls(made.output)
    else:
        for output in made.outputs:
            found += [
                *of_film(output),
                Write(resume.kept_path(output)),
                Write(resume.sections_folder(output), folder=True),
            ]
        if made.outputs:
            found.append(Write(kept_windows.windows_folder(made.outputs[0]), folder=True))
            journal = journal_path(made.outputs[0])
            found += [Write(journal), Write(beside_journal(journal))]
    for _, target in sidecars.pairs(made):
        found += of_picture(target)
    if settings.depth_out is not None:
        found += of_film(settings.depth_out, "--depth-out")
    return found


def of_film(path: Path, option: str = "-o") -> list[Write]:
    """A film, its part, and what tagging writes beside that."""
    part = part_path(path)
    return [
        Write(path, True, option=option),
        Write(part, option=option),
        Write(spatial.tagging_path(part), option=option),
    ]


def of_picture(path: Path, option: str = "-o") -> list[Write]:
    """A picture and its part."""
    return [Write(path, True, option=option), Write(part_path(path), option=option)]


def of_sequence(pattern: Path) -> list[Write]:
    """The first picture of a sequence, and those that are there by such names."""
    first = pictures.SequenceSink(pattern).path(1)
    there = names.sequence_files(str(pattern)) if not os.path.lexists(pattern) else ()
    return [write for path in dict.fromkeys([first, *there]) for write in of_picture(path)]


def of_report(path: Path) -> list[Write]:
    """A report of many films, which is written again and again."""
    return [Write(path, option="--report"), Write(path.with_name(path.name + ".new"), option="--report")]


def of_hls(folder: Path) -> list[Write]:
    """The playlist, the head, and segments as far as there are files of such names."""
    there = [path for path in folder.iterdir() if hls.NAMES.fullmatch(path.name)] if folder.is_dir() else []
    names = [folder / name for name in ("index.m3u8", "init.mp4", "segment_00000.m4s")]
    return [Write(path, True) for path in dict.fromkeys([*names, *there])]


def inputs(sources: Iterable[str], settings: Any = None) -> dict[tuple[int, int], str]:
    """Every local file that a run reads, by device and inode: sources, what playlists and sequences name, depth and
    disparity of one's own, weights."""
    brought = [
        str(value)
        for name in ("depth", "disparity", "end_image", "encoder")
        if (value := getattr(settings, name, None))
    ]
    weights = [text.split("=", 1)[-1] for text in getattr(settings, "weights", ())]
    found: dict[tuple[int, int], str] = {}
    for name in (*sources, *brought, *weights):
        for path in _files(name, _DEEPEST):
            with suppress(OSError, ValueError):
                status = os.stat(path)
                found.setdefault((status.st_dev, status.st_ino), str(path))
    return found


def _files(name: str, deep: int) -> Iterator[Path]:
    path = names.local(name)
    if path is None:
        return
    if path.is_dir():
        yield from (each for each in path.iterdir() if each.is_file())
    elif path.exists():
        yield path
        if path.suffix.lower() in _PLAYLISTS and deep:
            for uri in _named_in(path):
                inner = names.local(uri)
                if inner is not None:
                    yield from _files(str(inner if inner.is_absolute() else path.parent / inner), deep - 1)
    elif names.is_sequence(name):
        yield from names.sequence_files(name)


def _named_in(playlist: Path) -> Iterator[str]:
    try:
        lines = playlist.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        yield from _URI.findall(line) if line.startswith("#") else ([line.strip()] if line.strip() else [])


def check(
    writes: Iterable[Write], read: dict[tuple[int, int], str], *, overwrite: bool, proven: Iterable[Path] = (),
    resuming: bool = False,
) -> None:  # fmt: skip
    """Refuses whatever would destroy data, before anything is written. Raises UsageError, SinkError.

    `read`: of `inputs`. `proven`: unmarked files that are known as ours by other means (parts of version 0.1).
    """
    known = set(proven)
    writes = list(writes)
    check_apart(writes, read)
    for write in writes:
        if os.path.lexists(write.path):
            _check_there(write, overwrite=overwrite, known=known, resuming=resuming)
        else:
            check_folder(write.path, write.option)


def check_apart(writes: Iterable[Write], read: dict[tuple[int, int], str]) -> None:
    """Refuses a path that is one of the files being read, under any name or link. Raises UsageError."""
    for write in writes:
        with suppress(OSError):
            status = os.stat(write.path)
            source = read.get((status.st_dev, status.st_ino))
            if source is not None:
                raise UsageError(_reads_it(write, source))


def of_reconstruction(folder: Path, films: Iterable[str]) -> list[Write]:
    """What `4d` leaves in its folder; films by their names."""
    names = ["scene.4dgs", "scene.ply", "matrix.png"]
    return [Write(folder / name, True) for name in names] + [w for name in films for w in of_film(folder / name)]


def _reads_it(write: Write, source: str) -> str:
    if write.result or write.option != "-o":
        return f"the output {write.path} is the input itself ({source}); give another name with {write.option}"
    return f"{write.path} is an input, but stereocast needs that name for unfinished work; give another name with -o"


def _check_there(write: Write, *, overwrite: bool, known: set[Path], resuming: bool) -> None:
    path = write.path
    if write.folder:
        if path.is_symlink() or not path.is_dir() or not all(_of_section(each) for each in path.iterdir()):
            raise SinkError(owned.in_the_way(path))
    elif write.result:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; give another name with {write.option}")
        if not (overwrite or (resuming and write.option == "--depth-out" and owned.finished(path))):
            raise OutputExists(
                f"{path} already exists; use --overwrite to replace it, or {write.option} for another name"
            )
    elif path not in known and not owned.unfinished(path) and not (write.option == "--report" and overwrite):
        raise SinkError(owned.in_the_way(path))
    else:
        owned.check_idle(path)
    if not os.access(path.parent, os.W_OK):
        raise SinkError(
            f"the folder {path.parent} can't be written: {_why_not(path.parent)}; give another place with {write.option}"
        )


def _of_section(path: Path) -> bool:
    named = resume.SECTION_NAMES.fullmatch(path.name) or kept_windows.NAMES.fullmatch(path.name)
    return bool(named) and (owned.unfinished(path) or owned.finished(path))


def check_folder(path: Path, option: str = "-o") -> None:
    """Refuses a file whose folder can't be made or written. Nothing is made. Raises SinkError."""
    folder = path.parent
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name that is too long
        raise SinkError(f"{path} can't be written: {owned.reason(error)}; give another name with {option}") from error
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise SinkError(f"the folder {path.parent} can't be made: {folder} is a file; give another place with {option}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"the folder {folder} can't be written: {_why_not(folder)}; give another place with {option}")


def _why_not(folder: Path) -> str:
    with suppress(OSError, AttributeError):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return "the disk is read-only"
    return "permission denied"


def check_plan(made: ConvertPlan, others: Iterable[str] = ()) -> None:
    """`check` for a conversion. `others`: sources of the same call. Raises UsageError, SinkError."""
    settings = made.settings
    read = inputs([made.source, *others], settings)
    check(of_plan(made), read, overwrite=settings.overwrite, proven=_of_old_versions(made), resuming=settings.resume)


def _of_old_versions(made: ConvertPlan) -> list[Path]:
    """Unmarked parts of version 0.1: those that hold what the journal beside them lists."""
    if not made.outputs or resume.why_not(made):
        return []
    chunks = Journal.chunks_of(journal_path(made.outputs[0]))
    candidates = [path for output in made.outputs for path in (part_path(output), resume.kept_path(output))]
    return [path for path in candidates if os.path.isfile(path) and resume.holds(path, chunks, made)]
