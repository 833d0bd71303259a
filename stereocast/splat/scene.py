"""The dynamic scene: canonical Gaussians, their motion, cameras on an orbit, and their files.

World: y up, the object at the origin, metres. Cameras are OpenCV's (x right, y down, z forward). Azimuth 0 looks along
-z and grows counter-clockwise seen from above (the camera moves to its right).
"""

import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from stereocast.errors import SourceError
from stereocast.pictures.devices import to_host
from stereocast.splat.motion import Motion, MotionConfig, moved
from stereocast.types import Array

RADIUS_M, FOV_DEG = 2.0, 33.8
SH_C0 = 0.28209479177387814
NAMES = ("means", "log_scales", "quats", "logits", "sh0", "sh_rest")
_FORMAT = "stereocast 4dgs 1"


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera."""

    view: Array  # float64 [4, 4], world -> camera
    intrinsics: Array  # float64 [3, 3]
    width: int
    height: int

    def moved_right(self, metres: float, converge_m: float) -> "Camera":
        """The camera shifted along its own x axis by `metres`; points at depth `converge_m` stay where they are in the
        picture (the sensor is shifted, the axes stay parallel)."""
        view, k = self.view.copy(), self.intrinsics.copy()
        view[0, 3] -= metres
        k[0, 2] += k[0, 0] * metres / converge_m
        return Camera(view, k, self.width, self.height)


def intrinsics(size: int, fov_deg: float = FOV_DEG) -> Array:
    """float64 [3, 3] of a square picture."""
    focal = size / 2 / math.tan(math.radians(fov_deg) / 2)
    return np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])


def orbit_camera(
    azimuth_deg: float,
    size: int,
    elevation_deg: float = 0.0,
    radius_m: float = RADIUS_M,
    fov_deg: float = FOV_DEG,
) -> Camera:
    """A square camera on the orbit, looking at the origin."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    right = np.array([math.cos(azimuth), 0, -math.sin(azimuth)])
    back = np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )
    down = -np.cross(back, right)
    view = np.eye(4)
    view[:3, :3] = np.stack([right, down, -back])
    view[2, 3] = radius_m
    return Camera(view, intrinsics(size, fov_deg), size, size)


@dataclass(slots=True)
class Gaussians:
    """Parameters as they are trained: logarithms of scales, logits of opacities."""

    means: Tensor  # [N, 3]
    log_scales: Tensor  # [N, 3]
    quats: Tensor  # [N, 4], wxyz
    logits: Tensor  # [N]
    sh0: Tensor  # [N, 1, 3]
    sh_rest: Tensor  # [N, K, 3], K = 0, 3, 8 or 15

    def __len__(self) -> int:
        return len(self.means)

    @property
    def degree(self) -> int:
        return math.isqrt(1 + self.sh_rest.shape[1]) - 1

    def tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in NAMES}

    def keep(self, chosen: Any) -> "Gaussians":
        """Those that `chosen` (mask or indices) names."""
        return Gaussians(*(tensor[chosen] for tensor in self.tensors().values()))


def from_points(
    points: Array,  # [N, 3]
    colours: Array,  # [N, 3], 0..1
    scale: float | Array,
    opacity: float = 0.1,
    degree: int = 3,
) -> Gaussians:
    """Gaussians on coloured points; `scale` in metres, one number, [N] or [N, 3]."""
    count = len(points)
    scales = np.broadcast_to(np.asarray(scale, np.float32).reshape(-1, 1 if np.ndim(scale) < 2 else 3), (count, 3))
    quats = torch.zeros(count, 4)
    quats[:, 0] = 1
    return Gaussians(
        torch.as_tensor(np.array(points, np.float32)),
        torch.log(torch.as_tensor(np.array(scales, np.float32))),
        quats,
        torch.full((count,), math.log(opacity / (1 - opacity))),
        torch.as_tensor((np.array(colours, np.float32)[:, None] - 0.5) / SH_C0),
        torch.zeros(count, (degree + 1) ** 2 - 1, 3),
    )


@dataclass(frozen=True, slots=True)
class SceneInfo:
    """What rendering needs to know about the source of a scene."""

    frames: int = 1
    fps: float = 12.0
    radius_m: float = RADIUS_M
    fov_deg: float = FOV_DEG
    elevation_deg: float = 0.0
    size: int = 576  # of the pictures it was fitted to
    loop: bool = False  # the last frame is the first one again
    source: str = ""
    method: str = ""  # how the pictures were made: "relief" or the models' names


@dataclass(slots=True)
class Scene:
    """Gaussians in canonical space and what moves them."""

    gaussians: Gaussians
    motion: Motion | None = None
    info: SceneInfo = field(default_factory=SceneInfo)

    def at(self, time: float) -> Gaussians:
        """The Gaussians at `time` (0..1), as parameters again (for files)."""
        g = self.gaussians
        if self.motion is None:
            return g
        with torch.no_grad():
            means, quats, scales = posed(g, self.motion, time)
        return Gaussians(means, torch.log(scales), quats, g.logits, g.sh0, g.sh_rest)


def posed(g: Gaussians, motion: Motion | None, time: float) -> tuple[Tensor, Tensor, Tensor]:
    """Means, quaternions and linear scales at `time`. Canonical places enter the network detached."""
    quats = torch.nn.functional.normalize(g.quats, dim=-1)
    scales = torch.exp(g.log_scales)
    if motion is None:
        return g.means, quats, scales
    shift, turn, growth = motion(g.means.detach(), time)
    return moved(g.means, shift), quats + turn, (scales + growth).clamp_min(1e-6)


def save(scene: Scene, path: Path) -> None:
    """Writes `.4dgs`: safetensors of the canonical parameters and the network, with the settings as metadata."""
    tensors = {f"gaussians.{k}": v.detach().cpu().contiguous() for k, v in scene.gaussians.tensors().items()}
    metadata = {"format": _FORMAT, "scene": json.dumps(asdict(scene.info))}
    if scene.motion is not None:
        tensors |= {f"motion.{k}": v.detach().cpu().contiguous() for k, v in scene.motion.state_dict().items()}
        metadata["motion"] = json.dumps(scene.motion.config.as_dict())
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    save_file(tensors, part, metadata)
    os.replace(part, path)


def load(path: Path) -> Scene:
    """Reads `.4dgs`. Raises SourceError for anything else."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise SourceError(f"{path}: not a scene file of stereocast (its format is '{metadata.get('format')}')")
            gaussians = Gaussians(*(file.get_tensor(f"gaussians.{name}") for name in NAMES))
            motion = None
            if "motion" in metadata:
                motion = Motion(MotionConfig(**json.loads(metadata["motion"])))
                names = [name for name in file.keys() if name.startswith("motion.")]  # noqa: SIM118
                motion.load_state_dict({name.removeprefix("motion."): file.get_tensor(name) for name in names})
            return Scene(gaussians, motion, SceneInfo(**json.loads(metadata["scene"])))
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except Exception as error:
        raise SourceError(f"{path} can't be read as a scene: {error}") from error


def ply_bytes(g: Gaussians) -> bytes:
    """The common Gaussian PLY: places, harmonics (channel-major), logit opacity, log scales, quaternion wxyz."""
    rest = g.sh_rest.detach().permute(0, 2, 1).reshape(len(g), -1)
    columns = [g.means, g.sh0.reshape(len(g), 3), rest, g.logits[:, None], g.log_scales, g.quats]
    table = np.concatenate([to_host(column).astype("<f4") for column in columns], 1)
    names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", *(f"f_rest_{i}" for i in range(rest.shape[1]))]
    names += ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    table = table[np.isfinite(table).all(1)]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    header += [*(f"property float {name}" for name in names), "end_header\n"]
    body: bytes = table.tobytes()
    return "\n".join(header).encode() + body


def splat_bytes(g: Gaussians) -> bytes:
    """The 32-byte format: float32 place and scale, uint8 colour, opacity and quaternion; most visible first."""
    means, scales = to_host(g.means), to_host(torch.exp(g.log_scales))
    opacity = to_host(torch.sigmoid(g.logits))
    colour = np.clip(to_host(g.sh0)[:, 0] * SH_C0 + 0.5, 0, 1)
    quats = to_host(torch.nn.functional.normalize(g.quats, dim=-1))
    table = np.zeros(len(g), [("place", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("turn", "u1", 4)])
    table["place"], table["scale"] = means, scales
    table["colour"] = np.rint(np.concatenate([colour, opacity[:, None]], 1) * 255)
    table["turn"] = np.clip(np.rint(quats * 128 + 128), 0, 255)
    order = np.argsort(-opacity * scales.prod(1), kind="stable")
    return table[order].tobytes()


def write(data: bytes, path: Path) -> None:
    """Writes a file under its final name only when it is complete."""
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    part.write_bytes(data)
    os.replace(part, path)
