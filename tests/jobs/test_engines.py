"""A film converted in sections equals one from a single pipeline; a worker that dies costs only its section."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from stereocast import registry
from stereocast.errors import SourceError, StereocastError, UsageError
from stereocast.jobs.convert import chunks, job, sections
from stereocast.jobs.convert.engines import local, section
from stereocast.jobs.convert.engines.ordered import in_order
from stereocast.jobs.convert.resume import sections_folder
from stereocast.pipeline.progress import Progress
from stereocast.settings import ConvertSettings
from stereocast.types import Shot
from tests.fakes import cheap
from tests.films import long_last, make_film
from tests.support.contents import packets
from tests.support.system import needs_signals

ROOT = Path(__file__).resolve().parents[2]
FRAMES, CUTS = 125, (25, 52, 82, 110)


@pytest.fixture(autouse=True)
def short_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SECTION_S", 1)
    monkeypatch.setattr(chunks, "SHORTEST_S", 1)


@pytest.fixture
def ramp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Depth that costs nothing, in worker processes too: `--depth ramp` of a package of its own."""
    place = tmp_path / "site"
    (place / "ramp-1.dist-info").mkdir(parents=True)
    (place / "ramp-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: ramp\nVersion: 1\n")
    (place / "ramp-1.dist-info/entry_points.txt").write_text("[stereocast.depth]\nramp = tests.fakes:RampDepth\n")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", f"{place}{os.pathsep}{ROOT}")
    registry._found.cache_clear()
    yield
    registry._found.cache_clear()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "film.mp4"
    return make_film(path, frames=FRAMES, size=(48, 64), audio=["aac"], subtitles=["mov_text"], cuts=CUTS)


@pytest.fixture(scope="module")
def whole(film: Path) -> dict[str, Any]:
    """What a single pipeline of the cheap stages makes of it."""
    with pytest.MonkeyPatch.context() as patch:
        cheap(patch)
        patch.setattr(chunks, "SHORTEST_S", 1)
        convert(film, film.with_name("whole.mp4"))
    return packets(film.with_name("whole.mp4"))


def convert(source: Path, output: Path, **flags: Any) -> job.Converted:
    made, opened = job.prepare(str(source), output, ConvertSettings(encoder="x264", overwrite=True, **flags))
    return job.convert(made, opened)


def same(output: Path, whole: dict[str, Any], frames: int = FRAMES) -> None:
    found = packets(output)
    assert len(found["video"]) == frames
    assert [kind for kind in whole if found[kind] != whole[kind]] == []
    assert [path.name for path in output.parent.glob(f"{output.stem}.*")] == [output.name]


def test_in_sections(film: Path, threads: list[str], whole: dict[str, Any], tmp_path: Path) -> None:
    done = convert(film, tmp_path / "out.mp4", workers=2)
    assert done.frames == FRAMES
    assert len(threads) == 5
    same(tmp_path / "out.mp4", whole)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("last_ms", [0, 5000])
def test_joined_sections_end_when_the_film_does(
    tmp_path: Path, threads: list[str], kind: str, container: str, last_ms: int
) -> None:
    source = make_film(tmp_path / f"in.{kind}", frames=60, size=(48, 64), cuts=(26,))
    if last_ms:
        source = long_last(source, tmp_path / f"long.{kind}", last_ms)
    made = []
    for workers in (1, 2):
        convert(source, tmp_path / f"{workers}.{container}", workers=workers)
        with av.open(str(tmp_path / f"{workers}.{container}")) as film:
            made.append((film.duration, [(p.pts, p.dts, p.duration) for p in film.demux(video=0) if p.size]))
    assert len(threads) == 2
    assert made[0] == made[1]


def test_a_truncated_film_is_reported(threads: list[str], tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", frames=FRAMES, size=(48, 64), cuts=CUTS)
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 7 // 10])
    done = convert(film, tmp_path / "out.mp4", workers=2)
    assert len(threads) > 1
    assert done.missing_s > 1


def test_a_worker_that_dies_costs_its_section(
    film: Path, threads: list[str], whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, died = local.LocalEngine._process, []

    def process(self: local.LocalEngine, text: str) -> tuple[int, str]:
        answer = original(self, text)
        if "00001.part" in text and not died:
            died.append(text)
            return -9, ""
        return answer

    monkeypatch.setattr(local.LocalEngine, "_process", process)
    convert(film, tmp_path / "out.mp4", workers=2)
    same(tmp_path / "out.mp4", whole)
    assert len(threads) == 6
    assert len(set(threads)) == 5


def test_goes_on_with_finished_sections(film: Path, threads: list[str], whole: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"

    def interrupt(progress: Progress) -> None:
        if progress.done > 50:
            raise KeyboardInterrupt

    made, opened = job.prepare(str(film), output, ConvertSettings(encoder="x264", overwrite=True, workers=2))
    with pytest.raises(KeyboardInterrupt):
        job.convert(made, opened, interrupt)
    assert len(list(sections_folder(output).glob("*.part.mp4"))) >= 2
    threads.clear()
    convert(film, output, workers=2, resume=True)
    same(output, whole)
    assert len(threads) <= 3


def test_an_error_of_the_film_is_that_of_the_film(film: Path, threads: list[str], tmp_path: Path) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(film.read_bytes())
    made, opened = job.prepare(str(source), tmp_path / "out.mp4", ConvertSettings(encoder="x264", workers=2))
    source.unlink()
    with pytest.raises(SourceError, match="no such file"):
        job.convert(made, opened)
    assert len(threads) <= 4


def test_in_processes_one_of_them_killed(tmp_path: Path, ramp: None, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_film(tmp_path / "in.mp4", frames=60, size=(48, 64), audio=["aac"], cuts=[30])
    begun: list[str] = []
    original = local.LocalEngine._process

    def process(self: local.LocalEngine, text: str) -> tuple[int, str]:
        begun.append(text)
        if len(begun) == 1:
            threading.Thread(target=kill_one, args=(self,)).start()
        return original(self, text)

    def kill_one(engine: local.LocalEngine) -> None:
        while not engine._running:
            time.sleep(0.01)
        time.sleep(0.3)
        with engine._lock:
            next(iter(engine._running)).kill()

    monkeypatch.setattr(local.LocalEngine, "_process", process)
    done = convert(source, tmp_path / "out.mp4", workers=2, depth="ramp")
    assert done.comfort is not None
    assert len(done.comfort.shots) >= 2
    assert len(set(begun)) >= 2
    assert len(begun) == len(set(begun)) + 1
    convert(source, tmp_path / "whole.mp4", depth="ramp")
    same(tmp_path / "out.mp4", packets(tmp_path / "whole.mp4"), 60)


def test_a_worker_that_always_dies(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.LocalEngine, "_process", lambda self, text: (-9, ""))
    with pytest.raises(StereocastError, match="a section failed 3 times"):
        convert(film, tmp_path / "out.mp4", workers=2)


def test_what_has_to_run_in_one_piece_does(film: Path, threads: list[str], tmp_path: Path) -> None:
    assert convert(film, tmp_path / "out.mp4", workers=2, format="pair", end="1").frames == 24


def test_order_and_bound() -> None:
    open_now, most = 0, 0

    def tasks() -> Iterator[int]:
        nonlocal open_now, most
        for number in range(30):
            open_now += 1
            most = max(most, open_now)
            yield number

    with ThreadPoolExecutor(4) as pool:

        def submit(number: int) -> "Future[int]":
            return pool.submit(lambda: time.sleep(0.002 * (number % 5)) or number)

        got = []
        for result in in_order(tasks(), submit, 6):
            open_now -= 1
            got.append(result)
    assert got == list(range(30))
    assert most <= 6


def test_processes_are_kept(tmp_path: Path, ramp: None, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_film(tmp_path / "in.mp4", frames=78, size=(48, 64), cuts=[26, 52])
    begun: list[int] = []
    original = local.LocalEngine._spawn

    def begin(self: local.LocalEngine) -> Any:
        process = original(self)
        begun.append(process.pid)
        return process

    monkeypatch.setattr(local.LocalEngine, "_spawn", begin)
    convert(source, tmp_path / "out.mp4", workers=2, depth="ramp")
    assert len(list(packets(tmp_path / "out.mp4"))) > 0
    assert 1 <= len(begun) <= 2  # for three sections


def test_a_worker_ends_with_its_input() -> None:
    begun = [sys.executable, "-m", "stereocast.jobs.convert.engines.section"]
    assert subprocess.run(begun, stdin=subprocess.DEVNULL, check=False, timeout=300).returncode == 0


def test_errors_keep_their_kind() -> None:
    with pytest.raises(UsageError, match="no such option"):
        section.result_of({"error": "no such option", "kind": "UsageError"})


@pytest.mark.parametrize(
    ("wanted", "nodes", "workers", "cores"),
    [
        (0, [16], 4, 4),
        (0, [2], 1, 2),
        (2, [16], 2, 8),
        (8, [2], 2, 1),
        (3, [4, 4], 3, 2),
        (2, [2, 2], 2, 2),
        (0, [], 1, 1),
    ],
)
def test_ray_is_told_the_cores_of_a_worker(wanted: int, nodes: list[int], workers: int, cores: int) -> None:
    engine = pytest.importorskip("stereocast.jobs.convert.engines.ray", reason="needs the cluster extra")
    assert engine.shares(wanted, nodes) == (workers, cores)


def test_ray_is_told_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = pytest.importorskip("stereocast.jobs.convert.engines.ray", reason="needs the cluster extra")
    monkeypatch.chdir(tmp_path)
    task = section.Task("film.mp4", {}, Shot(), None, "parts/00000.part.mp4")
    there = engine.placed(task)
    assert (there.source, there.output) == (str(tmp_path / "film.mp4"), str(tmp_path / "parts/00000.part.mp4"))
    assert engine.placed(replace(task, source="https://films/film.mp4")).source == "https://films/film.mp4"
    told = engine._answer(there)
    assert told["kind"] == "UsageError"
    assert "doesn't exist on" in told["error"]


@pytest.mark.slow
def test_on_ray(film: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="needs the cluster extra")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        done = convert(film, tmp_path / "out.mp4", engine="ray", workers=2)
        assert done.frames == FRAMES
        convert(film, tmp_path / "whole.mp4")
        same(tmp_path / "out.mp4", packets(tmp_path / "whole.mp4"))
    finally:
        ray.shutdown()


@pytest.mark.slow
@needs_signals
def test_ray_worker_killed_in_the_middle(film: Path, tmp_path: Path) -> None:
    import os
    import signal
    import subprocess

    ray = pytest.importorskip("ray", reason="needs the cluster extra")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not killed:
            shown = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
            for line in shown:
                if "ray::_answer" in line:
                    time.sleep(0.5)
                    os.kill(int(line.split()[0]), signal.SIGKILL)
                    killed.append(1)
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        convert(film, tmp_path / "out.mp4", engine="ray", workers=2)
        convert(film, tmp_path / "whole.mp4")
        same(tmp_path / "out.mp4", packets(tmp_path / "whole.mp4"))
    finally:
        thread.join()
        ray.shutdown()
    assert killed


TASK = section.Task("film.mp4", {}, Shot(), None, "parts/00000.part.mp4")


def engine_of(workers: int, answers: "list[tuple[int, str]]", monkeypatch: pytest.MonkeyPatch) -> local.LocalEngine:
    monkeypatch.setattr(local.LocalEngine, "_process", lambda self, text: answers.pop(0))
    return local.LocalEngine(ConvertSettings(workers=workers))


def test_a_section_is_tried_three_times(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    good = (0, json.dumps({"result": section.Result((), 3).table()}) + "\n")
    answers = [(-9, ""), (1, ""), good, good, (0, ""), (-9, ""), (7, "")]
    engine = engine_of(0, answers, monkeypatch)
    assert engine.workers == 1
    assert [result.damaged for result in engine.map(iter([TASK, TASK]))] == [3, 3]
    assert caplog.text.count("the worker for 00000.part.mp4 ended with code") == 2
    assert "ended with code 1 (attempt 2 of 3)" in caplog.text
    with pytest.raises(
        StereocastError, match=r"a section failed 3 times \(worker ended with code 7\); run again with --resume"
    ):
        list(engine.map(iter([TASK])))
    engine.close()


def test_closing_begins_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, running = [], threading.Event()

    def process(self: local.LocalEngine, text: str) -> tuple[int, str]:
        begun.append(text)
        running.set()
        while not self._closed:
            time.sleep(0.002)
        return -9, ""

    monkeypatch.setattr(local.LocalEngine, "_process", process)
    engine = local.LocalEngine(ConvertSettings(workers=1))
    futures = [engine._submit(TASK) for _ in range(3)]
    assert running.wait(30)
    engine.close()
    assert len(begun) == 1
    assert str(futures[0].exception()) == "interrupted"
    assert [future.cancelled() for future in futures] == [False, True, True]
    with pytest.raises(StereocastError, match="interrupted"):
        engine._spawn()


@needs_signals
def test_a_process_answers_line_by_line_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    scripts = ['while read x; do echo "got $x"; done', "read x; exit 3", "read x; printf half"]

    def spawn(self: local.LocalEngine) -> Any:
        script = scripts[min(len(begun), 2)]
        begun.append(subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        self._running.add(begun[-1])
        return begun[-1]

    monkeypatch.setattr(local.LocalEngine, "_spawn", spawn)
    engine = local.LocalEngine(ConvertSettings(workers=2))
    assert [engine._process(text) for text in "ab"] == [(0, "got a\n"), (0, "got b\n")]
    assert engine._idle == begun and len(begun) == 1
    first = engine._idle.pop()
    assert engine._process("c")[1] == ""
    assert engine._process("d")[1] == "", "half an answer is none"
    assert engine._running == {first}
    assert all(process.poll() is not None for process in begun[1:])
    engine._idle.append(first)
    engine.close()
    assert first.poll() is not None and not engine._running and not engine._idle
