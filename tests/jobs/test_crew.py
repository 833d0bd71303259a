"""The processes that divide stage 1 of diffusion2, without its networks: who starts, waits, fails and is sent home."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.diffusion import ranks  # noqa: E402
from stereocast.errors import SourceError, StereocastError, UsageError  # noqa: E402
from stereocast.jobs.reconstruct import crew, job, order, relief  # noqa: E402
from stereocast.jobs.reconstruct.subject import Subject  # noqa: E402
from stereocast.settings import FourDSettings  # noqa: E402
from stereocast.splat import matrix, scene  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
GONE = """
import os
from stereocast.diffusion import ranks
ranks.join(1, 2, "cpu").told(None)
os._exit(3)
"""
HOME = """
import sys
from pathlib import Path
from stereocast.jobs.reconstruct.job import Order, reconstruct
from stereocast.settings import FourDSettings
place = Path(sys.argv[1])
result = reconstruct(Order(None, scene_file=place / "a.4dgs", settings=FourDSettings(device="cpu")), place / "out")
assert result.helped
(place / "home").touch()
"""


@pytest.fixture
def under_torchrun(monkeypatch):
    def environment(rank, **more):
        named = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", **more}
        for name, value in named.items():
            monkeypatch.setenv(name, str(value))

    return environment


@pytest.fixture
def another(under_torchrun, tmp_path):
    """Starts the second of two processes as torchrun starts them. This one is the first."""
    begun = []

    def begin(script):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        under_torchrun(1, MASTER_PORT=port, PYTHONPATH=ROOT, OMP_NUM_THREADS=1)
        begun.append(subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]))
        under_torchrun(0)

    yield begin
    ranks.leave()
    for process in begun:
        try:
            process.wait(200)
        finally:
            process.kill()


def test_a_process_that_dies_is_told_in_one_line(another):
    another(GONE)
    with pytest.raises(StereocastError, match=r"^one of the 2 processes of torchrun failed: ") as caught:
        with crew.Crew.of(1, "cpu").at_work(crew.Brief(None, None, {})) as made:
            made.gather(torch.ones(3))
    assert "\n" not in str(caught.value)


def test_the_others_go_home_where_there_is_nothing_to_divide(another, tmp_path, monkeypatch):
    (tmp_path / "a.4dgs").touch()
    another(HOME)

    def load(path):
        end = time.monotonic() + 60
        while not (tmp_path / "home").exists() and time.monotonic() < end:
            time.sleep(0.02)
        raise SourceError("the other is at home" if (tmp_path / "home").exists() else "the other waits")

    monkeypatch.setattr(scene, "load", load)
    wanted = order.Order(None, scene_file=tmp_path / "a.4dgs", settings=FourDSettings(device="cpu"))
    with pytest.raises(SourceError, match="the other is at home"):
        job.reconstruct(wanted, tmp_path / "out")


def test_an_end_by_torchrun_is_heard_like_ctrl_c(under_torchrun):
    before = signal.getsignal(signal.SIGTERM)
    under_torchrun(0)
    with pytest.raises(KeyboardInterrupt), crew.heed_torchrun():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_interrupt_waits_for_nobody(under_torchrun, monkeypatch):
    under_torchrun(0)
    monkeypatch.setattr(crew.Crew, "_join", lambda self: pytest.fail("waits for the others"))
    with pytest.raises(KeyboardInterrupt), ExitStack() as stack:
        stack.callback(crew.Crew.of(1, "cpu").close)
        raise KeyboardInterrupt


def test_more_processes_than_cards_are_refused(under_torchrun, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    under_torchrun(0)
    assert crew.device_of(0, "cuda") == "cuda:0"
    under_torchrun(1)
    with pytest.raises(UsageError, match="--nproc-per-node"):
        crew.device_of(1, "cuda")


def test_one_process_tells_the_cost(under_torchrun, tmp_path):
    (tmp_path / "a.4dgs").touch()
    wanted = order.Order(None, scene_file=tmp_path / "a.4dgs", settings=FourDSettings(device="cpu"))
    under_torchrun(0)
    assert job.cost(wanted, tmp_path / "out")["model"] == "scene"
    under_torchrun(1)
    assert job.cost(wanted, tmp_path / "out") == {}


def test_a_smaller_matrix_leaves_none_of_a_larger_one(tmp_path):
    for views, frames in ((4, 3), (2, 2)):
        pictures = np.zeros((views, frames, 8, 8, 3), np.uint8)
        azimuths, info = matrix.ring(views, frames, 8)
        matrix.save(matrix.Matrix(pictures, pictures[..., 0], azimuths, info), tmp_path)
    assert len(list(tmp_path.glob("view_*"))) == 2
    assert len(list(tmp_path.glob("view_*/*.png"))) == 2 * 2 * 2
    assert matrix.load(tmp_path).images.shape[:2] == (2, 2)


def test_the_key_of_a_solid_is_its_content():
    def solid(shade):
        return scene.Gaussians(
            torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(2, 4), torch.zeros(2), torch.full((2, 1, 3), shade),
            torch.zeros(2, 0, 3),
        )  # fmt: skip

    assert relief._digest(Subject("a", None, solid(0.1))) != relief._digest(Subject("a", None, solid(0.2)))
    assert relief._digest(Subject("a", None, solid(0.1))) == relief._digest(Subject("a", None, solid(0.1)))


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "4", "MASTER_ADDR": "here"}, (2, 4)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, (0, 1)),
        ({"RANK": "x", "WORLD_SIZE": "4", "MASTER_ADDR": "here"}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "", "MASTER_ADDR": "here"}, (0, 1)),
    ],
)
def test_the_place_among_the_processes_of_torchrun(environment, found, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert crew.torchrun_rank() == found


@pytest.mark.parametrize(
    ("rank", "device", "local", "found"),
    [(0, "cpu", None, "cpu"), (1, "cpu", "1", "cpu"), (1, "cuda", None, "cuda:1"), (3, "cuda:0", "1", "cuda:1"), (0, "mps", "0", "mps")],
)  # fmt: skip
def test_each_process_has_its_card(rank, device, local, found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local is not None:
        monkeypatch.setenv("LOCAL_RANK", local)
    assert crew.device_of(rank, device) == found


@pytest.mark.parametrize(("ranks", "device", "made"), [(1, "cpu", (1, "cpu")), (2, "cpu", (2, "cpu")),
                                                      (1, "cuda", (1, "cuda")), (2, "cuda", (2, "cuda:0"))])  # fmt: skip
def test_the_crew_that_is_ordered(ranks, device, made, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = crew.Crew.of(ranks, device)
    assert (found.count, found.device) == made
    with pytest.raises(UsageError, match=r"--ranks 3: this machine has 2 CUDA device"):
        crew.Crew.of(3, "cuda")


@pytest.mark.parametrize(
    ("count", "device", "threads"), [(1, "cpu", 4), (2, "cpu", 2), (3, "cpu", 1), (9, "cpu", 1), (2, "cuda", 4)]
)
def test_processes_share_the_threads(count, device, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with crew._few_threads(count, device):
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_only_the_first_process_makes_the_scene(under_torchrun, tmp_path, monkeypatch, rank):
    told = []
    monkeypatch.setattr(crew, "help_out", lambda *given: told.append(given))
    monkeypatch.setattr(job, "_made", lambda *given: told.append("made") or order.Reconstructed(tmp_path))
    under_torchrun(rank)
    wanted = order.Order(None, scene_file=tmp_path / "a.4dgs", settings=FourDSettings(device="cpu"))
    result = job.reconstruct(wanted, tmp_path)
    assert told == (["made"] if rank == 0 else [(rank, 2, "cpu")])
    assert result.helped == (rank > 0)


@pytest.mark.parametrize("fails", [False, True])
def test_films_of_a_scene_are_written_together_and_closed(fails, tmp_path, monkeypatch):
    class Sink:
        def __init__(self, made):
            self.made, self.frames, self.did = made, 0, []

        def write(self, packed):
            if fails and packed[1] == 2:
                raise OSError("full")
            self.frames += 1
            self.did.append(packed)

        def finish(self):
            self.did.append("finish")

        def close(self):
            self.did.append("close")

    sinks, told = [], []
    monkeypatch.setattr(
        job.films, "films", lambda scene, settings: iter([({"a": "left", "b": "sbs"}, iter([1, 2]), 5)])
    )
    monkeypatch.setattr(job.films, "film_plan", lambda folder, title, layout, settings, count: SimpleNamespace(
        settings=title, info=SimpleNamespace(pixel_format=None), outputs=(folder / title,), layout=layout, count=count))  # fmt: skip
    monkeypatch.setattr(job.films, "as_planes", lambda form: lambda clips: clips)
    monkeypatch.setattr(job.assembly, "sink", lambda made: sinks.append(Sink(made)) or sinks[-1])
    monkeypatch.setattr(
        job.assembly, "packer", lambda settings, info: lambda clips: ((settings, clip) for clip in clips)
    )
    result = order.Reconstructed(tmp_path)
    wanted = order.Order(None, settings=FourDSettings(device="cpu"))
    if fails:
        with pytest.raises(OSError, match="full"):
            job._write_films(None, wanted, result, told.append)
        assert [sink.did for sink in sinks] == [[("a", 1), "close"], [("b", 1), "close"]]
        assert result.files == []
        return
    job._write_films(None, wanted, result, told.append)
    assert [sink.did for sink in sinks] == [[(t, 1), (t, 2), "finish", "close"] for t in "ab"]
    assert [(sink.made.layout, sink.made.count) for sink in sinks] == [("left", 5), ("sbs", 5)]
    assert result.files == [tmp_path / "a", tmp_path / "b"]
    assert [(at.phase, at.done, at.total) for at in told] == [("a and b", 1, 5), ("a and b", 2, 5)]
