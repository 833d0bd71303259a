"""Score composition: option sets, seeded noise, batches, and two processes against one."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.diffusion import compose, ranks  # noqa: E402
from stereocast.diffusion.edm import karras_sigmas  # noqa: E402

WORKER = """
import sys
import torch
import torch.distributed as dist
from stereocast.diffusion import compose
from stereocast.diffusion.edm import karras_sigmas

def run(batch):
    row = lambda x, sigma, which: torch.tanh(x / sigma) + 0.1 * x.mean(1, keepdim=True) / sigma + which[:, None, None, None, None] * 0.01
    column = lambda x, sigma, which: 0.5 * torch.tanh(x.roll(1, 1) / sigma) - which[:, None, None, None, None] * 0.02
    noise = compose.seeded_noise(3, "matrix", 0, (5, 4, 2, 3, 3))
    options = compose.ComposeOptions(rollback_steps=2, batch=batch)
    return compose.compose(row, column, noise, karras_sigmas(5), options, seed=3)

if __name__ == "__main__":
    rank, world, path, batch = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{path}.meet", rank=rank, world_size=world)
    result = run(batch)
    turned = torch.arange(6.0).reshape(2, 3).T if rank else torch.zeros(3, 2)  # memory in another order
    assert torch.equal(compose.Ranks().gather(turned), torch.tensor([[0.0, 3], [1, 4], [2, 5]]) if world > 1 else turned)
    torch.save(result, f"{path}.{world}.{rank}.pt")
    if world > 1:
        dist.destroy_process_group()
"""


def test_two_gloo_processes_equal_one_bit_for_bit(tmp_path, monkeypatch):
    """The second process is a real one; the first is this."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    base = str(tmp_path / "m")
    root = Path(__file__).resolve().parents[2]
    place = {**os.environ, "PYTHONPATH": str(root)}
    words = [str(script), "1", "2", base, "2"]
    running = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, env=place)
    namespace: dict = {}
    exec(WORKER, namespace)
    one = namespace["run"](1)
    assert torch.equal(compose.Ranks().gather(one), one)
    monkeypatch.setattr(sys, "argv", [str(script), "0", *words[2:]])
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        ranks.leave()
        error = running.communicate(timeout=300)[1].decode()
    assert running.returncode == 0, error
    for rank in (0, 1):
        assert torch.equal(one, torch.load(f"{base}.2.{rank}.pt", weights_only=True))


def test_option_sets():
    assert (compose.PAPER.s, compose.PAPER.rollback_steps, compose.PAPER.view_weights) == (0.5, 5, "none")
    assert (compose.OFFICIAL.s, compose.OFFICIAL.rollback_steps, compose.OFFICIAL.view_weights) == (0.6, 10, "cosine")
    assert torch.allclose(compose.row_shares(compose.PAPER, 21, 0, 50), torch.tensor(0.5))
    shares = compose.row_shares(compose.OFFICIAL, 21, 0, 50)
    assert float(shares[-1]) == pytest.approx(0.4) and float(shares.min()) == pytest.approx(0.1, abs=0.01)


def test_noise_depends_on_its_name_alone():
    shape = (3, 4)
    one = compose.seeded_noise(1, "ring", 2, shape)
    compose.seeded_noise(1, "ring", 3, shape)
    assert torch.equal(one, compose.seeded_noise(1, "ring", 2, shape))
    for other in ((2, "ring", 2), (1, "video", 2), (1, "ring", 3)):
        assert not torch.equal(one, compose.seeded_noise(*other, shape))


def test_perfect_denoisers_end_at_the_truth_and_evaluations_are_counted():
    truth = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 4, 2, 2, 2)).astype(np.float32))
    row = lambda x, sigma, which: truth[which]  # noqa: E731
    column = lambda x, sigma, which: truth.transpose(0, 1)[which]  # noqa: E731
    options = compose.ComposeOptions(rollback_steps=2, batch=2)
    steps = list(compose.evaluations(row, column, torch.randn(truth.shape), karras_sigmas(6), options))
    assert len(steps) == 8
    assert torch.allclose(steps[-1].state, truth, atol=1e-5)


def test_work_is_divided_by_cost_and_speed():
    both = ranks.divide(25, 21, (21.0, 25.0), [1.0, 1.0])
    assert [len(share.columns) for share in both] == [25, 0] and [len(share.rows) for share in both] == [0, 21]
    for speeds in ([1.0], [1, 1, 1], [1, 3], [2, 1, 1, 5], [1.0] * 60):
        shares = ranks.divide(25, 21, (34.6, 41.2), speeds)
        assert sorted(i for share in shares for i in share.columns) == list(range(25))
        assert sorted(i for share in shares for i in share.rows) == list(range(21))
        cost = np.array([len(s.columns) * 34.6 + len(s.rows) * 41.2 for s in shares])
        assert np.abs(cost - cost.sum() * np.array(speeds) / sum(speeds)).max() <= 41.2


def test_a_slow_process_gets_less_once_it_was_measured():
    class Two(ranks.Ranks):
        def __init__(self, rank):
            self.rank, self.count, self.device = rank, 2, "cpu"

        def gather(self, whole):
            table = torch.tensor([[0.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
            for rank, speed in enumerate((1.0, 0.25)):
                share = balances[rank].shares[rank]
                table[rank] = torch.tensor([len(share.columns) / speed, 2 * len(share.rows) / speed])
            return table

    balances = [ranks.Balance(Two(rank), 10, 10) for rank in (0, 1)]
    begin = [len(share.columns) + len(share.rows) for share in balances[0].shares]
    for _ in range(4):
        tables = [balance.ranks.gather(None) for balance in balances]
        for balance, table in zip(balances, tables, strict=True):
            balance.ranks.gather = lambda whole, table=table: table
            balance.learn((1.0, 1.0))
            del balance.ranks.gather
    assert balances[0].shares == balances[1].shares
    cost = [len(share.columns) + 2 * len(share.rows) for share in balances[0].shares]
    assert begin == [10, 10] and 3 < cost[0] / cost[1] < 5.5


def test_evaluations_are_planned():
    assert compose.plan(3, 1) == [(0, True), (0, False), (1, False), (2, False)]
    assert len(compose.plan(50, 5)) == 55 and len(compose.plan(50, 10)) == 60


@pytest.mark.parametrize("s", [0.0, 1.0])
def test_a_model_without_weight_is_not_asked(s):
    asked = []

    def denoiser(name):
        return lambda x, sigma, which: asked.append(name) or torch.zeros_like(x)

    compose.compose(
        denoiser("row"), denoiser("column"), torch.randn(2, 3, 1, 2, 2), karras_sigmas(2), compose.ComposeOptions(s=s)
    )
    assert set(asked) == {"column" if s else "row"}
