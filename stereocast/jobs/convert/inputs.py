"""The user's arguments as a list of sources: files, folders, globs, sequences, URLs, '-'. In folders, our own results
and unfinished parts are skipped, with a message."""

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
# Unambiguous marks, and short ones that count only with a tag inside: Lightroom ends names with _LR.
_OURS = re.compile(
    r"(_LRF_Full_SBS|_TBF_fulltb|_RLF_cross|_180x180_LR|_RGBD|_redcyan_(dubois|color|half-color|gray|wimmer))$"
)
_PERHAPS_OURS = re.compile(r"_(LR|TB|RI|L|R|mono)$")


def expand(names: list[str], *, recursive: bool = False, tell: bool = True) -> list[str]:
    """Sources in the order given; a folder's in order of name. Raises SourceError where nothing is found.

    `tell`: log what of a folder is left out (each file with -v).
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
            log.info("%s is skipped: %s", path, reason)
    said = ", ".join(f"{count} {reason}" for reason, count in left.items() if count)
    if not inside:
        more = "" if recursive else "; --recursive looks into subfolders"
        raise SourceError(f"{name} holds no videos or images{f' to convert ({said})' if said else ''}{more}")
    if said and tell:
        log.warning("%s: %d skipped (%s); -v names them", name, left.total(), said)
    return inside


_OTHER = "no video or image"


def left_out(path: Path) -> str:
    """Why a file of a folder isn't converted; '' where it is."""
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
    """Whether a file with one of our short marks also has a tag of ours, or a stereo tag, inside."""
    if not _PERHAPS_OURS.search(path.stem):
        return False
    if probe.is_image(str(path)):
        return photos.made_by_us(path)
    try:
        return owned.finished(path) or stereoinfo.from_tags(stereoinfo.read_tags(path), 2, 1) is not None
    except (OSError, StereocastError):
        return False
