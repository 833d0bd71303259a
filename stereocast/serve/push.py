"""Copies a film to a headset over adb: free space, progress, hash, media scan."""

import hashlib
import logging
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from stereocast.errors import SourceError, StereocastError
from stereocast.media import probe
from stereocast.pipeline.progress import OnProgress, Progress, silent

log = logging.getLogger(__name__)

FOLDER = "/sdcard/Movies"  # listed by the Quest's own player, SKYBOX, Pigasus and DeoVR
_SPARE = 200 << 20  # bytes to leave free on the headset


class PushError(StereocastError):
    """The headset can't be reached, or the copy is damaged."""


class Adb:
    """One headset behind an `adb` program."""

    def __init__(self, program: str, serial: str) -> None:
        self.program, self.serial = program, serial

    @classmethod
    def find(cls, serial: str = "", program: str = "") -> "Adb":
        """The headset that is connected, or the one of that serial number. Raises PushError saying what to do."""
        tool = program or shutil.which("adb") or ""
        if not tool:
            raise PushError(
                "adb isn't on the PATH; install Android's platform tools (Debian: apt install adb), enable developer "
                "mode in the headset's phone app, and connect it by USB"
            )
        lines = _output([tool, "devices"]).splitlines()[1:]
        states = dict(line.split("\t")[:2] for line in lines if "\t" in line)
        ready = [name for name, state in states.items() if state == "device"]
        if serial:
            if states.get(serial) != "device":
                raise PushError(f"no headset with serial '{serial}'; connected: {', '.join(ready) or 'none'}")
            return cls(tool, serial)
        if not ready:
            waiting = [name for name, state in states.items() if state == "unauthorized"]
            hint = "allow USB debugging inside the headset" if waiting else "connect it by USB with developer mode on"
            raise PushError(f"no headset is {'ready' if waiting else 'connected'}; {hint}")
        if len(ready) > 1:
            raise PushError(f"{len(ready)} devices are connected ({', '.join(ready)}); choose one with --serial")
        return cls(tool, ready[0])

    def shell(self, *words: str) -> str:
        """What a command on the headset prints. Raises PushError."""
        return _output([self.program, "-s", self.serial, "shell", shlex.join(words)])

    def reverse(self, port: int) -> None:
        """Makes this machine's port reachable as localhost on the headset."""
        _output([self.program, "-s", self.serial, "reverse", f"tcp:{port}", f"tcp:{port}"])

    def free_bytes(self, folder: str) -> int:
        """Free space where `folder` is. Raises PushError."""
        last = self.shell("df", "-k", folder).strip().splitlines()[-1].split()
        numbers = [int(word) for word in last if word.isdigit()]
        if len(numbers) < 3:
            raise PushError(f"the headset doesn't report the free space in {folder}")
        return numbers[2] * 1024

    def size(self, path: str) -> int:
        """Bytes of a file on the headset, -1 where there is none."""
        text = self.shell("sh", "-c", f"stat -c %s {shlex.quote(path)} 2>/dev/null || echo -1").strip()
        return int(text) if re.fullmatch(r"-?\d+", text) else -1

    def sha256(self, path: str) -> str:
        """Hash of a file on the headset."""
        return self.shell("sha256sum", path).split()[0]


def _output(words: list[str], timeout: float = 600) -> str:
    try:
        run = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PushError(f"adb doesn't answer ({error}); try: adb kill-server") from error
    if run.returncode != 0:
        lines = (run.stderr or run.stdout).strip().splitlines()
        raise PushError(f"adb: {lines[-1] if lines else f'ended with {run.returncode}'}")
    return run.stdout


def sha256(path: Path) -> str:
    """Hash of a file here."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def collected(given: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """(film, its folder below the given one) for files and folders, including missing ones, which are reported later."""
    for path in given:
        if not path.is_dir():
            yield path, ""
            continue
        films = [
            each
            for each in sorted(path.rglob("*"))
            if each.suffix.lower() in probe.VIDEOS
            and not each.name.startswith(".")
            and ".part" not in each.suffixes
            and each.is_file()
        ]
        if not films:
            log.warning("%s holds no films", path)
        for film in films:
            below = film.parent.relative_to(path).as_posix()
            yield film, "" if below == "." else below


def inside(folder: str, below: str) -> str:
    """A folder on the headset, and one below it."""
    return str(PurePosixPath(folder) / below) if below else folder


def push(
    path: Path, adb: Adb, folder: str = FOLDER, *, overwrite: bool = False,
    progress: OnProgress = silent,
) -> str:  # fmt: skip
    """Copies `path` into `folder` on the headset and returns its path there; an identical copy is kept.

    It gets its name when it is whole and its hash is right. Raises SourceError, PushError.
    """
    if not path.is_file():
        raise SourceError(f"no such file: {path}")
    total, target = path.stat().st_size, str(PurePosixPath(folder) / path.name)
    adb.shell("mkdir", "-p", folder)
    wanted = sha256(path)
    there = adb.size(target)
    if there == total and adb.sha256(target) == wanted:
        progress(Progress(path.name, total, total))
        return target
    if there >= 0 and not overwrite:
        raise PushError(f"{target} is already on the headset with different content; use --overwrite")
    free = adb.free_bytes(folder)
    if free < total + _SPARE:
        raise PushError(
            f"{path.name} has {total / 1e9:.2f} GB, the headset has {free / 1e9:.2f} GB free; free some space there"
        )
    part = f"{target}.part"
    try:
        _copy(path, adb, part, total, progress)
        if adb.sha256(part) != wanted:
            raise PushError(f"the copy of {path.name} on the headset is damaged; try another cable")
        adb.shell("mv", part, target)
    except BaseException:
        try:
            adb.shell("rm", "-f", part)
        except PushError as error:
            log.debug("after a failed copy: %s", error)
        raise
    adb.shell(
        "am", "broadcast", "-a", "android.intent.action.MEDIA_SCANNER_SCAN_FILE", "-d", f"file://{target}",
    )  # fmt: skip
    return target


def _copy(path: Path, adb: Adb, part: str, total: int, progress: OnProgress) -> None:
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            try:
                progress(Progress(path.name, max(0, adb.size(part)), total))
            except PushError:
                time.sleep(1)

    watcher = threading.Thread(target=watch, name="push-progress", daemon=True)
    watcher.start()
    try:
        _output([adb.program, "-s", adb.serial, "push", str(path), part], timeout=24 * 3600)
    finally:
        stop.set()
        watcher.join(5)
    progress(Progress(path.name, total, total))
