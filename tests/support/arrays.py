"""Arrays of parity cases."""

from pathlib import Path

import numpy as np


def read_arrays(case: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz; the file is closed again."""
    with np.load(case) as archive:
        return dict(archive)
