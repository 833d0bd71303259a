"""StereoCrafter's splat against the published program."""

from pathlib import Path

import numpy as np
import pytest

from stereocast import kernels
from tests.support.arrays import read_arrays


@pytest.mark.reference("stereocrafter_splat*.npz")
def test_splat(case: Path) -> None:
    data = read_arrays(case)
    disparity = (2 * data["depth"] - 1) * data["max_disp"]
    np.testing.assert_allclose(disparity, data["disparity"], rtol=0, atol=1e-5)
    right, holes = kernels.warp_soft(data["left"], disparity)
    np.testing.assert_allclose(right, data["right"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(holes, data["occlusion"], rtol=0, atol=1e-5)
