"""Boxing, padding, resizing and compositing of object pictures against the published block."""

from pathlib import Path

import numpy as np
import pytest

from stereocast.splat import prepare
from tests.support.arrays import read_arrays


@pytest.mark.reference("preprocess*.npz")
def test_preprocess(case: Path):
    data = read_arrays(case)
    numbers = sorted(int(name[2:]) for name in data if name.startswith("in"))
    for i in numbers:
        rgba, ratio = data[f"in{i}"], float(data[f"ratio{i}"])
        box = prepare.bounding_box(rgba[..., 3], ratio if ratio > 0 else None)
        assert (box.x, box.y, box.width, box.height) == tuple(data[f"bbox{i}"])
        assert box.side == int(data[f"side{i}"])
        if bool(data[f"video{i}"]) and ratio < 0:  # used uncropped
            result = prepare.on_white(prepare.resized(rgba, 576))
        else:
            result = prepare.on_white(prepare.framed(rgba, 576, ratio if ratio > 0 else None))
        want = data[f"out{i}_u8"].astype(int)
        every = -(-len(result) // len(want))
        assert np.abs(result[::every, ::every].astype(int) - want).max() <= 1
        np.testing.assert_allclose(result.mean((0, 1)), data[f"out{i}_mean"], atol=0.1)
