"""`stereocast inspect`."""

from stereocast.cli.options import guarded


@guarded
def inspect() -> None:
    """TODO."""
