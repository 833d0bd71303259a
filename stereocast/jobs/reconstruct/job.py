"""`4d`: an object's pictures to a scene, and the scene to files and films; packer and sink are those of every job."""

from contextlib import ExitStack
from pathlib import Path

from stereocast.jobs import assembly
from stereocast.jobs.reconstruct import steps
from stereocast.jobs.reconstruct.steps import Order, Reconstructed
from stereocast.pipeline.chain import chain, prefetch
from stereocast.pipeline.progress import OnProgress, Progress, silent

__all__ = ["Order", "Reconstructed", "reconstruct"]


def reconstruct(order: Order, output: Path | None, progress: OnProgress = silent) -> Reconstructed:
    """An object's pictures (or a prompt, or a scene made before) to a scene, and that to files and films, in a folder
    (NAME_4d beside the source). Raises StereocastError."""
    settings = order.settings
    result = steps.open_folder(order, output)
    scene = steps.scene_of(order, result, progress)
    steps.write_scene(scene, order, result)
    for titles, clips, count in steps.films(scene, settings):
        with ExitStack() as stack:
            plans = [steps.film_plan(result.folder, *title, settings, count) for title in titles.items()]
            sinks = [assembly.sink(made) for made in plans]
            for sink in sinks:
                stack.callback(sink.close)
            packers = [assembly.packer(made.settings, made.info) for made in plans]
            with chain(clips, steps.as_planes(plans[0].info.pixel_format), prefetch) as ready:
                for clip in ready:
                    for packer, sink in zip(packers, sinks, strict=True):
                        for packed in packer(iter([clip])):
                            sink.write(packed)
                    progress(Progress(" and ".join(titles), sinks[0].frames, count))
            for made, sink in zip(plans, sinks, strict=True):
                sink.finish()
                result.files += list(made.outputs)
    return result
