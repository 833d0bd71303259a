import numpy as np
import pytest

from stereocast.errors import UsageError
from stereocast.settings import StereoSettings
from stereocast.stereo.synthesizer import WarpSynthesizer, read_disparity
from stereocast.types import Clip, DepthMap, PixelFormat

HEIGHT, WIDTH = 48, 96


def film(pixel_format=PixelFormat.YUV420P, count=2, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, HEIGHT * 3 // 2, WIDTH) if pixel_format.planar else (count, HEIGHT, WIDTH, 3)
    frames = rng.integers(16, 1 << pixel_format.bits, shape).astype(pixel_format.dtype)
    return Clip(frames, np.arange(count), pixel_format)


def block(count=2, near=1.0):
    """A near block before a far wall."""
    depth = np.zeros((count, HEIGHT, WIDTH), np.float32)
    depth[:, 12:36, 36:60] = near
    return DepthMap(depth)


def run(clip, depth, **options):
    return next(iter(WarpSynthesizer(StereoSettings(**options), threads=2)(iter([(clip, depth)]))))


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
@pytest.mark.parametrize("eyes", ["both", "left", "right"])
def test_zero_strength_is_the_identity(pixel_format, eyes):
    clip = film(pixel_format)
    out = run(clip, block(), strength=0, eyes=eyes)
    assert np.array_equal(out.left, clip.frames)
    assert np.array_equal(out.right, clip.frames)
    assert not any(holes.any() for holes in (out.holes_left, out.holes_right) if holes is not None)


@pytest.mark.parametrize("border", ["fill", "paper"])
def test_a_film_that_keeps_no_holes_has_the_same_views(border):
    clip = film()
    whole = run(clip, block(), strength=5, border=border)
    stage = WarpSynthesizer(StereoSettings(strength=5, border=border), threads=2)
    stage.keeps_holes = False
    bare = next(iter(stage(iter([(clip, block())]))))
    assert whole.holes_right.any()
    assert bare.holes_left is None
    assert bare.holes_right is None
    assert np.array_equal(bare.left, whole.left)
    assert np.array_equal(bare.right, whole.right)


def test_near_block_moves_left_in_the_right_eye_and_wall_stays():
    clip = film(PixelFormat.RGB24)
    out = run(clip, block(), strength=8 / WIDTH * 100, convergence=0.0, eyes="right")
    assert np.array_equal(out.left, clip.frames)
    assert out.holes_left is None
    assert np.array_equal(out.right[:, 14:34, 30:50], clip.frames[:, 14:34, 38:58])
    assert np.array_equal(out.right[:, :, :26], clip.frames[:, :, :26])
    holes = out.holes_right[:, 14:34]
    assert holes[:, :, 53:60].all()
    assert not holes[:, :, :52].any()
    assert not holes[:, :, 62:].any()


@pytest.mark.parametrize("pixel_format", [PixelFormat.YUV420P, PixelFormat.RGB48])
def test_mirror_image_swaps_the_eyes(pixel_format):
    clip, depth = film(pixel_format), block()
    axis = -2 if not pixel_format.planar else -1

    def mirrored(frames):
        if not pixel_format.planar:
            return np.ascontiguousarray(np.flip(frames, axis))
        luma, chroma = frames[:, :HEIGHT], frames[:, HEIGHT:].reshape(len(frames), HEIGHT, WIDTH // 2)
        return np.concatenate([luma[..., ::-1], chroma[..., ::-1].reshape(len(frames), -1, WIDTH)], 1)

    one = run(clip, depth, strength=5)
    flipped = Clip(mirrored(clip.frames), clip.pts, pixel_format)
    two = run(flipped, DepthMap(np.ascontiguousarray(depth.values[..., ::-1])), strength=5)
    assert np.array_equal(mirrored(two.right), one.left)
    assert np.array_equal(two.holes_right[..., ::-1], one.holes_left)


@pytest.mark.parametrize("pixel_format", [PixelFormat.YUV420P, PixelFormat.RGB24])
@pytest.mark.parametrize("fill", ["fast", "best"])
def test_holes_take_the_background_and_nothing_of_the_foreground(pixel_format, fill):
    """Wall: vertical ramp. Block: white. The uncovered area continues the ramp, for a block of any colour."""
    clip = film(pixel_format, count=1)
    frames = clip.frames.copy()
    ramp = np.linspace(40, 120, HEIGHT).astype(np.uint8)
    if pixel_format.planar:
        frames[:, :HEIGHT] = ramp[:, None]
        frames[:, HEIGHT:] = 128
        frames[:, 12:36, 36:60] = 235
    else:
        frames[:] = ramp[:, None, None]
        frames[:, 12:36, 36:60] = 235
    plain = Clip(frames, clip.pts, pixel_format)
    out = run(plain, block(1), strength=8 / WIDTH * 100, convergence=0.0, eyes="right", fill=fill)
    view = out.right[0, :HEIGHT] if pixel_format.planar else out.right[0, ..., 0]
    assert np.abs(view[14:34, 55:62].astype(int) - ramp[14:34, None]).max() <= 3
    assert view[14:34, 54:62].max() < 140


def test_small_depth_is_brought_to_the_picture(tmp_path):
    small = DepthMap(np.ascontiguousarray(block().values[:, ::4, ::4]))
    out = run(film(), small, strength=5)
    assert 0 < out.holes_left.mean() < 0.1
    assert out.disparity.values.shape == small.values.shape


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_exact_disparity_is_applied_unscaled(tmp_path, suffix):
    values = np.full((HEIGHT, WIDTH), 6, np.float32)
    values[5:9, 40:50] = np.nan
    path = tmp_path / f"d{suffix}"
    np.savez(path, disparity=values) if suffix == ".npz" else np.save(path, values)
    clip = film(PixelFormat.RGB24)
    out = run(clip, block(), disparity=path, eyes="right")
    assert np.array_equal(out.right[:, :, : WIDTH - 6], clip.frames[:, :, 6:])
    assert out.holes_right[:, :, WIDTH - 6 :].all()


@pytest.mark.parametrize("values", [np.zeros((5, 7), np.float32), np.zeros(3, np.float32), np.array(["a"])])
def test_wrong_disparity_is_a_usage_error(tmp_path, values):
    np.save(tmp_path / "d.npy", values)
    with pytest.raises(UsageError, match=r"--disparity .*d\.npy"):
        run(film(), block(), disparity=tmp_path / "d.npy")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_unreadable_disparity_is_a_usage_error(tmp_path, content):
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(UsageError, match="d.npz"):
        read_disparity(tmp_path / "d.npz")


def test_a_damaged_archive_of_disparity_is_a_usage_error(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, disparity=np.zeros((HEIGHT, WIDTH), np.float32))
    content = bytearray(path.read_bytes())
    content[500:600] = b"x" * 100
    path.write_bytes(content)
    with pytest.raises(UsageError, match="d.npz"):
        read_disparity(path)


def test_overlap_is_left_out_and_threads_do_not_matter():
    clip, depth = film(count=4), block(4)
    cut = Clip(clip.frames, clip.pts, clip.pixel_format, overlap=1)
    out = run(cut, depth)
    assert len(out) == 3
    one = next(iter(WarpSynthesizer(StereoSettings(), threads=1)(iter([(clip, depth)]))))
    assert np.array_equal(one.left[1:], out.left)


def test_a_still_of_odd_size_keeps_its_size(tmp_path):
    from stereocast.media.pictures import ImageSink
    from stereocast.media.reader import ImageSource, read_image, write_image
    from stereocast.types import Layout, PackedClip, StereoFormat

    rng = np.random.default_rng(0)
    write_image(tmp_path / "in.png", rng.integers(0, 255, (37, 51, 3)).astype(np.uint8))
    source = ImageSource(str(tmp_path / "in.png"))
    assert (source.info.height, source.info.width, source.info.padding) == (38, 52, (1, 1))
    frames = np.stack([frame.image for frame in source])
    sink = ImageSink(tmp_path / "out.png", source.info.padding)
    sink.write(PackedClip(frames, np.zeros(1, np.int64), StereoFormat(Layout.RIGHT)))
    assert np.array_equal(read_image(str(tmp_path / "out.png")), read_image(str(tmp_path / "in.png")))


def test_starting_within_a_shot_is_not_flat():
    clip = film()
    late = Clip(clip.frames, clip.pts, clip.pixel_format, first=False)
    assert np.array_equal(run(late, block(), strength=5).right, run(clip, block(), strength=5).right)


@pytest.mark.parametrize("fill", ["fast", "best"])
def test_a_film_looks_the_same_however_it_is_divided_into_clips(fill):
    """Large pictures come one by one: their depth must have the scale that smaller ones have."""
    whole = film(count=12)
    depth = np.stack([np.roll(block(1).values[0], 3 * t, 1) * (0.5 + 0.05 * t) for t in range(12)])
    made = []
    for length in (1, 2, 3):
        cuts = range(0, 12, length)
        clips = (
            (
                Clip(whole.frames[at : at + length], whole.pts[at : at + length], whole.pixel_format, first=at == 0, last=at + length == 12),
                DepthMap(depth[at : at + length]),
            )
            for at in cuts
        )  # fmt: skip
        stage = WarpSynthesizer(StereoSettings(strength="auto", convergence="auto", fill=fill), threads=2)
        made.append([np.concatenate(views) for views in zip(*((c.left, c.right) for c in stage(clips)), strict=True)])
    for views in made[1:]:
        assert np.array_equal(views[0], made[0][0])
        assert np.array_equal(views[1], made[0][1])
