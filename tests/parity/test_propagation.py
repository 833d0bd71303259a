"""Disparity propagation on given flows against the recorded runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from stereocast.depth.propagate import Propagation, moved, occluded
from tests.support.arrays import read_arrays


def flows_of(data, name):
    return np.ascontiguousarray(data[name].transpose(0, 2, 3, 1))  # [T-1, H, W, 2]


@pytest.mark.reference("propagation*.npz")
def test_carried_maps(case: Path):
    data = read_arrays(case)
    depth, flows = data["depth"], flows_of(data, "flow_forward")
    for start, want in enumerate(data["splat"]):
        found = {start: depth[start]}
        for t in range(start, len(flows)):
            found[t + 1] = moved(found[t], flows[t])
        for t in range(start, 0, -1):
            found[t - 1] = moved(found[t], -flows[t - 1])
        np.testing.assert_array_equal([found[t] for t in range(len(depth))], want)


@pytest.mark.reference("propagation*.npz")
def test_means(case: Path):
    data = read_arrays(case)
    state, found = Propagation(reach=len(data["depth"])), []
    for flow, depth in zip((None, *flows_of(data, "flow_forward")), data["depth"], strict=True):
        found += state.push_with_flow(flow, depth)
    np.testing.assert_allclose([*found, *state.finish()], data["splat_mean"], rtol=0, atol=1e-6)


@pytest.mark.reference("propagation*.npz")
def test_occlusion(case: Path):
    data, facts = read_arrays(case), json.loads(case.with_suffix(".json").read_text("utf-8"))
    forward, backward = flows_of(data, "flow_forward"), flows_of(data, "flow_backward")
    found = [occluded(f, b, facts["occlusion_threshold_px"]) for f, b in zip(forward, backward, strict=True)]
    np.testing.assert_array_equal(found, data["occlusion"].astype(bool))
