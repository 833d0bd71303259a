"""The embedded network: EfficientNet-Lite features of a picture, and a light decoder to relative inverse depth at half size.

The decoder knows where it is: y and x join the coarsest features. Its batch norms are folded on export; every layer is one that OpenCV's DNN runs.
"""

from __future__ import annotations

import torch
from backbone import Backbone
from torch import nn
from torch.nn import functional as F

WIDTHS = (96, 96, 64, 48, 32)  # of the decoder at 1/32, 1/16, 1/8, 1/4 and 1/2


def conv(cin, cout, kernel=3):
    """Convolution and batch norm."""
    return nn.Sequential(nn.Conv2d(cin, cout, kernel, 1, kernel // 2, bias=False), nn.BatchNorm2d(cout))


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, c):
        super().__init__()
        self.a, self.b = conv(c, c), conv(c, c)

    def forward(self, x):
        return F.relu(x + self.b(F.relu(self.a(x))))


class Up(nn.Module):
    """Twice the size, joined with the backbone's features there."""

    def __init__(self, cin, skip, cout):
        super().__init__()
        self.low, self.skip, self.mix = conv(cin, cout, 1), conv(skip, cout, 1), Residual(cout)

    def forward(self, x, skip):
        x = F.interpolate(self.low(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.mix(F.relu(x + self.skip(skip)))


class DepthNet(nn.Module):
    """[B, 5, H, W] -> [B, 1, H/2, W/2]; H and W multiples of 32. Channels: RGB in -1..1, then y and x in -1..1."""

    def __init__(self, variant: str = "lite0", widths=WIDTHS) -> None:
        super().__init__()
        self.backbone = Backbone(variant)
        a, b, c, d, e = self.backbone.channels
        self.top, self.deep = conv(e + 2, widths[0], 1), Residual(widths[0])
        skips = (
            (widths[0], d, widths[1]),
            (widths[1], c, widths[2]),
            (widths[2], b, widths[3]),
            (widths[3], a, widths[4]),
        )
        self.ups = nn.ModuleList([Up(*s) for s in skips])
        self.out = nn.ModuleList([conv(widths[4], 16), nn.Conv2d(16, 1, 3, 1, 1)])
        nn.init.constant_(self.out[1].bias, 0.4)

    def decoder(self):
        """The parameters that are not the backbone's."""
        return [p for name, p in self.named_parameters() if not name.startswith("backbone.")]

    def forward(self, x, frozen: int = 0):
        """frozen: stages of the backbone, from the first, that take no gradient."""
        *skips, y = self.backbone(x[:, :3], frozen)
        # the mean of 32x32 equal steps is the coordinate of their middle
        y = torch.cat([y, F.avg_pool2d(x[:, 3:], 32)], 1)
        y = self.deep(F.relu(self.top(y)))
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            y = up(y, skip)
        return self.out[1](F.relu(self.out[0](y)))
