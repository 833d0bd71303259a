"""What `python -m bench card` times, on the host and with tiny networks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from bench import card  # noqa: E402
from stereocast.models import checkpoints  # noqa: E402
from tests.models import tiny  # noqa: E402


def test_both_eyes_by_torch_are_those_by_numba_within_one_code_value() -> None:
    for layer, depth in zip(*card.scene(40, 64), strict=True):
        depth = np.ascontiguousarray(depth)
        by_numba = card.both_eyes(layer, depth)
        by_torch = card.both_eyes(torch.from_numpy(layer), torch.from_numpy(depth))
        for one, other in zip(by_numba, by_torch, strict=True):
            assert np.abs(one.astype(int) - other.numpy().astype(int)).max() <= 1
            assert (one != layer).any()


def test_a_cap_is_a_share_of_the_card(monkeypatch):
    given = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (70e9, 80e9))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share, device: given.append(share))
    card.capped(24)
    assert given == [0.3]
    with pytest.raises(ValueError, match="the card has 80 GB"):
        card.capped(141)


def test_a_level_of_quality_is_timed_by_second_of_film(tmp_path):
    pytest.importorskip("ftfy", reason="needs the diffusion extra")
    model = checkpoints.load(tiny.write(tmp_path, "512"))
    few = {"steps": 2, "cfg": 1.0, "restart_passes": 1, "restart_steps": 1, "zero_window": 4, "zero_overlap": 1}
    rows = [card.level(model, name, (64, 96), 25, device="cpu", **few) for name in ("draft", "paper")]
    assert all(row["ms"] > 0 and row["evaluations"] > 0 for row in rows)
    assert rows[0]["evaluations"] <= rows[1]["evaluations"]
    assert "predict" not in vars(model)
