"""Faults of the system end in one true line: no cache, an encrypted film, a file without streams, a small disk."""

import errno
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stereocast import registry
from stereocast.errors import SinkError, SourceError
from stereocast.jobs.convert import batch, job
from stereocast.kernels import kept
from stereocast.kernels.jit import jit
from stereocast.media import faults, reader
from stereocast.settings import ConvertSettings
from tests.films import make_film


def test_no_place_for_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only installation without a home: kernels are compiled in each run."""
    monkeypatch.setattr(kept, "folder", lambda: None)

    def twice(values: Any, out: Any) -> None:
        for n in range(out.size):
            out[n] = values[n] * 2

    out = np.zeros(3, np.int64)
    jit(twice)(np.arange(3), out)
    assert out.tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/out.mp4"),
         "/x/out.mp4: the disk is full; free some space, or choose another folder with -o"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "/x: the disk is read-only; choose another folder with -o"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x: permission denied; change its permissions, or choose another folder"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files; close other programs, or raise the limit (ulimit -n)"),
        (OSError("something else"), "something else"),
        (MemoryError(), "not enough memory; use --scale, or close other programs"),
    ],
)  # fmt: skip
def test_one_line_for_each_fault(error: OSError | MemoryError, words: str) -> None:
    assert faults.line(error) == words


def test_a_list_goes_on_after_a_fault_of_the_system(tmp_path: Path) -> None:
    def work(each: batch.Job) -> dict[str, Any]:
        raise OSError(errno.EIO, "Input/output error", each.source)

    todo = [batch.Job(name, tmp_path / name) for name in ("a", "b")]
    reasons = [outcome.reason for outcome in batch.run(todo, work)]
    assert reasons[0] == "a: the disk reports an input/output error; check the disk or the connection to it"
    assert len(reasons) == 2


def encrypted(path: Path) -> Path:
    """A film whose sample entry says that it is encrypted, as in ISO 23001-7."""
    make_film(path, frames=3, size=(32, 64))
    data = path.read_bytes()
    places = {data[at + 4 : at + 8]: at for at in range(len(data) - 8) if data[at + 4 : at + 8] in (b"avc1", b"avcC")}
    entry = places[b"avc1"] if b"avc1" in places else 0
    assert entry
    path.write_bytes(data[: entry + 4] + b"encv" + data[entry + 8 :])
    return path


def test_encrypted_films_are_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is encrypted \(DRM\)"):
        reader.open_source(str(encrypted(tmp_path / "drm.mp4")))
    keyed = make_film(tmp_path / "key.mkv", frames=3, size=(32, 64))
    source = reader.open_source(str(keyed))
    source.close()

    class Stream:
        type, disposition, index = "video", 0, 0
        metadata = {"enc_key_id": "abcd"}
        codec_context = source.stream.codec_context

    class Container:
        class streams(list):  # noqa: N801
            video = [Stream()]

    from stereocast.media import probe

    with pytest.raises(SourceError, match="encrypted"):
        probe.video_stream(Container, "key.mkv")


def test_a_small_disk_is_told_in_fitting_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")})
    source = make_film(tmp_path / "in.mp4", frames=24)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 300))
    with pytest.raises(SinkError, match=r"has 300 bytes free but about \d+\.\d kB are needed"):
        job.prepare(str(source), tmp_path / "out.mp4", ConvertSettings(encoder="x264"))
