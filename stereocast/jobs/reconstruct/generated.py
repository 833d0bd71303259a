"""`4d --model diffusion2`: reads the object, runs stage 1 with SVD and SV3D, and stage 2 with the paper's settings."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from stereocast import registry
from stereocast.errors import ExtraMissing, UsageError
from stereocast.jobs.reconstruct import subject
from stereocast.jobs.reconstruct.crew import Brief, Crew
from stereocast.jobs.reconstruct.order import Order, Reconstructed
from stereocast.media import reader
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.settings import FourDSettings
from stereocast.types import Array


def require(order: Order) -> Any:
    """The weight store of an order. Raises ExtraMissing, WeightsError, LicenceNotAccepted, UsageError."""
    if not registry.Backend("", "diffusion").installed:
        raise ExtraMissing("--model diffusion2", "4d")
    from stereocast.models import shelf
    from stereocast.models.weights import WeightStore
    from stereocast.splat import networks

    store = WeightStore.of(order.settings, "svd")
    wanted = list(networks.NAMES)
    if order.prompt is not None:
        if shelf.find(order.settings.text_model).family != shelf.TEXT_TO_IMAGE:
            raise UsageError(
                f"--text-model {order.settings.text_model} is not a text-to-image model; use one of "
                f"{', '.join(entry.name for entry in shelf.SHELF.values() if entry.family == shelf.TEXT_TO_IMAGE)}"
            )
        wanted.append(order.settings.text_model)
    for name in wanted:
        store.require(name)
    return store


def known_of(order: Order) -> Any:
    """The input of stage 1 (splat.generate.Known); still empty for a prompt. Raises SourceError, UsageError."""
    from stereocast.splat import generate, stage

    settings, known = order.settings, generate.Known()
    size = settings.matrix_size or 576
    if order.source is not None:
        given = subject.read(order.source, settings.frames or 25)
        if given.frames is None:
            ring, alpha = stage.ring_of(given.solid, settings.views or 21, size, settings.elevation)
            known = replace(known, ring=ring, ring_alpha=alpha)
        else:
            known = _framed(known, given.frames, size, given.fps)
    if order.views is not None:
        pictures = subject.read(str(order.views), 200).frames
        if pictures is None or len(pictures) < 2:
            raise UsageError(f"--views-dir {order.views} does not contain a ring of pictures")
        ring, alpha = generate.square(pictures, size)
        known = replace(known, ring=ring, ring_alpha=alpha)
    return known


def _framed(known: Any, rgba: Array, size: int, fps: float | None) -> Any:
    from stereocast.splat import generate

    pictures, alpha = generate.square(rgba, size)
    if len(rgba) == 1:
        return replace(known, image=pictures[0], alpha=alpha[0])
    return replace(known, video=pictures, alpha=alpha, fps=fps)


def options_of(settings: FourDSettings) -> Any:
    """The options of stage 1 (splat.generate.Stage1): the given ones, otherwise those of the option set."""
    from stereocast.diffusion.compose import OPTION_SETS
    from stereocast.splat import generate

    given: dict[str, Any] = {
        "s": settings.share, "s_min": settings.share_end, "curve": settings.share_curve, "renoise": settings.renoise,
        "rollback_steps": settings.rollback_steps, "view_weights": settings.view_weights,
    }  # fmt: skip
    choices = replace(OPTION_SETS[settings.option_set], **{k: v for k, v in given.items() if v is not None})
    return generate.Stage1(
        settings.views or 21, settings.frames or 25, settings.steps, settings.elevation, choices,
        settings.fps_id, settings.motion_bucket, settings.clockwise, settings.seed,
    )  # fmt: skip


def key_of(order: Order, known: Any, options: Any) -> str:
    """The key of a saved matrix: a hash of its input's content, not of file names, and the options."""
    digest = hashlib.sha256()
    for name in ("image", "video", "ring", "alpha", "ring_alpha"):
        array = getattr(known, name)
        digest.update(name.encode() + (b"-" if array is None else str(array.shape).encode() + array.tobytes()))
    settings = order.settings
    text = [order.prompt, settings.text_model] if order.prompt is not None else None
    return json.dumps([digest.hexdigest(), text, settings.matrix_size or 576, settings.precision, repr(options)])


def generated(order: Order, crew: Crew, result: Reconstructed, progress: OnProgress) -> Any:
    """Makes the scene. Inputs and weights are checked first; every part of stage 1 is saved in the result's folder until
    the scene is complete. Raises StereocastError."""
    from stereocast.splat import matrix as matrices
    from stereocast.splat import stage
    from stereocast.splat.fit import Fit, FitSettings

    store = require(order)
    progress(Progress("reading", 0, 1))
    known = known_of(order)
    progress(Progress("reading", 1, 1))
    options, settings = options_of(order.settings), order.settings
    result.make()
    work = stage.Work(result.folder / "work", key_of(order, known, options), settings.resume)
    work.claim()
    kept = work.folder / "matrix"
    if (kept / "matrix.json").exists():
        made = matrices.load(kept)
        crew.send_home()
    else:
        if order.prompt is not None:
            known = _from_text(order, store, crew.device, known, work, result, progress)
        made = _matrix(known, options, store, crew, work, settings.precision, progress)
        matrices.save(made, kept)
        work.keep.drop()
    reader.write_image(result.folder / "matrix.png", matrices.contact_sheet(made))
    result.files.append(result.folder / "matrix.png")
    count = settings.iterations or 5000
    device = crew.device if crew.device.startswith("cuda") else "cpu"
    fit = FitSettings(
        count, round(count * settings.warm_up), decoupled=settings.decoupled, device=device, seed=settings.seed
    )
    if not settings.decoupled:
        fit = replace(fit, canonical_rate=1.0)
    fitted = Fit(made, fit).run(work.checkpoint, progress)
    if settings.keep_matrix:
        matrices.save(made, result.folder / "matrix")
        result.files.append(result.folder / "matrix")
    shutil.rmtree(work.folder, ignore_errors=True)
    return fitted


def _matrix(known: Any, options: Any, store: Any, crew: Crew, work: Any, precision: str, progress: OnProgress) -> Any:
    from stereocast.splat import generate, networks

    paths: dict[str, Path] = {name: store.path(name) for name in networks.NAMES}
    with crew.at_work(Brief(options, known, paths, precision)) as ranks:
        models = networks.load_models(store, crew.device, precision)
        return generate.stage1(models, options, progress, known, ranks=ranks, keep=work.keep)


def _from_text(
    order: Order, store: Any, device: str, known: Any, work: Any, result: Reconstructed, progress: OnProgress
) -> Any:
    from stereocast.splat import prepare, text

    assert order.prompt is not None
    settings = order.settings
    table = work.keep.load("picture")
    if table is None:
        progress(Progress("picture", 0, 1))
        rgba = text.picture(order.prompt, store, settings.text_model, device, settings.precision, settings.seed)
        work.keep.save("picture", rgba=rgba)
        progress(Progress("picture", 1, 1))
    else:
        rgba = table["rgba"]
    reader.write_image(result.folder / "picture.png", prepare.on_white(rgba))
    result.files.append(result.folder / "picture.png")
    return _framed(known, rgba[None], settings.matrix_size or 576, None)
