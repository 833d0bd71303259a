"""The wiring of `stereocast 4d`: an object's pictures to a dynamic scene, and the scene to films and files.

Depth and synthesis of `convert` are replaced by splat's fit and render; packer and writer are the same.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stereocast import arrays, catalog, plan, planes, recipes, registry
from stereocast.errors import ExtraMissing, SinkError, SourceError, UsageError
from stereocast.media import probe, reader, writer
from stereocast.pack import layouts
from stereocast.pipeline import chain, prefetch
from stereocast.settings import ConvertSettings, FourDSettings
from stereocast.types import Array, Clip, Colour, Layout, PixelFormat, StereoClip, StreamInfo

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_OBJECTS = (".ply", ".glb", ".gltf", ".obj", ".stl")
_COLOUR = Colour(1, 1, 1)
Progress = Callable[[str, int, int], None]  # phase, done, total
RELIEF_NOTE = "relief: the front is what the picture shows; sides and back are guessed, not generated"


@dataclass(slots=True)
class Reconstructed:
    """What came out."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    gaussians: int = 0
    method: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """The object as it was read."""

    name: str
    frames: Array | None  # uint8 RGBA [T, H, W, 4]
    solid: Any = None  # splat Gaussians of a 3D object
    fps: float = 3.0  # of the matrix; a picture's idle motion lasts three seconds


def _need_torch() -> None:
    if not registry.Backend("", requires=("torch", "safetensors")).installed:
        raise ExtraMissing("stereocast 4d", "4d")


def read_subject(name: str, most: int) -> Subject:
    """Reads a picture, a folder of pictures, a film or a 3D object; at most `most` frames, evenly.

    Raises SourceError where there is no object to be found.
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
    if path.suffix.lower() in _OBJECTS:
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
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if image is None:
        raise SourceError(f"{path} is not an image that can be read, or it is damaged")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))
    return reader.read_image(str(path)).astype(np.uint8)


def _cut(image: Array, name: str) -> Array:
    """RGBA: the picture's own alpha, or the object in the middle. Raises SourceError."""
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
    try:  # keeps at most twice what is wanted, whatever the film's length
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
    return Subject(path.stem, np.stack([_cut(pictures[i], f"{path}, frame {i}") for i in chosen]), fps=max(fps, 1.0))


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
            raise SourceError(f"{path}: no surface and no points in it")
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


def reconstruct(
    source: str | None,
    output: Path | None,
    settings: FourDSettings,
    progress: Progress = lambda phase, done, total: None,
    *,
    prompt: str | None = None,
    views: Path | None = None,
    scene_file: Path | None = None,
) -> Reconstructed:
    """Makes a scene and writes what was asked for into a folder (default: NAME_4d beside the source).

    Raises UsageError, SourceError, SinkError, ExtraMissing, WeightsError.
    """
    _need_torch()
    given = [what for what in (source, prompt, scene_file) if what]
    if len(given) != 1:
        raise UsageError("give one of: a picture, a film, a folder or a 3D object; --prompt TEXT; --render FILE.4dgs")
    name = str(source or scene_file or re.sub(r"\W+", "_", prompt or "")[:40])
    folder = output or Path(name).resolve().parent / f"{Path(name).stem}_4d"
    if (
        folder.exists()
        and (folder / "scene.4dgs").exists()
        and not (settings.overwrite or settings.resume or scene_file)
    ):
        raise SinkError(f"{folder} holds a result already; use --overwrite to replace it, or -o for another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"the folder {folder} can't be made: {error.strerror}") from error
    result = Reconstructed(folder)
    device = arrays.choose_device(settings.device).name
    from stereocast.splat import scene as scenes

    if scene_file is not None:
        made = scenes.load(scene_file)
    else:
        made = _make(source, prompt, views, settings, folder, device, progress, result)
        scenes.save(made, folder / "scene.4dgs")
        scenes.write(scenes.ply_bytes(made.gaussians), folder / "scene.ply")
        result.files += [folder / "scene.4dgs", folder / "scene.ply"]
    result.gaussians, result.method = len(made.gaussians), made.info.method
    # an object is seen from all around: nothing is guessed
    whole = source is not None and Path(str(source)).suffix.lower() in _OBJECTS
    result.note = RELIEF_NOTE if made.info.method == "relief" and not whole else ""
    _write_sequence(made, settings, folder, result)
    _write_films(made, settings, folder, device, progress, result)
    return result


def _make(
    source: str | None, prompt: str | None, views: Path | None, settings: FourDSettings, folder: Path, device: str,
    progress: Progress, result: Reconstructed,
) -> Any:  # fmt: skip
    """The scene, by the model that was asked for or fits the machine."""
    model = settings.model
    if model == "auto":
        model = "diffusion2" if device.startswith("cuda") and _weights_there(settings) else "relief"
    if model == "diffusion2":
        return _generated(source, prompt, views, settings, folder, device, progress, result)
    if prompt is not None or views is not None:
        raise UsageError("--prompt and --views need --model diffusion2 (SVD and SV3D weights and a GPU)")
    from stereocast.splat import matrix as matrices
    from stereocast.splat import prepare, stage
    from stereocast.splat.lift import LiftSettings

    assert source is not None
    options = LiftSettings(
        settings.views or 13, settings.frames or 9, settings.matrix_size or 192, settings.elevation,
        reference_frame=None if settings.reference_frame < 0 else settings.reference_frame, seed=settings.seed,
    )  # fmt: skip
    progress("reading", 0, 1)
    subject = read_subject(source, settings.frames or 13)
    options = replace(options, fps=subject.fps)
    framed, depths = subject.solid, None
    if subject.frames is not None:
        box = prepare.bounding_box(subject.frames[..., 3], options.ratio)
        framed = np.stack([prepare.framed(frame, options.size, box=box) for frame in subject.frames])
        depths = _depths(framed)
    progress("reading", 1, 1)
    digest = hashlib.sha256(b"" if subject.frames is None else subject.frames.tobytes()).hexdigest()
    key = json.dumps([digest, str(source), repr(options), settings.iterations])
    work = stage.Work(folder / "work", key, settings.resume)
    progress("matrix", 0, 1)
    lifted = stage.lifted(framed, depths, options, work)
    progress("matrix", 1, 1)
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


def _generated(
    source: str | None, prompt: str | None, views: Path | None, settings: FourDSettings, folder: Path, device: str,
    progress: Progress, result: Reconstructed,
) -> Any:  # fmt: skip
    """Stage 1 by SVD and SV3D, then stage 2 with the paper's settings."""
    for package in ("diffusers", "transformers"):
        if not registry.Backend("", requires=(package,)).installed:
            raise ExtraMissing("--model diffusion2", "4d")
    from stereocast.diffusion.compose import OPTION_SETS
    from stereocast.models.weights import WeightStore, parse_paths
    from stereocast.splat import generate, stage
    from stereocast.splat import matrix as matrices
    from stereocast.splat.fit import Fit, FitSettings

    size = settings.matrix_size or 576
    options = generate.Stage1(
        settings.views or 21, settings.frames or 25, settings.steps, settings.elevation,
        OPTION_SETS[settings.option_set], clockwise=settings.clockwise, seed=settings.seed,
    )  # fmt: skip
    key = json.dumps([str(source), prompt, str(views), size, repr(options)])
    work = stage.Work(folder / "work", key, settings.resume)
    work.claim()
    kept = work.folder / "matrix"
    if (kept / "matrix.json").exists():
        made = matrices.load(kept)
    else:
        models = generate.load_models(WeightStore(parse_paths(settings.weights), settings.accept_licence), device)
        known: dict[str, Array] = {}
        if prompt is not None:
            rgba = generate.picture_from_text(prompt, device, settings.seed)[None]
        else:
            assert source is not None
            subject = read_subject(source, options.frames)
            if subject.frames is None:
                rgba = np.zeros((0, 1, 1, 4), np.uint8)
                known["ring"] = stage.ring_of(subject.solid, options.views, size, settings.elevation)
            else:
                rgba = subject.frames
        if len(rgba):
            known["image" if len(rgba) == 1 else "video"] = generate.square(rgba, size)[
                slice(None) if len(rgba) > 1 else 0
            ]
        if views is not None:
            pictures = read_subject(str(views), options.views).frames
            assert pictures is not None
            known["ring"] = generate.square(pictures, size)
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


def _weights_there(settings: FourDSettings) -> bool:
    try:
        from stereocast.models.weights import WeightStore, parse_paths
    except ImportError:
        return False
    store = WeightStore(parse_paths(settings.weights), settings.accept_licence)
    return store.has("svd-unet") and store.has("sv3d")


def _depths(framed: Array) -> Array | None:
    """Inverse depth float32 [T, S, S] of framed pictures by the default estimator."""
    from stereocast.splat import prepare

    count, size = framed.shape[:2]
    pictures = prepare.on_white(framed)
    info = StreamInfo(size, size, Fraction(1, 25), Fraction(25), PixelFormat.RGB24, frames=count)
    estimator = recipes.estimator(ConvertSettings(), info)
    clip = Clip(pictures, np.arange(count, dtype=np.int64))
    maps = [depth.values for _, depth in estimator(iter([clip]))]
    values = np.concatenate(maps) if maps else np.zeros((0, 1, 1), np.float32)
    if len(values) != count:
        return None
    return np.stack(
        [cv2.resize(np.asarray(v, np.float32), (size, size), interpolation=cv2.INTER_LINEAR) for v in values]
    )


def _write_sequence(made: Any, settings: FourDSettings, folder: Path, result: Reconstructed) -> None:
    if settings.sequence == "none":
        return
    from stereocast.splat import scene as scenes

    target = folder / f"{settings.sequence}_sequence"
    target.mkdir(exist_ok=True)
    count = max(made.info.frames, 1)
    for f in range(count):
        moment = made.at(f / (count - 1) if count > 1 else 0.0)
        data = scenes.ply_bytes(moment) if settings.sequence == "ply" else scenes.splat_bytes(moment)
        scenes.write(data, target / f"frame_{f:03d}.{settings.sequence}")
    result.files.append(target)


def _write_films(
    made: Any, settings: FourDSettings, folder: Path, device: str, progress: Progress, result: Reconstructed
) -> None:
    from stereocast.splat import render

    count = max(2, round(settings.seconds * settings.rate))
    rig = render.Rig(settings.ipd_mm / 1000, made.info.radius_m)
    slow = max(1, round(settings.rate / made.info.fps))
    device = "cpu" if device == "mps" else device
    if settings.orbit:
        clips = render.stereo_clips(made, render.orbit(made, settings.size, count, slow=slow), rig, device)
        _write_films_of(
            clips, count, {"orbit": Layout.LEFT, "orbit_stereo": settings.format}, settings, folder, progress, result
        )
    if settings.fixed_view:
        clips = render.stereo_clips(made, render.fixed(made, settings.size, count, slow=slow), rig, device)
        _write_films_of(clips, count, {"view_stereo": settings.format}, settings, folder, progress, result)


def _write_films_of(
    clips: Iterator[StereoClip], count: int, layouts: dict[str, Layout], settings: FourDSettings, folder: Path,
    progress: Progress, result: Reconstructed,
) -> None:  # fmt: skip
    """Writes one rendering into a film for each title and layout (the plain turntable is the left eye of the other)."""
    rate = Fraction(settings.rate)
    with ExitStack() as stack:
        outputs = []
        for title, layout in layouts.items():
            made, pack, sink = _open_film(folder / f"{title}.mp4", layout, count, rate, settings)
            stack.callback(sink.close)
            outputs.append((made, pack, sink))
        pixel_format = outputs[0][0].packed.pixel_format
        done = 0
        with chain(clips, lambda items: _as_planes(items, pixel_format), prefetch) as ready:
            for clip in ready:
                for _, pack, sink in outputs:
                    for packed in pack(iter([clip])):
                        sink.write(packed)
                done += len(clip)
                progress(" and ".join(layouts), done, count)
        for made, _, sink in outputs:
            sink.finish()
            result.files += list(made.outputs)


def _open_film(
    path: Path, layout: Layout, count: int, rate: Fraction, settings: FourDSettings
) -> tuple[plan.Plan, Any, Any]:
    """The plan, the packer and the open sink of one film. Raises LimitExceeded, SinkError."""
    options = ConvertSettings(
        format=layout, anaglyph=settings.anaglyph, preset=settings.preset, encoder=settings.encoder,
        quality=settings.quality, overwrite=True, fov=33.8 if layout is Layout.VR180 else None,
    )  # fmt: skip
    preset, form = catalog.preset(settings.preset), plan.stereo_format(options)
    info = StreamInfo(settings.size, settings.size, 1 / rate, rate, colour=_COLOUR, frames=count)
    profile = plan.choose_encoder(options, preset, info)
    info = replace(info, pixel_format=profile.pixel_format)
    pack = recipes.packer(options, info)
    packed = plan.packed_info(info, form, pack.shape(info.height, info.width), profile.pixel_format)
    if layout is not Layout.LEFT:
        path = path.with_name(f"{path.stem}{layouts.suffix(form)}{path.suffix}")
    made = plan.Plan(str(path), path, options, preset, form, info, packed, "mp4", profile)
    plan.check_limits(made)
    how = writer.SinkOptions(packed, profile, "mp4", settings.quality, plan.tags(made), plan.finisher(made))
    sinks = [writer.VideoSink(out, how) for out in made.outputs]
    return made, pack, writer.PairSink(*sinks) if len(sinks) == 2 else sinks[0]


def _as_planes(clips: Iterator[StereoClip], pixel_format: PixelFormat) -> Iterator[StereoClip]:
    """RGB clips in the encoder's format."""
    for clip in clips:
        left, right = (
            np.stack([planes.from_rgb(image / np.float32(255), pixel_format, _COLOUR) for image in eye])
            for eye in (clip.left, clip.right)
        )
        yield replace(clip, left=left, right=right, pixel_format=pixel_format, colour=_COLOUR)
