"""What `python -m bench card --part convert` times gives the same views on the card's path as on the host's."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from bench import card  # noqa: E402


def test_both_eyes_by_torch_are_those_by_numba_within_one_code_value() -> None:
    for layer, depth in zip(*card.scene(40, 64), strict=True):
        depth = np.ascontiguousarray(depth)
        by_numba = card.both_eyes(layer, depth)
        by_torch = card.both_eyes(torch.from_numpy(layer), torch.from_numpy(depth))
        for one, other in zip(by_numba, by_torch, strict=True):
            assert np.abs(one.astype(int) - other.numpy().astype(int)).max() <= 1
            assert (one != layer).any()
