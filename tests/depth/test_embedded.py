"""The embedded estimator: its network, its window, its maps over time."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from stereocast.depth import embedded
from stereocast.pictures import planes
from stereocast.settings import ConvertSettings
from stereocast.types import Clip, Colour, PixelFormat, Shot, StreamInfo


def room(height=180, width=320, shift=0):
    """A floor with boards, a wall and a dark box on the floor."""
    image = np.full((height, width, 3), (190, 180, 160), np.uint8)
    half = height // 2
    for row in range(half, height):
        spread = (row - half + 4) / half
        boards = (np.arange(width) - width / 2) / spread / 22
        image[row] = np.where((np.floor(boards).astype(int) % 2)[:, None] == 0, (120, 80, 50), (150, 105, 70))
    left = width // 3 + shift
    image[half - 30 : half + 55, left : left + 70] = (40, 60, 110)
    return image


def info(height, width, pixel_format=PixelFormat.RGB24):
    return StreamInfo(width, height, Fraction(1, 25), Fraction(25), pixel_format)


def depth_of(frames, pixel_format=PixelFormat.RGB24, size=None, lengths=None):
    height, width = size or frames.shape[1:3]
    stage = embedded.EmbeddedDepth(ConvertSettings(), info(height, width, pixel_format))
    lengths = lengths or [len(frames)]

    def clips():
        start = 0
        for count in lengths:
            part = frames[start : start + count]
            yield Clip(part, np.arange(start, start + count), pixel_format, first=start == 0)
            start += count

    return np.concatenate([depth.values for _, depth in stage(clips())])


def test_the_stored_pair_agrees_and_a_wrong_one_is_refused(monkeypatch):
    embedded.load_network()
    embedded._checked.cache_clear()
    monkeypatch.setattr(embedded, "TOLERANCE", 1e-9)
    with pytest.raises(embedded.NetworkMismatch, match="choose another --depth"):
        embedded.load_network()
    embedded._checked.cache_clear()


def test_the_network_that_was_checked_is_the_first_that_is_used(monkeypatch):
    embedded._checked.cache_clear()
    opened = []
    real = embedded._open
    monkeypatch.setattr(embedded, "_open", lambda: opened.append(real()) or opened[-1])
    first, second = embedded.load_network(), embedded.load_network()
    assert first is not second
    assert len(opened) == 2


def test_what_is_shipped_is_small_and_says_where_it_comes_from():
    folder = Path(embedded.__file__).parent
    assert sum(path.stat().st_size for path in folder.glob("embedded_network.*")) < 12_000_000
    made = embedded.provenance()
    assert made["script"] == "training/embedded_depth/train.py"
    assert made["samples"] > 0 and made["options"]["seed"].isdigit()
    assert 2_000_000 <= made["parameters"] <= 6_000_000
    assert made["backbone"]["licence"] == "Apache-2.0" and len(made["backbone"]["sha256"]) == 64


def test_the_floor_comes_nearer_towards_the_viewer():
    depth = depth_of(room()[None])[0]
    rows = depth.shape[0]
    floor = depth[rows // 2 :].mean(1)
    assert floor[-3:].mean() > floor[:3].mean() + 0.3
    assert depth[-3:].mean() > depth[: rows // 3].mean() + 0.4


def test_a_mirrored_picture_has_the_mirrored_depth():
    plain, mirrored = depth_of(room()[None])[0], depth_of(room()[None, :, ::-1].copy())[0]
    assert np.abs(plain - mirrored[:, ::-1]).mean() < 0.002


@pytest.mark.parametrize(("height", "width"), [(180, 320), (320, 180), (128, 480), (64, 64), (98, 1200)])
def test_any_aspect(height, width):
    depth = depth_of(cv2.resize(room(), (width, height))[None])
    assert depth.dtype == np.float32
    assert depth.min() >= 0 and depth.max() <= 1
    assert np.ptp(depth) > 0.5


def test_planes_and_rgb_see_the_same():
    image = room()
    colour = Colour(matrix=1)
    for pixel_format in (PixelFormat.YUV420P, PixelFormat.YUV420P10):
        frame = planes.from_rgb(image.astype(np.float32) / 255, pixel_format, colour)
        planar = depth_of(frame[None], pixel_format, (180, 320))
        assert np.abs(planar - depth_of(image[None])).mean() < 0.03


def test_black_bars_change_nothing_inside():
    image = room()
    boxed = np.zeros((240, 320, 3), np.uint8)
    boxed[30:210] = image
    clip = Clip(boxed[None], np.arange(1))
    assert embedded.window(clip) == (30, 210, 0, 320)
    inner, outer = depth_of(image[None])[0], depth_of(boxed[None])[0]
    bar = (outer.shape[0] - inner.shape[0]) // 2
    assert np.array_equal(outer[bar : bar + inner.shape[0]], inner)
    assert np.array_equal(outer[0], inner[0])


def test_pillarbox_and_what_is_no_bar():
    boxed = np.zeros((180, 400, 3), np.uint8)
    boxed[:, 40:360] = room()
    assert embedded.window(Clip(boxed[None], np.arange(1))) == (0, 180, 40, 360)
    night = np.zeros((180, 320, 3), np.uint8)
    night[80:100, 100:140] = 200
    assert embedded.window(Clip(night[None], np.arange(1))) == (0, 180, 0, 320)
    ground = room()
    ground[:60] = 0  # a black sky on one side only
    assert embedded.window(Clip(ground[None], np.arange(1))) == (0, 180, 0, 320)


def test_every_frame_comes_out_once_whatever_the_clips():
    frames = np.stack([room(shift=2 * k) for k in range(11)])
    whole = depth_of(frames)
    parts = depth_of(frames, lengths=[3, 1, 5, 2])
    assert whole.shape == parts.shape
    assert np.abs(whole - parts).mean() < 0.05


def test_a_still_film_has_still_depth():
    depth = depth_of(np.repeat(room()[None], 10, 0))
    assert np.abs(np.diff(depth, axis=0)).max() < 0.02


def test_a_cut_starts_afresh():
    first, second = room(), cv2.flip(room(), 1)
    stage = embedded.EmbeddedDepth(ConvertSettings(), info(180, 320))
    clips = [Clip(np.repeat(image[None], 5, 0), np.arange(5), shot=Shot(k)) for k, image in enumerate((first, second))]
    maps = [depth.values for _, depth in stage(iter(clips))]
    assert np.array_equal(maps[1], depth_of(np.repeat(second[None], 5, 0)))


def test_the_network_sees_every_fourth_frame_only(monkeypatch):
    calls = []
    predict = embedded.predict
    monkeypatch.setattr(embedded, "predict", lambda *a, **k: calls.append(k["twice"]) or predict(*a, **k))
    depth_of(np.repeat(room()[None], 12, 0), lengths=[5, 7])
    assert calls == [True] + [False] * (12 // embedded.EVERY - 1)
    assert embedded.EVERY <= 4


def test_hdr_reaches_the_network_as_sdr(monkeypatch):
    seen = []
    predict = embedded.predict
    monkeypatch.setattr(embedded, "predict", lambda net, image, **k: seen.append(image) or predict(net, image, **k))
    pq, colour = np.full((180, 320, 3), 0.5807, np.float32), Colour(9, 16, 9)  # white of 203 cd/m²
    frames = planes.from_rgb(pq, PixelFormat.YUV420P10, colour)[None]
    stage = embedded.EmbeddedDepth(ConvertSettings(), info(180, 320, PixelFormat.YUV420P10))
    list(stage(iter([Clip(frames, np.arange(1), PixelFormat.YUV420P10, colour, last=True)])))
    assert np.allclose(seen[0], 0.82, atol=0.02)


def test_a_share_of_the_ramp_is_mixed_in(monkeypatch):
    monkeypatch.setattr(embedded, "infer", lambda network, picture: np.full((64, 96), 0.4, np.float32))
    depth = embedded.predict(None, np.zeros((128, 192, 3), np.float32))
    share = embedded.RAMP
    assert np.allclose(depth[0], (1 - share) * 0.4) and np.allclose(depth[-1], (1 - share) * 0.4 + share)


def test_sharpening_makes_steps_steeper_and_keeps_plateaus(monkeypatch):
    soft = cv2.GaussianBlur(np.repeat((np.arange(64) >= 32)[None], 48, 0).astype(np.float32), (0, 0), 2)
    sharp = embedded.sharpen(soft, np.full((96, 128), 90, np.uint8))
    monkeypatch.setattr(embedded, "CRISPEN", 0.0)
    plain = embedded.sharpen(soft, np.full((96, 128), 90, np.uint8))
    assert np.diff(sharp[48]).max() > 1.1 * np.diff(plain[48]).max()
    assert sharp[48, 5] == pytest.approx(0, abs=0.01) and sharp[48, 122] == pytest.approx(1, abs=0.01)


def test_network_shape():
    for height, width in ((1080, 1920), (1920, 1080), (800, 1920), (480, 640), (10, 4000)):
        rows, columns = embedded.network_shape(height, width)
        assert rows % 32 == columns % 32 == 0 and rows >= 64 and columns >= 64
        aspect = min(embedded.ASPECTS[1], max(embedded.ASPECTS[0], width / height))
        assert 0.7 < columns / rows / aspect < 1.45


def test_better_than_the_ramp_on_real_scenes(shared):
    from bench.depth import bench

    result = bench(shared / "data/depth_gt", "embedded", 0)
    assert result["ordinal_all"] > result["ramp"]["ordinal_all"]
    assert result["ordinal_row"] > result["ramp"]["ordinal_row"] + 0.04
