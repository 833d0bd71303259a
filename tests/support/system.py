"""What not every system can do; where it can't, the test is skipped and says so."""

import os
from pathlib import Path

import pytest

needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to another process")
needs_modes = pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")


def symlink(path: Path, target: Path) -> None:
    """A symbolic link at `path`; Windows gives them to administrators and developers only."""
    try:
        path.symlink_to(target)
    except (OSError, NotImplementedError):
        pytest.skip("no symbolic links here")
