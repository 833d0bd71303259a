"""`stereocast doctor`."""

from stereocast.cli.options import guarded


@guarded
def doctor() -> None:
    """TODO."""
