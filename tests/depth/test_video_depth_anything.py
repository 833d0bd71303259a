"""Windows, alignment and sizes of Video Depth Anything."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")

from stereocast.depth import frames as pictures
from stereocast.depth import video_depth_anything as vda


class Clock:
    """A network that reads the frame's own number from its features, and whose windows disagree on scale and shift."""

    def __init__(self, drift: bool, limit: int = 1000) -> None:
        self.drift, self.limit, self.windows, self.encoded = drift, limit, 0, 0

    def encode(self, images):
        if len(images) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.encoded += len(images)
        return [images.mean(1, keepdim=True)] * 4

    def __call__(self, features, past=None):
        ramp = torch.linspace(0.5, 1.5, features[0].shape[-1])
        depth = (features[0][:, 0] + 3) * ramp
        if self.drift:
            depth = depth * (1 + 0.3 * self.windows) + self.windows
        self.windows += 1
        return depth.float(), []


def film(count: int) -> np.ndarray:
    return (
        np.full((count, 14, 28, 3), 0.5, np.float32) + np.linspace(0, 0.4, count, dtype=np.float32)[:, None, None, None]
    )


def run(network, count: int, portion: int = 5) -> np.ndarray:
    shot = vda.WindowShot(vda.Engine(network, "cpu", (14, 28)))
    pieces = []
    for begin in range(0, count, portion):
        pieces += shot.push(film(count)[begin : begin + portion])
    return np.concatenate([*pieces, *shot.finish()])


@pytest.mark.parametrize("count", [1, 5, 22, 23, 31, 32, 33, 44, 45, 54, 55, 76, 77])
@pytest.mark.parametrize("drift", [False, True])
def test_any_length(count, drift):
    network = Clock(drift)
    found = run(network, count)
    want = Clock(False)(
        [torch.from_numpy(vda.pictures.normalised(film(count), (14, 28)).numpy()).mean(1, keepdim=True)]
    )
    assert found.shape == (count, 14, 28)
    assert np.abs(found - want[0].numpy()).max() < 1e-4
    assert network.windows == -(-count // 22)
    assert network.encoded == count, "each frame passes the encoder once"


def test_too_little_memory_means_smaller_batches(caplog):
    found = run(Clock(False, limit=2), 40, portion=8)
    np.testing.assert_allclose(found, run(Clock(False), 40), atol=1e-6)
    assert "trying" in caplog.text


def test_fit():
    x = np.random.default_rng(0).random((2, 5, 5))
    assert vda.fit(x, 3 * x - 1) == pytest.approx((3, -1))
    assert vda.fit(np.ones((2, 5, 5)), np.full((2, 5, 5), 4.0)) == pytest.approx((1, 3))


@pytest.mark.parametrize(
    ("size", "want"),
    [((1080, 1920), (518, 924)), ((480, 640), (518, 686)), ((640, 480), (686, 518)), ((42, 56), (518, 686))],
)
def test_sizes(size, want):
    assert vda.network_size(*size) == want


def test_wide_pictures_get_a_smaller_short_side():
    rows, columns = vda.network_size(400, 1000)
    assert rows < 518
    assert rows % 14 == columns % 14 == 0
    assert rows * columns < 1.1 * 518 * 924
    assert pictures.size_at_least(100, 100, 56, 14) == (56, 56)
