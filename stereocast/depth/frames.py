"""Preprocessing for transformers of the DINOv2 family; our own, because theirs needs torchvision."""

from math import ceil

import cv2
import numpy as np
import torch
from torch import Tensor

from stereocast.types import Array

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def size_at_least(height: int, width: int, short: int, multiple: int) -> tuple[int, int]:
    """The size whose shorter side is about `short`, no side below it, sides multiples of `multiple`."""
    scale = max(short / height, short / width)

    def side(length: int) -> int:
        rounded = round(scale * length / multiple) * multiple
        return rounded if rounded >= short else ceil(scale * length / multiple) * multiple

    return side(height), side(width)


def normalised(
    frames: Array, shape: tuple[int, int], mean_std: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
) -> Tensor:
    """RGB 0..1 [T, H, W, 3] to normalised float32 [T, 3, h, w], cubic resize on the way."""
    rows, columns = shape
    if frames.shape[1:3] != shape:
        frames = np.stack([cv2.resize(f, (columns, rows), interpolation=cv2.INTER_CUBIC) for f in frames])
    mean, std = (np.array(values, np.float32) for values in mean_std)
    return torch.from_numpy(np.ascontiguousarray((frames - mean) / std)).permute(0, 3, 1, 2)
