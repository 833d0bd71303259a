"""`4d`: makes a scene from pictures of an object, and files and films from the scene; packer and sink are the same as in
every job."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stereocast.errors import SourceError
from stereocast.jobs import assembly
from stereocast.jobs.reconstruct import bill, crew, films, generated, order, relief, subject
from stereocast.jobs.reconstruct.order import Order, Reconstructed
from stereocast.pictures import devices
from stereocast.pipeline.chain import chain, prefetch
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.settings import FourDSettings

__all__ = ["Order", "Reconstructed", "reconstruct"]


def reconstruct(wanted: Order, output: Path | None, progress: OnProgress = silent) -> Reconstructed:
    """Makes a scene from pictures of an object, a prompt or an existing scene, and writes its files and films to a folder
    (by default NAME_4d in the source's folder). Raises StereocastError."""
    rank, count = crew.torchrun_rank()
    with crew.heed_torchrun():
        if rank > 0:
            crew.help_out(rank, count, crew.device_of(rank, devices.choose_device(wanted.settings.device).name))
            return Reconstructed(Path(), helped=True)
        return _made(wanted, output, progress)


def _made(wanted: Order, output: Path | None, progress: OnProgress) -> Reconstructed:
    result = order.place(wanted, output)
    try:
        scene = _scene_of(wanted, result, progress)
        result.make()
        _write_scene(scene, wanted, result)
        _write_films(scene, wanted, result, progress)
    except BaseException:
        result.give_up()
        raise
    return result


def cost(wanted: Order, output: Path | None) -> dict[str, Any]:
    """The work, memory and time that `reconstruct` would take (jobs.reconstruct.bill). Writes nothing.

    Empty in all processes of torchrun but the first. Raises UsageError, SinkError, SourceError, ExtraMissing.
    """
    if crew.torchrun_rank()[0] > 0:
        return {}
    order.place(wanted, output)
    for path in (wanted.source, wanted.views, wanted.scene_file):
        if path is not None and not Path(path).exists():
            raise SourceError(f"no such file or folder: {path}")
    device = devices.choose_device(wanted.settings.device).name
    return bill.bill(wanted, _model(wanted, device), device)


def _model(wanted: Order, device: str) -> str:
    if wanted.scene_file is not None:
        return "scene"
    model = wanted.settings.model
    if model != "auto":
        return model
    return "diffusion2" if device.startswith("cuda") and _weights_there(wanted.settings) else "relief"


def _scene_of(wanted: Order, result: Reconstructed, progress: OnProgress) -> Any:
    """The scene: loaded, or made by the chosen model or the one that fits the machine. Raises UsageError, SourceError,
    WeightsError."""
    from stereocast.splat import scene as scenes

    device = devices.choose_device(wanted.settings.device).name
    with ExitStack() as stack:
        workers = crew.Crew.of(wanted.settings.ranks, device)
        stack.callback(workers.close)
        if _model(wanted, device) == "diffusion2":
            return generated.generated(wanted, workers, result, progress)
        workers.send_home()
        if wanted.scene_file is not None:
            return scenes.load(wanted.scene_file)
        return relief.lifted(wanted, device, result, progress)


def _weights_there(settings: FourDSettings) -> bool:
    try:
        from stereocast.models.weights import WeightStore
    except ImportError:
        return False
    store = WeightStore.of(settings, "svd")
    return store.has("svd-unet") and store.has("sv3d")


def _write_scene(made: Any, wanted: Order, result: Reconstructed) -> None:
    """Writes the scene's files and describes the scene in `result`."""
    from stereocast.splat import scene as scenes

    if wanted.scene_file is None:
        scenes.save(made, result.folder / "scene.4dgs")
        scenes.write(scenes.ply_bytes(made.gaussians), result.folder / "scene.ply")
        result.files += [result.folder / "scene.4dgs", result.folder / "scene.ply"]
    result.gaussians, result.method = len(made.gaussians), made.info.method
    # a 3D object is known from all sides, so nothing is guessed
    whole = wanted.source is not None and Path(wanted.source).suffix.lower() in subject.OBJECTS
    result.note = relief.NOTE if made.info.method == "relief" and not whole else ""
    if wanted.settings.sequence == "none":
        return
    kind, count = wanted.settings.sequence, max(made.info.frames, 1)
    target = result.folder / f"{kind}_sequence"
    target.mkdir(exist_ok=True)
    for old in target.glob(f"frame_*.{kind}"):
        old.unlink()
    for f in range(count):
        moment = made.at(f / (count - 1) if count > 1 else 0.0)
        data = scenes.ply_bytes(moment) if kind == "ply" else scenes.splat_bytes(moment)
        scenes.write(data, target / f"frame_{f:03d}.{kind}")
    result.files.append(target)


def _write_films(scene: Any, wanted: Order, result: Reconstructed, progress: OnProgress) -> None:
    settings = wanted.settings
    for titles, clips, count in films.films(scene, settings):
        with ExitStack() as stack:
            plans = [films.film_plan(result.folder, *title, settings, count) for title in titles.items()]
            sinks = [assembly.sink(made) for made in plans]
            for sink in sinks:
                stack.callback(sink.close)
            packers = [assembly.packer(made.settings, made.info) for made in plans]
            with chain(clips, films.as_planes(plans[0].info.pixel_format), prefetch) as ready:
                for clip in ready:
                    for packer, sink in zip(packers, sinks, strict=True):
                        for packed in packer(iter([clip])):
                            sink.write(packed)
                    progress(Progress(" and ".join(titles), sinks[0].frames, count))
            for made, sink in zip(plans, sinks, strict=True):
                sink.finish()
                result.files += list(made.outputs)
