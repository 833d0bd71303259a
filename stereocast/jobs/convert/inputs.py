"""Expands the inputs that the user named into sources: files, folders, globs, sequences, URLs, '-'. Our own results and
unfinished parts in a folder are left out, and a warning says so."""

import glob
import logging
import os
import re
from collections import Counter
from pathlib import Path

from stereocast.errors import SourceError, StereocastError
from stereocast.media import names as kinds
from stereocast.media import owned, photos, probe, stereoinfo

log = logging.getLogger(__name__)

_ALSO = {".heic", ".heif", ".avif"}  # photos that FFmpeg reads
# Marks that are unlikely by chance, and short ones that need a tag in the file: Lightroom also ends names with _LR.
_OURS = re.compile(
    r"(_LRF_Full_SBS|_TBF_fulltb|_RLF_cross|_180x180_LR|_RGBD|_redcyan_(dubois|color|half-color|gray|wimmer))$"
)
_PERHAPS_OURS = re.compile(r"_(LR|TB|RI|L|R|mono)$")


def expand(names: list[str], *, recursive: bool = False, tell: bool = True) -> list[str]:
    """Sources in the given order, those of a folder sorted by name. Raises SourceError where nothing is found.

    `tell`: log which files of a folder are left out (each file with -v).
    """
    found: list[str] = []
    for name in names:
        path = Path(name)
        if name == "-" or os.path.isfile(name) or kinds.is_url(name):
            found.append(name)
        elif os.path.isdir(name):
            found += _inside(path, name, recursive=recursive, tell=tell)
        elif kinds.is_sequence(name):
            found.append(name)
        elif glob.has_magic(name):
            matched = sorted(p for p in glob.glob(name, recursive=True) if Path(p).is_file())
            if not matched:
                raise SourceError(f"nothing matches {name}")
            found += matched
        else:
            raise SourceError(f"no such file: {name}")
    return list(dict.fromkeys(found))


def _inside(folder: Path, name: str, *, recursive: bool, tell: bool) -> list[str]:
    inside: list[str] = []
    left: Counter[str] = Counter()
    for path in sorted(folder.glob("**/*" if recursive else "*")):
        if path.is_dir():
            continue
        reason = left_out(path)
        if not reason:
            inside.append(str(path))
            continue
        left[reason] += reason != _OTHER
        if tell:
            log.info("%s was left out: %s", path, reason)
    said = ", ".join(f"{count} {reason}" for reason, count in left.items() if count)
    if not inside:
        more = "" if recursive else "; --recursive looks into subfolders"
        raise SourceError(f"{name} holds no videos or images{f' to convert ({said})' if said else ''}{more}")
    if said and tell:
        log.warning("%s: %d file(s) left out (%s); -v lists them", name, left.total(), said)
    return inside


_OTHER = "not a video or image"


def left_out(path: Path) -> str:
    """Why a file of a folder is left out; '' where it isn't."""
    if path.suffix.lower() not in probe.VIDEOS | probe.IMAGES | _ALSO:
        return _OTHER
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file():
        return "a broken link"
    if path.stem.endswith(".part"):
        return "an unfinished part"
    return "made by stereocast" if _OURS.search(path.stem) or _tagged(path) else ""


def _tagged(path: Path) -> bool:
    """Whether a file whose name has one of our short marks also contains our tag or a stereo tag."""
    if not _PERHAPS_OURS.search(path.stem):
        return False
    if probe.is_image(str(path)):
        return photos.made_by_us(path)
    try:
        return owned.finished(path) or stereoinfo.from_tags(stereoinfo.read_tags(path), 2, 1) is not None
    except (OSError, StereocastError):
        return False
