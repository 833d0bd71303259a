"""What the user named, as a list of sources: files, folders, globs, URLs, '-'. Our own outputs are left out of folders."""

import glob
from pathlib import Path

from stereocast.errors import SourceError
from stereocast.media import probe
from stereocast.pictures.arrangement import TABLE

_OURS = tuple(entry.suffix for entry in TABLE.values() if entry.suffix not in ("", "_L", "_R"))


def expand(names: list[str], *, recursive: bool = False) -> list[str]:
    """Sources in the order given; a folder's in order of name. Raises SourceError where nothing is found."""
    found: list[str] = []
    for name in names:
        path = Path(name)
        if name == "-" or probe.is_url(name) or "%" in name or path.is_file():
            found.append(name)
        elif path.is_dir():
            pattern = "**/*" if recursive else "*"
            inside = sorted(str(p) for p in path.glob(pattern) if p.is_file() and _wanted(p))
            if not inside:
                raise SourceError(
                    f"{name} holds no videos or images{'' if recursive else '; --recursive looks into subfolders'}"
                )
            found += inside
        elif glob.has_magic(name):
            matched = sorted(p for p in glob.glob(name, recursive=True) if Path(p).is_file())
            if not matched:
                raise SourceError(f"nothing matches {name}")
            found += matched
        else:
            raise SourceError(f"no such file: {name}")
    return list(dict.fromkeys(found))


def _wanted(path: Path) -> bool:
    if path.suffix.lower() not in probe.VIDEOS | probe.IMAGES or ".part" in path.suffixes:
        return False
    return not any(mark in path.stem for mark in _OURS)
