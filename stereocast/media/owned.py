"""Files that a run creates. They are created exclusively and marked as ours; no other file is ever replaced or deleted.

An unfinished file is marked from its first byte, so it can be recognised after a crash, as a copy, and on another disk.
The mark is first a line of text and, once the muxer has overwritten it, the minor version in mp4's `ftyp` or Matroska's
WritingApp. A finished file has another mark. This module knows nothing about films.
"""

import contextlib
import errno
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from stereocast.errors import SinkError

MARK = b"stereocast: unfinished, may be deleted\n"
JOURNAL = b'{"stereocast": "journal"'  # start of our JSON files
REPORT = b'{\n  "stereocast": "report"'
_OLD = (b'{"version": 1, "job": {"settings": {', b'{\n  "planned": ')  # start of those of version 0.1
_UNFINISHED, _FINISHED = b"scPT", b"scOK"
_APP_UNFINISHED, _APP_FINISHED = b"stereocast+", b"stereocast"
_EBML = b"\x1aE\xdf\xa3"
_APP = re.compile(rb"WA([\x81-\xbf])(?:Lavf|stereocast)")  # the element's id, its size, the muxer's or our own name
_HEAD = 4096


def part_path(path: Path) -> Path:
    """The part file, which holds a file until it is complete."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


def create(path: Path) -> "Part":
    """Creates a new file, never replacing one or following a link. Raises OSError (EEXIST where the path exists)."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return Part(path, os.open(path, flags, 0o666))


def create_again(path: Path) -> "Part":
    """Creates a new unmarked file in place of an old one. A link is removed, but its target stays. Raises OSError."""
    path.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return Part(path, os.open(path, flags, 0o666), marked=False)


class Part:
    """An unbuffered file that FFmpeg and Python write to, with a mark kept in its head."""

    def __init__(self, path: Path, number: int, *, marked: bool = True) -> None:
        self.name = str(path)
        self.path = path
        self._marks = marked
        self.touched = False  # whether more than the mark was written
        self._file: Any = os.fdopen(number, "r+b", buffering=0)
        if not marked:
            return
        try:
            _lock(self._file)
            self._all(MARK)
            self._file.seek(0)
        except BaseException:
            self._file.close()
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def write(self, data: Any) -> int:
        """Writes all of `data` at the current position."""
        data = bytes(data)
        self.touched = True
        at = self._file.tell()
        self._all(_marked(data, at, _UNFINISHED, _APP_UNFINISHED) if self._marks and at < _HEAD else data)
        return len(data)

    def _all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def fileno(self) -> int:
        return int(self._file.fileno())

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """May be called twice."""
        self._file.close()


@contextlib.contextmanager
def _held_back(feed: "Feed") -> Iterator[None]:
    """Defers Ctrl-C to a flag of `feed` in this block, so that no write is cut short."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return

    def note(*_: object) -> None:
        feed.interrupted = True

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


class Feed:
    """A stream for FFmpeg to write to. Errors are stored and returned as numbers, because raised ones would be printed."""

    def __init__(self, stream: Any, change: Callable[[bytes], bytes] | None = None) -> None:
        """`change`: a function applied to the bytes before they are written."""
        self.error: OSError | None = None
        self.interrupted = (
            False  # by Ctrl-C, which would be lost in a call from FFmpeg; the muxing code must check this
        )
        self.name = str(getattr(stream, "name", "output"))
        self._stream, self._change = stream, change
        if isinstance(stream, Part):  # other streams are written from front to back
            self.seek, self.tell = stream.seek, stream.tell

    def write(self, data: Any) -> int:
        """Writes all of `data`. Returns its length, or the negative errno on failure."""
        done: list[int] = []
        while True:
            try:
                with _held_back(self):
                    if not done:
                        done.append(self._written(data))
                return done[0]
            except KeyboardInterrupt:  # it came just before or after the protected block
                self.interrupted = True

    def _written(self, data: Any) -> int:
        try:
            if self.error is None:
                self._stream.write(bytes(data) if self._change is None else self._change(bytes(data)))
                self._stream.flush()
                return len(data)
        except OSError as error:
            self.error = error
        assert self.error is not None
        return -(self.error.errno or errno.EIO)

    def close(self) -> None:
        """Closes a file; standard output stays open."""
        if isinstance(self._stream, Part):
            self._stream.close()


class Failed:
    """Replaces a file that couldn't be opened: FFmpeg gets the error when it writes."""

    interrupted = False

    def __init__(self, error: OSError) -> None:
        self.error, self.name = error, "none"

    def write(self, data: Any) -> int:
        return -(self.error.errno or errno.EIO)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""


def _marked(data: bytes, at: int, minor: bytes, app: bytes) -> bytes:
    """The head of an mp4 or Matroska file, or a piece of it from offset `at`, with a mark written into it."""
    if at == 0 and data[4:8] == b"ftyp" and len(data) >= 16:
        return data[:12] + minor + data[16:]
    found = _APP.search(data, 0, _HEAD) if at or data.startswith(_EBML) else None
    if found is None:
        return data
    start, size = found.start() + 3, found[1][0] & 0x7F
    return data[:start] + app.ljust(size)[:size] + data[start + size :]


def _head_of(path: Path) -> bytes | None:
    """The first bytes of a regular file; None for links, other types and unreadable files."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(number, "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return None


def unfinished(path: Path) -> bool:
    """Whether the file is one of ours that was never finished, or is empty and so holds nothing to lose."""
    head = _head_of(path)
    if head is None:
        return False
    if not head or head.startswith((MARK, JOURNAL, REPORT, *_OLD)):
        return True
    if head[4:8] == b"ftyp":
        return head[12:16] == _UNFINISHED
    found = _APP.search(head) if head.startswith(_EBML) else None
    return found is not None and head[found.start() + 3 :].startswith(_APP_UNFINISHED)


def finished(path: Path) -> bool:
    """Whether the file is a film of ours. An unfinished mark also counts: a crash may come before the final one is set."""
    head = _head_of(path)
    if not head:
        return False
    if head[4:8] == b"ftyp":
        return head[12:16] in (_FINISHED, _UNFINISHED)
    found = _APP.search(head) if head.startswith(_EBML) else None
    return found is not None and head[found.start() + 3 :].startswith(_APP_FINISHED)


def discard(path: Path, *, known: bool = False) -> bool:
    """Deletes a file of ours. Returns True if the path is now free, False if a foreign file was left there.

    `known`: the caller has other proof that it is ours. Raises SinkError where another run is writing it.
    """
    if not os.path.lexists(path):
        return True
    if not (known or unfinished(path)):
        return False
    check_idle(path)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{path} can't be removed: {reason(error)}") from error
    return True


def check_idle(path: Path) -> None:
    """Raises SinkError where another run is writing the file."""
    try:
        with path.open("rb") as file:
            _lock(file)
    except BlockingIOError:
        raise SinkError(f"{path} is being written by another run of stereocast; wait for it, or use -o") from None
    except OSError:
        return


def publish(part: Path, path: Path, *, overwrite: bool, kept: bool = True) -> None:
    """Renames a finished file to its final name. Raises SinkError where another file got that name meanwhile, OSError.

    `kept`: the caller leaves the finished file where it is after an error.
    """
    if overwrite:
        os.replace(part, path)
    else:
        try:
            os.link(part, path, follow_symlinks=False)
        except FileExistsError:
            raise _taken(path, part if kept else None) from None
        except (OSError, NotImplementedError):  # the file system has no hard links
            if os.path.lexists(path):
                raise _taken(path, part if kept else None) from None
            os.rename(part, path)
        else:
            os.unlink(part)
    _seal(path)


def _taken(path: Path, part: Path | None) -> SinkError:
    there = "choose another name with -o" if part is None else f"the result is kept in {part}"
    return SinkError(f"{path} was created by another program in the meantime; {there}")


def _seal(path: Path) -> None:
    """Replaces the mark of an unfinished film with that of a finished one."""
    head = _head_of(path) or b""
    made = _marked(head, 0, _FINISHED, _APP_FINISHED) if unfinished(path) else head
    if made != head:
        with path.open("r+b") as file:
            file.write(made)


def write(path: Path, data: bytes, *, beside: Path, overwrite: bool = True) -> None:
    """Writes a whole file atomically, by way of the temporary file `beside`.

    A file at `beside` must be ours. Raises SinkError, OSError.
    """
    make_room(beside)
    part = create(beside)
    try:
        part.seek(len(MARK))
        part.write(data[len(MARK) :])
        os.fsync(part.fileno())
        part.seek(0)
        part._all(data[: len(MARK)])  # the mark is overwritten last
        if len(data) < len(MARK):
            os.ftruncate(part.fileno(), len(data))
        part.close()
        publish(beside, path, overwrite=overwrite, kept=False)
    except BaseException:
        part.close()
        with contextlib.suppress(OSError):
            beside.unlink()  # created by this call
        raise


def make_room(path: Path) -> None:
    """Deletes a file that an earlier run left at a path to be written. Raises SinkError for a foreign file."""
    if not discard(path):
        raise SinkError(in_the_way(path))


def in_the_way(path: Path) -> str:
    """The message for a foreign file at a path that stereocast needs."""
    return f"{path} is in the way: stereocast needs this name but didn't create the file; move it, or choose another name with -o"


def _lock(file: BinaryIO) -> None:
    """Locks the file against other runs while it is open. Raises BlockingIOError where another run holds it."""
    if sys.platform == "win32":  # Windows can't delete an open file
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return


def reason(error: BaseException) -> str:
    """The cause of a system error in a few words."""
    known = {
        getattr(errno, "EDQUOT", errno.ENOSPC): "your disk quota is used up",
        errno.ENOSPC: "the disk is full",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.ENAMETOOLONG: "the name is too long",
        errno.ENOENT: "no such folder",
        errno.ENOTDIR: "a part of the path is not a folder",
        errno.EISDIR: "it is a folder",
        errno.EFBIG: "the disk can't hold a file of that size",
        errno.EIO: "the disk reports an input/output error",
    }
    number = getattr(error, "errno", None)
    text = known.get(number) if isinstance(error, OSError) and number is not None else None
    return text or str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
