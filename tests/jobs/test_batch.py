"""Many films: nothing twice, a failure ends only its own film, the report is kept up to date."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stereocast.errors import SourceError
from stereocast.jobs.convert import batch
from stereocast.settings import ConvertSettings
from tests.films import make_film
from tests.support.commands import stereocast
from tests.support.system import symlink

SETTINGS = ConvertSettings()


def tree(folder: Path) -> Path:
    for name in ("a.mp4", "sub/a.mp4", "sub/b.mkv", "b.mp4", "b.mkv", "a_LRF_Full_SBS.mp4", "c.part.mp4", "notes.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def test_jobs_of_a_folder(tmp_path: Path) -> None:
    folder = tree(tmp_path / "in")
    todo = batch.jobs([str(folder)], tmp_path / "out", SETTINGS, recursive=True)
    pairs = {
        str(Path(job.source).relative_to(folder)): str(job.output.relative_to(tmp_path / "out"))
        for job in todo
        if job.output
    }
    assert pairs == {
        "a.mp4": "a_LRF_Full_SBS.mp4",
        "b.mkv": "b_LRF_Full_SBS.mp4",
        "b.mp4": "b_mp4_LRF_Full_SBS.mp4",
        "sub/a.mp4": "sub/a_LRF_Full_SBS.mp4",
        "sub/b.mkv": "sub/b_LRF_Full_SBS.mp4",
    }
    assert len(batch.jobs([str(folder)], None, SETTINGS)) == 3


def test_a_film_reached_twice_is_done_once(tmp_path: Path) -> None:
    folder = tree(tmp_path / "in")
    symlink(folder / "again.mp4", folder / "a.mp4")
    (folder / "hard.mp4").hardlink_to(folder / "a.mp4")
    todo = batch.jobs([str(folder / "a.mp4"), str(folder), str(folder / "*.mp4")], None, SETTINGS)
    assert sum(Path(job.source).stat().st_ino == (folder / "a.mp4").stat().st_ino for job in todo) == 1


@pytest.mark.parametrize("stop", [False, True])
def test_a_failure_ends_its_own_film(tmp_path: Path, stop: bool) -> None:
    folder = tree(tmp_path / "in")
    (folder / "a_LRF_Full_SBS.mp4").rename(folder / "sub/b_LRF_Full_SBS.mp4")

    def work(job: batch.Job) -> dict[str, Any]:
        if job.source.endswith("in/b.mkv"):
            raise SourceError("damaged")
        if job.source.endswith("in/b.mp4"):
            raise ZeroDivisionError("oops")
        return {"frames": 3}

    todo = batch.jobs([str(folder)], None, SETTINGS, recursive=True)
    outcomes = list(batch.run(todo, work, stop_on_error=stop))
    states = [(Path(outcome.source).name, outcome.status) for outcome in outcomes]
    if stop:
        assert states == [("a.mp4", "converted"), ("b.mkv", "failed")]
        return
    assert states[1:3] == [("b.mkv", "failed"), ("b.mp4", "failed")]
    assert outcomes[2].reason == "internal error: ZeroDivisionError: oops"
    assert batch.totals(outcomes) == {"converted": 2, "skipped": 1, "failed": 2}
    assert outcomes[0].details == {"frames": 3}


def test_the_report_is_whole_after_each_film(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    outcomes = []
    for number in range(3):
        outcomes.append(batch.Outcome(f"{number}.mp4", "converted", "x", "", 1.0))
        batch.write_report(report, outcomes, 3)
        table = json.loads(report.read_text())
        assert (table["planned"], table["converted"]) == (3, number + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    make_film(tmp_path / "in/one.mp4", frames=6, size=(48, 64))
    make_film(tmp_path / "in/deep/two.mp4", frames=6, size=(48, 64))
    (tmp_path / "in/bad.mp4").write_bytes(b"no video at all")
    command = [sys.executable, "-m", "stereocast", "convert", str(tmp_path / "in"), "-r", "-o", str(tmp_path / "out")]
    options = ["--encoder", "x264", "--report", str(tmp_path / "report.json")]
    first = subprocess.run([*command, *options], capture_output=True, text=True)
    assert first.returncode == 1, first.stderr
    assert "2 converted, 1 failed" in first.stderr
    table = json.loads((tmp_path / "report.json").read_text())
    assert (table["planned"], table["converted"], table["failed"]) == (3, 2, 1)
    assert (tmp_path / "out/deep/two_LRF_Full_SBS.mp4").exists()
    again = stereocast(*command[3:], *options, "--json")
    shown = json.loads(again.stdout)
    assert (shown["converted"], shown["skipped"], shown["failed"]) == (0, 2, 1)
