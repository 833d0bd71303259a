"""Guidance: combines predictions with and without conditions. Pure functions; the first axis is samples."""

from torch import Tensor


def classifier_free(cond: Tensor, uncond: Tensor, scale: float) -> Tensor:
    """Ho & Salimans 2022 (arXiv:2207.12598): `uncond + scale (cond - uncond)`."""
    return uncond + scale * (cond - uncond)


def three_way(cond: Tensor, image_only: Tensor, uncond: Tensor, scale: float, image_scale: float) -> Tensor:
    """Separate guidance for text and image. `image_only`: the prediction with the image and an empty text."""
    return uncond + image_scale * (image_only - uncond) + scale * (cond - image_only)


def rescaled(guided: Tensor, cond: Tensor, amount: float) -> Tensor:
    """Moves each sample's standard deviation towards that of `cond` (Lin et al. 2023, arXiv:2305.08891, eq. 15-16)."""
    if amount == 0:
        return guided
    axes = tuple(range(1, guided.ndim))
    matched = guided * (cond.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True))
    return amount * matched + (1 - amount) * guided
