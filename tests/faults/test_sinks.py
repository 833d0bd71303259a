"""Outputs that fail or dawdle: a full disk, a reader that is slow or goes away, an encoder that breaks."""

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from stereocast.errors import SinkError
from stereocast.jobs.convert import job
from stereocast.media import encoder, owned
from stereocast.settings import ConvertSettings
from tests.films import make_film

pytestmark = pytest.mark.usefixtures("nothing_is_left", "small_stages")
SETTINGS = ConvertSettings(encoder="x264", overwrite=True)


def convert(source: Path, output: Path | str, settings: ConvertSettings = SETTINGS) -> job.Converted:
    made, opened = job.prepare(str(source), output, settings)
    return job.convert(made, opened)


def test_disk_full_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_film(tmp_path / "in.mp4", frames=60)
    output = tmp_path / "out.mkv"

    def full(self: owned.Part, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)

    monkeypatch.setattr(owned.Part, "_all", full)
    with pytest.raises(SinkError, match=r"disk full while writing .*out\.mkv; free some space and run again"):
        convert(source, output)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_disk_full_on_a_small_volume(tmp_path: Path) -> None:
    """A tmpfs of 400 kB in a separate user namespace; then it is enlarged and the run resumed."""
    folder = tmp_path / "small"
    folder.mkdir()
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("no user namespaces here, so no small volume")
    source = make_film(tmp_path / "in.mp4", frames=260, size=(96, 192), audio=["aac"], cuts=list(range(40, 260, 40)))
    convert(source, tmp_path / "whole.mp4")
    run = f"{sys.executable} -m tests.faults.once {source} {folder}/out.mp4"
    script = (
        f"mount -t tmpfs -o size=SIZE tmpfs {folder} && {run}; echo $?; ls {folder}; "
        f"mount -o remount,size=40m {folder} && {run} --resume; echo $?; cp {folder}/out.mp4 {tmp_path}/out.mp4"
    )
    size = f"{max(100, (tmp_path / 'whole.mp4').stat().st_size // 2000)}k"
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script.replace("SIZE", size)], capture_output=True, text=True, timeout=600,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    lines = ended.stdout.split()
    assert lines[0] == "1", ended
    assert "disk full" in ended.stderr
    assert "out.part.mp4" in lines
    assert lines[-1] == "0", ended
    with av.open(str(tmp_path / "whole.mp4")) as a, av.open(str(tmp_path / "out.mp4")) as b:
        assert [bytes(p) for p in a.demux(video=0)] == [bytes(p) for p in b.demux(video=0)]


@pytest.mark.parametrize("at", [0, 1, 30])
def test_an_encoder_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    source = make_film(tmp_path / "in.mp4", frames=60, audio=["aac"])
    original = encoder.PyavEncoder.encode
    count = 0

    def encode(self: Any, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count > at:
            raise av.error.ExternalError(542398533, "Generic error in an external library", "encoder")
        return original(self, *arguments)

    monkeypatch.setattr(encoder.PyavEncoder, "encode", encode)
    with pytest.raises(SinkError, match=r"writing .*out\.mp4 failed: Generic error"):
        convert(source, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_slow_reader_holds_the_work_back(tmp_path: Path) -> None:
    """Standard output to a reader that takes its time: nothing piles up, nothing is lost."""
    source = make_film(tmp_path / "in.mp4", frames=48, audio=["aac"])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.once", str(source), "-"], stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    pieces = []
    while piece := os.read(process.stdout.fileno(), 20_000):
        pieces.append(piece)
        time.sleep(0.02)
    process.stdout.close()
    assert process.wait(timeout=300) == 0
    (tmp_path / "got.mp4").write_bytes(b"".join(pieces))
    with av.open(str(tmp_path / "got.mp4")) as box:
        assert sum(1 for _ in box.decode(video=0)) == 48


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=400, audio=["aac"])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.once", str(source), "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=False, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    os.read(process.stdout.fileno(), 1000)
    process.stdout.close()
    assert process.wait(timeout=300) == 1
    assert b"the program reading standard output has closed it" in process.stderr.read()
    process.stderr.close()


def test_clocks_that_jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_film(tmp_path / "in.mp4", frames=40)
    now = [1e9]

    def jumping() -> float:
        now[0] += -5000.0 if int(now[0]) % 2 else 3001.0
        return now[0]

    monkeypatch.setattr("time.time", jumping)
    monkeypatch.setattr("stereocast.pipeline.chain.time.perf_counter", jumping)
    assert convert(source, tmp_path / "out.mp4").frames == 40
