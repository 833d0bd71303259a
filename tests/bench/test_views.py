"""Figures of 4d views: formulas on known numbers, published layouts, and a whole folder."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from bench import views as bench  # noqa: E402


@pytest.fixture(scope="module")
def alex(tmp_path_factory):
    """AlexNet and linear layers in the published layouts, weights drawn."""
    folder = tmp_path_factory.mktemp("alex")
    generator = torch.Generator().manual_seed(0)
    table, linear = {}, {}
    sizes = ((0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3))
    for n, (number, out, into, kernel) in enumerate(sizes):
        table[f"features.{number}.weight"] = torch.randn(out, into, kernel, kernel, generator=generator) * 0.05
        table[f"features.{number}.bias"] = torch.zeros(out)
        linear[f"lin{n}.model.1.weight"] = torch.rand(1, out, 1, 1, generator=generator)
    table["classifier.1.weight"] = torch.zeros(2, 2)
    torch.save(table, folder / "alexnet.pth")
    torch.save(linear, folder / "alex.pth")
    return folder


def disc(shift, count=3, size=64):
    frames = np.full((count, size, size, 3), 255, np.uint8)
    for frame in frames:
        cv2.circle(frame, (size // 2 + shift, size // 2), 14, (40, 90, 200), -1)
    return frames


def test_lpips_is_nothing_for_the_same_and_grows_with_the_difference(alex):
    measure = bench.Lpips(alex / "alex.pth", alex / "alexnet.pth")
    same, near, far = (measure(disc(0), disc(shift)) for shift in (0, 2, 16))
    assert same == pytest.approx(0, abs=1e-6) and 0 < near < far
    shapes = [tuple(f.shape[1:]) for f in measure.features(torch.zeros(1, 3, 64, 64))]
    assert shapes == [(64, 15, 15), (192, 7, 7), (384, 3, 3), (256, 3, 3), (256, 3, 3)]


def test_frechet_of_known_distributions():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4000, 3))
    assert bench.frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert bench.frechet(a, a + [3, 0, 0]) == pytest.approx(9, abs=1e-6)
    wide = a * 2  # standard deviations 1 and 2: (2 - 1)² for each of three
    assert bench.frechet(a - a.mean(0), wide - wide.mean(0)) == pytest.approx(3, rel=0.05)


def test_windows_of_short_and_long_films():
    assert bench.windows(disc(0, 5)).shape == (1, 3, 16, 224, 224)
    assert bench.windows(disc(0, 25)).shape == (3, 3, 16, 224, 224)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_folders_to_figures(alex, tmp_path, capsys):
    class Mean(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3, 4))

    torch.jit.script(Mean()).save(str(tmp_path / "i3d.pt"))
    for name, shift in (("truth", 0), ("made", 3)):
        for azimuth in ("0", "-75"):
            (tmp_path / name / azimuth).mkdir(parents=True)
            for number, frame in enumerate(disc(shift)):
                cv2.imwrite(str(tmp_path / name / azimuth / f"{number}.png"), frame[..., ::-1])
    words = ["--made", str(tmp_path / "made"), "--truth", str(tmp_path / "truth"), "--i3d", str(tmp_path / "i3d.pt")]
    words += ["--lpips", str(alex / "alex.pth"), "--backbone", str(alex / "alexnet.pth")]
    assert bench.main(words) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["lpips"] > 0 and row["fvd"] == pytest.approx(0, abs=1e-3)
    (tmp_path / "made/-75").rename(tmp_path / "made/-70")
    with pytest.raises(SystemExit, match="-75"):
        bench.main(words)
