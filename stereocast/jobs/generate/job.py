"""`gen`: pairs of pictures replace reading, depth and synthesis; packer and sink are the same as in every job."""

from contextlib import ExitStack
from pathlib import Path

from stereocast.jobs import assembly
from stereocast.jobs.generate import pairs
from stereocast.jobs.generate.pairs import Generated
from stereocast.pipeline.chain import chain
from stereocast.pipeline.progress import OnProgress, Progress, silent
from stereocast.settings import GenSettings

__all__ = ["Generated", "generate"]


def generate(name: str, output: Path | str | None, settings: GenSettings, progress: OnProgress = silent) -> Generated:
    """A picture to a stereo clip. Raises StereocastError."""
    made, film = pairs.prepare(name, output, settings, progress)
    with ExitStack() as stack:
        sink = assembly.sink(made)
        stack.callback(sink.close)
        packer = assembly.packer(settings, made.info)
        with chain(pairs.clips(film, made.info.pixel_format), packer) as clips:
            for clip in clips:
                sink.write(clip)
                progress(Progress("writing", sink.frames, film.frames))
        sink.finish()
    return Generated(made, sink.frames, film.model, film.notes)
