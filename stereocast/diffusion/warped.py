"""The exact warp on latents: the left view's levels as the right view starts from, what stays blank, and its border
(StereoCrafter-Zero, sec. 4 and Appendix B)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from stereocast import kernels


def small_depth(depth: Tensor, height: int, width: int) -> Tensor:
    """Depth [T, 1, H, W] at latent size, float32 [T, h, w]: bilinear, no antialiasing, values as they are."""
    return F.interpolate(depth.float(), size=(height, width), mode="bilinear", align_corners=False)[:, 0]


class Warp:
    """The exact warp (Appendix B) of one depth, as a gather that is computed once."""

    def __init__(self, depth: Tensor, scale_percent: float, exponent: float) -> None:
        """depth float32 [T, h, w], or [B, T, h, w] for B windows at once."""
        depth = depth.detach()
        columns = torch.arange(depth.shape[-1], dtype=torch.int32, device=depth.device).expand(depth.shape)[None]
        source, self.blank = kernels.warp_exact(columns, depth, scale_percent, exponent)
        self._source = source[0].to(torch.int64)
        if depth.ndim == 4:
            self.blank, self._source = self.blank[:, None], self._source[:, None]

    def __call__(self, left: Tensor, filling: Tensor) -> Tensor:
        """left [B, 4, T, h, w] seen from the right, blanks from `filling`."""
        moved = torch.gather(left, -1, self._source.expand(left.shape))
        return torch.where(self.blank, filling, moved)


def border_columns(blank: Tensor, scale_percent: float) -> int:
    """Width of the border (Eq. 3): the run of columns, from the side that opens, each of whose rows is blank in at
    least one frame; 0 if all columns are. blank bool [T, h, w]."""
    counts = blank.any(0).all(0)
    if bool(counts.all()):
        return 0
    run = counts.flip(0) if scale_percent > 0 else counts
    return int(torch.cumprod(run.int(), 0).sum())


def border_mask(blank: Tensor, scale_percent: float) -> Tensor:
    """The border as bool [T, h, w]: all rows and frames of its columns; [B, 1, T, h, w] for B windows."""
    if blank.ndim == 5:
        return torch.stack([border_mask(one[0], scale_percent) for one in blank])[:, None]
    columns, mask = border_columns(blank, scale_percent), torch.zeros_like(blank)
    if columns:
        mask[..., -columns:] = scale_percent > 0
        mask[..., :columns] |= scale_percent < 0
    return mask


def bordered(filling: Tensor, left: Tensor, mask: Tensor, share: float) -> Tensor:
    """Eq. 3 on the filling latents: inside the mask `share` of the left view."""
    return torch.where(mask, share * left + (1 - share) * filling, filling)
