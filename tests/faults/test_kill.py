"""kill -9 at any moment, then --resume: the file is that of an uninterrupted run."""

import random
import time
from pathlib import Path

import av
import pytest

from stereocast.jobs.convert.chunks import journal_path
from stereocast.media.writer import part_path
from tests.faults.crowd import Worker
from tests.films import make_film
from tests.support.contents import packets

FLAGS = {"encoder": "x264", "overwrite": True}


def readable_frames(path: Path) -> int:
    """Frames that a player gets out of a file that broke off."""
    count = 0
    try:
        with av.open(str(path)) as box:
            for _ in box.decode(video=0):
                count += 1
    except av.error.FFmpegError:
        pass
    return count


def kill_rounds(
    folder: Path, rounds: int, *, real: bool, frames: int, size: tuple[int, int], suffix: str = ".mp4"
) -> int:
    """Kills and resumes `rounds` times, sometimes twice a round; returns how often segments were kept."""
    source = make_film(
        folder / "in.mp4", frames=frames, size=size, audio=["aac"], cuts=list(range(40, frames, 30))
    )  # fmt: skip
    worker = Worker(folder / "tmp", real=real, timeout_s=600)
    rng, kept = random.Random(11), 0
    try:
        worker.run(source, folder / "warm.mp4", end="0.5", **FLAGS)
        begun = time.monotonic()
        assert worker.run(source, folder / f"whole{suffix}", **FLAGS)["ended"] == "done"
        usual = time.monotonic() - begun
        wanted = packets(folder / f"whole{suffix}")
        for number in range(rounds):
            output = folder / f"out{number}{suffix}"
            for attempt in range(rng.choice([1, 1, 2])):
                worker.run(source, folder / "warm.mp4", end="0.5", **FLAGS)
                worker.begin(source, output, resume=attempt > 0, **FLAGS)
                time.sleep(rng.uniform(0.05, 1.0) * usual)
                worker.close()  # SIGKILL
            kept += journal_path(output).exists()
            if part_path(output).exists():
                readable_frames(part_path(output))
            answer = worker.run(source, output, resume=True, **FLAGS)
            assert answer["ended"] == "done" or output.exists(), answer
            found = packets(output)
            assert [k for k in wanted if found[k] != wanted[k]] == [], f"round {number}"
            assert [path.name for path in folder.glob(f"out{number}.*")] == [output.name]
    finally:
        worker.close()
    return kept


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_kill_and_resume(tmp_path: Path, suffix: str) -> None:
    kill_rounds(tmp_path, 3, real=False, frames=300, size=(96, 192), suffix=suffix)


@pytest.mark.slow
@pytest.mark.parametrize("real", [False, True], ids=["small", "real"])
def test_twenty_rounds_on_thirty_seconds(tmp_path: Path, real: bool) -> None:
    assert kill_rounds(tmp_path, 20, real=real, frames=720, size=(96, 192)) > 5


def test_a_killed_run_leaves_a_readable_part(tmp_path: Path) -> None:
    """tests/media says how much of it: all but the last 3 s."""
    source = make_film(tmp_path / "in.mp4", frames=400, size=(96, 192), audio=["aac"], cuts=[100])
    worker = Worker(tmp_path / "tmp")
    output = tmp_path / "out.mp4"
    try:
        worker.run(source, tmp_path / "warm.mp4", end="0.5", **FLAGS)
        worker.begin(source, output, **FLAGS)
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and not journal_path(output).exists():
            time.sleep(0.02)
        time.sleep(0.2)
    finally:
        worker.close()
    assert part_path(output).exists()
    assert readable_frames(part_path(output)) >= 24  # a whole fragment or more, 4 s were encoded
