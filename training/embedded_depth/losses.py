"""Losses on relative inverse depth: aligned L1, direct L1, gradients at three scales, ranking of random pairs."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def aligned(p, t, w):
    """Scale and shift by weighted least squares per picture (Ranftl et al. 2020, eq. 4)."""
    p, t, w = p.flatten(1), t.flatten(1), w.flatten(1)
    n = w.sum(1)
    mp, mt = (w * p).sum(1) / n, (w * t).sum(1) / n
    dp, dt = p - mp[:, None], t - mt[:, None]
    s = (w * dp * dt).sum(1) / ((w * dp * dp).sum(1) + 1e-4 * n)
    return dp * s.clamp(0.05, 20.0)[:, None] + mt[:, None]


def total(p, t, w, generator):
    """p, t, w [B, 1, h, w]. Returns the loss."""
    b = p.shape[0]
    a = aligned(p, t, w)
    tf, wf = t.flatten(1), w.flatten(1)
    n = wf.sum()
    loss = (wf * (a - tf).abs()).sum() / n + 0.5 * (w * (p - t).abs()).sum() / n
    d, m = p - t, w
    for _ in range(3):
        gx = ((d[..., 1:] - d[..., :-1]).abs() * m[..., 1:]).mean()
        gy = ((d[..., 1:, :] - d[..., :-1, :]).abs() * m[..., 1:, :]).mean()
        loss = loss + 0.5 * (gx + gy)
        d, m = F.avg_pool2d(d, 2), F.avg_pool2d(m, 2)
    k = 512
    i = torch.randint(0, tf.shape[1], (b, k), generator=generator)
    # half of the pairs lie on one row: there the height says nothing
    width = t.shape[-1]
    row = (i // width) * width + torch.randint(0, width, (b, k), generator=generator)
    j = torch.where(
        torch.rand(b, k, generator=generator) < 0.5, row, torch.randint(0, tf.shape[1], (b, k), generator=generator)
    )
    dt = tf.gather(1, i) - tf.gather(1, j)
    dp = p.flatten(1).gather(1, i) - p.flatten(1).gather(1, j)
    sure = (dt.abs() > 0.05) & (wf.gather(1, i) > 0.5) & (wf.gather(1, j) > 0.5)
    rank = F.softplus(-dp * dt.sign() * 12.0) * sure
    return loss + 0.3 * rank.sum() / (sure.sum() + 1)
