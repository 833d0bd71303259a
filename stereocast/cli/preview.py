"""`stereocast preview`."""

from stereocast.cli.options import guarded


@guarded
def preview() -> None:
    """TODO."""
