"""Settings become stages, jobs and findings: what is read, which stages come after which, which files belong to a job."""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stereocast import registry
from stereocast.depth import refine
from stereocast.errors import SinkError, SourceError, UsageError
from stereocast.jobs import assembly, doctor, written
from stereocast.jobs.convert import batch, compiling, inputs, job, resume, sidecars, whole
from stereocast.media import pictures, reader, writer
from stereocast.settings import ConvertSettings
from stereocast.shots import cuts
from stereocast.types import Clip, DepthMap, Layout, PixelFormat, StreamInfo
from tests.films import make_film

INFO = StreamInfo(64, 32, Fraction(1, 25), Fraction(25))


@pytest.mark.parametrize(
    ("given", "start", "end", "rate"),
    [
        ({}, None, None, None),
        ({"start": "1:30", "end": "2:00.5"}, 90, Fraction(241, 2), None),
        ({"duration": "2"}, None, 2, None),
        ({"start": "3", "duration": "2"}, 3, 5, None),
        ({"start": "0", "end": "9", "duration": "2"}, 0, 2, None),
        ({"fps": 24000 / 1001}, None, None, Fraction(24000, 1001)),
        ({"fps": 25}, None, None, 25),
    ],
    ids=str,
)
def test_which_part_is_read(given: dict[str, Any], start: Any, end: Any, rate: Any) -> None:
    options = assembly.read_options(ConvertSettings(scale=0.5, tonemap=True, **given))
    assert (options.start, options.end, options.rate) == (start, end, rate)
    assert (options.scale, options.tonemap) == (0.5, True)


@pytest.mark.parametrize(
    ("options", "name", "stages"),
    [
        ({}, "embedded", []),
        ({}, "other", ["MotionCorrection"]),
        ({"motion": "off"}, "other", []),
        ({}, "depthcrafter", []),
        ({}, "file", []),
        ({"propagate": True, "depth_downsample": 2}, "other", ["MotionCorrection", "Propagate", "Downsample"]),
        ({"dissolve": 20}, "depthcrafter", []),
        ({"dissolve": 20}, "embedded", ["Dissolve"]),
        ({"dissolve_sigma": 0.5, "depth_downsample": 4}, "file", ["Dissolve", "Downsample"]),
    ],
    ids=str,
)
def test_steps_after_an_estimator(
    options: dict[str, Any], name: str, stages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refine.Dissolve, "__init__", lambda self, settings, info: setattr(self, "held", 118))
    estimator: Any = SimpleNamespace(held=3)
    settings = ConvertSettings(**options)
    made: Any = refine.refined(estimator, settings, INFO, name)
    found = [] if made is estimator else [type(part).__name__ for part in made._parts[1:]]
    assert found == stages
    assert refine.cost(settings, name).frames == made.held - 3, "what is said before is what is held"
    held = {"MotionCorrection": 8, "Propagate": 8, "Downsample": 0, "Dissolve": 118}
    assert made.held == 3 + sum(held[stage] for stage in stages)


def test_a_window_of_ones_own_is_dissolved() -> None:
    settings = ConvertSettings(dissolve=20, depth_window=20)
    assert [refine.cost(settings, name).frames for name in ("embedded", "depthcrafter")] == [28, 0]


def test_depth_passes_through_its_recorder(tmp_path: Path) -> None:
    path = tmp_path / "depth.mkv"
    clips = [
        (Clip(np.zeros((2, 48, 64), np.uint8), np.arange(n, n + 2), PixelFormat.YUV420P),
         DepthMap(np.full((2, 8, 16), 0.25 * n, np.float32)))
        for n in (0, 2)
    ]  # fmt: skip
    with ExitStack() as stack:
        assert [id(each) for each in assembly.depth_recorder(None, INFO, stack)(iter(clips))] == [id(c) for c in clips]
        keep = assembly.depth_recorder(path, INFO, stack)
        found = list(keep(iter(clips)))
        assert [clip is wanted for (clip, _), (wanted, _) in zip(found, clips, strict=True)] == [True, True]
    maps = list(assembly.depthfile.depth_maps(str(path))[0])
    assert [float(values.mean()) for values in maps] == pytest.approx([0, 0, 0.5, 0.5], abs=1e-4)
    with ExitStack() as stack, pytest.raises(SinkError):
        list(assembly.depth_recorder(path, INFO, stack, overwrite=False)(iter(clips)))


def test_only_stages_that_ask_are_attended() -> None:
    plain: Any = SimpleNamespace()
    assembly.attend(plain, print, "windows")
    assert vars(plain) == {}
    asks: Any = SimpleNamespace(progress=None, keeper=None)
    assembly.attend(asks, print, "windows")
    assert vars(asks) == {"progress": print, "keeper": "windows"}


@pytest.mark.parametrize("holes", [True, False])
def test_holes_are_reported_on_request(holes: bool) -> None:
    made: Any = assembly.synthesizer(ConvertSettings(), INFO, 60.0, holes=holes)
    assert made.keeps_holes == holes


@pytest.mark.parametrize(
    ("layout", "padding", "trim"),
    [(Layout.LEFT, (1, 1), (1, 1)), (Layout.MONO, (0, 1), (0, 1)), (Layout.SBS, (1, 1), (0, 0)), (Layout.OU, (1, 0), (0, 0))],
)  # fmt: skip
def test_single_views_of_odd_stills_keep_their_size(
    tmp_path: Path, layout: Layout, padding: tuple[int, int], trim: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(pictures, "ImageSink", lambda path, trim, **more: told.append((path.name, trim)))
    made: Any = SimpleNamespace(
        container="image", output=tmp_path / "new/a.png", outputs=(tmp_path / "new/a.png",), overwrite=False, profile=None,
        form=SimpleNamespace(layout=layout), info=SimpleNamespace(padding=padding), extras=None,
    )  # fmt: skip
    assembly.sink(made)
    assert told == [("a.png", trim)]
    assert (tmp_path / "new").is_dir()


def test_two_files_have_one_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(
        writer, "VideoSink", lambda path, options, brought: told.append((str(path), options.splitter, brought)) or path
    )
    monkeypatch.setattr(writer, "PairSink", lambda *sinks: sinks)
    monkeypatch.setattr(
        assembly.plan, "sink_options", lambda made: writer.SinkOptions(None, None, "mp4", None, {}, None, None, False)
    )  # type: ignore[arg-type]
    made: Any = SimpleNamespace(container="mp4", output=Path("a"), outputs=(Path("l"), Path("r")), profile="x264")
    assert assembly.sink(made) == (Path("l"), Path("r"))
    assert assembly.sink(made, ["s", None], [None, "t"]) == (Path("l"), Path("r"))  # type: ignore[list-item]
    made.outputs, made.output = (), "-"
    assert assembly.sink(made) == "-"
    assert told == [("l", None, None), ("r", None, None), ("l", "s", None), ("r", None, "t"), ("-", None, None)]


@pytest.mark.parametrize(
    ("engine", "workers", "divided"), [("local", 0, False), ("local", 1, False), ("local", 2, True), ("ray", 0, True)]
)
def test_two_workers_divide_a_film(engine: str, workers: int, divided: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "convert", lambda *given: "whole")
    monkeypatch.setattr("stereocast.jobs.convert.sections.convert_in_sections", lambda *given: "divided")
    made: Any = SimpleNamespace(settings=ConvertSettings(engine=engine, workers=workers))
    assert job.convert(made, None) == ("divided" if divided else "whole")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("views", "synth", "compiled"), [(None, "warp", True), (None, "plugin", False), ("views", "warp", False)]
)
def test_kernels_are_compiled_where_they_are_used(
    views: Any, synth: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(compiling, "ahead", told.append)
    made: Any = SimpleNamespace(views=views, settings=SimpleNamespace(synth=synth), info=INFO)

    def begin(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(whole.resume, "begin", begin)
    with pytest.raises(ZeroDivisionError):
        whole.convert(made, None)  # type: ignore[arg-type]
    assert told == ([INFO.pixel_format] if compiled else [])


@pytest.mark.parametrize(
    ("processes", "parts"),
    [(1, ["abcd"]), (2, ["ac", "bd"]), (3, ["ad", "b", "c"]), (4, ["a", "b", "c", "d"]), (9, ["a", "b", "c", "d"])],
)
def test_kernels_are_dealt_out(processes: int, parts: list[str]) -> None:
    assert compiling.dealt(list("abcd"), processes) == [list(part) for part in parts]


SIDECARS = {
    "film.srt": True, "film.de.SRT": True, "film.de.forced.srt": True, "film.a.b.c.srt": False, "film.txt": False,
    "film2.srt": False, "filmsrt": False, "film.idx": True, "film.vtt": True, "film.folder.srt": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, True), ({"sidecars": False}, False), ({"still": True}, False), ({"source": "https://x/film.mkv"}, False)],
    ids=str,
)
def test_subtitles_beside_a_film(tmp_path: Path, given: dict[str, Any], found: bool) -> None:
    for name in (*SIDECARS, "film.mkv"):
        (tmp_path / name).mkdir() if "folder" in name else (tmp_path / name).write_bytes(name.encode())
    made: Any = SimpleNamespace(
        source=given.get("source", str(tmp_path / "film.mkv")), still=given.get("still", False),
        settings=SimpleNamespace(sidecars=given.get("sidecars", True), overwrite=False), outputs=(tmp_path / "out/L.mp4", tmp_path / "out/R.mp4"),
    )  # fmt: skip
    (tmp_path / "out").mkdir()
    wanted = sorted(name for name, taken in SIDECARS.items() if taken) if found else []
    assert [path.name for path, _ in sidecars.pairs(made)] == wanted * 2
    copies = sidecars.copy(made)
    assert [path.name for path in copies] == [f"{eye}{name.removeprefix('film')}" for eye in "LR" for name in wanted]
    assert all(path.read_bytes().startswith(b"film.") for path in copies)
    made.source = str(tmp_path / "none.mkv")
    assert sidecars.pairs(made) == []


def test_seconds_of_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(batch.time, "monotonic", lambda: clock[0])

    def work(todo: batch.Job) -> dict[str, Any]:
        clock[0] += 2.7182818
        if todo.source != "fine":
            raise {"source": SourceError("x"), "disk": OSError("x"), "ours": ValueError("x")}[todo.source]
        return {}

    todo = [batch.Job(name, None) for name in ("fine", "source", "disk", "ours")]
    assert [outcome.seconds for outcome in batch.run(todo, work)] == [2.718] * 4
    assert batch.Outcome("a", "skipped", None).seconds == 0.0


def outcomes(folder: Path, overwrite: bool = False, stop: bool = False) -> dict[str, tuple[str, str]]:
    (folder / "there.mp4").write_bytes(b"x")
    (folder / "live").mkdir(exist_ok=True)

    def work(todo: batch.Job) -> dict[str, Any]:
        faults = {
            "source": SourceError("damaged"),
            "disk": OSError(28, "No space left on device"),
            "ours": ValueError("oops"),
        }
        if todo.source in faults:
            raise faults[todo.source]
        return {"frames": 3}

    names = {"a": None, "there": "there.mp4", "live": "live", "source": "1", "disk": "2", "ours": "3", "last": "4"}
    todo = [batch.Job(name, None if output is None else folder / output) for name, output in names.items()]
    found = list(batch.run(todo, work, overwrite=overwrite, stop_on_error=stop))
    assert all(0 <= outcome.seconds < 60 for outcome in found)
    return {outcome.source: (outcome.status, outcome.reason) for outcome in found}


def test_each_film_has_its_outcome(tmp_path: Path) -> None:
    found = outcomes(tmp_path)
    assert [status for status, _ in found.values()] == [
        "converted",
        "skipped",
        "converted",
        *["failed"] * 3,
        "converted",
    ]
    assert (found["source"][1], found["ours"][1]) == ("damaged", "internal error: ValueError: oops")
    assert "\n" not in found["disk"][1]
    assert outcomes(tmp_path, overwrite=True)["there"] == ("converted", "")
    assert list(outcomes(tmp_path, stop=True)) == ["a", "there", "live", "source"]


def test_one_depth_file_holds_one_film(tmp_path: Path) -> None:
    todo = [batch.Job(str(tmp_path / name), tmp_path / f"{name}.mp4") for name in "ab"]
    settings = ConvertSettings(depth_out=tmp_path / "d.mkv")
    batch.check(todo[:1], None, settings)
    with pytest.raises(UsageError, match="holds the depth of one film"):
        batch.check(todo, None, settings)


def test_a_list_spares_its_own_sources(tmp_path: Path) -> None:
    """A result that is there is skipped, so it may be a source; with --overwrite it would be lost."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    todo = [batch.Job(str(tmp_path / "a.mp4"), tmp_path / "b.mp4"), batch.Job(str(tmp_path / "b.mp4"), None)]
    batch.check(todo, tmp_path / "report.json", ConvertSettings())
    with pytest.raises(UsageError, match="is the input itself"):
        batch.check(todo, None, ConvertSettings(overwrite=True))
    with pytest.raises(UsageError, match="choose another name with --report"):
        batch.check(todo, tmp_path / "a.mp4", ConvertSettings())
    assert batch.totals([]) == {"converted": 0, "skipped": 0, "failed": 0}


def test_inputs_keep_their_order_and_are_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.mp4", "a.mp4", "sub/c.mp4", "sub/deep/d.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert inputs.expand(["b.mp4", "-", "https://x/y.mp4", ".", "b.mp4"]) == [
        "b.mp4", "-", "https://x/y.mp4", "a.mp4",
    ]  # fmt: skip
    assert inputs.expand(["*.mp4"]) == ["a.mp4", "b.mp4"]
    assert inputs.expand(["sub"], recursive=True) == [str(Path("sub/c.mp4")), str(Path("sub/deep/d.mp4"))]
    for names, said in (
        (["*.mkv"], "nothing matches"),
        (["none.mp4"], "no such file"),
        (["sub/deep/none*"], "nothing"),
    ):
        with pytest.raises(SourceError, match=said):
            inputs.expand(names)
    (tmp_path / "sub/c.mp4").unlink()
    with pytest.raises(SourceError, match="--recursive looks into subfolders"):
        inputs.expand(["sub"])
    (tmp_path / "sub/deep/d.mp4").unlink()
    with pytest.raises(SourceError) as caught:
        inputs.expand(["sub"], recursive=True)
    assert "--recursive" not in str(caught.value)


def test_broken_files_with_a_short_mark_are_taken(tmp_path: Path) -> None:
    for name in ("a_LR.mp4", "b_L.mkv", "c_mono.mov"):
        (tmp_path / name).write_bytes(b"no film at all")
        assert inputs.left_out(tmp_path / name) == ""


PLAYLISTS = {
    "0.m3u8": "#EXTM3U\n1.m3u8\n", "1.m3u8": "2.m3u8\n", "2.m3u8": "3.m3u8\n", "3.m3u8": "a.ts\n",
    "key.m3u8": '#EXT-X-KEY:METHOD=AES-128,URI="secret"\n\n  a.ts  \n#EXT-X-MAP:URI="init.mp4"\nhttps://x/b.ts\n',
    "a.ts": "x", "secret": "x", "init.mp4": "x", "other": "x",
}  # fmt: skip


def test_what_playlists_name_is_read(tmp_path: Path) -> None:
    for name, text in PLAYLISTS.items():
        (tmp_path / name).write_text(text)

    def read(name: str) -> set[str]:
        return {Path(path).name for path in written.inputs([str(tmp_path / name)]).values()}

    assert read("key.m3u8") == {"key.m3u8", "secret", "a.ts", "init.mp4"}
    assert read("1.m3u8") == {"1.m3u8", "2.m3u8", "3.m3u8", "a.ts"}
    assert read("0.m3u8") == {"0.m3u8", "1.m3u8", "2.m3u8", "3.m3u8"}, "three deep, so that a circle ends"
    (tmp_path / "round.m3u8").write_text("round.m3u8\n")
    assert read("round.m3u8") == {"round.m3u8"}
    given = SimpleNamespace(
        end_image=tmp_path / "a.ts", weights=(f"model={tmp_path / 'secret'}", str(tmp_path / "other"))
    )
    found = written.inputs([str(tmp_path / "none")], given).values()
    assert sorted(Path(path).name for path in found) == ["a.ts", "other", "secret"]
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps/1.png").write_bytes(b"x")
    assert read("maps") == {"1.png"}


def test_folders_that_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    written.check_folder(tmp_path / "a/b/c.mp4")
    assert not (tmp_path / "a").exists()
    for path in (tmp_path / "file/c.mp4", tmp_path / "file/b/c.mp4"):
        with pytest.raises(SinkError, match="file is a file; choose another one with --depth-out"):
            written.check_folder(path, "--depth-out")


def test_findings_about_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.devices, "choose_device", lambda: doctor.devices.Device("cpu", "no card"))
    monkeypatch.setattr(doctor.devices, "free_bytes", lambda: 12_345_678_940_000_000)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 6)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=98_760_000_040_000_000))
    monkeypatch.setattr(doctor.profile, "why_not", lambda name: "" if name == "x264" else "no card")
    monkeypatch.setattr(registry.Backend, "missing", ("torch", "gsplat"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "weights"))
    found = doctor.examine()
    assert found["devices"] == {"cpu": "6 cores, 12345678.9 GB free", "chosen": "cpu (no card)"}
    assert (found["encoders"]["x264"], found["encoders"]["x265"]) == ("opens", "no card")
    assert found["disk"] == {"here": "98760000.0 GB free", "weights": f"{tmp_path / 'weights'}: nothing downloaded"}
    assert found["extras"]["4d"].endswith("(missing: torch, gsplat)")
    assert "; needs: " in found["depth estimators"]["depth-pro"]
    (tmp_path / "weights/deep").mkdir(parents=True)
    (tmp_path / "weights/deep/a").write_bytes(bytes(14_000_000))
    (tmp_path / "weights/b").write_bytes(bytes(1_600_000))
    assert doctor._cache(tmp_path / "weights") == f"{tmp_path / 'weights'}: 0.02 GB"
    assert doctor._version("no-such-package") == "not installed"
    monkeypatch.setattr(registry.Backend, "missing", ())
    assert doctor._extra("4d") == "installed"
    assert doctor._states(registry.DEPTH, "depth estimator")["depth-pro"] == registry.DEPTH["depth-pro"].about


def test_subtitles_are_copied_with_the_whole_film_alone(tmp_path: Path, small_stages: None) -> None:
    film = make_film(tmp_path / "film.mp4", frames=4, size=(32, 64))
    (tmp_path / "film.srt").write_text("1")
    for part, copied in ((True, []), (False, ["out.srt"])):
        settings = ConvertSettings(encoder="x264", sidecars=True, overwrite=True)
        made, source = job.prepare(str(film), tmp_path / "out.mp4", settings)
        shot = next(shot for _, shot in cuts.mark_shots(iter(reader.open_source(str(film)))) if shot)
        run = resume.section(made, source, shot, None) if part else None
        assert whole.convert(made, source, run=run).frames == 4
        assert [path.name for path in tmp_path.glob("out*.srt")] == copied
