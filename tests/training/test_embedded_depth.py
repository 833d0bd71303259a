"""The training script of the embedded network: same seed, same loss curve; scenes are scenes; the export is the network."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "training/embedded_depth"


@pytest.fixture
def room(monkeypatch):
    """The script's own modules, importable as they are there."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = [path.stem for path in FOLDER.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in names:
        sys.modules.pop(name, None)


def run(out, *options):
    command = [sys.executable, str(FOLDER / "train.py"), "--out", str(out), "--workers", "0", *options]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return torch.load(out / "last.pt", weights_only=False)


def test_a_few_steps_give_the_same_curve_twice_and_resume(tmp_path):
    options = ("--steps", "3", "--batch", "4", "--area", "6200")
    first, second = run(tmp_path / "a", *options), run(tmp_path / "b", *options)
    assert len(first["curve"]) == 3
    assert first["curve"] == second["curve"]
    assert all(torch.equal(first["mean"][name], second["mean"][name]) for name in first["mean"])
    further = run(tmp_path / "a", "--steps", "5", "--batch", "4", "--area", "6200")
    assert further["curve"][:3] == first["curve"] and len(further["curve"]) == 5
    assert run(tmp_path / "c", *options, "--seed", "1")["curve"] != first["curve"]


@pytest.mark.slow
def test_two_hundred_steps_give_the_same_curve_twice_and_learn(tmp_path):
    options = ("--steps", "200", "--batch", "8", "--area", "6200")
    first, second = run(tmp_path / "a", *options), run(tmp_path / "b", *options)
    assert first["curve"] == second["curve"]
    assert np.mean(first["curve"][-20:]) < 0.8 * np.mean(first["curve"][:20])


def test_every_kind_of_scene_can_be_drawn(room):
    import photo
    import scenes

    maker = photo.Maker(0)
    for kind in scenes.MIX:
        views = maker.scene(3, 48, 80, only=kind) + maker.scene(4, 48, 80, only=kind)
        assert views, kind
        for picture, target, weight in views:
            assert picture.shape == (48, 80, 3) and picture.dtype == np.uint8
            assert target.shape == weight.shape == (48, 80)
            assert np.isfinite(target).all() and np.ptp(target) > 0.5


def test_the_rasteriser_knows_where_a_wall_stands(room):
    import raster

    corners = np.array([[-9, -9, 4], [9, -9, 4], [9, 9, 2], [-9, 9, 2]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    none = np.full(1, -1, np.int32)
    inverse, triangle, _ = raster.visible(
        corners,
        np.zeros((4, 2), np.float32),
        faces,
        np.zeros(2, np.int32),
        none,
        np.zeros((1, 4, 4), np.uint8),
        40,
        30,
        40.0,
        20.0,
        15.0,
    )
    # the plane through the corners: z = 3 - y / 9, seen along (x, y, 1)
    y = (np.arange(30) + 0.5 - 15) / 40
    assert (triangle >= 0).all()
    assert np.allclose(1 / inverse, (3 / (1 + y / 9))[:, None], atol=1e-3)


def test_the_exported_graph_is_the_network(room, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the training extra")
    import export
    from network import DepthNet

    torch.manual_seed(3)
    network = DepthNet()
    network(torch.randn(4, 5, 64, 96))  # batch norm's averages are no longer 0 and 1
    network.eval()
    path = tmp_path / "network.onnx"
    onnx.save(export.graph(network), str(path))
    run_by_opencv = cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_NEW)
    for rows, columns in ((64, 96), (96, 160)):
        picture = np.random.default_rng(0).uniform(-1, 1, (1, 5, rows, columns)).astype(np.float32)
        run_by_opencv.setInput(picture)
        with torch.no_grad():
            wanted = network(torch.from_numpy(picture)).numpy()
        assert np.abs(run_by_opencv.forward() - wanted).max() < 5e-3


def test_the_shipped_json_names_options_of_the_script(room):
    made = json.loads((ROOT / "stereocast/depth/embedded_network.json").read_text())
    text = (FOLDER / "train.py").read_text()
    assert (ROOT / made["script"]).is_file()
    assert all(f'"--{name}"' in text for name in made["options"])
