"""The production warp in torch, on any device: what a GPU would make of it. The program warps on the CPU.

Written as the program's kernel is specified (`kernels.reference`), not for speed: a column is offered by every step
that reaches it, and the last offer wins.
"""

import numpy as np
import torch

from stereocast.types import Array

_REACH = float(np.float32(1.01))


def _cubic(before: Array, left: Array, right: Array, after: Array, f: Array) -> Array:
    c1 = right - before
    c2 = 2 * before - 5 * left + 4 * right - after
    c3 = 3 * (left - right) + after - before
    return left + 0.5 * f * (c1 + f * (c2 + f * c3))


def _source_columns(disparity: Array, gain: float) -> Array:
    """`reference.source_columns` for all rows at once: every step offers up to three columns, the latest offer wins."""
    height, width = disparity.shape
    device = disparity.device
    columns = torch.arange(width, dtype=torch.float32, device=device)
    landing = columns - torch.tensor(gain, dtype=torch.float32, device=device) * disparity
    a, b = landing[:, :-1], landing[:, 1:]
    step = b - a
    number = torch.arange(width - 1, device=device).expand(height, width - 1)
    jump = (step < 1 - _REACH) | (step > 1 + _REACH)
    smooth = ~jump & (step > 0)
    first = torch.ceil(a)
    offers = [  # (column of the view, source column, whether it is made, order within the step)
        (torch.floor(a + 0.5), number.float(), jump, 0),
        (torch.floor(a + 1 + 0.5), number + 1.0, jump & (step > 3), 1),
        (torch.floor(b + 0.5), number + 1.0, jump, 2),
    ]
    for n in range(3):
        at = first + n
        offers.append((at, number + (at - a) / step, smooth & (at <= torch.floor(b)), 3 + n))
    last = torch.full((height, width), -1, dtype=torch.int64, device=device)
    targets = []
    for at, _, made, order in offers:
        inside = made & (at >= 0) & (at < width)
        target = torch.where(inside, at, 0).to(torch.int64)
        key = torch.where(inside, number * 6 + order, -1)
        last.scatter_reduce_(1, target, key, "amax")
        targets.append((target, key))
    row = torch.full((height, width), -1.0, device=device)
    edge = torch.floor(landing[:, :1] + 0.5)
    found = ((columns == edge) & (last < 0)).expand(height, width)
    row = torch.where(found, torch.zeros_like(row), row)
    for (_, source, _, _), (target, key) in zip(offers, targets, strict=True):
        wins = (key >= 0) & (last.gather(1, target) == key)
        # a loser writes where nobody looks: one column to the right of the view
        padded = torch.cat([row, row[:, :1]], 1)
        padded.scatter_(1, torch.where(wins, target, width), source.to(torch.float32))
        row = padded[:, :width]
    edge = torch.floor(landing[:, -1:] + 0.5)
    return torch.where(columns == edge, columns[-1], row)


def warp_subpixel(
    planes: Array, disparity: Array, gain: float = 1.0, mirror: bool = False
) -> tuple[Array, Array, Array]:
    """As `reference.warp_subpixel`, within one code value, on the tensors' device."""
    count, _, width = planes.shape
    text = planes.to(torch.float32)  # torch flips no uint16
    depth = disparity.to(torch.float32)
    if mirror:
        text, depth = text.flip(-1), depth.flip(-1)
    row = _source_columns(depth, gain)
    holes = row < 0
    i = row.clamp(min=0).to(torch.int64).clamp(max=width - 1)
    f = torch.where(holes, 0.0, row - i)
    taps = [text.gather(2, (i + n).clamp(0, width - 1).expand(count, *i.shape)) for n in (-1, 0, 1, 2)]
    peak = torch.iinfo(planes.dtype).max
    value = torch.floor(_cubic(taps[0], taps[1], taps[2], taps[3], f) + 0.5).clamp(0, peak)
    out = torch.where(holes, 0.0, value)
    columns = torch.arange(width, dtype=torch.float32, device=row.device)
    seen = torch.where(holes, torch.nan, (row - columns) / gain if gain else depth)
    if mirror:
        out, seen, holes = out.flip(-1), seen.flip(-1), holes.flip(-1)
    return out.to(torch.int32).to(planes.dtype), seen, holes
