import numpy as np
import pytest

from stereocast.settings import StereoSettings
from stereocast.stereo import frame_edge
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.types import Clip, DepthMap, PixelFormat

HEIGHT, WIDTH = 48, 96
PLANAR = PixelFormat.YUV420P


def run(depth, pixel_format=PLANAR, count=2, **options):
    rng = np.random.default_rng(3)
    shape = (count, HEIGHT * 3 // 2, WIDTH) if pixel_format.planar else (count, HEIGHT, WIDTH, 3)
    clip = Clip(rng.integers(20, 230, shape).astype(np.uint8), np.arange(count), pixel_format)
    stage = WarpSynthesizer(StereoSettings(convergence=0.5, strength=10, **options), threads=2)
    return clip, next(iter(stage(iter([(clip, DepthMap(np.broadcast_to(depth, (count, HEIGHT, WIDTH)).copy()))]))))


NEAR = np.ones((HEIGHT, WIDTH), np.float32)


@pytest.mark.parametrize("pixel_format", [PLANAR, PixelFormat.RGB24])
def test_paper_border_shows_the_other_view(pixel_format):
    clip, out = run(NEAR, pixel_format, eyes="right", border="paper")
    strip = out.holes_right[0, 0]
    assert 0 < strip.sum() <= 6
    rows = np.s_[:, :HEIGHT, WIDTH - 4 :]
    assert np.array_equal(out.right[rows], clip.frames[rows])


@pytest.mark.parametrize("pixel_format", [PLANAR, PixelFormat.RGB24])
def test_crop_blackens_the_same_columns_in_both_eyes(pixel_format):
    _, out = run(NEAR, pixel_format, border="crop")
    black = 16 if pixel_format.planar else 0
    for view in (out.left, out.right):
        assert (view[:, :HEIGHT, :2] == black).all()
        assert (view[:, :HEIGHT, WIDTH - 2 :] == black).all()
        assert (view[:, :HEIGHT, 8:-8] != black).any()


def test_scale_pushes_the_strips_out():
    _, plain = run(NEAR, border="fill")
    _, out = run(NEAR, border="scale")
    assert out.left.shape == plain.left.shape
    assert not np.array_equal(out.left, plain.left)


def test_source_frames_are_never_painted_on():
    clip, out = run(NEAR, eyes="right", border="crop")
    assert not np.shares_memory(out.left, clip.frames)
    assert (out.left[:, :HEIGHT, 0] == 16).all()


def test_window_guard_masks_what_the_side_cuts():
    cut = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    cut[:, :10] = 1
    _, out = run(cut, window_guard=True)
    assert (out.left[:, :HEIGHT, :4] == 16).all()
    assert not (out.right[:, :HEIGHT, -1] == 16).all()
    _, calm = run(np.full((HEIGHT, WIDTH), 0.2, np.float32), window_guard=True)
    assert not (calm.left[:, :HEIGHT, 0] == 16).all()


def test_floating_window_closes_at_once_and_opens_slowly():
    window = frame_edge.FloatingWindow()
    near, far = np.full((8, 100), 5, np.float32), np.full((8, 100), -5, np.float32)
    assert window.columns(near) == (5, 5)
    opened = [window.columns(far)[0] for _ in range(10)]
    assert opened[0] == 5
    assert opened == sorted(opened, reverse=True)
    assert opened[-1] < 3
