"""How a film is divided into tasks, what finished ones spare, and how engines and workers are set up."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stereocast.errors import SourceError, StereocastError
from stereocast.jobs.comfort import Comfort, ShotFigures
from stereocast.jobs.convert import sections
from stereocast.jobs.convert.chunks import Chunk
from stereocast.jobs.convert.engines import local, ordered, section
from stereocast.jobs.convert.engines.section import Result, Task
from stereocast.settings import ConvertSettings
from stereocast.types import Layout, Shot, StereoFormat


def plan(**given: Any) -> Any:
    """What of a plan is asked here; one frame a second."""
    usual = {
        "source": "in.mp4", "outputs": (Path("out/film.mkv"),), "settings": ConvertSettings(), "container": "mkv",
        "form": StereoFormat(Layout.SBS), "info": SimpleNamespace(time_base=Fraction(1)),
        "profile": SimpleNamespace(via="pyav", name="x264"),
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **given})


def tasks_of(cuts: set[int], count: int, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    def marked(frames: Iterator[int]) -> Iterator[tuple[Any, Shot | None]]:
        number = 0
        for tick in frames:
            if tick in cuts or tick == 0:
                yield SimpleNamespace(pts=tick), Shot(number, tick)
                number += 1
            else:
                yield SimpleNamespace(pts=tick), None

    monkeypatch.setattr(sections.cuts, "mark_shots", marked)
    return list(sections._tasks(plan(), range(count), Path("folder")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cuts", "count", "begins"),
    [
        (set(), 0, []),
        (set(), 100, [0]),  # one shot can't be divided
        ({11}, 60, [0]),
        ({12}, 60, [0, 12]),
        ({6, 12, 20, 24}, 60, [0, 12, 24]),
        ({12, 14}, 60, [0, 12]),
        ({10, 13}, 60, [0]),  # a chunk begins at 10, and none at 13
        ({30, 41, 43}, 60, [0, 30]),
    ],
    ids=str,
)
def test_sections_are_whole_shots_of_twelve_seconds(
    cuts: set[int], count: int, begins: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tasks_of(cuts, count, monkeypatch)
    assert [task.shot.pts for task in found] == begins
    assert [task.stop for task in found] == ([*begins[1:], None] if begins else [])
    assert [Path(task.output).name for task in found] == [f"{n:05d}.part.mkv" for n in range(len(begins))]
    assert [task.shot.number for task in found] == [len([c for c in cuts if 0 < c <= begin]) for begin in begins]


def made(wanted: set[int], finished: set[int], count: int) -> list[tuple[int, bool]]:
    """First ticks of the results, and whether each was made now."""
    tasks = (Task("in", {}, Shot(n, n), None, "") for n in range(count))
    ran: list[int] = []

    class Engine:
        def map(self, tasks: Iterator[Task]) -> Iterator[Result]:
            for task in tasks:
                ran.append(task.shot.pts)
                yield Result((Chunk(task.shot.pts, task.shot.pts, 1, None),), damaged=1)

    there = {n: (Chunk(n, n, 1, None),) for n in finished}
    found = list(sections._made(Engine(), tasks, there))  # type: ignore[arg-type]
    assert set(ran) == wanted
    return [(result.chunks[0].first, bool(result.damaged)) for result in found]


@pytest.mark.parametrize("finished", [set(), {0}, {1}, {4}, {0, 1}, {3, 4}, {1, 3}, {0, 1, 2, 3, 4}], ids=str)
def test_finished_sections_take_their_places(finished: set[int]) -> None:
    todo = set(range(5)) - finished
    assert made(todo, finished, 5) == [(n, n in todo) for n in range(5)]


def test_only_complete_sections_are_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [Chunk(n, n + 9, 10, None, file) for n, file in ((0, "a"), (10, "a"), (20, "b"), (30, ""))]
    complete = {"a": 2, "b": 0}
    monkeypatch.setattr(sections.splice, "complete", lambda path, group, base: complete[path.name])
    journal: Any = SimpleNamespace(chunks=chunks)
    assert sections._finished(Path("out/film.mp4"), journal, plan()) == {0: tuple(chunks[:2])}
    complete["a"] = 1
    assert sections._finished(Path("out/film.mp4"), journal, plan()) == {}
    assert sections._finished(Path("out/film.mp4"), None, plan()) == {}


@pytest.mark.parametrize(
    ("given", "options", "reason"),
    [
        ({}, {}, ""),
        ({"source": "-"}, {}, "standard input"),
        ({"form": StereoFormat(Layout.PAIR)}, {}, "a pair"),
        ({}, {"depth_out": "d.mkv"}, "a file with one map per frame"),
        ({}, {"disparity": "d.npz"}, "a file with one map per frame"),
        ({}, {"depth": __file__}, "a file with one map per frame"),
        ({}, {"fps": 30}, "a new frame rate"),
        ({"profile": None}, {}, "a still or standard output"),
        ({"outputs": ()}, {}, "a still or standard output"),
        ({"container": "hls"}, {}, "hls can't be resumed"),
        ({"container": "mp4"}, {}, ""),
        ({"profile": SimpleNamespace(via="ffmpeg", name="x")}, {}, "encoder x can't"),
    ],
    ids=str,
)
def test_what_runs_in_one_piece(given: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    found = sections._why_not(plan(**given, settings=ConvertSettings(**options)))
    assert found.startswith(reason) if reason else not found


def test_sections_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = SimpleNamespace(frames=30, seconds={"encoding": 0.5, "joining": 1.0})
    asked: list[Any] = []
    monkeypatch.setattr(sections, "prepare", lambda source, output, settings: (asked.append(settings), "source"))
    monkeypatch.setattr(sections.whole, "convert", lambda made, source, run: joined)
    monkeypatch.setattr(sections.resume, "joined", lambda made, source, journal: None)
    shots = [ShotFigures(float(n), 3, -1.0, 0.0, 1.0, 1, 0.5) for n in range(2)]
    results = [
        Result((), 1, {"encoding": 2.0, "depth": 4.0}, Comfort(60.0, (shots[0],))),
        Result((), 3, {"encoding": 3.0}, Comfort(60.0, (shots[1],))),
        Result((), 2),
    ]
    made: Any = plan()
    done = sections._joined(made, None, results)  # type: ignore[arg-type]
    assert done.seconds == {"encoding": 5.5, "joining": 1.0, "depth": 4.0}
    assert (done.frames, done.damaged, done.comfort) == (30, 3, Comfort(60.0, tuple(shots)))
    assert asked[0].overwrite


@pytest.mark.parametrize(("wanted", "workers"), [(0, 1), (1, 1), (3, 3)])
def test_an_engine_that_was_closed_starts_nothing(wanted: int, workers: int) -> None:
    engine = local.LocalEngine(ConvertSettings(workers=wanted))
    assert engine.workers == workers
    engine.close()
    engine.close()
    with pytest.raises(StereocastError, match="interrupted"):
        engine._spawn()


def test_an_engine_ends_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    worker = SimpleNamespace(kill=lambda: told.append("killed"))

    engine = local.LocalEngine(ConvertSettings(workers=2))
    monkeypatch.setattr(
        engine._pool, "shutdown", lambda wait, **more: told.append(f"tasks {'end' if wait else 'are cancelled'}")
    )
    engine._running = [worker]  # type: ignore[assignment]
    monkeypatch.setattr(engine, "_end", lambda process: told.append("let go"))
    engine.close()
    assert told == ["tasks are cancelled", "killed", "tasks end", "let go"]
    assert engine._idle == []


@pytest.mark.parametrize(("answers", "runs"), [([0], 1), ([9, 0], 2), ([9, 9, 0], 3), ([9, 9, 9], 3)])
def test_a_task_is_tried_three_times(answers: list[int], runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left, wanted = list(answers), Result((Chunk(0, 0, 1, None),))

    def process(self: Any, text: str) -> tuple[int, str]:
        code = left.pop(0)
        return code, "" if code else json.dumps({"result": wanted.table()})

    monkeypatch.setattr(local.LocalEngine, "_process", process)
    engine = local.LocalEngine(ConvertSettings(workers=1))
    task = Task("in.mp4", {}, Shot(), None, "out.mp4")
    if answers[-1]:
        with pytest.raises(StereocastError, match=r"failed 3 times \(worker ended with code 9\)"):
            engine._run(task)
    else:
        assert engine._run(task) == wanted
    assert len(answers) - len(left) == runs
    engine.close()


def test_results_survive_the_way_between_processes() -> None:
    shots = (ShotFigures(0.0, 3, -1.0, 0.0, 1.0, 1, 0.5),)
    for comfort in (None, Comfort(60.0, shots)):
        chunks = (Chunk(0, 9, 10, Shot(1, 10, 99), "a"), Chunk(10, 14, 5, None, "a"))
        result = Result(chunks, 3, {"depth": 1.5}, comfort)
        assert Result.of(result.table()) == result
        assert result.frames == 15
        assert section.result_of({"result": result.table()}) == result
    for kind, wanted in (("SourceError", SourceError), ("NoSuchError", StereocastError), (None, StereocastError)):
        with pytest.raises(wanted, match="broken") as caught:
            section.result_of({"error": "broken"} | ({"kind": kind} if kind else {}))
        assert type(caught.value) is wanted


def test_a_bounded_number_of_tasks_is_open_and_errors_cancel_the_rest() -> None:
    futures: list[Future[int]] = []

    waiting = 0

    class Late(Future):  # type: ignore[type-arg]
        """A result that is there as soon as it is waited for."""

        def result(self, timeout: float | None = None) -> int:
            nonlocal waiting
            waiting = max(waiting, sum(not future.done() for future in futures))
            if not self.done():
                self.set_result(10 * futures.index(self))
            return super().result(timeout)  # type: ignore[no-any-return]

    def late(number: int) -> "Future[int]":
        futures.append(Late())
        return futures[-1]

    results = ordered.in_order(iter(range(9)), late, 3)
    assert list(results) == [10 * n for n in range(9)]
    assert waiting == 3
    futures.clear()
    results = ordered.in_order(iter(range(9)), late, 3)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert [future.cancelled() for future in futures] == [False, True, True]


class Ray:
    """What of Ray an engine calls."""

    def __init__(self, *, begun: bool, cores: tuple[int, ...] = (8,), gpus: int = 0) -> None:
        self.begun, self.cores, self.gpus = begun, cores, gpus
        self.told: list[Any] = []
        self.finished: set[int] = set()

    def is_initialized(self) -> bool:
        return self.begun

    def init(self, **options: Any) -> None:
        self.told.append(("init", options["address"]))

    def cluster_resources(self) -> dict[str, float]:
        return {"GPU": float(self.gpus)} if self.gpus else {}

    def nodes(self) -> list[dict[str, Any]]:
        gone = {"Alive": False, "Resources": {"CPU": 64.0}}
        return [gone, *({"Alive": True, "Resources": {"CPU": float(n)} if n else {}} for n in self.cores)]

    def remote(self, **options: Any) -> Any:
        self.told.append(options)

        def begin(task: Task) -> Any:
            number = len([each for each in self.told if each == "task"])
            self.told.append("task")
            answer: Future[Any] = Future()
            answer.set_result({"result": Result((Chunk(number, number, 1, None),)).table()})
            return SimpleNamespace(number=number, future=lambda: answer)

        return lambda work: SimpleNamespace(remote=begin)

    def wait(self, refs: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        assert timeout == 0
        done = [ref for ref in refs if ref.number in self.finished]
        return done, [ref for ref in refs if ref not in done]

    def cancel(self, ref: Any, *, force: bool) -> None:
        self.told.append(("cancel", ref.number, force))

    def shutdown(self) -> None:
        self.told.append("shutdown")


@pytest.mark.parametrize(
    ("cluster", "options", "workers", "asked"),
    [
        (Ray(begun=True), {}, 2, {"num_cpus": 4, "num_gpus": 0, "max_retries": 2}),
        (Ray(begun=True, cores=(8, 0)), {"workers": 4}, 4, {"num_cpus": 2, "num_gpus": 0, "max_retries": 2}),
        (Ray(begun=True, gpus=2), {"device": "cuda"}, 2, {"num_cpus": 4, "num_gpus": 1, "max_retries": 2}),
        (Ray(begun=True, gpus=1), {"device": "cuda", "workers": 5}, 1, {"num_cpus": 8, "num_gpus": 1, "max_retries": 2}),
        (Ray(begun=True, gpus=3), {"depth": "depth-pro", "workers": 2}, 2, {"num_cpus": 4, "num_gpus": 1, "max_retries": 2}),
        (Ray(begun=True, gpus=1), {"depth": "embedded"}, 2, {"num_cpus": 4, "num_gpus": 0, "max_retries": 2}),
        (Ray(begun=True, gpus=1), {"depth": "embedded", "synth": "a-plugin"}, 1, {"num_cpus": 8, "num_gpus": 1, "max_retries": 2}),
        (Ray(begun=True, gpus=1), {"synth": "stereocrafter-zero"}, 1, {"num_cpus": 8, "num_gpus": 1, "max_retries": 2}),
        (Ray(begun=True, gpus=1), {"depth": "depth-pro", "device": "cpu"}, 2, {"num_cpus": 4, "num_gpus": 0, "max_retries": 2}),
    ],
)  # fmt: skip
def test_what_a_cluster_is_asked_for(
    cluster: Ray, options: dict[str, Any], workers: int, asked: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = pytest.importorskip("stereocast.jobs.convert.engines.ray", reason="needs the cluster extra")
    monkeypatch.setattr(engine, "ray", cluster)
    made = engine.RayEngine(ConvertSettings(**options))
    assert (made.workers, cluster.told) == (workers, [asked])
    made.close()
    assert cluster.told == [asked], "someone else's cluster goes on"


def test_a_cluster_of_our_own_ends_with_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = pytest.importorskip("stereocast.jobs.convert.engines.ray", reason="needs the cluster extra")
    cluster = Ray(begun=False)
    monkeypatch.setattr(engine, "ray", cluster)
    made = engine.RayEngine(ConvertSettings(ray_address="there:1"))
    tasks = (Task("https://films/a.mp4", {}, Shot(n, n), None, "out/0.part.mp4") for n in range(9))
    results = made.map(tasks)
    assert [next(results).chunks[0].first for _ in range(3)] == [0, 1, 2]
    cluster.finished = {0, 1}
    next(results)
    made.close()
    made.close()
    ended = [each for each in cluster.told if each != "task"]
    assert ended[0] == ("init", "there:1")
    assert ended[2:] == [("cancel", 2, True), ("cancel", 3, True), "shutdown", "shutdown"]

    def refused(**options: Any) -> None:
        raise ConnectionError("nobody")

    monkeypatch.setattr(cluster, "init", refused)
    with pytest.raises(StereocastError, match="no cluster at there:1: nobody"):
        engine.RayEngine(ConvertSettings(ray_address="there:1"))


def test_a_cluster_is_told_what_a_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = pytest.importorskip("stereocast.jobs.convert.engines.ray", reason="needs the cluster extra")
    monkeypatch.setattr(engine, "answer", lambda task: {"result": "made"})
    (tmp_path / "a.mp4").write_bytes(b"x")
    for source, output, said in (
        (str(tmp_path / "a.mp4"), tmp_path / "out.mp4", None),
        ("https://films/a.mp4", tmp_path / "out.mp4", None),
        (str(tmp_path / "none.mp4"), tmp_path / "out.mp4", "the source"),
        (str(tmp_path / "a.mp4"), tmp_path / "none/out.mp4", "the output folder"),
    ):
        found = engine._answer(Task(source, {}, Shot(), None, str(output)))
        assert (said in found["error"]) if said else found == {"result": "made"}


def test_a_section_is_only_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def prepare(source: str, output: Path, settings: ConvertSettings) -> Any:
        told.append((settings.overwrite, settings.resume, settings.audio, settings.subs, settings.encoder))
        raise ZeroDivisionError

    monkeypatch.setattr(section, "prepare", prepare)
    given = ConvertSettings(resume=True, encoder="x264").model_dump(mode="json")
    with pytest.raises(ZeroDivisionError):
        section.work(Task("a.mp4", given, Shot(), None, "out/0.part.mp4"))
    assert told == [(True, False, "none", "none", "x264")]
