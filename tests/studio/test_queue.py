"""The queue: order, stops, restarts, errors. The work itself is a stand-in here; one test at the end runs the real thing."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")

from stereocast.errors import OutputExists, SourceError, UsageError
from stereocast.jobs.convert import kept_windows, resume
from stereocast.media import owned
from stereocast.studio.folder import Folder
from stereocast.studio.queue import Queue
from stereocast.studio.work import Work
from tests.films import make_film, read_film


class Slow:
    """Work that ends when the test says so."""

    made: list["Slow"] = []

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.phase, self.done, self.total = "frames", 3, 24
        self.seconds, self.notes = {"depth": 1.0}, []
        self.error, self.stopped = "", False
        self.result: dict[str, Any] | None = None
        self.ended = threading.Event()
        Slow.made.append(self)

    def finish(self, error: str = "") -> None:
        self.error = error
        if not error:
            Path(self.order["output"]).write_bytes(b"film")
            self.result = {"files": [self.order["output"]], "comfort": "comfortable: x"}
        self.ended.set()

    def stop(self) -> None:
        self.stopped = True
        self.ended.set()

    def wait(self) -> None:
        self.ended.wait(300)

    def speed(self) -> tuple[float, float]:
        return 12.0, 1.75


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    Slow.made = []
    (tmp_path / "films").mkdir()
    made = Folder(tmp_path / "films")
    yield made
    made.close()


def films(folder: Folder, count: int) -> list[Path]:
    first = make_film(folder.root / "film0.mp4", frames=3, size=(32, 48))
    return [first] + [
        (folder.root / f"film{n}.mp4").with_name(f"film{n}.mp4") if _copy(first, n) else first for n in range(1, count)
    ]


def _copy(path: Path, number: int) -> bool:
    path.with_name(f"film{number}.mp4").write_bytes(path.read_bytes())
    return True


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def states(queue: Queue) -> list[str]:
    return [row["state"] for row in queue.listing()]


def test_ten_films_one_after_the_other(folder: Folder) -> None:
    queue = Queue(folder, Slow)
    for film in films(folder, 10):
        queue.add("convert", film, {"strength": 2.5})
    for number in range(10):
        until(lambda: len(Slow.made) == number + 1)
        assert states(queue) == ["done"] * number + ["running"] + ["waiting"] * (9 - number)
        Slow.made[number].finish()
    until(lambda: states(queue) == ["done"] * 10)
    row = queue.listing()[0]
    assert row["comfort"] == "comfortable: x"
    assert row["outputs"] == ["film0_LRF_Full_SBS.mp4"]
    assert row["command"].endswith("film0.mp4 --strength 2.5")
    queue.close()


def test_stop_go_on_reorder_remove(folder: Folder) -> None:
    queue = Queue(folder, Slow)
    a, b, c = (queue.add("convert", film, {}) for film in films(folder, 3))
    until(lambda: len(Slow.made) == 1)
    row = queue.listing()[0]
    assert (row["done"], row["total"], row["fps"], row["eta_s"], row["stages"]) == (3, 24, 12.0, 1.75, {"depth": 1.0})
    queue.move(c, 1)
    assert [row["id"] for row in queue.listing()] == [a, c, b]
    queue.stop(a)
    until(lambda: states(queue) == ["stopped", "running", "waiting"] and len(Slow.made) == 2)
    queue.remove(c)
    until(lambda: len(Slow.made) == 3)
    assert states(queue) == ["stopped", "running"]
    queue.go_on(a)
    Slow.made[2].finish()
    until(lambda: states(queue) == ["running", "done"] and len(Slow.made) == 4)
    assert Slow.made[3].order["begun"] is True
    queue.stop(b)  # done: nothing happens
    with pytest.raises(SourceError, match="no longer"):
        queue.stop(c)
    queue.close()


def test_a_removed_job_leaves_no_unfinished_files(folder: Folder) -> None:
    queue = Queue(folder, Slow)
    ident = queue.add("convert", films(folder, 1)[0], {})
    until(lambda: len(Slow.made) == 1)
    queue.stop(ident)
    until(lambda: states(queue) == ["stopped"])
    output = folder.root / queue.listing()[0]["outputs"][0]
    for path in (kept_windows.windows_folder(output) / "0-1.part", resume.sections_folder(output) / "00000.part.mp4"):
        path.parent.mkdir()
        owned.create(path).close()
    queue.remove(ident)
    assert not [path for path in folder.root.iterdir() if path.name.endswith(".part")]
    queue.close()


def test_an_error_ends_its_own_film_only_and_can_be_tried_again(folder: Folder) -> None:
    queue = Queue(folder, Slow)
    for film in films(folder, 2):
        queue.add("convert", film, {})
    until(lambda: len(Slow.made) == 1)
    Slow.made[0].finish("the disk is full; free space")
    until(lambda: states(queue) == ["failed", "running"] and len(Slow.made) == 2)
    assert queue.listing()[0]["error"] == "the disk is full; free space"
    queue.go_on(queue.listing()[0]["id"])
    Slow.made[1].finish()
    until(lambda: states(queue) == ["running", "done"] and len(Slow.made) == 3)
    Slow.made[2].finish("a.mp4 is being written by another run of stereocast; wait for it")
    until(lambda: len(Slow.made) == 4)  # of a studio that was killed just now: tried again
    Slow.made[3].finish("a.mp4 already exists; use --overwrite")
    until(lambda: states(queue) == ["failed", "done"])
    queue.replace(queue.listing()[0]["id"])
    until(lambda: len(Slow.made) == 5)
    assert Slow.made[4].order["options"] == {"overwrite": True}
    queue.close()


def test_a_restart_goes_on_with_what_ran(folder: Folder) -> None:
    queue = Queue(folder, Slow)
    a, b, _ = (queue.add("convert", film, {"fill": "best"}) for film in films(folder, 3))
    until(lambda: len(Slow.made) == 1)
    queue.stop(b)
    later = Queue(folder, Slow)  # the first one was killed: nothing told it
    until(lambda: len(Slow.made) == 2)
    assert Slow.made[1].order["begun"] is True
    assert Slow.made[1].order["options"] == {"fill": "best"}
    assert [row["id"] for row in later.listing()][:1] == [a]
    assert states(later) == ["running", "stopped", "waiting"]
    Slow.made[1].finish()
    until(lambda: states(later) == ["done", "stopped", "running"])
    later.close()
    assert [job["state"] for job in json.loads((folder.state / "queue.json").read_text())["jobs"]][-1] == "waiting"
    (folder.root / "film0_LRF_Full_SBS.mp4").unlink()
    again = Queue(folder, Slow)
    assert states(again)[0] == "stopped"  # the result is gone, and its job with it
    again.close()
    queue.close()


def test_a_damaged_or_foreign_list_is_not_trusted(folder: Folder, tmp_path: Path) -> None:
    make_film(tmp_path / "secret.mp4", frames=3)
    row = {"ident": "x", "kind": "convert", "source": "../secret.mp4", "options": {}, "outputs": ["../y.mp4"]}
    bad = {"ident": "y", "kind": "convert", "source": "a.mp4", "options": {"depth_out": "/tmp/x"}}
    (folder.state / "queue.json").write_text(json.dumps({"jobs": [row, bad]}))
    queue = Queue(folder, Slow)
    assert queue.listing() == []
    queue.close()
    (folder.state / "queue.json").write_text("{")
    queue = Queue(folder, Slow)
    assert queue.listing() == []
    queue.close()


def test_what_cannot_be_done_is_said_at_once(folder: Folder) -> None:
    queue = Queue(folder, Slow)
    (film,) = films(folder, 1)
    with pytest.raises(UsageError, match="--strength 99"):
        queue.add("convert", film, {"strength": 99})
    (folder.root / "no.mp4").write_bytes(b"no film")
    with pytest.raises(SourceError):
        queue.add("convert", folder.root / "no.mp4", {})
    (folder.root / "film0_LRF_Full_SBS.mp4").write_bytes(b"there")
    with pytest.raises(OutputExists, match="already exists"):
        queue.add("convert", film, {})
    for script in ("jobs.js", "main.js"):  # the page offers to replace by these words
        assert (
            "includes('already exists')" in resources.files("stereocast.studio").joinpath("static", script).read_text()
        )
    queue.add("convert", film, {}, overwrite=True)
    with pytest.raises(OutputExists, match="already in the queue"):
        queue.add("convert", film, {}, overwrite=True)
    queue.close()


def test_the_real_work_stops_goes_on_and_tells(folder: Folder) -> None:
    """The worker process: progress, a stop that keeps what is done, and the whole film in the end."""
    film = make_film(folder.root / "film.mp4", frames=72, size=(96, 160), cuts=(30,))
    queue = Queue(folder)
    ident = queue.add("convert", film, {"encoder": "x264", "depth": "embedded"})

    def now() -> dict[str, Any]:
        return queue.listing()[0]

    deadline = time.monotonic() + 300
    while not (now()["phase"] == "frames" and now()["done"] > 0) and now()["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    queue.stop(ident)
    queue.close()
    later = Queue(folder)
    if later.listing()[0]["state"] == "stopped":
        later.go_on(ident)
    while later.listing()[0]["state"] != "done":
        assert later.listing()[0]["error"] == ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(read_film(folder.root / "film_LRF_Full_SBS.mp4")["frames"]) == 72
    assert later.listing()[0]["comfort"]
    later.close()


def test_a_worker_that_dies_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work({"kind": "no such work"})
    work.wait()
    assert "internal error: KeyError" in work.error
    work = Work({"kind": "weights", "name": "depth-pro", "accept_licence": False})
    work.wait()
    assert "read and accept its licence" in work.error or "HF_HUB_OFFLINE" in work.error
