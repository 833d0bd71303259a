"""What takes the place of depth and synthesis in `stereocast 4d`: an object's pictures to a dynamic scene, its
renderings, and how each film of them is packed."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stereocast import catalog, registry
from stereocast.errors import ExtraMissing, SinkError, UsageError
from stereocast.jobs import assembly, plan, written
from stereocast.jobs.reconstruct import subject
from stereocast.media import reader
from stereocast.pack import layouts
from stereocast.pictures import devices, planes
from stereocast.pipeline.progress import OnProgress, Progress
from stereocast.settings import EstimatorSettings, FourDSettings, OutputSettings
from stereocast.types import Array, Clip, Colour, Layout, PixelFormat, StereoClip, StereoFormat, StreamInfo

_COLOUR = Colour(1, 1, 1)
RELIEF_NOTE = "relief: the front is what the picture shows; sides and back are guessed, not generated"


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    source: str | None
    prompt: str | None = None
    views: Path | None = None
    scene_file: Path | None = None
    settings: FourDSettings = field(default_factory=FourDSettings)


@dataclass(slots=True)
class Reconstructed:
    """What came out."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    gaussians: int = 0
    method: str = ""
    note: str = ""


def _need_torch() -> None:
    if not registry.Backend("", requires=("torch", "safetensors")).installed:
        raise ExtraMissing("stereocast 4d", "4d")


def open_folder(order: Order, output: Path | None) -> Reconstructed:
    """The result's folder, made. Raises UsageError, SinkError, ExtraMissing."""
    _need_torch()
    given = [what for what in (order.source, order.prompt, order.scene_file) if what]
    if len(given) != 1:
        raise UsageError("give one of: a picture, a film, a folder or a 3D object; --prompt TEXT; --render FILE.4dgs")
    name = str(order.source or order.scene_file or re.sub(r"\W+", "_", order.prompt or "")[:40])
    folder = output or Path(name).resolve().parent / f"{Path(name).stem}_4d"
    replacing = order.settings.overwrite or order.settings.resume or order.scene_file is not None
    if (folder / "scene.4dgs").exists() and not replacing:
        raise SinkError(f"{folder} holds a result already; use --overwrite to replace it, or -o for another folder")
    read = written.inputs([str(name) for name in (order.source, order.scene_file, order.views) if name])
    suffix = layouts.suffix(StereoFormat(order.settings.format, anaglyph=order.settings.anaglyph))
    titles = ["orbit.mp4", f"orbit_stereo{suffix}.mp4", f"view_stereo{suffix}.mp4"]
    writes = written.of_reconstruction(folder, titles)
    if order.scene_file is not None:  # the scene is read, not written
        writes = [write for write in writes if write.path.suffix == ".mp4"]
    written.check(writes, read, overwrite=replacing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"the folder {folder} can't be made: {error.strerror}") from error
    return Reconstructed(folder)


def scene_of(order: Order, result: Reconstructed, progress: OnProgress) -> Any:
    """The scene: loaded, or made by the model that was asked for or fits the machine. Raises UsageError, SourceError,
    WeightsError."""
    from stereocast.splat import scene as scenes

    if order.scene_file is not None:
        return scenes.load(order.scene_file)
    device, model = devices.choose_device(order.settings.device).name, order.settings.model
    if model == "auto":
        model = "diffusion2" if device.startswith("cuda") and _weights_there(order.settings) else "relief"
    if model == "diffusion2":
        return _generated(order, device, result, progress)
    if order.prompt is not None or order.views is not None:
        raise UsageError("--prompt and --views need --model diffusion2 (SVD and SV3D weights and a GPU)")
    return _lifted(order, result, progress)


def write_scene(made: Any, order: Order, result: Reconstructed) -> None:
    """Writes the scene's files and notes what it is."""
    from stereocast.splat import scene as scenes

    if order.scene_file is None:
        scenes.save(made, result.folder / "scene.4dgs")
        scenes.write(scenes.ply_bytes(made.gaussians), result.folder / "scene.ply")
        result.files += [result.folder / "scene.4dgs", result.folder / "scene.ply"]
    result.gaussians, result.method = len(made.gaussians), made.info.method
    # an object is seen from all around: nothing is guessed
    whole = order.source is not None and Path(order.source).suffix.lower() in subject.OBJECTS
    result.note = RELIEF_NOTE if made.info.method == "relief" and not whole else ""
    if order.settings.sequence == "none":
        return
    kind, count = order.settings.sequence, max(made.info.frames, 1)
    target = result.folder / f"{kind}_sequence"
    target.mkdir(exist_ok=True)
    for f in range(count):
        moment = made.at(f / (count - 1) if count > 1 else 0.0)
        data = scenes.ply_bytes(moment) if kind == "ply" else scenes.splat_bytes(moment)
        scenes.write(data, target / f"frame_{f:03d}.{kind}")
    result.files.append(target)


def _lifted(order: Order, result: Reconstructed, progress: OnProgress) -> Any:
    """A relief: what the picture shows, its depth, and a guess behind it."""
    from stereocast.splat import matrix as matrices
    from stereocast.splat import prepare, stage
    from stereocast.splat.lift import LiftSettings

    source, settings, folder = order.source, order.settings, result.folder
    assert source is not None
    options = LiftSettings(
        settings.views or 13, settings.frames or 9, settings.matrix_size or 192, settings.elevation,
        reference_frame=None if settings.reference_frame < 0 else settings.reference_frame, seed=settings.seed,
    )  # fmt: skip
    progress(Progress("reading", 0, 1))
    given = subject.read(source, settings.frames or 13)
    options = replace(options, fps=given.fps)
    framed, depths = given.solid, None
    if given.frames is not None:
        box = prepare.bounding_box(given.frames[..., 3], options.ratio)
        framed = np.stack([prepare.framed(frame, options.size, box=box) for frame in given.frames])
        depths = _depths(framed)
    progress(Progress("reading", 1, 1))
    digest = hashlib.sha256(b"" if given.frames is None else given.frames.tobytes()).hexdigest()
    key = json.dumps([digest, str(source), repr(options), settings.iterations])
    work = stage.Work(folder / "work", key, settings.resume)
    progress(Progress("matrix", 0, 1))
    lifted = stage.lifted(framed, depths, options, work)
    progress(Progress("matrix", 1, 1))
    writer_image = matrices.contact_sheet(lifted.matrix)
    reader.write_image(folder / "matrix.png", writer_image)
    result.files.append(folder / "matrix.png")
    fitted = stage.reconstruct(
        lifted, stage.relief_fit(settings.iterations or 900, "cpu", settings.seed), work, progress
    )
    if settings.keep_matrix:
        shutil.copytree(work.folder / "matrix", folder / "matrix", dirs_exist_ok=True)
        result.files.append(folder / "matrix")
    shutil.rmtree(work.folder, ignore_errors=True)
    return fitted


def _generated(order: Order, device: str, result: Reconstructed, progress: OnProgress) -> Any:
    """Stage 1 by SVD and SV3D, then stage 2 with the paper's settings."""
    if not registry.Backend("", "diffusion").installed:
        raise ExtraMissing("--model diffusion2", "4d")
    from stereocast.diffusion.compose import OPTION_SETS
    from stereocast.models.weights import WeightStore
    from stereocast.splat import generate, stage
    from stereocast.splat import matrix as matrices
    from stereocast.splat.fit import Fit, FitSettings

    settings, folder = order.settings, result.folder
    size = settings.matrix_size or 576
    options = generate.Stage1(
        settings.views or 21, settings.frames or 25, settings.steps, settings.elevation,
        OPTION_SETS[settings.option_set], clockwise=settings.clockwise, seed=settings.seed,
    )  # fmt: skip
    key = json.dumps([order.source, order.prompt, str(order.views), size, repr(options)])
    work = stage.Work(folder / "work", key, settings.resume)
    work.claim()
    kept = work.folder / "matrix"
    if (kept / "matrix.json").exists():
        made = matrices.load(kept)
    else:
        models = generate.load_models(WeightStore.of(settings), device)
        known = _known_pictures(order, options.frames, options.views, size, device)
        made = generate.stage1(models, options, progress, **known)
        del models
        matrices.save(made, kept)
    reader.write_image(folder / "matrix.png", matrices.contact_sheet(made))
    result.files.append(folder / "matrix.png")
    on = "cuda" if device.startswith("cuda") else "cpu"
    count = settings.iterations or 5000
    fit = FitSettings(count, count * 3 // 5, device=device if on == "cuda" else "cpu", seed=settings.seed)
    fitted = Fit(made, fit).run(work.checkpoint, progress)
    if settings.keep_matrix:
        shutil.copytree(kept, folder / "matrix", dirs_exist_ok=True)
        result.files.append(folder / "matrix")
    shutil.rmtree(work.folder, ignore_errors=True)
    return fitted


def _known_pictures(order: Order, frames: int, views: int, size: int, device: str) -> dict[str, Array]:
    """What stage 1 is given: `image`, `video` or `ring`, uint8 RGB on white."""
    from stereocast.splat import generate, stage

    settings = order.settings
    known: dict[str, Array] = {}
    if order.prompt is not None:
        rgba = generate.picture_from_text(order.prompt, device, settings.seed)[None]
    else:
        assert order.source is not None
        given = subject.read(order.source, frames)
        if given.frames is None:
            rgba = np.zeros((0, 1, 1, 4), np.uint8)
            known["ring"] = stage.ring_of(given.solid, views, size, settings.elevation)
        else:
            rgba = given.frames
    if len(rgba):
        known["image" if len(rgba) == 1 else "video"] = generate.square(rgba, size)[slice(None) if len(rgba) > 1 else 0]
    if order.views is not None:
        pictures = subject.read(str(order.views), views).frames
        assert pictures is not None
        known["ring"] = generate.square(pictures, size)
    return known


def _weights_there(settings: FourDSettings) -> bool:
    try:
        from stereocast.models.weights import WeightStore
    except ImportError:
        return False
    store = WeightStore.of(settings)
    return store.has("svd-unet") and store.has("sv3d")


def _depths(framed: Array) -> Array | None:
    """Inverse depth float32 [T, S, S] of framed pictures by the default estimator."""
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


def films(made: Any, settings: FourDSettings) -> Iterator[tuple[dict[str, Layout], Iterator[StereoClip], int]]:
    """The renderings that were asked for: the films that come of each (title and layout), RGB clips, frames."""
    from stereocast.splat import render

    device = devices.choose_device(settings.device).name
    device = "cpu" if device == "mps" else device
    count = max(2, round(settings.seconds * settings.rate))
    rig = render.Rig(settings.ipd_mm / 1000, made.info.radius_m)
    slow = max(1, round(settings.rate / made.info.fps))
    if settings.orbit:  # the plain turntable is the left eye of the other
        moments = render.orbit(made, settings.size, count, slow=slow)
        titles = {"orbit": Layout.LEFT, "orbit_stereo": settings.format}
        yield titles, render.stereo_clips(made, moments, rig, device), count
    if settings.fixed_view:
        moments = render.fixed(made, settings.size, count, slow=slow)
        yield {"view_stereo": settings.format}, render.stereo_clips(made, moments, rig, device), count


def film_plan(folder: Path, title: str, layout: Layout, settings: FourDSettings, count: int) -> plan.Plan:
    """How one film is packed and written. Raises LimitExceeded."""
    options = OutputSettings(
        format=layout, anaglyph=settings.anaglyph, preset=settings.preset, encoder=settings.encoder,
        quality=settings.constant_quality, fov=33.8 if layout is Layout.VR180 else None,
    )  # fmt: skip
    preset, form, rate = catalog.preset(settings.preset), plan.stereo_format(options), Fraction(settings.rate)
    info = StreamInfo(settings.size, settings.size, 1 / rate, rate, colour=_COLOUR, frames=count)
    profile = plan.choose_encoder(options, preset, info)
    info = replace(info, pixel_format=profile.pixel_format)
    shape = assembly.packer(options, info).shape(info.height, info.width)
    packed = plan.packed_info(info, form, shape, profile.pixel_format)
    path = folder / f"{title}{'' if layout is Layout.LEFT else layouts.suffix(form)}.mp4"
    made = plan.Plan(str(path), path, options, preset, form, info, packed, "mp4", profile)
    plan.check_limits(made)
    return made


def as_planes(pixel_format: PixelFormat) -> Callable[[Iterator[StereoClip]], Iterator[StereoClip]]:
    """A stage: RGB clips in the encoder's format."""

    def stage(clips: Iterator[StereoClip]) -> Iterator[StereoClip]:
        for clip in clips:
            left, right = (
                np.stack([planes.from_rgb(image / np.float32(255), pixel_format, _COLOUR) for image in eye])
                for eye in (clip.left, clip.right)
            )
            yield replace(clip, left=left, right=right, pixel_format=pixel_format, colour=_COLOUR)

    return stage
