"""Standard input as a source: read once, from front to back, or saved to a file first."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from stereocast.errors import SourceError

_HEAD = 1 << 16


class Piped:
    """Standard input for FFmpeg, whose first bytes were inspected. Raises SourceError if it can't be read in order."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._head = self._stream.read(_HEAD) or b""
        if index_at_end(self._head):
            raise SourceError(
                "standard input is an mp4 with its index at the end, which can't be read from a pipe; "
                "give the file's name, or use --spool to save it to a temporary file first"
            )

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b'' at the end."""
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        read = getattr(self._stream, "read1", self._stream.read)
        return bytes(read(size) or b"")


def index_at_end(head: bytes) -> bool:
    """Whether the head of a file is that of an mp4 or mov whose pictures come before the `moov` that lists them."""
    at, seen = 0, False
    while at + 8 <= len(head):
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if kind == b"mdat":
            return True
        if kind not in (b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pdin"):
            return False
        seen = True
        if size < 8:
            return False
        at += size
    return seen and at < len(head) and head[at + 4 : at + 8] == b"mdat"


def spooled() -> tuple[str, tempfile.TemporaryDirectory[str]]:
    """Standard input as a temporary file: its name, and the folder to keep as long as it is needed.

    Raises SourceError if there is no room for it.
    """
    folder = tempfile.TemporaryDirectory(prefix="stereocast-")
    path = Path(folder.name) / "stream"
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    except OSError as error:
        folder.cleanup()
        raise SourceError(f"standard input can't be saved to {path.parent}: {error.strerror}") from error
    return str(path), folder
