"""A run never costs a file of anybody's: every path it writes x what may be there, with the outcome."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stereocast import registry
from stereocast.errors import OutputExists, SinkError, StereocastError, UsageError
from stereocast.jobs import written
from stereocast.jobs.convert import batch, job
from stereocast.jobs.preview import job as preview_job
from stereocast.media import owned
from stereocast.media.writer import part_path
from stereocast.settings import ConvertSettings, PreviewSettings
from tests.films import make_film
from tests.support.system import symlink

PRECIOUS = b"seventeen years of notes\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEPTH", {**registry.DEPTH, "embedded": registry.Backend("tests.fakes:RampDepth")})
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_film(tmp_path_factory.mktemp("film") / "in.mp4", frames=4, size=(32, 64)).read_bytes()


def convert(source: Path, output: Path, **flags: Any) -> None:
    made, opened = job.prepare(str(source), output, ConvertSettings(encoder="x264", **flags))
    job.convert(made, opened)


def film_run(folder: Path, source: Path, **flags: Any) -> None:
    convert(source, folder / "out.mp4", **flags)


def pair_run(folder: Path, source: Path, **flags: Any) -> None:
    convert(source, folder / "out.mp4", format="pair", **flags)


def hls_run(folder: Path, source: Path, **flags: Any) -> None:
    convert(source, folder / "live/index.m3u8", **flags)


def depth_run(folder: Path, source: Path, **flags: Any) -> None:
    convert(source, folder / "out.mkv", depth_out=folder / "depth.mkv", **flags)


def still_run(folder: Path, source: Path, **flags: Any) -> None:
    picture = folder / "still.png"
    if not picture.exists():
        cv2.imwrite(str(picture), np.full((32, 64, 3), 90, np.uint8))
    convert(picture, folder / "out.png", **flags)


def preview_run(folder: Path, source: Path, **flags: Any) -> None:
    preview_job.preview(str(source), folder / "look.png", PreviewSettings(moments=1, width=64, **flags))


def report_run(folder: Path, source: Path, **flags: Any) -> None:
    settings = ConvertSettings(encoder="x264", **flags)
    todo = batch.jobs([str(source)], folder, settings)
    report = folder / "report.json"
    batch.check(todo, report, settings)
    batch.write_report(report, [batch.Outcome(str(source), "converted", "x")], 1)


def pictures_run(folder: Path, source: Path, **flags: Any) -> None:
    convert(source, folder / "f_%04d.png", **flags)


def sidecar_run(folder: Path, source: Path, **flags: Any) -> None:
    beside = source.with_suffix(".de.srt")
    if not beside.exists():
        beside.write_text("1\n00:00:00,000 --> 00:00:01,000\nx\n")
    convert(source, folder / "out.mp4", sidecars=True, **flags)


# name of the path: the run that writes it, and whether it is a result (which --overwrite may replace)
WRITES: dict[str, tuple[Callable[..., None], bool]] = {
    "out.mp4": (film_run, True),
    "out.part.mp4": (film_run, False),
    "out.kept.part.mp4": (film_run, False),
    "out.part.mp4.tagging": (film_run, False),
    "out.part.json": (film_run, False),
    "out.part.json.new": (film_run, False),
    "out_L.mp4": (pair_run, True),
    "out_R.mp4": (pair_run, True),
    "out_R.part.mp4": (pair_run, False),
    "out_L.part.json": (pair_run, False),
    "live/index.m3u8": (hls_run, True),
    "live/init.mp4": (hls_run, True),
    "live/segment_00000.m4s": (hls_run, True),
    "live/segment_00007.m4s": (hls_run, True),
    "live/index.m3u8.tmp": (hls_run, True),
    "depth.mkv": (depth_run, True),
    "depth.part.mkv": (depth_run, False),
    "out.part.mkv": (depth_run, False),
    "out.png": (still_run, True),
    "out.part.png": (still_run, False),
    "look.png": (preview_run, True),
    "look.part.png": (preview_run, False),
    "f_0001.png": (pictures_run, True),
    "f_0009.png": (pictures_run, True),
    "f_0001.part.png": (pictures_run, False),
    "out.de.srt": (sidecar_run, True),
    "out.de.part.srt": (sidecar_run, False),
    "report.json": (report_run, False),
    "report.json.new": (report_run, False),
}
TABLE = [pytest.param(name, *row, id=name) for name, row in WRITES.items()]


def place(folder: Path, film: bytes) -> tuple[Path, Path]:
    (folder / "live").mkdir()
    source = folder / "source.mp4"
    source.write_bytes(film)
    precious = folder / "precious.txt"
    precious.write_bytes(PRECIOUS)
    return source, precious


@pytest.mark.parametrize(("name", "run", "result"), TABLE)
@pytest.mark.parametrize("overwrite", [False, True], ids=["", "overwrite"])
def test_a_foreign_file_there(
    tmp_path: Path, film: bytes, name: str, run: Callable[..., None], result: bool, overwrite: bool
) -> None:
    """Refused; a result may be replaced with --overwrite, and so may a report."""
    source, _ = place(tmp_path, film)
    path = tmp_path / name
    path.write_bytes(PRECIOUS)
    if overwrite and (result or name == "report.json"):
        run(tmp_path, source, overwrite=True)
        return
    with pytest.raises(SinkError, match="already exists|in the way"):
        run(tmp_path, source, overwrite=overwrite)
    assert path.read_bytes() == PRECIOUS
    assert source.read_bytes() == film


@pytest.mark.parametrize(("name", "run", "result"), TABLE)
@pytest.mark.parametrize("how", ["itself", "symlink", "hardlink"])
def test_the_source_by_whatever_name(
    tmp_path: Path, film: bytes, name: str, run: Callable[..., None], result: bool, how: str
) -> None:
    """The source is refused as an output, --overwrite or not: its name, a link to it, another name of it."""
    source, _ = place(tmp_path, film)
    if run is still_run:
        source = tmp_path / "still.png"
        cv2.imwrite(str(source), np.full((32, 64, 3), 90, np.uint8))
    if run is pictures_run and how == "itself":
        pytest.skip("a film isn't called .png")
    before, path = source.read_bytes(), tmp_path / name
    if how == "itself":
        os.replace(source, path)
        source = path
        if run is still_run:
            os.link(path, tmp_path / "still.png")
    elif how == "symlink":
        symlink(path, source)
    else:
        os.link(source, path)
    with pytest.raises(UsageError, match="is the input itself|is an input"):
        run(tmp_path, source, overwrite=True)
    assert source.read_bytes() == before


@pytest.mark.parametrize(("name", "run", "result"), TABLE)
@pytest.mark.parametrize("overwrite", [False, True], ids=["", "overwrite"])
def test_a_symlink_is_never_written_through(
    tmp_path: Path, film: bytes, name: str, run: Callable[..., None], result: bool, overwrite: bool
) -> None:
    source, precious = place(tmp_path, film)
    symlink(tmp_path / name, precious)
    if overwrite and (result or name == "report.json"):
        run(tmp_path, source, overwrite=True)
    else:
        with pytest.raises(SinkError, match="already exists|in the way"):
            run(tmp_path, source, overwrite=overwrite)
    assert precious.read_bytes() == PRECIOUS


@pytest.mark.parametrize("run", sorted({row[0] for row in WRITES.values()}, key=lambda run: run.__name__))
@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_or_disk_that_takes_nothing(
    tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch, run: Callable[..., None], number: int
) -> None:
    """Whichever file is the first that can't be created or written: one accurate line, and nothing is left behind."""
    source, _ = place(tmp_path, film)
    if run is still_run:
        cv2.imwrite(str(tmp_path / "still.png"), np.full((32, 64, 3), 90, np.uint8))
    if run is sidecar_run:
        source.with_suffix(".de.srt").write_text("x")
    before = sorted(tmp_path.rglob("*"))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    if number in (errno.EACCES, errno.EROFS):
        monkeypatch.setattr(owned, "create", refuse)
        monkeypatch.setattr(owned, "create_again", refuse)
    else:
        monkeypatch.setattr(owned.Part, "_all", refuse)
    words = {
        errno.EACCES: "permission denied",
        errno.EROFS: "read-only",
        errno.ENOSPC: "disk( is)? full",
        errno.EDQUOT: "quota",
    }
    with pytest.raises(SinkError, match=words[number]) as caught:
        run(tmp_path, source)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_read_only_folder_is_refused_before_work(
    tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = place(tmp_path, film)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "locked")
    (tmp_path / "locked").mkdir()
    for output in (tmp_path / "locked/out.mp4", tmp_path / "locked/deep/er/out.mp4"):
        with pytest.raises(SinkError, match="locked can't be written: permission denied"):
            job.prepare(str(source), output, ConvertSettings(encoder="x264"))
    assert not list((tmp_path / "locked").iterdir())


def test_dry_run_makes_no_folder(tmp_path: Path, film: bytes) -> None:
    source, _ = place(tmp_path, film)
    _, opened = job.prepare(str(source), tmp_path / "new/folder/out.mp4", ConvertSettings(encoder="x264"))
    opened.close()
    assert not (tmp_path / "new").exists()
    convert(source, tmp_path / "new/folder/out.mp4")
    assert (tmp_path / "new/folder/out.mp4").exists()


def test_segments_and_frames_that_are_read_are_sources(tmp_path: Path, film: bytes) -> None:
    """An HLS playlist's segments, a numbered sequence, depth of one's own."""
    source, _ = place(tmp_path, film)
    convert(source, tmp_path / "live/index.m3u8")
    playlist = tmp_path / "live/index.m3u8"
    before = {path.name: path.read_bytes() for path in (tmp_path / "live").iterdir()}
    (tmp_path / "link.m3u8").write_text("#EXTM3U\n#EXTINF:9,\nlive/segment_00000.m4s\n")
    for name in (playlist, tmp_path / "link.m3u8"):
        read = written.inputs([str(name)])
        with pytest.raises(UsageError):
            written.check(written.of_hls(tmp_path / "live"), read, overwrite=True)
    with pytest.raises(UsageError):
        convert(playlist, tmp_path / "live", out_format="hls", overwrite=True)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "live").iterdir()}
    for n in range(3):
        cv2.imwrite(str(tmp_path / f"f_{n:04d}.png"), np.zeros((32, 64, 3), np.uint8))
    read = written.inputs([str(tmp_path / "f_%04d.png")], ConvertSettings(depth=str(tmp_path / "precious.txt")))
    for name in ("f_0001.png", "precious.txt"):
        with pytest.raises(UsageError):
            written.check(written.of_picture(tmp_path / name), read, overwrite=True)


def test_a_name_that_was_taken_meanwhile(tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = place(tmp_path, film)
    output = tmp_path / "out.mp4"
    for links in (True, False):
        made, opened = job.prepare(str(source), output, ConvertSettings(encoder="x264"))
        output.write_bytes(PRECIOUS)
        if not links:
            monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
        with pytest.raises(SinkError, match=r"in the meantime; the result is kept in .*out\.part\.mp4"):
            job.convert(made, opened)
        assert output.read_bytes() == PRECIOUS
        output.unlink()
    convert(source, output)
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.mp4"]


def test_marks(tmp_path: Path, film: bytes) -> None:
    """Unfinished from the first byte on, also in a copy; finished with the last step; anything else is foreign."""
    for suffix in (".mp4", ".mkv"):
        source = tmp_path / "source.mp4"
        source.write_bytes(film)
        output = tmp_path / f"out{suffix}"
        seen: list[bool] = []
        made, opened = job.prepare(str(source), output, ConvertSettings(encoder="x264"))
        job.convert(made, opened, lambda *_: seen.append(owned.unfinished(part_path(output))))
        assert seen
        assert all(seen)
        assert owned.finished(output)
        assert not owned.unfinished(output)
        assert not owned.discard(output)
        assert not owned.discard(source)
    part = owned.create(tmp_path / "a.part.mp4")
    assert owned.unfinished(tmp_path / "a.part.mp4")
    with pytest.raises(SinkError, match="another run"):
        owned.discard(tmp_path / "a.part.mp4")
    part.close()
    with pytest.raises(FileExistsError):
        owned.create(tmp_path / "a.part.mp4")
    assert owned.discard(tmp_path / "a.part.mp4")
    symlink(tmp_path / "dangling", tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        owned.create(tmp_path / "dangling")


def test_a_part_of_version_0_1(tmp_path: Path, film: bytes) -> None:
    """It bears no mark: with the journal that fits it is replaced, alone it is left where it is."""
    source = make_film(tmp_path / "source.mp4", frames=4, size=(32, 64))
    output, part = tmp_path / "out.mp4", tmp_path / "out.part.mp4"
    part.write_bytes(film)
    with pytest.raises(SinkError, match="in the way"):
        convert(source, output)
    segment = {"first": 0, "last": 3, "frames": 4, "after": None, "file": ""}
    table = {"version": 1, "job": {"settings": {"depth": "auto"}}, "segments": [segment]}
    (tmp_path / "out.part.json").write_text(json.dumps(table))
    convert(source, output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "source.mp4"]


def test_sections_of_others_stay(tmp_path: Path, film: bytes) -> None:
    source, _ = place(tmp_path, film)
    folder = tmp_path / "out.sections.part"
    folder.mkdir()
    (folder / "notes.txt").write_bytes(PRECIOUS)
    with pytest.raises(SinkError, match="in the way"):
        convert(source, tmp_path / "out.mp4", overwrite=True, workers=2)
    assert (folder / "notes.txt").read_bytes() == PRECIOUS


def test_one_list_with_a_source_among_its_results(tmp_path: Path, film: bytes) -> None:
    source, _ = place(tmp_path, film)
    other = tmp_path / "source_LRF_Full_SBS.mp4"
    other.write_bytes(film)
    settings = ConvertSettings(overwrite=True)
    todo = batch.jobs([str(source), str(other)], None, settings)
    with pytest.raises(UsageError, match="the input itself"):
        batch.check(todo, None, settings)
    with pytest.raises(StereocastError, match="--depth-out"):
        batch.check(todo, None, ConvertSettings(depth_out=tmp_path / "d.mkv"))


@pytest.mark.parametrize("option", ["-o", "--depth-out"])
@pytest.mark.parametrize("resuming", [False, True])
@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
def test_only_depth_of_ones_own_is_replaced_on_resuming(
    tmp_path: Path, option: str, resuming: bool, finished: bool, overwrite: bool
) -> None:
    """The depth of a film is written from its first frame again."""
    path = tmp_path / "d.mp4"
    path.write_bytes(b"\0\0\0\x14ftypisom" + (b"scOK" if finished else b"isom") + b"mp41")
    write = written.Write(path, True, option=option)
    if overwrite or (resuming and finished and option == "--depth-out"):
        written.check([write], {}, overwrite=overwrite, resuming=resuming)
        return
    with pytest.raises(OutputExists, match=f"use --overwrite to replace it, or {option} for another name"):
        written.check([write], {}, overwrite=overwrite, resuming=resuming)


@pytest.mark.parametrize("result", [False, True])
@pytest.mark.parametrize("option", ["-o", "--report", "--depth-out"])
def test_a_folder_of_that_name(tmp_path: Path, result: bool, option: str) -> None:
    (tmp_path / "out").mkdir()
    writes = [written.Write(tmp_path / "out", result, option=option)]
    with pytest.raises((UsageError, SinkError), match="is a folder; choose" if result else "in the way"):
        written.check(writes, {}, overwrite=result)


@pytest.mark.parametrize(
    ("inside", "fine"),
    [
        ({}, True),
        ({"00001.part.mp4": owned.MARK}, True),
        ({"00001.part.mp4": b"\0\0\0\x14ftypisomscOKmp41", "0-3.part": owned.MARK}, True),
        ({"00001.part.mp4": PRECIOUS}, False),
        ({"00001.part.mp4": owned.MARK, "notes": owned.MARK}, False),
    ],
)
def test_a_folder_of_sections_holds_nothing_else(tmp_path: Path, inside: dict[str, bytes], fine: bool) -> None:
    folder = tmp_path / "out.sections.part"
    folder.mkdir()
    for name, data in inside.items():
        (folder / name).write_bytes(data)
    write = written.Write(folder, folder=True)
    if fine:
        written.check([write], {}, overwrite=False)
        return
    with pytest.raises(SinkError, match="in the way"):
        written.check([write], {}, overwrite=True)


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(owned.MARK)
    with pytest.raises(SinkError, match="in the way"):
        written.check([written.Write(tmp_path / "a", folder=True)], {}, overwrite=True)
    (tmp_path / "folder").mkdir()
    symlink(tmp_path / "link", tmp_path / "folder")
    with pytest.raises(SinkError, match="in the way"):
        written.check([written.Write(tmp_path / "link", folder=True)], {}, overwrite=True)
    with pytest.raises(SinkError, match=r"can't be created: .*a is a file; choose another one with --depth-out"):
        written.check([written.Write(tmp_path / "a/b/c.mkv", True, option="--depth-out")], {}, overwrite=True)
    with pytest.raises(SinkError, match=r"the name is too long; choose another name with -o"):
        written.check([written.Write(tmp_path / ("x" * 300), True)], {}, overwrite=True)
