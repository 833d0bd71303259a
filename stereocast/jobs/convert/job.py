"""`convert`: makes a plan, then carries it out in one pipeline or in sections."""

from stereocast.jobs.convert import whole
from stereocast.jobs.convert.prepare import prepare
from stereocast.jobs.convert.whole import Converted
from stereocast.jobs.plan import ConvertPlan
from stereocast.pipeline.progress import OnProgress, silent
from stereocast.pipeline.stages import Source

__all__ = ["Converted", "convert", "prepare"]


def convert(made: ConvertPlan, source: Source, progress: OnProgress = silent) -> Converted:
    """Carries out a plan of `prepare` on the engine and the workers that its settings name. Raises StereocastError."""
    settings = made.settings
    if settings.engine == "local" and settings.workers < 2:
        return whole.convert(made, source, progress)
    from stereocast.jobs.convert.sections import convert_in_sections

    return convert_in_sections(made, source, progress)
