"""Which process computes which rows and columns of an image matrix, and how results are joined: one process, or many through torch.distributed.

Every row and column is computed separately, so the result is the same bit for bit however they are divided.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor

_PATIENCE = timedelta(hours=1)  # that a process waits for the others
_WORTH = 0.95  # a division that shortens a step to less than that is taken


@dataclass(frozen=True, slots=True)
class Share:
    """The columns and rows of one process."""

    columns: tuple[int, ...]
    rows: tuple[int, ...]


def divide(columns: int, rows: int, costs: tuple[float, float], speeds: Sequence[float]) -> list[Share]:
    """A run of pieces for each process, all columns before all rows, so that most processes need one model only.

    costs: of a column and of a row; speeds: of the processes. Whose stretch of the whole cost a piece's middle falls
    into does it.
    """
    cost = np.concatenate([np.full(columns, costs[0]), np.full(rows, costs[1])])
    middles = np.cumsum(cost) - cost / 2
    edges = np.cumsum(speeds) / np.sum(speeds) * cost.sum()
    owners = np.minimum(np.searchsorted(edges, middles, side="right"), len(speeds) - 1)
    return [
        Share(
            tuple(int(i) for i in np.flatnonzero(owners[:columns] == rank)),
            tuple(int(i) for i in np.flatnonzero(owners[columns:] == rank)),
        )
        for rank in range(len(speeds))
    ]


class Ranks:
    """The processes of torch.distributed where it is initialised, else this one alone."""

    def __init__(self, device: str = "cpu") -> None:
        on = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.rank = torch.distributed.get_rank() if on else 0
        self.count = torch.distributed.get_world_size() if on else 1
        self.device = device

    def gather(self, whole: Tensor) -> Tensor:
        """The sum over processes of tensors that are zero outside each one's share: exact, since x + 0 = x."""
        if self.count < 2:
            return whole
        there = whole.contiguous().to(self.device)  # gloo needs contiguous memory; NCCL needs it on the GPU
        torch.distributed.all_reduce(there)
        return there.to(whole.device)

    def told(self, value: Any) -> Any:
        """What the first process has, in all of them."""
        if self.count < 2:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]


def join(rank: int, count: int, device: str, meeting: str = "env://") -> Ranks:
    """Makes this process one of `count`: NCCL between cards, gloo between CPUs. `meeting`: file:///PATH, or torchrun's
    environment."""
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    torch.distributed.init_process_group(backend, init_method=meeting, rank=rank, world_size=count, timeout=_PATIENCE)
    return Ranks(device)


def leave() -> None:
    """Ends what `join` began."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        with suppress(RuntimeError):  # the others may be gone
            torch.distributed.destroy_process_group()


@dataclass(slots=True)
class Balance:
    """The division of a matrix's columns and rows among processes, by their measured cost."""

    ranks: Ranks
    columns: int
    rows: int
    costs: tuple[float, float] = (0.0, 0.0)  # of a column and of a row
    shares: list[Share] = field(default_factory=list)
    _seen: int = 0

    def __post_init__(self) -> None:
        # a column has a picture for every row; nothing else is known of costs yet
        self.costs = float(self.rows), float(self.columns)
        self.shares = divide(self.columns, self.rows, self.costs, [1.0] * self.ranks.count)

    @property
    def mine(self) -> Share:
        return self.shares[self.ranks.rank]

    def learn(self, seconds: tuple[float, float]) -> None:
        """Takes how long this process's columns and rows took, tells the others, and divides the work again where that pays.

        The first time says nothing: networks come to the GPU, kernels are chosen.
        """
        if self.ranks.count < 2:
            return
        table = torch.zeros(self.ranks.count, 2, dtype=torch.float64)
        table[self.ranks.rank] = torch.tensor(seconds, dtype=torch.float64)
        taken = self.ranks.gather(table).numpy()
        self._seen += 1
        if self._seen < 2:
            return
        done = np.array([[len(share.columns), len(share.rows)] for share in self.shares], float)
        each = taken.sum(0) / np.maximum(done.sum(0), 1)
        if not (each > 0).all():
            return
        self.costs = float(each[0]), float(each[1])
        speeds = (done @ each + 1e-12) / np.maximum(taken.sum(1), 1e-12)
        speeds = np.where(
            done.sum(1) > 0, speeds, speeds[done.sum(1) > 0].mean()
        )  # one without work is like the others
        found = divide(self.columns, self.rows, self.costs, [float(speed) for speed in speeds])
        if _longest(found, each, speeds) < _WORTH * _longest(self.shares, each, speeds):
            self.shares = found


def _longest(shares: Sequence[Share], each: Any, speeds: Any) -> float:
    """Seconds of the process that is ready last."""
    return max(
        ((len(share.columns) * each[0] + len(share.rows) * each[1]) / speed for share, speed in zip(shares, speeds, strict=True)),
        default=math.inf,
    )  # fmt: skip
