"""Depth of single frames through transformers: Depth Anything V2 (relative) and Depth Pro (metric).

Yang et al., "Depth Anything V2", 2024; Bochkovskii et al., "Depth Pro", 2024. Preprocessing is ours. Frames are
processed independently, so relative depth is scaled per shot and smoothed along motion (see `steady`).
"""

import logging
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from transformers import DepthAnythingForDepthEstimation, DepthProForDepthEstimation

from stereocast.depth import frames as pictures
from stereocast.depth import headroom, steady, windowed
from stereocast.models import loading, shelf, weights
from stereocast.pictures import devices, tone
from stereocast.pictures.motion import grey
from stereocast.pipeline.stages import Cost, DepthClip
from stereocast.settings import EstimatorSettings
from stereocast.types import Array, Clip, DepthMap, StreamInfo

_log = logging.getLogger(__name__)


def _float_head(model: Any) -> Any:
    """Runs the last convolutions in float32: half precision would cause banding in the depth."""
    first = next(layer for layer in model.head.float().modules() if isinstance(layer, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda _, given: (given[0].float(),))
    return model


class _ImageDepth:
    """The common part: one call per few frames."""

    name = ""
    metric = False
    held = 0
    mean_std = pictures.IMAGENET
    model_class: Any = None

    def __init__(self, settings: EstimatorSettings, info: StreamInfo) -> None:
        self.device = devices.choose_device(settings.device).name
        store = weights.WeightStore.of(settings, self.name)
        dtype = headroom.dtype_for(settings.precision, self.device)
        path = store.path(self.name)
        self.model = _float_head(loading.load_transformers(self.model_class, path, dtype).to(self.device))
        self.shape = self.network_size(info.height, info.width, settings.depth_size)
        self._smoother = steady.FlowSmoother(settings.smooth)
        self._scale = steady.Scale()
        self.batch = 4
        _log.info("%s at %dx%d on %s", self.name, self.shape[1], self.shape[0], self.device)

    @classmethod
    def cost(cls, settings: EstimatorSettings, info: StreamInfo) -> Cost:
        """Waiting frames, and the weights if they are in main memory."""
        on_gpu = devices.choose_device(settings.device).on_gpu
        return Cost(cls.held, 0 if on_gpu else shelf.find(cls.name).size)

    def network_size(self, height: int, width: int, size: int | None) -> tuple[int, int]:
        """Rows and columns that the network sees."""
        raise NotImplementedError

    def begin(self) -> None:
        """Resets the state for a new shot."""
        self._smoother.reset()
        self._scale.reset()

    def raw(self, images: Tensor) -> Tensor:
        """Network output, float32 [T, h, w], of normalised images [T, 3, H, W]."""
        return self.model(pixel_values=images.to(self.device, self.model.dtype)).predicted_depth.float()

    @torch.inference_mode()
    def _raw_frames(self, frames: Array) -> Array:
        images = pictures.normalised(frames, self.shape, self.mean_std)
        parts = [headroom.in_halves(self.raw, part, self.device) for part in images.split(self.batch)]
        return np.asarray(devices.to_host(torch.cat(parts)), np.float32)

    def finished(self, raw: Array, frames: Array) -> Array:
        """The final depth of consecutive frames, float32 [T, h, w], from raw depth."""
        self._scale.look(raw)
        depth = self._scale(raw)
        rows, columns = depth.shape[1:]
        smooth = []
        for picture, values in zip(frames, depth, strict=True):
            small = cv2.resize(grey(picture), (columns, rows), interpolation=cv2.INTER_AREA)
            smooth.append(self._smoother(small, values))
        return np.stack(smooth)

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        for clip in clips:
            if clip.first:
                self.begin()
            clip = windowed.without_overlap(clip)
            if not len(clip):
                continue
            frames = tone.rgb_frames(clip, self.shape)
            yield clip, DepthMap(self.finished(self._raw_frames(frames), frames), self.metric)


class _DepthAnything(_ImageDepth):
    model_class = DepthAnythingForDepthEstimation

    def network_size(self, height: int, width: int, size: int | None) -> tuple[int, int]:
        backbone = self.model.config.backbone_config
        return pictures.size_at_least(height, width, size or 518, int(backbone.patch_size))


class DepthAnythingSmall(_DepthAnything):
    """ViT-S."""

    name = "depth-anything-v2-small"


class DepthAnythingBase(_DepthAnything):
    """ViT-B."""

    name = "depth-anything-v2-base"


class DepthAnythingLarge(_DepthAnything):
    """ViT-L."""

    name = "depth-anything-v2-large"


class DepthPro(_ImageDepth):
    """Metric inverse depth, 1/m.

    The network sees a square and gives the horizontal field of view and canonical inverse depth, that of a camera whose
    focal length equals its width. A shot keeps its first frame's field of view, or depth would pulsate.
    """

    name = "depth-pro"
    metric = True
    mean_std = pictures.HALVES
    model_class = DepthProForDepthEstimation

    def network_size(self, height: int, width: int, size: int | None) -> tuple[int, int]:
        config = self.model.config  # its pyramid of patches fits one size only
        side = int(config.patch_size / min(config.scaled_images_ratios))
        return side, side

    def begin(self) -> None:
        super().begin()
        self._fov_deg: float | None = None

    def raw(self, images: Tensor) -> Tensor:
        out = self.model(pixel_values=images.to(self.device, self.model.dtype))
        if self._fov_deg is None:
            fov = out.field_of_view
            self._fov_deg = 60.0 if fov is None else float(fov.flatten()[0])
        return out.predicted_depth.float()

    def finished(self, raw: Array, frames: Array) -> Array:
        """Metric from canonical inverse depth: times width / focal length = 2 tan(fov / 2)."""
        factor = 2 * np.tan(np.deg2rad(self._fov_deg or 60.0) / 2)
        return np.clip(raw * np.float32(factor), 1e-4, 1e4).astype(np.float32)
