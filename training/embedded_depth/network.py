"""The embedded network: a small residual U-Net from five channels (RGB, height, breadth) to relative inverse depth at half size.

Plain 3x3 convolutions, batch norm (folded on export), a global gate in place of a broadcast add: every layer is one that OpenCV's DNN runs.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

WIDTHS = (16, 32, 56, 112, 192)


def conv(cin, cout, stride=1, act=True):
    layers = [nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if act else nn.Sequential(*layers)


def normed(sequence: nn.Sequential):
    """(module, the batch norm that follows it or None) of each part that isn't a norm itself."""
    parts = list(sequence)
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if not isinstance(part, nn.BatchNorm2d):
            yield part, after if isinstance(after, nn.BatchNorm2d) else None


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, c):
        super().__init__()
        self.a, self.b = conv(c, c), conv(c, c, act=False)

    def forward(self, x):
        return F.relu(x + self.b(self.a(x)))


class Gate(nn.Module):
    """Channel gate from the mean over the picture (squeeze and excitation, Hu et al. 2018): the only global path."""

    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, c // 4, 1), nn.Conv2d(c // 4, c, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.b(F.relu(self.a(F.adaptive_avg_pool2d(x, 1)))))


class Up(nn.Module):
    """Twice the size, joined with the encoder's features there."""

    def __init__(self, cin, skip, cout):
        super().__init__()
        self.low, self.skip = nn.Conv2d(cin, cout, 1), nn.Conv2d(skip, cout, 1)
        self.mix = Residual(cout)

    def forward(self, x, skip):
        return self.mix(
            F.relu(F.interpolate(self.low(x), scale_factor=2.0, mode="bilinear", align_corners=False) + self.skip(skip))
        )


class DepthNet(nn.Module):
    """[B, 5, H, W] -> [B, 1, H/2, W/2]; H and W multiples of 32. Channels: RGB in -1..1, then y and x in -1..1."""

    def __init__(self, widths=WIDTHS):
        super().__init__()
        a, b, c, d, e = widths
        self.s1 = conv(5, a, 2)
        self.s2 = nn.Sequential(conv(a, b, 2), conv(b, b))
        self.s3 = nn.Sequential(conv(b, c, 2), Residual(c), Residual(c))
        self.s4 = nn.Sequential(conv(c, d, 2), Residual(d), Residual(d), Gate(d))
        self.s5 = nn.Sequential(conv(d, e, 2), Residual(e), Gate(e), Residual(e), Gate(e))
        self.u4, self.u3, self.u2 = Up(e, d, 96), Up(96, c, 56), Up(56, b, 24)
        self.low, self.skip = nn.Conv2d(24, a, 1), nn.Conv2d(a, a, 1)
        self.out = nn.Sequential(conv(a, a), nn.Conv2d(a, 1, 3, 1, 1))
        nn.init.constant_(self.out[1].bias, 0.4)

    def forward(self, x):
        s1 = self.s1(x)
        s2 = self.s2(s1)
        s3 = self.s3(s2)
        s4 = self.s4(s3)
        y = self.u2(self.u3(self.u4(self.s5(s4), s4), s3), s2)
        y = F.relu(F.interpolate(self.low(y), scale_factor=2.0, mode="bilinear", align_corners=False) + self.skip(s1))
        return self.out(y)
