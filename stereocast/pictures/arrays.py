"""Arrays from files that the user supplies."""

import zlib
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from stereocast.types import Array


def load_array(path: Path, choose: Callable[[list[str]], str]) -> Array:
    """The array of a .npy file; of a .npz file, the one that `choose` picks from its names.

    Raises OSError, and ValueError for a damaged file.
    """
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return np.asarray(found[choose(found.files)] if isinstance(found, np.lib.npyio.NpzFile) else found)
    except (EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from error
