"""Photometric losses of Gaussian splatting: 0.8 L1 + 0.2 (1 - SSIM) (Kerbl et al. 2023, eq. 7), and PSNR."""

from functools import cache
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.nn.functional import conv2d

_C1, _C2 = 0.01**2, 0.03**2


@cache
def _window(device: str) -> Tensor:
    x = torch.arange(11, dtype=torch.float32, device=device) - 5
    w = torch.exp(-(x**2) / (2 * 1.5**2))
    return w / w.sum()


class _Blur(torch.autograd.Function):
    """11-tap Gaussian (sigma 1.5) of [H, W, C] on the CPU, zero outside.

    OpenCV's is many times faster than a convolution. Being symmetric, it is its own gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        array = x.detach().contiguous().numpy()
        return torch.from_numpy(cv2.GaussianBlur(array, (11, 11), 1.5, borderType=cv2.BORDER_CONSTANT).reshape(x.shape))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return _Blur.forward(ctx, g)


def blur(x: Tensor) -> Tensor:
    """11-tap Gaussian (sigma 1.5) along both axes of [H, W, C], zero outside."""
    if not x.is_cuda:
        return _Blur.apply(x)
    w, planes = _window(str(x.device)), x.permute(2, 0, 1)[:, None]
    planes = conv2d(conv2d(planes, w.view(1, 1, 1, -1), padding=(0, 5)), w.view(1, 1, -1, 1), padding=(5, 0))
    return planes[:, 0].permute(1, 2, 0)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean SSIM (Wang et al. 2004, 11 x 11 Gaussian, sigma 1.5) of pictures [N, H, W, C] in 0..1."""
    scores = []
    for one, two in zip(a, b, strict=True):
        channels = one.shape[-1]
        mean = blur(torch.cat([one, two, one * one, two * two, one * two], -1))
        ma, mb, aa, bb, ab = mean.split(channels, -1)
        va, vb, cov = aa - ma * ma, bb - mb * mb, ab - ma * mb
        score = (2 * ma * mb + _C1) * (2 * cov + _C2) / ((ma * ma + mb * mb + _C1) * (va + vb + _C2))
        scores.append(score.mean())
    return torch.stack(scores).mean()


def photometric(image: Tensor, target: Tensor, similarity: float = 0.2) -> Tensor:
    """(1 - similarity) L1 + similarity (1 - SSIM) of pictures [N, H, W, 3] in 0..1."""
    loss = (1 - similarity) * (image - target).abs().mean()
    return loss + similarity * (1 - ssim(image, target)) if similarity else loss


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in 0..1."""
    return float(-10 * torch.log10(((a - b) ** 2).mean().clamp_min(1e-12)))
