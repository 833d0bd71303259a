"""Cards of any size: what fits at once, who waits for whom, and what is told before work starts."""

import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.catalog import settle  # noqa: E402
from stereocast.depth import crafter  # noqa: E402
from stereocast.errors import OutOfMemory  # noqa: E402
from stereocast.models import budget, turns  # noqa: E402
from stereocast.models.budget import GB  # noqa: E402
from stereocast.settings import ConvertSettings  # noqa: E402


def share(card: int, **options: object) -> budget.Share:
    given = {"synth": "stereocrafter-zero", "depth": "depthcrafter", "model": "1024", **options}
    return turns.shared_by(settle(ConvertSettings, given), card * GB)


def test_a_card_is_shared_by_what_will_be_loaded() -> None:
    for card in (80, 24, 16, 12, 8):
        made = share(card)
        assert made.peak <= card * GB
        assert made.for_depth >= 2 * GB
    assert not share(24).turns
    assert share(24).for_depth < 24 * GB * 0.6 - budget.VIDEO_WEIGHTS  # the share before: 60 % of what was free
    assert (share(16).turns, share(16).offload, share(16).features) == (True, False, 0)
    assert share(12).offload
    assert share(24, depth="embedded").depth == 0
    assert share(12, model="512").offload is False
    assert share(80, zero_batch=4).work == 4 * share(80).work
    with pytest.raises(OutOfMemory, match="4.0 GB free"):
        share(4)


def test_depthcrafters_window_leaves_room_for_the_video_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "room", lambda device: 24 * GB)
    monkeypatch.setattr(
        turns.budget,
        "shared",
        lambda card, **given: budget.Share(card, **{k: v for k, v in given.items() if k != "offload"}),
    )
    settings = settle(
        ConvertSettings,
        {"synth": "stereocrafter-zero", "depth": "depthcrafter", "model": "1024", "feature_budget_gb": 1},
    )
    window = crafter.options_for(settings, (576, 1024), "cuda:0", 2).window
    used = window * 72 * 128 * crafter.depthcrafter.BYTES_PER_LATENT_PIXEL
    left = 24 * GB - budget.DEPTH_WEIGHTS - used
    assert left >= budget.VIDEO_WEIGHTS + budget.video_work(576, 1024)


class Fake:
    """A model of 5 GB on a card."""

    device = "cuda:0"
    bytes, work_bytes = 5 * GB, 2 * GB

    def __init__(self) -> None:
        self.resident = True
        turns.join(self)

    def place(self, *, resident: bool) -> None:
        self.resident = resident


def test_models_take_turns_where_both_are_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [Fake(), Fake()]
    card = [9 * GB]
    monkeypatch.setattr(turns, "room", lambda device: card[0] - sum(5 * GB for model in models if model.resident))
    models[1].resident = False
    with turns.turn(models[1]):
        assert [model.resident for model in models] == [False, True]
    with turns.turn(models[0]):
        assert [model.resident for model in models] == [True, False]
    card[0] = 20 * GB
    with turns.turn(models[1]), turns.turn(models[0]):
        assert [model.resident for model in models] == [True, True]
    turns.make_room("cuda:0", 16 * GB)
    assert sum(model.resident for model in models) == 0
    with turns.turn(object()):  # an unknown one
        pass


def test_time_follows_pixels_frames_and_the_card() -> None:
    whole = budget.seconds_each(576, 1024, 16, 600)
    assert whole == pytest.approx(0.27)
    assert budget.seconds_each(288, 1024, 16, 600) == pytest.approx(whole / 2)
    assert budget.seconds_each(576, 1024, 8, 300) == pytest.approx(whole)
