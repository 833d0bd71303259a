"""Features of the left view for the right one, kept as far as memory allows."""

from typing import Any, Literal

from torch import Tensor

Branch = Literal["cond", "uncond"]
Features = Any  # of a network's left view


class FeatureStore:
    """Left-view features by (iteration, branch), up to a budget in bytes; the rest is dropped.

    Features of the iteration at work are kept beside the budget, since every repetition needs them.
    """

    def __init__(self, budget: int = 1 << 62) -> None:
        self.budget, self.used = budget, 0
        self._kept: dict[tuple[int, Branch], Features] = {}
        self._now: dict[tuple[int, Branch], Features] = {}

    def put(self, iteration: int, branch: Branch, features: Features) -> None:
        """Keeps features if they fit."""
        size = size_of(features)
        if self.used + size <= self.budget:
            self._kept[iteration, branch] = features
            self.used += size

    def get(self, iteration: int, branch: Branch) -> Features | None:
        return self._kept.get((iteration, branch), self._now.get((iteration, branch)))

    def put_now(self, iteration: int, branch: Branch, features: Features) -> None:
        """Keeps features until another iteration begins."""
        self._now = {key: value for key, value in self._now.items() if key[0] == iteration}
        self._now[iteration, branch] = features


def size_of(features: Features) -> int:
    """Bytes of all tensors in it."""
    if isinstance(features, Tensor):
        return int(features.numel() * features.element_size())
    if isinstance(features, dict):
        return sum(size_of(value) for value in features.values())
    return 0
