"""The exact warp on tensors: torch on any device, Triton on CUDA. Bit-exact with `reference`."""

import numpy as np
import torch

from stereocast.types import Array

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _powers(depth: Array, exponent: float) -> Array:
    depth = depth.to(torch.float32)
    return depth if exponent == 1.0 else depth.to(torch.float64).pow(float(exponent)).to(torch.float32)


def _factor(scale_percent: float, width: int) -> float:
    """float32(-(s/100) W) as a number that torch multiplies in float32."""
    return float(np.float32(-(scale_percent / 100.0) * width))


def _torch_columns(powers: Array, factor: float, rightwards: bool) -> Array:
    """For each pixel the last source column that lands on it, int64 [N, W], -1 if none does."""
    rows, width = powers.shape
    columns = torch.arange(width, device=powers.device)
    landing = columns + torch.trunc(powers * torch.tensor(factor, dtype=torch.float32, device=powers.device))
    inside = (landing >= 0) & (landing < width)
    target = torch.where(inside, landing, 0).to(torch.int64)
    order = (width - 1 - columns if rightwards else columns).expand(rows, width)
    order = torch.where(inside, order, -1)
    last = torch.full((rows, width), -1, dtype=torch.int64, device=powers.device)
    last.scatter_reduce_(1, target, order, "amax")
    return torch.where(last >= 0, width - 1 - last, last) if rightwards else last


def warp_exact(
    source: Array, depth: Array, scale_percent: float, exponent: float = 1.0, *, triton: bool | None = None
) -> tuple[Array, Array]:
    """As `reference.warp_exact`, bit for bit, on the tensors' device. `triton` None: use it on CUDA if installed."""
    width = source.shape[-1]
    flat = source.reshape(source.shape[0], -1, width)
    powers = _powers(depth, exponent).reshape(-1, width).contiguous()
    factor = _factor(scale_percent, width)
    if triton if triton is not None else source.is_cuda and has_triton():
        from stereocast.kernels.triton_exact import columns

        last = columns(powers, factor, scale_percent < 0)
    else:
        last = _torch_columns(powers, factor, scale_percent < 0)
    blank = last < 0
    signed = _BITS.get(flat.element_size())
    bits = flat.contiguous().view(signed) if signed else flat  # torch can't gather uint16
    out = bits.gather(2, last.clamp(min=0).expand(flat.shape)).masked_fill(blank, 0)
    return out.view(source.dtype).reshape(source.shape), blank.reshape(depth.shape)


def has_triton() -> bool:
    """Whether Triton is installed."""
    from importlib.util import find_spec

    return find_spec("triton") is not None
