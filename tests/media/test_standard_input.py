"""Standard input: which heads of files can be read in order, and what is read from them."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stereocast.errors import SourceError
from stereocast.media import standard_input
from stereocast.media.boxes import Box

FTYP, FREE, MOOV, MDAT = (bytes(Box(kind, bytes(8))) for kind in (b"ftyp", b"free", b"moov", b"mdat"))


@pytest.mark.parametrize(
    ("head", "late"),
    [
        (b"", False),
        (FTYP, False),
        (FTYP + MOOV + MDAT, False),
        (FTYP + MDAT, True),
        (FTYP + FREE + MDAT, True),
        (FTYP + FREE + MDAT[:8], True),
        (MDAT, True),
        (FTYP + b"\0\0\0\7free" + MDAT, False),
        (FTYP + bytes(Box(b"moof")) + MDAT, False),
        (b"\x1aE\xdf\xa3" + bytes(40), False),
        *[(bytes(Box(kind, bytes(3))) + MDAT, True) for kind in (b"skip", b"wide", b"uuid", b"pdin")],
        (bytes(Box(b"free")) + MDAT, True),
    ],
)
def test_an_index_behind_the_samples_is_seen(head: bytes, late: bool) -> None:
    assert standard_input.index_at_end(head) is late
    if late:
        with pytest.raises(SourceError, match="its index at the end"):
            standard_input.Piped(io.BytesIO(head))
        return
    piped = standard_input.Piped(io.BytesIO(head))
    assert piped.read(5) + piped.read(1 << 20) == head
    assert piped.read(9) == b""


def test_every_byte_comes_once_and_in_order() -> None:
    data = bytes(range(256)) * 1000
    piped = standard_input.Piped(io.BytesIO(data))
    found = b""
    while part := piped.read(30_000):
        assert len(part) <= 30_000
        found += part
    assert found == data


def test_it_may_be_saved_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"film" * 9)))
    name, folder = standard_input.spooled()
    assert Path(name).read_bytes() == b"film" * 9
    assert Path(name).parent == Path(folder.name)
    folder.cleanup()

    class Full:
        def read(self, size: int) -> bytes:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Full()))
    with pytest.raises(SourceError, match="standard input can't be saved to .*: No space left on device"):
        standard_input.spooled()
