"""What FFmpeg is told of its file: Ctrl-C while it writes loses neither bytes nor the interruption, errors keep their number."""

import errno
import io
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from stereocast.errors import SinkError
from stereocast.media import owned


class Interrupting(io.BytesIO):
    """Writes half, then Ctrl-C comes, then the rest."""

    def write(self, data: Any) -> int:
        half = len(data) // 2
        super().write(data[:half])
        signal.raise_signal(signal.SIGINT)
        super().write(data[half:])
        return len(data)


def test_an_interruption_is_kept_and_the_bytes_are_whole() -> None:
    stream = Interrupting()
    feed = owned.Feed(stream)
    assert feed.write(b"0123456789") == 10
    assert stream.getvalue() == b"0123456789"
    assert feed.interrupted
    assert feed.error is None


def test_ctrl_c_works_as_before_afterwards() -> None:
    owned.Feed(io.BytesIO()).write(b"x")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("error", "number"), [(OSError(errno.ENOSPC, "full"), errno.ENOSPC), (OSError("no number"), errno.EIO)]
)
def test_ffmpeg_is_told_why_a_file_could_not_be_opened(error: OSError, number: int) -> None:
    assert owned.Failed(error).write(b"x") == -number


def test_only_plain_files_of_ours_are_unfinished(tmp_path: Path) -> None:
    part = tmp_path / "a.part.mp4"
    part.write_bytes(owned.MARK)
    (tmp_path / "link").symlink_to(part)
    (tmp_path / "folder").mkdir()
    found = {name: owned.unfinished(tmp_path / name) for name in ("a.part.mp4", "link", "folder", "none")}
    assert found == {"a.part.mp4": True, "link": False, "folder": False, "none": False}
    assert not any(owned.finished(tmp_path / name) for name in ("link", "folder", "none"))
    (tmp_path / "empty").touch()
    assert owned.unfinished(tmp_path / "empty") and not owned.finished(tmp_path / "empty")


def entry(minor: bytes) -> bytes:
    """The head of an mp4 with a minor version, and what follows."""
    return b"\0\0\0\x14ftypisom" + minor + b"mp41" + b"rest"


def ebml(app: bytes) -> bytes:
    """The head of a Matroska file with a WritingApp."""
    return b"\x1aE\xdf\xa3" + bytes(40) + b"WA" + bytes([0x80 | len(app)]) + app + b"rest"


@pytest.mark.parametrize(
    ("head", "unfinished", "finished"),
    [
        (entry(b"scPT"), True, True),
        (entry(b"scOK"), False, True),
        (entry(b"\0\0\2\0"), False, False),
        (ebml(b"stereocast+ "), True, True),
        (ebml(b"stereocast  "), False, True),
        (ebml(b"Lavf61.7.100"), False, False),
        (b"\x1aE\xdf\xa3" + bytes(80), False, False),
        (ebml(b"stereocast+ ")[1:], False, False),
        (owned.JOURNAL + b", 1}", True, False),
        (owned.REPORT, True, False),
        (b'{"version": 1, "job": {"settings": {"x": 1}}}', True, False),
        (b'{\n  "planned": 3}', True, False),
        (owned.MARK[:-1], False, False),
        (b"x" + owned.MARK, False, False),
        (b"notes", False, False),
    ],
)
def test_marks_of_every_kind_of_file(tmp_path: Path, head: bytes, unfinished: bool, finished: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(head)
    assert (owned.unfinished(path), owned.finished(path)) == (unfinished, finished)
    assert owned.discard(path) == unfinished
    assert path.exists() != unfinished
    path.write_bytes(head)
    assert owned.discard(path, known=True)
    assert not path.exists()
    assert owned.discard(path), "what isn't there is gone"


@pytest.mark.parametrize(
    ("data", "at", "want"),
    [
        (entry(b"\0\0\2\0"), 0, entry(b"scPT")),
        (entry(b"\0\0\2\0")[:16], 0, entry(b"scPT")[:16]),
        (entry(b"\0\0\2\0")[:15], 0, entry(b"\0\0\2\0")[:15]),
        (entry(b"\0\0\2\0"), 20, entry(b"\0\0\2\0")),
        (ebml(b"Lavf61.7.100"), 0, ebml(b"stereocast+ ")),
        (ebml(b"Lavf61.7.100")[4:], 4, ebml(b"stereocast+ ")[4:]),
        (ebml(b"Lavf61.7.100")[4:], 0, ebml(b"Lavf61.7.100")[4:]),
        (ebml(b"Lavf5"), 0, ebml(b"stere")),
        (ebml(b"other program"), 0, ebml(b"other program")),
        (entry(b"\0\0\2\0"), 4096, entry(b"\0\0\2\0")),
        (ebml(b"Lavf61.7.100")[4:], 4095, ebml(b"stereocast+ ")[4:]),
        (ebml(b"Lavf61.7.100")[4:], 4096, ebml(b"Lavf61.7.100")[4:]),
    ],
)
def test_the_head_of_a_film_is_marked_while_it_is_written(tmp_path: Path, data: bytes, at: int, want: bytes) -> None:
    part = owned.create(tmp_path / "a.part")
    assert not part.touched
    part.seek(at)
    assert part.write(data) == len(data)
    assert part.touched
    assert part.tell() == at + len(data)
    part.seek(at)
    assert part.read(len(data)) == want
    part.close()
    part.close()


def test_a_file_of_ones_own_name_is_written_as_it_is(tmp_path: Path) -> None:
    """What replaces an older file bears no mark, and a link's target stays."""
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "a").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        owned.create(tmp_path / "a")
    part = owned.create_again(tmp_path / "a")
    part.write(entry(b"\0\0\2\0"))
    part.close()
    assert (tmp_path / "a").read_bytes() == entry(b"\0\0\2\0")
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"precious"
    owned.create_again(tmp_path / "new").close()
    assert (tmp_path / "new").read_bytes() == b""


@pytest.mark.parametrize("data", [b"", b"short", owned.MARK[:-1] + b"x", b"long enough " * 9])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_whole_file_is_written_at_once(tmp_path: Path, data: bytes, overwrite: bool) -> None:
    path, beside = tmp_path / "a", tmp_path / "a.part"
    beside.write_bytes(owned.MARK)  # of a run that crashed
    owned.write(path, data, beside=beside, overwrite=overwrite)
    assert path.read_bytes() == data
    assert not beside.exists()
    if overwrite:
        owned.write(path, b"new", beside=beside)
        assert path.read_bytes() == b"new"
    else:
        with pytest.raises(SinkError, match="in the meantime; choose another name with -o"):
            owned.write(path, b"new", beside=beside, overwrite=False)
        assert path.read_bytes() == data
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    beside.write_bytes(b"foreign")
    with pytest.raises(SinkError, match="in the way"):
        owned.write(path, b"newer", beside=beside)
    assert beside.read_bytes() == b"foreign"


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(
    ("made", "sealed"),
    [
        (entry(b"scPT"), entry(b"scOK")),
        (ebml(b"stereocast+ "), ebml(b"stereocast  ")),
        (entry(b"isom"), entry(b"isom")),
    ],
)
def test_a_film_gets_its_name_and_the_mark_of_a_finished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool, overwrite: bool, made: bytes, sealed: bytes
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    part, path = tmp_path / "a.part.mp4", tmp_path / "a.mp4"
    part.write_bytes(made)
    owned.publish(part, path, overwrite=overwrite)
    assert path.read_bytes() == sealed
    assert not part.exists()


class Full:
    """A stream that takes nothing."""

    name = "full"

    def __init__(self, error: OSError) -> None:
        self.error, self.tried = error, 0

    def write(self, data: bytes) -> None:
        self.tried += 1
        raise self.error

    def flush(self) -> None: ...


@pytest.mark.parametrize(
    ("error", "number"), [(OSError(errno.ENOSPC, "full"), errno.ENOSPC), (OSError("no number"), errno.EIO)]
)
def test_after_an_error_nothing_more_is_written(error: OSError, number: int) -> None:
    stream = Full(error)
    feed = owned.Feed(stream)
    assert [feed.write(b"x"), feed.write(b"y")] == [-number, -number]
    assert (stream.tried, feed.error, feed.name, feed.interrupted) == (1, error, "full", False)


def test_bytes_may_be_changed_on_their_way(tmp_path: Path) -> None:
    stream = io.BytesIO()
    feed = owned.Feed(stream, lambda data: data[::-1])
    assert feed.write(b"abc") == 3
    assert stream.getvalue() == b"cba"
    assert not hasattr(feed, "seek"), "other streams are written from front to back"
    feed.close()
    assert not stream.closed
    part = owned.create(tmp_path / "a")
    feed = owned.Feed(part)
    feed.seek(3)
    assert feed.tell() == 3
    feed.close()
    with pytest.raises(ValueError, match="closed"):
        part.tell()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError(errno.EDQUOT, "x"), "your disk quota is used up"),
        (OSError(errno.EROFS, "x"), "the disk is read-only"),
        (OSError(errno.EPERM, "x"), "permission denied"),
        (OSError(errno.EBUSY, "Device busy"), "Device busy"),
        (OSError("plain"), "plain"),
        (ValueError(" why "), "why"),
        (ValueError(), "ValueError"),
    ],
)
def test_causes_in_a_few_words(error: Exception, words: str) -> None:
    assert owned.reason(error) == words


def test_what_is_written_is_there_at_once(tmp_path: Path) -> None:
    """Nothing is lost with a process that is killed."""
    part = owned.create(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == owned.MARK
    part.write(b"abc")
    assert (tmp_path / "a").read_bytes() == b"abc" + owned.MARK[3:]
    part.close()
    assert not owned.Failed(OSError("x")).interrupted
