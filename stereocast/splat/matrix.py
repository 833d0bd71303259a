"""The image matrix: a picture for every view and time. Its weights, files and contact sheet."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from stereocast.errors import SinkError, SourceError
from stereocast.splat.scene import FOV_DEG, RADIUS_M, Camera, SceneInfo, orbit_camera
from stereocast.types import Array


@dataclass(frozen=True, slots=True)
class Matrix:
    """Pictures on white [view, frame], their masks, and the views' positions."""

    images: Array  # uint8 [V, F, H, W, 3]
    masks: Array  # uint8 [V, F, H, W]
    azimuths_deg: tuple[float, ...]
    info: SceneInfo = field(default_factory=SceneInfo)
    reference_view: int = 0
    reference_frame: int = 0

    @property
    def views(self) -> int:
        return int(self.images.shape[0])

    @property
    def frames(self) -> int:
        return int(self.images.shape[1])

    @property
    def size(self) -> int:
        return int(self.images.shape[2])

    def camera(self, view: int) -> Camera:
        info = self.info
        return orbit_camera(self.azimuths_deg[view], self.size, info.elevation_deg, info.radius_m, info.fov_deg)

    def time(self, frame: int) -> float:
        return frame / (self.frames - 1) if self.frames > 1 else 0.0

    def trust(self, view_deg: float = 45.0, frame_share: float = 1 / 6, floor: float = 0.05) -> Array:
        """How far each picture is trusted for canonical texture, float64 [V, F] in floor..1.

        Diffusion² (sec. 3.4) lowers it "away from the reference view and frame" and gives no numbers. The reference
        column and row are conditions of stage 1 and stay sharp, so a picture is trusted if either its view or its frame
        is near: 1 - (1 - a)(1 - b), with Gaussians a of the angle on the ring and b of the distance in frames.
        """
        angle = np.abs((np.asarray(self.azimuths_deg) - self.azimuths_deg[self.reference_view] + 180) % 360 - 180)
        frames = np.abs(np.arange(self.frames) - self.reference_frame)
        near_view = np.exp(-0.5 * (angle / view_deg) ** 2)
        near_frame = np.exp(-0.5 * (frames / max(frame_share * self.frames, 1e-6)) ** 2)
        near = 1 - (1 - near_view)[:, None] * (1 - near_frame)[None]
        return np.asarray(floor + (1 - floor) * near)


def save(matrix: Matrix, folder: Path) -> None:
    """Writes view_VV/frame_FF.png, view_VV/mask_FF.png and, last, matrix.json: it marks the matrix as complete.

    Pictures left by a larger matrix are deleted. Raises SinkError.
    """
    (folder / "matrix.json").unlink(missing_ok=True)
    for old in (*folder.glob("view_*/frame_*.png"), *folder.glob("view_*/mask_*.png")):
        v, f = (
            int(digits) if (digits := name.rpartition("_")[2]).isdigit() else -1 for name in (old.parent.name, old.stem)
        )
        if v >= matrix.views or f >= matrix.frames:
            old.unlink()
    for row in folder.glob("view_*"):
        with suppress(OSError):  # not empty
            row.rmdir()
    for v in range(matrix.views):
        row = folder / f"view_{v:02d}"
        row.mkdir(parents=True, exist_ok=True)
        for f in range(matrix.frames):
            _write(row / f"frame_{f:02d}.png", matrix.images[v, f])
            _write(row / f"mask_{f:02d}.png", matrix.masks[v, f])
    info = matrix.info
    described = {
        "views": matrix.views, "azimuths_deg": list(matrix.azimuths_deg), "reference_view": matrix.reference_view,
        "reference_frame": matrix.reference_frame, "frames": info.frames, "fps": info.fps, "radius_m": info.radius_m,
        "fov_deg": info.fov_deg, "elevation_deg": info.elevation_deg, "size": matrix.size, "loop": info.loop,
        "source": info.source, "method": info.method,
    }  # fmt: skip
    part = folder / "matrix.part.json"
    part.write_text(json.dumps(described, indent=1))
    os.replace(part, folder / "matrix.json")


def load(folder: Path) -> Matrix:
    """Reads what `save` wrote. Raises SourceError if it is incomplete."""
    try:
        d = json.loads((folder / "matrix.json").read_text())
        views, frames = range(d["views"]), range(d["frames"])
        images = [[_read(folder / f"view_{v:02d}/frame_{f:02d}.png", True) for f in frames] for v in views]
        masks = [[_read(folder / f"view_{v:02d}/mask_{f:02d}.png", False) for f in frames] for v in views]
        info = SceneInfo(
            d["frames"], d["fps"], d["radius_m"], d["fov_deg"], d["elevation_deg"], d["size"], d["loop"], d["source"],
            d["method"],
        )  # fmt: skip
        return Matrix(
            np.array(images), np.array(masks), tuple(d["azimuths_deg"]), info, d["reference_view"], d["reference_frame"]
        )
    except (OSError, KeyError, ValueError) as error:
        raise SourceError(f"{folder} contains no complete image matrix: {error}") from error


def _write(path: Path, image: Array) -> None:
    if not cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1] if image.ndim == 3 else image)):
        raise SinkError(f"{path} can't be written")


def _read(path: Path, colour: bool) -> Array:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise SourceError(f"{path} is missing or damaged; delete the folder and run again")
    return image[..., ::-1] if colour else image


def contact_sheet(matrix: Matrix, size: int = 96) -> Array:
    """uint8 RGB [V * size, F * size, 3]: a row per view, a column per frame. The references have a border."""
    sheet = np.full((matrix.views * size, matrix.frames * size, 3), 255, np.uint8)
    for v in range(matrix.views):
        for f in range(matrix.frames):
            cell = sheet[v * size : (v + 1) * size, f * size : (f + 1) * size]
            cell[:] = cv2.resize(matrix.images[v, f], (size, size), interpolation=cv2.INTER_AREA)
            if v == matrix.reference_view or f == matrix.reference_frame:
                cell[0], cell[:, 0] = (255, 160, 0), (255, 160, 0)
    return sheet


def ring(count: int, frames: int, size: int, elevation_deg: float = 0.0) -> tuple[tuple[float, ...], SceneInfo]:
    """Azimuths in degrees of a ring of `count` views, and the SceneInfo of a matrix of this shape."""
    info = SceneInfo(frames, 12.0, RADIUS_M, FOV_DEG, elevation_deg, size)
    return tuple(360 * i / count for i in range(count)), info
