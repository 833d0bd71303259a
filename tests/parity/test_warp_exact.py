"""The exact warp against the published cases, on every back end: bit for bit."""

import json
from pathlib import Path

import numpy as np
import pytest

from stereocast.kernels import cpu_exact, reference
from tests.support.arrays import read_arrays


def backends():
    yield "reference", reference.warp_exact
    yield "cpu", cpu_exact.warp_exact
    try:
        import torch
    except ImportError:
        return

    from stereocast.kernels import cuda

    def on(device, **options):
        def warp(source, depth, scale, exponent):
            out, blank = cuda.warp_exact(
                torch.from_numpy(source).to(device), torch.from_numpy(depth).to(device), scale, exponent, **options
            )
            return out.cpu().numpy(), blank.cpu().numpy()

        return warp

    yield "torch", on("cpu")
    if torch.cuda.is_available():
        yield "torch-cuda", on("cuda", triton=False)
        yield "triton", on("cuda", triton=True)


@pytest.mark.reference("warp*.npz")
@pytest.mark.parametrize(("name", "warp"), list(backends()), ids=lambda value: value if isinstance(value, str) else "")
def test_exact_warp(case: Path, name, warp):
    arrays = read_arrays(case)
    runs = json.loads(case.with_suffix(".json").read_text("utf-8"))["cases"]
    assert runs
    for run in runs:
        key = run["name"]
        source, depth = arrays[f"{key}.src"], arrays[f"{key}.depth"]
        offsets = reference.exact_offsets(depth, run["scale_percent"], run["exponent"])
        assert np.array_equal(offsets.astype(np.int32), arrays[f"{key}.offset"]), key
        out, blank = warp(source, depth, run["scale_percent"], run["exponent"])
        assert out.dtype == source.dtype
        assert np.array_equal(blank, arrays[f"{key}.blank"].astype(bool)), key
        assert np.array_equal(out, arrays[f"{key}.out"]), key
