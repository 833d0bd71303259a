"""The exact warp's column map in Triton: all pixels at once. Of those that meet, the last in visiting order wins."""

import torch
import triton
import triton.language as tl

from stereocast.types import Array


@triton.jit  # type: ignore[untyped-decorator]
def _columns(powers, last, factor, width, total, rightwards: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]  # Triton compiles annotations too
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < total
    column = at % width
    offset = tl.load(powers + at, mask=inside, other=0.0) * factor
    offset = tl.where(offset < 0, tl.ceil(offset), tl.floor(offset))
    landing = column.to(tl.float32) + offset
    hit = inside & (landing >= 0) & (landing < width)
    target = at - column + tl.where(hit, landing, 0.0).to(tl.int32)
    order = tl.where(rightwards, width - 1 - column, column)
    tl.atomic_max(last + target, order, mask=hit)


def columns(powers: Array, factor: float, rightwards: bool) -> Array:
    """For each pixel the last source column that lands on it, int64 [N, W], -1 if none does."""
    rows, width = powers.shape
    last = torch.full((rows, width), -1, dtype=torch.int32, device=powers.device)
    total = rows * width
    _columns[(triton.cdiv(total, 1024),)](powers, last, factor, width, total, rightwards, 1024)
    found = last.to(torch.int64)
    return torch.where(found >= 0, width - 1 - found, found) if rightwards else found
