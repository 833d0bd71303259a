"""Folders report what they skip; names may hold any characters."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stereocast import registry
from stereocast.cli.plain import plain
from stereocast.errors import SinkError, SourceError
from stereocast.jobs import plan
from stereocast.jobs.convert import batch, inputs, job
from stereocast.media import names, owned, photos, probe
from stereocast.settings import ConvertSettings
from stereocast.types import Layout, StereoFormat
from tests.films import make_film
from tests.support.commands import stereocast
from tests.support.system import symlink

SBS = StereoFormat(Layout.SBS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")})
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_film(tmp_path_factory.mktemp("film") / "in.mp4", frames=2, size=(32, 64)).read_bytes()


def convert(source: str, output: Path | None, **flags: object) -> Path:
    made, opened = job.prepare(source, output, ConvertSettings(encoder="x264", **flags))
    job.convert(made, opened)
    return made.outputs[0]


TAKEN = [
    *("Heat_1995_RIP.mp4", "IMG_1234_LRoom.mp4", "My_TBone_Steak.mp4", "GoPro_RIDE.mp4", "DSC_0001_LR.jpg", "x_TB.mp4"),
    *("IMG_0001.HEIC", "pic.avif", "a.divx", "a.dv", "a.3g2", "a.f4v", "a.asf", "a.ogm", "a.mk3d", "a.mts", "a.m2v"),
]
LEFT = {
    "._a.mp4": "hidden",
    ".hidden.mp4": "hidden",
    "gone.mp4": "a broken link",
    "a_LRF_Full_SBS.mp4": "made by stereocast",
    "a_redcyan_dubois.jpg": "made by stereocast",
    "c.part.mp4": "an unfinished part",
    "notes.txt": "not a video or image",
}


def test_what_of_a_folder_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (*TAKEN, *LEFT):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "gone.mp4").unlink()
    symlink(tmp_path / "gone.mp4", tmp_path / "nowhere")
    with caplog.at_level(logging.INFO, "stereocast"):
        found = inputs.expand([str(tmp_path)])
    assert sorted(Path(name).name for name in found) == sorted(TAKEN)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "6 file(s) left out" in warning
    assert "2 made by stereocast" in warning
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert {line.rsplit(": ", 1)[1] for line in told} == set(LEFT.values())
    with pytest.raises(SourceError, match=r"to convert \(1 made by stereocast\)"):
        only = tmp_path / "only"
        only.mkdir()
        (only / "a_LRF_Full_SBS.mp4").write_bytes(b"x")
        inputs.expand([str(only)])


def test_short_marks_count_with_a_tag_inside(tmp_path: Path, film: bytes, quick: None) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(film)
    ours = [convert(str(source), None, format=layout) for layout in ("half-sbs", "half-ou", "row-interlaced", "mono")]
    picture = tmp_path / "photo.png"
    cv2.imwrite(str(picture), np.full((32, 64, 3), 90, np.uint8))
    for suffix in (".png", ".jpg", ".webp"):
        ours.append(convert(str(picture), tmp_path / f"photo_LR{suffix}", format="half-sbs"))
    assert [path.name for path in ours if not inputs.left_out(path)] == []
    assert inputs.left_out(source) == inputs.left_out(picture) == ""


NAMES = [
    *("Who? Part 1.mp4", "50%.mp4", "A%20B.mp4", "100%d done.mp4", "film [1080p].mp4", "a:b.mp4", "café:x.mp4"),
    *("star*.mp4", "$HOME.mp4", "what? #1.mp4", "quote'\"s.mp4", "line\nbreak.mp4", "漢字.mp4", "🎬.mp4"),
    *("Cafe\u0301.mp4", "dots...mp4", "http:x.mp4", "-dash.mp4"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows doesn't allow")
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_file(tmp_path: Path, film: bytes, quick: None, name: str) -> None:
    (tmp_path / name).write_bytes(film)
    assert inputs.expand([str(tmp_path / name)]) == [str(tmp_path / name)]
    output = convert(str(tmp_path / name), None)
    assert output == tmp_path / (Path(name).stem + "_LRF_Full_SBS.mp4")
    assert output.stat().st_size > 500
    assert sorted(os.listdir(tmp_path)) == sorted([name, output.name])


@pytest.mark.parametrize("folder", ["what?", "50%", "https:", "%04d"])
def test_any_name_is_a_folder(tmp_path: Path, film: bytes, quick: None, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a.mp4").write_bytes(film)
    (source,) = inputs.expand([str(tmp_path / folder)])
    assert convert(source, None).parent == tmp_path / folder


@pytest.mark.parametrize("name", ["50% off.jpg", "100%d.png", "100% me.jpg"])
def test_stills_with_a_percent_sign(tmp_path: Path, quick: None, name: str) -> None:
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((32, 64, 3), 90, np.uint8))
    (tmp_path / "plain.png").rename(tmp_path / name)
    assert probe.is_image(str(tmp_path / name))
    assert convert(str(tmp_path / name), None).name.startswith(Path(name).stem + "_LRF")


def test_a_pattern_is_one_where_a_sequence_is(tmp_path: Path, quick: None) -> None:
    for number in (3, 4, 5, 12):
        cv2.imwrite(str(tmp_path / f"shot_{number:04d}.png"), np.full((32, 64, 3), 20 * number, np.uint8))
    pattern = str(tmp_path / "shot_%04d.png")
    assert names.is_sequence(pattern)
    assert [path.name for path in names.sequence_files(pattern)][-1] == "shot_0012.png"
    assert not probe.is_image(pattern)
    output = convert(pattern, None)
    assert output.name == "shot_LRF_Full_SBS.mp4"
    with pytest.raises(SourceError, match="no such file"):
        inputs.expand([str(tmp_path / "none_%04d.png")])


def test_urls_follow_the_rules_of_urls() -> None:
    form = SBS
    for url, name in (
        ("https://x.org/a/My%20Film.mp4?token=a%2Fb", "My Film_LRF_Full_SBS.mp4"),
        ("https://x.org/watch?v=1", "watch_LRF_Full_SBS.mp4"),
        ("https://x.org/", "x.org_LRF_Full_SBS.mp4"),
        ("https://x.org/a%3Fb%2Fc.mp4", "c_LRF_Full_SBS.mp4"),
    ):
        assert plan.output_path(url, None, form, ".mp4") == Path(name)
    assert plan.output_path("file:///films/a%20b.mp4", None, form, ".mp4") == Path("/films/a b_LRF_Full_SBS.mp4")


@pytest.mark.parametrize("stem", ["x" * 246, "漢" * 82, "é" * 125])
def test_results_have_names_that_fit(tmp_path: Path, film: bytes, quick: None, stem: str) -> None:
    """With everything that is put into the name while it grows; two long names stay two."""
    (tmp_path / f"{stem}.mp4").write_bytes(film)
    output = convert(str(tmp_path / f"{stem}.mp4"), None)
    assert 255 - names.ROOM - 4 < len(os.fsencode(output.name)) <= 255 - names.ROOM, "as much of it as fits"
    assert output.name.endswith("_LRF_Full_SBS.mp4")
    assert plan.output_path(str(tmp_path / f"{stem[:-1]}y.mp4"), None, SBS, ".mp4") != output
    with pytest.raises(SinkError, match="too long"):
        convert(str(tmp_path / f"{stem}.mp4"), tmp_path / f"{stem}xx.mp4")


def test_two_names_that_differ_in_case_or_kind(tmp_path: Path) -> None:
    for name in ("same.mp4", "same.mkv", "SAME.webm", "same.jpg"):
        (tmp_path / name).write_bytes(b"x")
    todo = batch.jobs([str(tmp_path)], None, ConvertSettings())
    assert len({str(job.output).casefold() for job in todo}) == 4
    folder = tmp_path / "out.v1"
    assert {job.output.parent for job in batch.jobs([str(tmp_path)], folder, ConvertSettings()) if job.output} == {
        folder
    }


def test_a_file_called_like_an_estimator(
    tmp_path: Path, film: bytes, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").write_bytes(film)
    for name in ("auto", "embedded"):
        (tmp_path / name).write_bytes(b"not depth")
        assert ConvertSettings(depth=name).depth_path is None
    assert ConvertSettings(depth="./auto").depth_path == Path("auto")
    convert("in.mp4", Path("out.mp4"))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_terminals_that_lack_the_characters(tmp_path: Path, film: bytes, encoding: str) -> None:
    source = tmp_path / "漢字 🎬 film.mp4"
    source.write_bytes(film)
    run = subprocess.run(
        [sys.executable, "-m", "stereocast", "inspect", str(source)], capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert b"\\u6f22" in run.stdout


def clean(stdout: bytes, stderr: bytes) -> None:
    said = stdout + stderr
    assert said
    assert not set(said) & {0x1B, 0x07, 0x0D}, said
    assert b"internal error" not in stderr
    assert b"Traceback" not in stderr


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egp4.exe\r\nsecond line"


def test_nothing_reaches_the_terminal_raw(tmp_path: Path, film: bytes) -> None:
    """Escape sequences in names and tags are spelled out, and a message stays one line."""
    assert plain(ESCAPES) == "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202egp4.exe\\r\\nsecond line"
    assert plain("Änne 漢字 👩\u200d🚀") == "Änne 漢字 👩\u200d🚀"
    source = make_film(
        tmp_path / "tags.mkv", frames=2, size=(32, 64), metadata={"title": ESCAPES, "artist": "\x1b[31mred"}
    )
    raw = tmp_path / "\x1b[31m[bold]name[@nothing].mp4"
    raw.write_bytes(film)
    calls = (
        ["inspect", str(source)],
        ["inspect", str(raw)],
        ["convert", f"{raw}x"],
        ["convert", "--dry-run", str(raw)],
        ["convert", str(tmp_path), "--encoder", "none-such"],
    )
    for arguments in calls:
        run = stereocast(*arguments)
        clean(run.stdout_bytes, run.stderr_bytes)
    command = [
        sys.executable,
        "-m",
        "stereocast",
        "convert",
        str(raw),
        "--encoder",
        "x264",
        "-o",
        str(tmp_path / "o.mp4"),
    ]
    alone = subprocess.run(command, capture_output=True)
    clean(alone.stdout, alone.stderr)


def test_progress_for_programs(tmp_path: Path, film: bytes) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(film)
    command = [
        sys.executable,
        "-m",
        "stereocast",
        "convert",
        str(source),
        "-q",
        "--encoder",
        "x264",
        "--progress",
        "json",
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    lines = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines if line["event"] != "progress"] == ["begin", "end"]
    assert (lines[-1]["frames"], lines[-1]["total"], lines[-1]["eta_s"]) == (2, 2, 0.0)
    assert set(lines[0]) == {"event", "source", "frames", "total", "seconds", "fps", "eta_s"}
    photos.check_size(str(source))
    assert owned.finished(tmp_path / "in_LRF_Full_SBS.mp4")
