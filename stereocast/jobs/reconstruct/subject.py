"""Reads the input of `stereocast 4d`: pictures of an object cut out of their background, or Gaussians of a 3D object."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stereocast.errors import ExtraMissing, SourceError
from stereocast.media import probe, reader
from stereocast.pictures import planes
from stereocast.types import Array, PixelFormat

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
OBJECTS = (".ply", ".glb", ".gltf", ".obj", ".stl")


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that was read."""

    name: str
    frames: Array | None  # uint8 RGBA [T, H, W, 4]
    solid: Any = None  # splat Gaussians of a 3D object
    fps: float = 3.0  # rate of the matrix; a picture's idle motion lasts three seconds


def read(name: str, most: int) -> Subject:
    """Reads a picture, a folder of pictures, a film or a 3D object; at most `most` evenly spaced frames.

    Raises SourceError where no object is found.
    """
    path = Path(name)
    if not path.exists():
        raise SourceError(f"no such file or folder: {name}")
    if path.is_dir():
        files = sorted((f for f in path.iterdir() if f.suffix.lower() in _PICTURES), key=_by_number)
        if not files:
            raise SourceError(f"{name}: no pictures in this folder (png, jpg, webp, tif)")
        chosen = [files[i] for i in _evenly(len(files), most)]
        frames = [_cut(_read_rgba(file), str(file)) for file in chosen]
        if len({frame.shape for frame in frames}) > 1:
            raise SourceError(f"{name}: the pictures differ in size")
        pace = 12.0 * max(len(chosen) - 1, 1) / max(len(files) - 1, 1)
        return Subject(path.name, np.stack(frames), fps=pace)
    if path.suffix.lower() in OBJECTS:
        return Subject(path.stem, None, _solid(path))
    if probe.is_image(name):
        return Subject(path.stem, _cut(_read_rgba(path), name)[None])
    return _film(path, most)


def _by_number(path: Path) -> tuple[int, str]:
    digits = re.findall(r"\d+", path.stem)
    return (int(digits[-1]) if digits else 0, path.name)


def _evenly(count: int, most: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})


def _read_rgba(path: Path) -> Array:
    image: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if image is None:
        raise SourceError(f"{path} is not a readable image, or it is damaged")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))
    return reader.read_image(str(path)).astype(np.uint8)


def _cut(image: Array, name: str) -> Array:
    """The picture as RGBA, with its own alpha or the object in the middle cut out. Raises SourceError."""
    from stereocast.splat import prepare

    if image.shape[-1] == 4 and image[..., 3].min() < 250:
        return image
    try:
        return prepare.cut_out(np.ascontiguousarray(image[..., :3]))
    except SourceError as error:
        raise SourceError(f"{name}: {error}") from error


def _film(path: Path, most: int) -> Subject:
    source = reader.open_source(str(path), reader.ReadOptions(PixelFormat.YUV420P))
    pictures: list[Array] = []
    step = 1
    try:  # bounds memory: at most 4 * `most` pictures are kept, whatever the film's length
        for number, frame in enumerate(source):
            if number % step:
                continue
            pictures.append(np.rint(planes.rgb(frame.image, frame.pixel_format, frame.colour) * 255).astype(np.uint8))
            if len(pictures) >= 4 * most:
                pictures, step = pictures[::2], step * 2
        rate = float(source.info.rate or 25) / step
    finally:
        source.close()
    if not pictures:
        raise SourceError(f"{path}: no frame could be decoded")
    chosen = _evenly(len(pictures), most)
    fps = rate * (len(chosen) - 1) / max(len(pictures) - 1, 1)
    return Subject(
        path.stem, np.stack([_cut(pictures[i], f"{path}, frame {i * step}") for i in chosen]), fps=max(fps, 1.0)
    )


def _solid(path: Path, count: int = 30_000) -> Any:
    """Gaussians on the surface of a 3D file."""
    from stereocast.splat.lift import object_gaussians

    try:
        import trimesh
    except ImportError as error:
        raise ExtraMissing(f"reading {path.suffix}", "4d") from error
    try:
        shape = trimesh.load(path, force="mesh" if path.suffix != ".ply" else None)
    except Exception as error:
        raise SourceError(f"{path} can't be read as a 3D object: {error}") from error
    if getattr(shape, "faces", None) is None or not len(shape.faces):
        points = np.asarray(getattr(shape, "vertices", np.zeros((0, 3))))
        if len(points) < 16:
            raise SourceError(f"{path}: it has no surface and fewer than 16 points")
        colours = np.asarray(getattr(shape, "colors", np.full((len(points), 4), 180)))[:, :3] / 255
        area = 1.0
    else:
        points, faces = trimesh.sample.sample_surface(shape, count, seed=0)[:2]
        visual = shape.visual.to_color() if hasattr(shape.visual, "to_color") else shape.visual
        colours = (
            np.asarray(visual.face_colors)[faces][:, :3] / 255
            if hasattr(visual, "face_colors")
            else np.full((len(points), 3), 0.7)
        )
        area = float(shape.area)
    return object_gaussians(np.asarray(points, np.float32), colours, float(np.sqrt(area / len(points))) * 0.7)
