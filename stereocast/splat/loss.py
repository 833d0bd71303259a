"""Photometric losses of Gaussian splatting: 0.8 L1 + 0.2 (1 - SSIM) (Kerbl et al. 2023, eq. 7), and PSNR."""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d

_C1, _C2 = 0.01**2, 0.03**2


@cache
def _window(device: str) -> Tensor:
    x = torch.arange(11, dtype=torch.float32, device=device) - 5
    w = torch.exp(-(x**2) / (2 * 1.5**2))
    return w / w.sum()


def _blur(x: Tensor) -> Tensor:
    """11-tap Gaussian on both axes of [B, 1, H, W], edges zero-padded."""
    w = _window(str(x.device))
    return conv2d(conv2d(x, w.view(1, 1, 1, -1), padding=(0, 5)), w.view(1, 1, -1, 1), padding=(5, 0))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean SSIM (Wang et al. 2004, 11 x 11 Gaussian of 1.5) of pictures [N, H, W, C] in 0..1."""
    a, b = (x.permute(0, 3, 1, 2).reshape(-1, 1, *x.shape[1:3]) for x in (a, b))
    count = len(a)
    mean = _blur(torch.cat([a, b, a * a, b * b, a * b]))
    ma, mb, aa, bb, ab = (mean[i * count : (i + 1) * count] for i in range(5))
    va, vb, cov = aa - ma * ma, bb - mb * mb, ab - ma * mb
    score = (2 * ma * mb + _C1) * (2 * cov + _C2) / ((ma * ma + mb * mb + _C1) * (va + vb + _C2))
    return score.mean()


def photometric(image: Tensor, target: Tensor, similarity: float = 0.2) -> Tensor:
    """0.8 L1 + 0.2 (1 - SSIM) of pictures [N, H, W, 3]."""
    loss = (1 - similarity) * (image - target).abs().mean()
    return loss + similarity * (1 - ssim(image, target)) if similarity else loss


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal to noise in dB of pictures in 0..1."""
    return float(-10 * torch.log10(((a - b) ** 2).mean().clamp_min(1e-12)))
