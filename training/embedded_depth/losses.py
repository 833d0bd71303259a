"""Losses on relative inverse depth: aligned L1, direct L1, gradients at three scales, ranking of random pairs and across edges."""

from __future__ import annotations

import torch
from torch.nn import functional as F

PAIRS = 512  # random pairs of a picture
SHARP = 12.0  # slope of the ranking losses
APART = 0.05  # pairs that differ by less have no order
REACH = (2, 6, 16)  # columns between the two sides of an edge


def aligned(p, t, w):
    """Scale and shift by weighted least squares per picture (Ranftl et al. 2020, eq. 4)."""
    p, t, w = p.flatten(1), t.flatten(1), w.flatten(1)
    n = w.sum(1)
    mp, mt = (w * p).sum(1) / n, (w * t).sum(1) / n
    dp, dt = p - mp[:, None], t - mt[:, None]
    s = (w * dp * dt).sum(1) / ((w * dp * dp).sum(1) + 1e-4 * n)
    return dp * s.clamp(0.05, 20.0)[:, None] + mt[:, None]


def ranked(dp, dt, sure):
    """Mean ranking loss of pairs: differences of prediction and truth, and which of them count."""
    sure = sure & (dt.abs() > APART)
    return (F.softplus(-dp * dt.sign() * SHARP) * sure).sum() / (sure.sum() + 1)


def pairs(p, t, w, generator):
    """Ranking of random pairs (Chen et al. 2016); half of them are on one row, where height says nothing."""
    b, width = p.shape[0], t.shape[-1]
    p, t, w = p.flatten(1), t.flatten(1), w.flatten(1)
    i = torch.randint(0, t.shape[1], (b, PAIRS), generator=generator)
    row = (i // width) * width + torch.randint(0, width, (b, PAIRS), generator=generator)
    j = torch.randint(0, t.shape[1], (b, PAIRS), generator=generator)
    j = torch.where(torch.rand(b, PAIRS, generator=generator) < 0.5, row, j)
    sure = (w.gather(1, i) > 0.5) & (w.gather(1, j) > 0.5)
    return ranked(p.gather(1, i) - p.gather(1, j), t.gather(1, i) - t.gather(1, j), sure)


def edges(p, t, w):
    """Ranking of the two sides of every edge along the rows."""
    parts = [
        ranked(p[..., k:] - p[..., :-k], t[..., k:] - t[..., :-k], (w[..., k:] > 0.5) & (w[..., :-k] > 0.5))
        for k in REACH
    ]
    return sum(parts) / len(parts)


def total(p, t, w, generator, edge: float = 0.2):
    """p, t, w [B, 1, h, w]. Returns the loss; `edge` is the weight of the order across edges."""
    a = aligned(p, t, w)
    tf, wf = t.flatten(1), w.flatten(1)
    loss = (wf * (a - tf).abs()).sum() / wf.sum() + 0.5 * (w * (p - t).abs()).sum() / wf.sum()
    d, m = p - t, w
    for _ in range(3):
        gx = ((d[..., 1:] - d[..., :-1]).abs() * m[..., 1:]).mean()
        gy = ((d[..., 1:, :] - d[..., :-1, :]).abs() * m[..., 1:, :]).mean()
        loss = loss + 0.5 * (gx + gy)
        d, m = F.avg_pool2d(d, 2), F.avg_pool2d(m, 2)
    return loss + 0.3 * pairs(p, t, w, generator) + (edge * edges(p, t, w) if edge else 0.0)
