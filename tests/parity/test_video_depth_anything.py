"""Video Depth Anything against the published program: windows, alignment, film and streaming mode."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.arrays import read_arrays

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.depth import frames as pictures
from stereocast.depth import video_depth_anything as vda
from stereocast.models import loading
from stereocast.models.video_depth_anything import VARIANTS, Config, VideoDepthAnything
from tests.fill import fill

ATOL = 1e-3


def network_of(config: dict) -> VideoDepthAnything:
    network = VideoDepthAnything(Config.of(config))
    added = config.get("bias_added_after_fill", {})
    state = {
        key: value
        if key.endswith(".pe")
        else torch.from_numpy(fill(key, tuple(value.shape)) + np.float32(added.get(key, 0)))
        for key, value in network.state_dict().items()
    }
    return loading.load_into(network, state)


def _run(shot, frames: np.ndarray) -> np.ndarray:
    pieces, begin = [], 0
    for size in (1, 7, 2, 30, 5, *[11] * len(frames)):
        if begin < len(frames):
            pieces += shot.push(frames[begin : begin + size])
            begin += size
    return np.concatenate([*pieces, *shot.finish()])


@pytest.mark.reference("vda_*.npz")
def test_film(case: Path) -> None:
    data = read_arrays(case)
    config = json.loads(case.with_name(f"{case.stem}_config.json").read_text("utf-8"))
    frames = data["frames"].astype(np.float32) / 255
    height, width = frames.shape[1:3]
    shape = vda.network_size(height, width, int(data["input_size"]), config["patch_size"])
    want = data["net_input_w0"][0]
    assert shape == want.shape[-2:]
    np.testing.assert_allclose(pictures.normalised(frames[: len(want)], shape).numpy(), want, rtol=0, atol=2e-6)

    engine = vda.Engine(network_of(config), "cpu", shape, (height, width), traced=[])
    shot = vda.WindowShot(engine)
    depth = _run(shot, frames)
    assert len(engine.traced) == sum(name.startswith("raw_w") for name in data)
    for number, raw in enumerate(engine.traced):
        np.testing.assert_allclose(raw[None], data[f"raw_w{number}"], rtol=0, atol=ATOL)
    np.testing.assert_allclose(np.array(shot.alignment.fits).reshape(-1, 2), data["scale_shift"], rtol=0, atol=ATOL)
    np.testing.assert_allclose(depth, data["depth"], rtol=0, atol=ATOL)

    engine.traced = None
    shot = vda.StreamingShot(engine)
    np.testing.assert_allclose(_run(shot, frames), data["depth_stream"], rtol=0, atol=ATOL)
    assert shot.frame_ids == data["stream_frame_ids"].tolist()


@pytest.mark.reference("vda_*_keys.json.gz")
def test_published_keys(case: Path) -> None:
    table = json.loads(gzip.decompress(case.read_bytes()))
    table = table.get("keys", table)
    width = table["pretrained.cls_token"][-1]
    (config,) = [config for config in VARIANTS.values() if config.embed_dim == width]
    with torch.device("meta"):
        network = VideoDepthAnything(config)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == table
