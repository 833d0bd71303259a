"""The files of a stream are new files of ours, whatever is at their place; their errors are kept."""

import errno
from pathlib import Path

import pytest

from stereocast.media import faults, hls
from stereocast.types import Layout, StereoFormat


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("index.m3u8", True), ("index.m3u8.tmp", True), ("init.mp4", True), ("segment_00000.m4s", True), ("segment_1.m4s.tmp", True),
        ("segment_.m4s", False), ("index.m3u", False), ("xinit.mp4", False), ("init.mp4.bak", False),
    ],
)  # fmt: skip
def test_names_of_a_stream(name: str, ours: bool) -> None:
    assert bool(hls.NAMES.fullmatch(name)) is ours


def test_files_are_new_and_errors_stay(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "segment_00000.m4s").symlink_to(tmp_path / "precious")
    opener = hls.Opener(StereoFormat(Layout.SBS))
    feed = opener(f"file:{tmp_path}/segment_00000.m4s", 2, {})
    assert feed.write(b"sound") == 5
    feed.close()
    assert (tmp_path / "precious").read_bytes() == b"precious"
    with opener(str(tmp_path / "segment_00000.m4s"), 1, {}) as file:
        assert file.read() == b"sound"
    assert opener.error is None and not opener.interrupted
    failed = opener(str(tmp_path / "none/segment_00001.m4s"), 2, {})
    assert failed.write(b"x") == -errno.ENOENT
    opener(str(tmp_path / "index.m3u8"), 2, {}).close()
    opener(str(tmp_path / "segment_00002.m4s"), 3, {}).close()
    assert opener.error is not None and opener.error.errno == errno.ENOENT
    opener.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precious", "segment_00000.m4s"]


def test_an_interruption_in_any_file_is_kept(tmp_path: Path) -> None:
    opener = hls.Opener(None)
    first = opener(str(tmp_path / "init.mp4"), 2, {})
    first.interrupted = True
    first.close()
    for name in ("segment_00000.m4s", "index.m3u8"):
        opener(str(tmp_path / name), 2, {}).close()
    assert opener.interrupted


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory; use --scale, or close other programs"),
        (
            OSError(errno.ENOSPC, "x", "a.mp4"),
            "a.mp4: the disk is full; free some space, or choose another folder with -o",
        ),
        (OSError(errno.EACCES, "x"), "permission denied; change its permissions, or choose another folder"),
        (OSError(errno.EBUSY, "Device busy", b"a"), "Device busy"),
        (OSError(errno.EIO, "x", 3), "the disk reports an input/output error; check the disk or the connection to it"),
        (OSError("odd"), "odd"),
    ],
)
def test_system_errors_in_a_line(error: OSError | MemoryError, said: str) -> None:
    assert faults.line(error) == said
