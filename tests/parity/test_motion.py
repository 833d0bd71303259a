"""The deformation network's three variants and its schedules against the published code."""

from pathlib import Path

import numpy as np
import pytest

from tests.fill import fill
from tests.support.arrays import read_arrays

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.splat import motion  # noqa: E402

VARIANTS = {
    "default": ("deform.", motion.MotionConfig()),
    "blender": ("deform_blender.", motion.blender()),
    "sixdof": ("deform_sixdof.", motion.MotionConfig("sixdof")),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.reference("deform_mlp*.npz")
def test_network(case: Path, variant: str):
    data = read_arrays(case)
    prefix, config = VARIANTS[variant]
    network = motion.Motion(config)
    state = {name: torch.from_numpy(np.asarray(fill(prefix + name, tuple(value.shape))))
             for name, value in network.state_dict().items()}  # fmt: skip
    network.load_state_dict(state, strict=True)
    with torch.no_grad():
        results = network(torch.from_numpy(data["xyz"]), torch.from_numpy(data["t"]))
    for name, result in zip(("d_xyz", "d_rotation", "d_scaling"), results, strict=True):
        want = data[f"{variant}_{name}"]
        np.testing.assert_allclose(result.numpy(), want, atol=1e-5 * max(1, np.abs(want).max()))


@pytest.mark.reference("deform_schedules*.npz")
def test_schedules(case: Path):
    data = read_arrays(case)
    for name, ramp in (("lr_xyz", motion.PLACE_RATE), ("lr_deform", motion.MOTION_RATE), ("smooth_noise", motion.TIME_NOISE)):  # fmt: skip
        got = np.array([ramp(float(step)) for step in data["iterations"]])
        np.testing.assert_allclose(got, data[name], rtol=1e-9)


def test_published_size():
    assert sum(p.numel() for p in motion.Motion().parameters()) == 506_378
