"""Average two runs' weights: what a second run learnt without all that it forgot (Wortsman et al. 2022).

python training/embedded_depth/average.py START.pt LAST.pt 0.7 OUT.pt     # 0.7 of LAST, 0.3 of START

Only of a run and the weights it began from (`train.py --start`): networks trained apart have no average.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def average(start: Path, last: Path, share: float) -> dict:
    """The checkpoint `last` with `share` of its averaged weights and the rest of those of `start`."""
    first, state = (torch.load(path, map_location="cpu", weights_only=False) for path in (start, last))
    for name, value in state["mean"].items():
        if value.dtype.is_floating_point:
            value.lerp_(first["mean"][name], 1 - share)
    state["average"] = share
    return state


if __name__ == "__main__":
    torch.save(average(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])), sys.argv[4])
