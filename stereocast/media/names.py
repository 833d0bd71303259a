"""What a name means: a URL, a numbered sequence, or simply a file, whatever characters are in it."""

import re
from collections.abc import Iterator
from pathlib import Path

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_NUMBER = re.compile(r"%(?:0(\d+))?d")


def is_url(name: str) -> bool:
    """Whether the name has a scheme, such as https://; a file that is there by that very name is a file."""
    return bool(_URL.match(name)) and not Path(name).exists()


def is_sequence(name: str) -> bool:
    """Whether the name is a printf pattern (frame_%04d.png) that files match; a file of that very name is a file."""
    return not is_url(name) and next(sequence_files(name), None) is not None


def sequence_files(name: str) -> Iterator[Path]:
    """The files that a printf pattern matches, in order of their numbers; none for any other name."""
    path = Path(name)
    found = _NUMBER.search(path.name)
    if found is None or len(_NUMBER.findall(path.name)) != 1 or path.exists() or not path.parent.is_dir():
        return
    digits = rf"(\d{{{int(found[1])},}})" if found[1] else r"(\d+)"
    before, after = (part.replace("%%", "%") for part in (path.name[: found.start()], path.name[found.end() :]))
    pattern = re.compile(re.escape(before) + digits + re.escape(after))
    numbered = ((pattern.fullmatch(each.name), each) for each in path.parent.iterdir())
    yield from (each for _, each in sorted((int(match[1]), each) for match, each in numbered if match))
