"""A conversion in this process, as the command line would start it."""

from pathlib import Path

from stereocast.catalog import settle
from stereocast.jobs.convert import job
from stereocast.settings import ConvertSettings


def convert(source: Path | str, output: Path | str | None = None, **flags: object) -> job.Converted:
    made, reader = job.prepare(str(source), output, settle(ConvertSettings, flags))
    return job.convert(made, reader)
