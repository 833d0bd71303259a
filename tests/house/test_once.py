"""Faults that were found by reading the house: each stays mended."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stereocast import api, errors
from stereocast.cli import build
from stereocast.errors import LimitExceeded, SinkError, StereocastError, UnknownName, UsageError
from stereocast.jobs.convert.engines import section
from stereocast.media import bars, probe
from stereocast.types import PixelFormat, Shot
from tests.films import make_film


def test_a_source_is_opened_once_and_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_film(tmp_path / "deep.mkv", frames=4, size=(48, 64), codec="ffv1", pixel_format=PixelFormat.YUV420P10)
    opened: list[str] = []
    searched: list[str] = []
    original, detect = probe.open_input, bars.detect

    def counted(name: str, *more: Any) -> Any:
        opened.append(name)
        return original(name, *more)

    def found(name: str) -> Any:
        searched.append(name)
        detect(name)
        return 4, 4, 0, 0

    monkeypatch.setattr(probe, "open_input", counted)
    monkeypatch.setattr(bars, "detect", found)
    with api.prepare(film, tmp_path / "out.mp4", encoder="x264", depth="embedded", crop="auto") as ready:
        assert (ready.plan.info.height, ready.plan.info.width) == (40, 64)
        assert ready.plan.info.pixel_format is PixelFormat.YUV420P
        frame = next(iter(ready.source))
        assert frame.image.shape == (60, 64)
    assert searched == [str(film)]
    assert len(opened) == 2  # the source, and the search for bars, which seeks


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=4, size=(48, 64))
    words = ["convert", str(film), "-o", str(tmp_path / "new/sub/a.mp4"), "--dry-run", "--json"]
    assert CliRunner().invoke(build("convert"), words).exit_code == 0
    many = ["convert", str(film), str(film), "-o", str(tmp_path / "many"), "--recursive", "--dry-run", "--report"]
    assert CliRunner().invoke(build("convert"), [*many, str(tmp_path / "report.json")]).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "report.json"]
    api.convert(film, tmp_path / "new/sub/a.mp4", encoder="x264", depth="embedded")
    assert (tmp_path / "new/sub/a.mp4").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_work(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=4, size=(48, 64))
    with pytest.raises(SinkError, match=r"the folder .*sub can't be created: .*film\.mp4 is a file"):
        api.plan(film, film / "sub/a.mp4")


def test_inspect_says_nought_and_rounds(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", frames=5, size=(48, 64), audio=["aac"])
    shown = CliRunner().invoke(build("inspect"), ["inspect", str(film)]).stdout
    assert "index 0, video" in shown
    assert "index 1, audio" in shown
    length = next(line for line in shown.splitlines() if line.startswith("duration_s"))
    assert len(length.split(".")[-1]) <= 3


def test_help_says_which_end_of_a_range_is_open() -> None:
    shown = CliRunner().invoke(build("convert"), ["convert", "--help"], env={"COLUMNS": "200"}).stdout
    line = next(line for line in shown.splitlines() if "--scale" in line)
    assert "(0..4]" in line
    line = next(line for line in shown.splitlines() if "--smooth" in line)
    assert "[0..1)" in line
    assert "[0..63]" in shown.partition("│ --crf ")[2][:1000]


@pytest.mark.parametrize("kind", [UsageError, LimitExceeded, SinkError, StereocastError, UnknownName])
def test_an_error_keeps_its_kind_on_every_engine(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    error = kind("option", "x", ["y"]) if kind is UnknownName else kind("what went wrong")

    def fails(task: section.Task) -> section.Result:
        raise error

    monkeypatch.setattr(section, "work", fails)
    answer = json.loads(json.dumps(section.answer(section.Task("a", {}, Shot(), None, "b"))))
    with pytest.raises(kind) as caught:
        section.result_of(answer)
    assert type(caught.value) is kind
    assert str(caught.value) == str(error)
    assert caught.value.exit_code == kind.exit_code
    with pytest.raises(errors.StereocastError):
        section.result_of({"error": "of a kind that is not ours", "kind": "ZeroDivisionError"})
