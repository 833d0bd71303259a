"""What FFmpeg is told of its file: Ctrl-C while it writes loses neither bytes nor the interruption, errors keep their number."""

import errno
import io
import signal
from pathlib import Path
from typing import Any

import pytest

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
