"""Copies the subtitle files stored next to a source under the result's name, so that players find them."""

from collections.abc import Iterator
from pathlib import Path

from stereocast.errors import SinkError
from stereocast.jobs.plan import ConvertPlan
from stereocast.media import names, owned

KINDS = (".srt", ".ass", ".ssa", ".vtt", ".sub", ".idx", ".smi")


def pairs(made: ConvertPlan) -> list[tuple[Path, Path]]:
    """Each subtitle file of the source (film.srt, film.de.srt) and the path of its copy."""
    source = names.local(made.source)
    if not made.settings.sidecars or source is None or not source.is_file() or made.still:
        return []
    found = list(_beside(source))
    return [
        (path, output.with_name(output.stem + path.name[len(source.stem) :]))
        for output in made.outputs
        for path in found
    ]


def _beside(source: Path) -> Iterator[Path]:
    for path in sorted(source.parent.iterdir()):
        rest = path.name[len(source.stem) :]
        if (
            path.name.startswith(source.stem + ".")
            and path.suffix.lower() in KINDS
            and rest.count(".") <= 3
            and path.is_file()
        ):
            yield path


def copy(made: ConvertPlan) -> list[Path]:
    """Copies the subtitle files and returns the paths of the copies. Raises SinkError."""
    written = []
    for path, target in pairs(made):
        try:
            owned.write(target, path.read_bytes(), beside=owned.part_path(target), overwrite=made.settings.overwrite)
        except OSError as error:
            raise SinkError(f"{target} can't be written: {owned.reason(error)}") from error
        written.append(target)
    return written
