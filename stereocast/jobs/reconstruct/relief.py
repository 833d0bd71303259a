"""`4d --model relief`: the visible side from the picture and its depth, the rest guessed."""

import hashlib
import json
import shutil
from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from stereocast import registry
from stereocast.errors import UsageError
from stereocast.jobs import assembly
from stereocast.jobs.reconstruct import subject
from stereocast.jobs.reconstruct.order import Order, Reconstructed
from stereocast.media import reader
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.settings import EstimatorSettings
from stereocast.types import Array, Clip, PixelFormat, StreamInfo

NOTE = "relief: the front is what the picture shows; sides and back are guessed, not generated"
_FINEST = 512  # largest side of the pictures that a relief is made from


def lifted(order: Order, device: str, result: Reconstructed, progress: OnProgress) -> Any:
    """Makes the scene (splat.scene.Scene). Raises UsageError, SourceError."""
    if order.prompt is not None or order.views is not None:
        raise UsageError("--prompt and --views-dir need --model diffusion2 (SVD and SV3D weights and a GPU)")
    if order.settings.ranks > 1:
        raise UsageError(f"--ranks {order.settings.ranks}: needs --model diffusion2; relief uses a single process")
    from stereocast.splat import matrix as matrices
    from stereocast.splat import prepare, stage
    from stereocast.splat.lift import LiftSettings

    source, settings = order.source, order.settings
    if not device.startswith("cuda") or not registry.Backend("", requires=("gsplat",)).installed:
        device = "cpu"
    assert source is not None
    options = LiftSettings(
        settings.views or 13, settings.frames or 9, settings.matrix_size or 192,
        max(settings.matrix_size or 192, min(settings.size, _FINEST)), settings.elevation,
        reference_frame=None if settings.reference_frame < 0 else settings.reference_frame, seed=settings.seed,
    )  # fmt: skip
    progress(Progress("reading", 0, 1))
    given = subject.read(source, settings.frames or 13)
    options = replace(options, fps=given.fps)
    framed, depths = given.solid, None
    if given.frames is not None:
        box = prepare.bounding_box(given.frames[..., 3], options.ratio)
        framed = np.stack([prepare.framed(frame, options.fine, box=box) for frame in given.frames])
        depths = _depths(framed)
    progress(Progress("reading", 1, 1))
    digest = _digest(given)
    key = json.dumps([digest, str(source), repr(options), settings.iterations])
    result.make()
    folder = result.folder
    work = stage.Work(folder / "work", key, settings.resume)
    progress(Progress("matrix", 0, 1))
    made = stage.lifted(framed, depths, options, work)
    progress(Progress("matrix", 1, 1))
    writer_image = matrices.contact_sheet(made.matrix)
    reader.write_image(folder / "matrix.png", writer_image)
    result.files.append(folder / "matrix.png")
    fitted = stage.reconstruct(
        made, stage.relief_fit(settings.iterations or _iterations(made.matrix), device, settings.seed), work, progress
    )
    if settings.keep_matrix:
        matrices.save(made.matrix, folder / "matrix")
        result.files.append(folder / "matrix")
    shutil.rmtree(work.folder, ignore_errors=True)
    return fitted


def _digest(given: Any) -> str:
    """What was read: pictures, or places and colours of a 3D object."""
    arrays = [given.frames] if given.solid is None else [t.numpy() for t in given.solid.tensors().values()]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _iterations(matrix: Any) -> int:
    """Reconstruction steps: fewer for a loop, our own idle motion with exact tracks, than for a video with estimated ones."""
    return 100 if matrix.info.loop else 500


def _depths(framed: Array) -> Array | None:
    """Inverse depth float32 [T, S, S] of framed pictures by the default estimator; None where it skips frames."""
    from stereocast.splat import prepare

    count, size = framed.shape[:2]
    pictures = prepare.on_white(framed)
    info = StreamInfo(size, size, Fraction(1, 25), Fraction(25), PixelFormat.RGB24, frames=count)
    estimator = assembly.estimator(EstimatorSettings(), info)
    clip = Clip(pictures, np.arange(count, dtype=np.int64))
    maps = [depth.values for _, depth in estimator(iter([clip]))]
    values = np.concatenate(maps) if maps else np.zeros((0, 1, 1), np.float32)
    if len(values) != count:
        return None
    return np.stack(
        [cv2.resize(np.asarray(v, np.float32), (size, size), interpolation=cv2.INTER_LINEAR) for v in values]
    )
