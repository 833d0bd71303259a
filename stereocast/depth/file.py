"""Depth that the user supplies: a depth video (ours or any other), or a folder of images or .npy / .npz maps.

Video files are opened elsewhere: this module gets their frames.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from stereocast.errors import SourceError
from stereocast.pictures.arrays import load_array
from stereocast.pipeline.stages import DepthClip
from stereocast.types import Array, Clip, DepthMap

_MAPS = {".png", ".tif", ".tiff", ".exr", ".jpg", ".jpeg", ".npy", ".npz"}


class FileDepth:
    """Pairs each frame with the next map of `maps`: float32 [h, w], 0..1 with 1 = nearest, or 1/m if `metric`.

    Raises SourceError if the maps end before the film or differ in size.
    """

    held = 0

    def __init__(self, maps: Iterator[Array], *, metric: bool = False, name: str = "the depth") -> None:
        self._maps = maps
        self._metric = metric
        self._name = name

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        taken = 0
        shape: tuple[int, ...] | None = None
        for clip in clips:
            values = []
            for _ in range(len(clip)):
                depth = next(self._maps, None)
                if depth is None:
                    raise SourceError(
                        f"{self._name} ends after {taken} frames, but the film is longer; give one map per frame"
                    )
                shape = shape or depth.shape
                if depth.shape != shape:
                    (height, width), (first_height, first_width) = depth.shape, shape
                    raise SourceError(
                        f"{self._name}: map {taken + 1} is {width}x{height}, the first {first_width}x{first_height}; "
                        f"all maps of a film must have the same size"
                    )
                values.append(depth)
                taken += 1
            yield clip, DepthMap(np.stack(values).astype(np.float32), self._metric)


def _natural(path: Path) -> list[object]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


def folder_maps(folder: Path) -> Iterator[Array]:
    """The maps of a folder, float32 [h, w], in natural order. See `read_map`.

    Raises SourceError for an empty folder or a file that isn't a map.
    """
    files = sorted((p for p in folder.iterdir() if p.suffix.lower() in _MAPS), key=_natural)
    if not files:
        raise SourceError(f"{folder} contains no depth maps; expected {', '.join(sorted(_MAPS))}")
    for path in files:
        yield read_map(path)


def read_map(path: Path) -> Array:
    """One map as float32 [h, w]: 8 and 16-bit images scaled to 0..1, other values unchanged. Raises SourceError."""
    kind = path.suffix.lower()
    try:
        if kind in (".npy", ".npz"):
            values = load_array(path, lambda names: "depth" if "depth" in names else names[0])
        else:
            values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, KeyError, IndexError, cv2.error) as error:
        raise SourceError(f"{path} can't be read as a depth map: {str(error).strip()}") from error
    if values is None:
        raise SourceError(f"{path} can't be read as a depth map")
    if values.dtype.kind not in "fiub":
        raise SourceError(f"{path} must hold numbers, not {values.dtype}")
    if values.ndim == 3:
        values = values[..., 0]
    if values.ndim != 2:
        raise SourceError(f"{path} must be [height, width], got shape {values.shape}")
    if values.dtype.kind == "u":
        return values.astype(np.float32) / np.iinfo(values.dtype).max
    return _known(np.asarray(values, np.float32), path)


def _known(values: Array, path: Path) -> Array:
    """The map with unknown values (nan, inf) at the farthest known one. Raises SourceError where nothing is known."""
    unknown = ~np.isfinite(values)
    if unknown.all():
        raise SourceError(f"{path} holds no finite depth")
    return np.where(unknown, values[~unknown].min(), values) if unknown.any() else values
