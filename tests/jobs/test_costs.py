"""What diffusion and `4d` say that they cost, as arithmetic: no network is loaded and nothing is measured."""

from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("ftfy", reason="needs the diffusion extra")

from stereocast.diffusion import zero  # noqa: E402
from stereocast.errors import UsageError  # noqa: E402
from stereocast.jobs.convert import diffusion  # noqa: E402
from stereocast.jobs.reconstruct import bill, crew, job  # noqa: E402
from stereocast.jobs.reconstruct.order import Order  # noqa: E402
from stereocast.models import turns  # noqa: E402
from stereocast.models.budget import Share  # noqa: E402
from stereocast.pictures.devices import Device  # noqa: E402
from stereocast.settings import ConvertSettings, FourDSettings  # noqa: E402
from stereocast.stereo import diffuse  # noqa: E402
from stereocast.types import StreamInfo  # noqa: E402


def info(frames: int | None, rate: int | None = 24) -> StreamInfo:
    return StreamInfo(1920, 1080, Fraction(1, 24), None if rate is None else Fraction(rate), frames=frames)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A card half as fast as the measured one; forty evaluations a view, and what else a test sets."""
    given: dict[str, Any] = {"guidance": 1.0, "cross_view": (0, 1), "share": None}
    monkeypatch.setattr(diffusion.devices, "choose_device", lambda wanted: Device("cuda:0", "asked"))
    monkeypatch.setattr(diffusion.devices, "tflops", lambda name: 300.0)
    monkeypatch.setattr(turns, "share_for", lambda settings, device: given["share"])
    monkeypatch.setattr(zero, "counts", lambda config, steps: (0, 40))
    monkeypatch.setattr(diffuse, "zero_config", lambda config, settings, steps: SimpleNamespace(**given))
    return given


def estimated(frames: int | None = 17, rate: int | None = 24, **options: Any) -> dict[str, Any]:
    usual = {"synth": "stereocrafter-zero", "steps": 10, "zero_window": 16, "zero_overlap": 4, "model": "1024"}
    return diffusion.estimate(ConvertSettings(**{**usual, **options}), info(frames, rate))


@pytest.mark.parametrize(
    ("frames", "windows"), [(None, None), (1, 1), (4, 1), (16, 1), (17, 2), (28, 2), (29, 3), (100_000, 8333)]
)
def test_windows_and_hours_of_a_film(card: dict[str, Any], frames: int | None, windows: int | None) -> None:
    found = estimated(frames)
    assert (found["windows"], found["evaluations_a_window"]) == (windows, 40)
    # 12 new frames a window, 24 a second, 0.54 s an evaluation
    assert (found["evaluations_a_film_second"], found["seconds_a_film_second"]) == (80, 43.2)
    hours = None if windows is None else round(windows * 40 * 0.54 / 3600, 2)
    assert found["hours_at_most"] == (None if hours is None else pytest.approx(hours))
    assert "card_gb" not in found


@pytest.mark.parametrize(
    ("guidance", "crossed", "eyes", "evaluations"),
    [
        (1.0, (0, 1), "right", 40), (1.0, (1, 1), "right", 30), (2.0, (0, 1), "right", 40), (2.0, (2, 1), "right", 20),
        (1.0, (0, 1), "both", 70), (2.0, (0, 1), "both", 60), (1.0, (1, 1), "both", 60),
    ],
)  # fmt: skip
def test_evaluations_of_a_window(
    card: dict[str, Any], guidance: float, crossed: tuple[int, int], eyes: str, evaluations: int
) -> None:
    """The left view is sampled once, whether one or two views are made of it, and not at all if nothing looks at it."""
    card.update(guidance=guidance, cross_view=crossed)
    assert estimated(eyes=eyes)["evaluations_a_window"] == evaluations


def test_names_and_unknown_rates(card: dict[str, Any]) -> None:
    found = estimated(17, None, depth="depthcrafter", quality="draft")
    assert found["evaluations_a_film_second"] == round(40 / 12 * 25)
    assert found["models"] == ["dynamicrafter-1024", "depthcrafter"]
    assert (found["quality"], found["device"]) == ("draft", "cuda:0 (asked)")
    assert diffusion.line(found) == (
        "diffusion, --quality draft: 2 windows of 40 evaluations, 45 s per second of film, at most 0.01 h on cuda:0 (asked)"
    )
    plain = estimated(None, quality=30)
    assert (plain["models"], plain["quality"]) == (["dynamicrafter-1024"], "good")
    assert diffusion.line(plain) == (
        "diffusion, --quality good: 40 evaluations, 43.2 s per second of film, of unknown length"
    )


@pytest.mark.parametrize(
    ("way", "video", "peak", "said"),
    [
        ({}, 5.2, 12.3, "all models at once"),
        ({"turns": True}, 5.2, 7.8, "models take turns"),
        ({"turns": True, "offload": True}, 2.9, 5.5, "one network at a time"),
    ],
)
def test_what_is_on_the_card(card: dict[str, Any], way: dict[str, bool], video: float, peak: float, said: str) -> None:
    gb = 1_000_000_000
    card["share"] = Share(24 * gb, 45 * gb // 10, 52 * gb // 10, 16 * gb // 10, gb, **way)
    found = estimated()
    assert found["card"] == said
    assert found["card_gb"] == {
        "free": 24.0, "video model": video, "its work": 1.0, "left view's features": 1.6, "depth model": 4.5, "peak": peak,
    }  # fmt: skip


def test_an_overlap_must_be_smaller_than_its_window() -> None:
    for window, overlap in ((8, 8), (8, 9)):
        with pytest.raises(UsageError, match=f"--zero-overlap {overlap}: must be below --zero-window {window}"):
            diffusion.check(ConvertSettings(synth="stereocrafter-zero", zero_window=window, zero_overlap=overlap))


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bill, "_speed", lambda device: 100.0)
    monkeypatch.setattr(bill.devices, "free_bytes", lambda device: 1_234_567_850_000_001)


def billed(device: str = "cuda:0", order: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    wanted = Order(**{"source": "a.png", **(order or {})}, settings=FourDSettings(**options))
    return bill.bill(wanted, "diffusion2", device)


def work_of(views: int, frames: int, side: int, evaluations: int, steps: int, ring: bool = True) -> float:
    """TFLOP, from the costs of one picture: tower, attention, encoder and decoder."""
    pixels = (side / 576) ** 2
    pictures = 2 * (2 * views * frames * evaluations + steps * (views * ring + frames))
    decoded = views * frames + views * ring + frames
    return pictures * (1.448 * pixels + 0.2 * pixels**2) + pixels * (decoded * 3.81 + (views + frames) * 1.37)


@pytest.mark.parametrize(
    ("given", "shape", "evaluations", "steps"),
    [
        ({}, (21, 25, 576), 55, 50),
        ({"views": 3, "frames": 7, "matrix_size": 288, "steps": 20, "rollback_steps": 0}, (3, 7, 288), 20, 20),
        ({"views": 9, "frames": 2, "rollback_steps": 2, "steps": 10}, (9, 2, 576), 12, 10),
        ({"views": 200, "frames": 200, "rollback_steps": 0, "steps": 2}, (200, 200, 576), 2, 2),
    ],
)
def test_the_work_of_a_matrix(
    speed: None, given: dict[str, Any], shape: tuple[int, int, int], evaluations: int, steps: int
) -> None:
    row = billed(**given, iterations=1000)
    assert (row["views"], row["frames"], row["matrix_size"]) == shape
    assert (row["evaluations"], row["ranks"], row["reached"], row["tflop_per_s"]) == (evaluations, 1, 0.4, 100.0)
    work = work_of(*shape, evaluations, steps)
    assert row["pflop"] == round(work / 1000, 1)
    pixels = (shape[2] / 576) ** 2
    assert row["hours"] == round((work / 100 + 10 * pixels) / 3600, 2)
    samples = 2 * max(shape[:2]) * (shape[2] // 8) ** 2
    assert row["memory_gb"] == {
        "least": round(3.05 + samples * 18.3e-6, 1), "both_unets": round(2 * 3.05 + 1.6 + samples * 18.3e-6, 1), "free": 1_234_567.9,
    }  # fmt: skip


def test_wider_numbers_more_processes_and_views_that_are_there(speed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    usual = {"views": 3, "frames": 3, "matrix_size": 576, "iterations": 36_000}
    one, wide = billed(**usual), billed("cpu", **usual)
    work = work_of(3, 3, 576, 55, 50)
    assert wide["memory_gb"]["both_unets"] == pytest.approx(one["memory_gb"]["both_unets"] + 2 * 3.05 + 1.3, abs=0.11)
    assert billed(precision="fp32", **usual)["memory_gb"] == wide["memory_gb"]
    assert one["hours"] == round((work / 100 + 360) / 3600, 2)
    assert wide["hours"] == round((work / 100 + 36_000) / 3600, 2)
    four = billed(ranks=4, **usual)
    assert (four["ranks"], four["hours"]) == (4, round((work / 400 + 360) / 3600, 2))
    ring = billed(order={"source": None, "views": Path("ring")}, **usual)
    assert ring["pflop"] == round(work_of(3, 3, 576, 55, 50, ring=False) / 1000, 1)
    assert "sdxl-turbo" in billed(order={"source": None, "prompt": "a frog"}, **usual)["weights"]
    assert billed(**{**usual, "iterations": 0})["hours"] == round((work / 100 + 50) / 3600, 2)


def test_speeds_are_rounded_for_people(speed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bill, "_speed", lambda device: 12.3456)
    assert billed(views=2, frames=2)["tflop_per_s"] == 12.35


def test_a_relief_costs_no_networks() -> None:
    row = bill.bill(Order("a.png", settings=FourDSettings()), "relief", "cpu")
    assert row == {"model": "relief", "device": "cpu", "matrix_size": 192, "views": 13, "frames": 9}
    own = bill.bill(Order("a.png", settings=FourDSettings(views=4, frames=3, matrix_size=64)), "relief", "cpu")
    assert (own["views"], own["frames"], own["matrix_size"]) == (4, 3, 64)


def test_the_speed_of_a_device_is_counted_in_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three products warm it up; then those of 0.3 seconds count."""
    clock = [0.0]

    def product(self: Any, other: Any) -> Any:
        clock[0] += 0.02
        return self

    monkeypatch.setattr(bill.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(torch.Tensor, "__matmul__", product)
    assert bill._speed("cpu") == pytest.approx(0.4 * 2 * 512**3 / 0.02 / 1e12)


def test_cards_for_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert crew.torchrun_rank() == (0, 1)
    for ranks, device, wanted in ((1, "cuda:1", "cuda:1"), (2, "cuda", "cuda:0"), (3, "cpu", "cpu")):
        made = crew.Crew.of(ranks, device)
        assert (made.count, made.device) == (ranks, wanted)
    with pytest.raises(UsageError, match=r"--ranks 3: this machine has 2 CUDA device\(s\)"):
        crew.Crew.of(3, "cuda")
    assert [crew.device_of(rank, device) for rank, device in ((1, "cuda:0"), (1, "cpu"))] == ["cuda:1", "cpu"]
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert crew.torchrun_rank() == (0, 1), "not by torchrun alone"
    monkeypatch.setenv("MASTER_ADDR", "here")
    assert crew.torchrun_rank() == (1, 3)
    made = crew.Crew.of(1, "cuda")
    assert (made.count, made.device) == (3, "cuda:0")
    assert job.cost(Order(Path("none.png"), FourDSettings()), None) == {}, "the first process alone tells the cost"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert crew.device_of(5, "cuda") == "cuda:1"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match="2\\); set --nproc-per-node"):
        crew.device_of(5, "cuda")
    monkeypatch.setenv("WORLD_SIZE", "x")
    assert crew.torchrun_rank() == (0, 1)


@pytest.mark.parametrize(
    ("count", "device", "within"), [(1, "cpu", 8), (2, "cpu", 4), (3, "cpu", 2), (9, "cpu", 1), (2, "cuda:0", 8)]
)
def test_threads_are_divided(count: int, device: str, within: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [8]
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[-1])
    monkeypatch.setattr(torch, "set_num_threads", now.append)
    with pytest.raises(ZeroDivisionError), crew._few_threads(count, device):
        assert now[-1] == within
        raise ZeroDivisionError
    assert now[-1] == 8


@pytest.mark.parametrize(("meeting", "divided"), [("env://", 1), ("file:///meeting", 3)])
def test_helpers_share_the_threads_of_their_machine(
    meeting: str, divided: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of torchrun got their share from it."""
    from stereocast.diffusion import ranks

    told: list[Any] = []
    monkeypatch.setattr(crew, "_few_threads", lambda *given: told.append(given) or nullcontext())
    monkeypatch.setattr(ranks, "join", lambda *given: told.append(given) or SimpleNamespace(told=lambda task: None))
    monkeypatch.setattr(ranks, "leave", lambda: told.append("left"))
    crew.help_out(1, 3, "cpu", meeting)
    assert told == [(divided, "cpu"), (1, 3, "cpu", meeting), "left"]


@pytest.mark.parametrize(("ranks", "torchrun", "joined"), [(1, 1, []), (2, 1, []), (1, 2, ["joined", None])])
def test_who_waits_is_sent_home_once(
    ranks: int, torchrun: int, joined: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def join(self: crew.Crew) -> Any:
        self._joined = True
        told.append("joined")
        return SimpleNamespace(told=told.append)

    monkeypatch.setattr(crew.Crew, "_join", join)
    monkeypatch.setattr(crew, "torchrun_rank", lambda: (0, torchrun))
    monkeypatch.setattr("stereocast.diffusion.ranks.leave", lambda: told.append("left"))
    made = crew.Crew.of(ranks, "cpu")
    made.send_home()
    made.close()
    assert told == [*joined, *(["left"] if joined else [])]


class Child:
    """A process that ends by itself, or not."""

    def __init__(self, ends: bool) -> None:
        self.ends, self.waited, self.killed = ends, [], False

    def poll(self) -> int | None:
        return 0 if self.ends else None

    def wait(self, timeout: float | None = None) -> int:
        self.waited.append(timeout)
        if not self.ends and not self.killed:
            raise crew.subprocess.TimeoutExpired("x", timeout or 0)
        return 0

    def kill(self) -> None:
        self.killed = True


@pytest.mark.parametrize("failed", [False, True])
def test_the_other_processes_end_with_the_first(failed: bool, tmp_path: Path) -> None:
    made = crew.Crew(2, "cpu")
    children = [Child(True), Child(False)]
    made._children, made._folder, made._left = children, tmp_path / "crew", True  # type: ignore[assignment]
    (tmp_path / "crew").mkdir()
    try:
        if failed:
            raise ZeroDivisionError
        made.close()
    except ZeroDivisionError:
        made.close()
    assert [child.waited for child in children] == [[0.1], [0.1 if failed else 10.0, None]]
    assert [child.killed for child in children] == [False, True]
    assert not (tmp_path / "crew").exists()
