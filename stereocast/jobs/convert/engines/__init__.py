"""Where the sections of a film run: here in one pipeline, in processes of this machine, or on a Ray cluster.

A section is whole shots, so nothing that a stage remembers is lost between two of them, and its encoder starts afresh
at the same frames as in one pipeline: the joined film has the same packets whoever made them.
"""

from typing import Any

from stereocast.jobs.convert.whole import Converted, Progress
from stereocast.jobs.convert.whole import convert as _here
from stereocast.jobs.plan import Plan


def convert(made: Plan, source: Any, progress: Progress = lambda frames, clock: None) -> Converted:
    """`recipes.convert`, on the engine and the workers that the settings name."""
    settings = made.settings
    if settings.engine == "local" and settings.workers < 2:
        return _here(made, source, progress)
    from stereocast.jobs.convert.sections import convert_in_sections

    return convert_in_sections(made, source, progress)
