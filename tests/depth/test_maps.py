"""Depth maps in numbers, whatever made them: bars, crops, frames around, sizes, files, corrections, pieces and clips."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from stereocast.depth import embedded, propagate, refine
from stereocast.depth.file import FileDepth, _natural, folder_maps, read_map
from stereocast.errors import SourceError
from stereocast.pictures import planes
from stereocast.settings import ConvertSettings
from stereocast.types import Clip, Colour, DepthMap, PixelFormat, Shot
from tests.contracts import suites


@pytest.mark.parametrize(
    ("dark", "bars"),
    [
        ((0, 0), (0, 0)),
        ((12, 12), (12, 12)),
        ((13, 11), (14, 12)),  # even, and a row more rather than a black one
        ((3, 3), (4, 4)),
        ((2, 9), (0, 0)),  # less than 1.5 % on one side
        ((69, 70), (70, 70)),
        ((70, 71), (0, 0)),  # more than 35 %
        ((10, 14), (10, 14)),
        ((10, 15), (0, 0)),  # not equally wide
        ((21, 30), (22, 30)),
        ((20, 30), (0, 0)),
        ((200, 0), (0, 0)),
    ],
    ids=str,
)  # fmt: skip
def test_bars_of_two_hundred_rows(dark, bars):
    lit = np.ones(200, bool)
    lit[: dark[0]] = lit[200 - dark[1] :] = False
    assert embedded._bars(lit) == bars


def shown(form, *regions, size=(80, 120), frames=1, black=16):
    """Clips of pictures that are `black` but for these parts: (rows, columns, luma, frame)."""
    height, width = size
    scale = 1 << (form.bits - 8)
    shape = (height * 3 // 2, width) if form.planar else (height, width, 3)
    pictures = np.full((frames, *shape), black * scale, form.dtype)
    for rows, columns, luma, frame in regions:
        pictures[frame, rows, columns] = luma * scale
    return Clip(pictures, np.arange(frames), form)


WHOLE = (0, 80, 0, 120)


@pytest.mark.parametrize("form", [PixelFormat.YUV420P, PixelFormat.YUV420P10, PixelFormat.RGB24], ids=str)
def test_the_window_inside_black_bars(form):
    rows, columns = slice(10, 70), slice(12, 108)
    assert embedded.window(shown(form, (rows, slice(None), 90, 0))) == (10, 70, 0, 120)
    assert embedded.window(shown(form, (slice(0, 80), columns, 90, 0))) == (0, 80, 12, 108)
    assert embedded.window(shown(form, (rows, columns, 90, 0))) == (10, 70, 12, 108)
    assert embedded.window(shown(form, (rows, columns, 22, 0))) == WHOLE, "as dark as a bar"
    assert embedded.window(shown(form, (rows, columns, 24, 0))) == (10, 70, 12, 108)
    few = (slice(10, 70), slice(12, 24), 90, 0)
    assert embedded.window(shown(form, few)) == WHOLE, "a dark scene has none"
    for columns, wanted in ((8, (10, 70, 0, 400)), (12, (0, 80, 0, 400))):  # a speck in a bar of up to 2 % of the width
        speck = (slice(2, 3), slice(0, columns), 200, 0)
        assert embedded.window(shown(form, (rows, slice(None), 90, 0), speck, size=(80, 400))) == wanted


def test_the_brightest_of_a_clip_counts():
    late = (slice(0, 80), slice(0, 120), 90, 3)
    for frames, wanted in ((5, WHOLE), (8, (10, 70, 0, 120))):  # of eight frames, every second is looked at
        clip = shown(PixelFormat.YUV420P, (slice(10, 70), slice(0, 120), 90, 0), late, frames=frames)
        assert embedded.window(clip) == wanted


def numbered(form, height=16, width=24):
    """A picture in which each sample says where it is."""
    luma = np.arange(height * width).reshape(height, width) % 251
    if not form.planar:
        return np.dstack([luma, luma // 2, 250 - luma]).astype(form.dtype)
    half = np.arange(height * width // 2).reshape(height // 2, width) % 241
    return np.concatenate([luma, half]).astype(form.dtype)


@pytest.mark.parametrize("form", [PixelFormat.YUV420P, PixelFormat.RGB24], ids=str)
def test_a_part_of_a_picture(form):
    frame = numbered(form)
    assert embedded.cropped(frame, form, (0, 16, 0, 24)) is frame or not form.planar
    for part in ((2, 12, 4, 20), (0, 12, 0, 24), (4, 16, 0, 24), (0, 16, 2, 24), (0, 16, 0, 20)):
        top, bottom, left, right = part
        found = embedded.cropped(frame, form, part)
        if not form.planar:
            assert np.array_equal(found, frame[top:bottom, left:right])
            continue
        for plane, source, by in zip(planes.planes(found), planes.planes(frame), (1, 2, 2), strict=True):
            assert np.array_equal(plane, source[top // by : bottom // by, left // by : right // by])


@pytest.mark.parametrize("form", [PixelFormat.YUV420P, PixelFormat.YUV420P10, PixelFormat.RGB24], ids=str)
@pytest.mark.parametrize(
    ("part", "shape"), [((0, 48, 0, 64), (8, 8)), ((8, 40, 16, 48), (8, 8)), ((0, 48, 0, 64), (9, 8))]
)
def test_small_grey_pictures(form, part, shape):
    """From the sixth of a size on, every second row is left out."""
    rng = np.random.default_rng(0)
    luma = rng.integers(16, 235, (48, 64))
    luma[1::2] = 16
    if form.planar:
        scale = 1 << (form.bits - 8)
        frame = np.concatenate([luma, np.full((24, 64), 128)]).astype(form.dtype) * scale
    else:
        frame = np.repeat(luma[..., None], 3, 2).astype(form.dtype)
    top, bottom, left, right = part
    inner = luma[top:bottom, left:right]
    if form.planar and bottom - top >= 6 * shape[0]:
        inner = inner[::2]
    wanted = cv2.resize(inner.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    found = embedded.small_grey(frame, form, part, shape)
    assert found.dtype == np.uint8
    assert np.abs(found - wanted).max() <= (1.1 if form.planar else 40)


@pytest.mark.parametrize(
    ("height", "width", "area", "shape"),
    [
        (1080, 1920, embedded.AREA, (128, 224)), (800, 1920, embedded.AREA, (128, 320)), (480, 640, embedded.AREA, (160, 224)),
        (1920, 1080, embedded.AREA, (256, 128)), (10, 4000, embedded.AREA, (96, 288)), (4000, 10, embedded.AREA, (256, 128)),
        (1080, 1920, embedded.MAP_AREA, (160, 288)), (100, 100, 100, (64, 64)),
    ],
)  # fmt: skip
def test_shapes_of_maps(height, width, area, shape):
    assert embedded.network_shape(height, width, area) == shape


def test_what_the_network_sees():
    seen = []
    network = SimpleNamespace(setInput=lambda blob: seen.append(blob.copy()), forward=lambda: seen[-1][:, :1, ::2, ::2])
    picture = np.random.default_rng(0).random((64, 96, 3)).astype(np.float32)
    found = embedded.infer(network, picture)
    (blob,) = seen
    assert blob[0, :3] == pytest.approx(picture.transpose(2, 0, 1) * 2 - 1)
    assert blob[0, 3, :, 5] == pytest.approx(np.linspace(-1, 1, 64), abs=1e-6)
    assert blob[0, 4, 7] == pytest.approx(np.linspace(-1, 1, 96), abs=1e-6)
    assert np.array_equal(found, blob[0, 0, ::2, ::2])
    ramp = np.linspace(0, 1, 32)[:, None]
    assert embedded.predict(network, picture) == pytest.approx(0.75 * found + 0.25 * ramp, abs=1e-6)
    both = (found + embedded.infer(network, picture[:, ::-1])[:, ::-1]) / 2
    assert embedded.predict(network, picture, twice=True) == pytest.approx(0.75 * both + 0.25 * ramp, abs=1e-6)


def test_the_guided_filter_is_a_local_line():
    rng = np.random.default_rng(0)
    guide = rng.random((20, 30)).astype(np.float32)
    line = 0.3 * guide + 0.4
    assert embedded.guided(guide, line, 3, 1e-9) == pytest.approx(line, abs=1e-4)
    noise = rng.random((20, 30)).astype(np.float32)
    assert embedded.guided(guide, noise, 3, 1e9) == pytest.approx(cv2.blur(cv2.blur(noise, (7, 7)), (7, 7)), abs=1e-5)
    slope, shift = np.zeros((7, 7)), np.zeros((7, 7))
    for row in range(7):
        for column in range(7):
            g, v = (values[5 + row : 12 + row, 10 + column : 17 + column] for values in (guide, noise))
            slope[row, column] = ((g * v).mean() - g.mean() * v.mean()) / (g.var() + 0.02)
            shift[row, column] = v.mean() - slope[row, column] * g.mean()
    found = embedded.guided(guide, noise, 3, 0.02)
    assert found[11, 16] == pytest.approx(slope.mean() * guide[11, 16] + shift.mean(), abs=1e-5)


def test_sharpening_in_numbers():
    rng = np.random.default_rng(0)
    depth, grey = rng.random((12, 16)).astype(np.float32), rng.integers(0, 255, (24, 32), np.uint8)
    crisp = depth + 0.5 * (depth - cv2.GaussianBlur(depth, (0, 0), 3.0))
    large = cv2.resize(crisp, (32, 24), interpolation=cv2.INTER_LINEAR)
    assert embedded.sharpen(depth, grey) == pytest.approx(
        embedded.guided(grey / np.float32(255), large, 3, 1e-3), abs=1e-5
    )


@pytest.mark.parametrize(
    ("part", "pads"),
    [
        ((0, 80, 0, 120), (0, 0, 0, 0)),
        ((20, 60, 0, 120), (10, 10, 0, 0)),
        ((0, 80, 24, 90), (0, 0, 9, 11)),
        ((8, 72, 12, 120), (2, 2, 3, 0)),
    ],
)
def test_maps_cover_the_bars(part, pads):
    top, bottom, left, right = part
    clip = shown(PixelFormat.YUV420P, frames=2)
    rows, columns = 20, 24
    depths = np.random.default_rng(0).random((2, rows, columns)).astype(np.float32)
    flow = np.random.default_rng(1).random((rows, columns, 2)).astype(np.float32)
    found = embedded._framed(clip, part, [None, flow], depths)
    down, across = rows / (bottom - top), columns / (right - left)
    above, below = round(top * down), round((80 - bottom) * down)
    before, after = round(left * across), round((120 - right) * across)
    assert (above, below, before, after) == pads
    inner = np.s_[above : above + rows, before : before + columns]
    assert found.values.shape == (2, above + rows + below, before + columns + after)
    for n in range(2):
        assert np.array_equal(found.values[n][inner], depths[n])
    assert found.flows[0] is None
    assert np.array_equal(found.flows[1][inner], flow)
    assert np.array_equal(found.values[0][0, before : before + columns], depths[0][0])
    assert np.array_equal(found.flows[1][-1, before : before + columns], flow[-1])
    assert np.array_equal(found.values[1][above : above + rows, -1], depths[1][:, -1])


@pytest.mark.parametrize(("motion", "held"), [("auto", 8), ("off", 1)])
def test_frames_that_the_embedded_estimator_holds(motion, held):
    settings = ConvertSettings(motion=motion, smooth=0.6)
    made = embedded.EmbeddedDepth(settings, suites.info())
    assert (made.held, embedded.EmbeddedDepth.cost(settings, suites.info()).frames) == (held, held)
    assert (made._smoother.keep, made._smoother.every) == (pytest.approx(0.36), 4)
    out = list(made(iter(suites.film(9, size=4))))
    assert [len(clip) for clip, _ in out] == [4, 4, 1]
    for _, depth in out:
        assert len(depth.flows) == len(depth)


def test_square_pixels_are_what_the_network_sees(monkeypatch):
    seen = []
    monkeypatch.setattr(embedded, "network_shape", lambda *given: seen.append(given[:2]) or (64, 64))
    monkeypatch.setattr(embedded, "predict", lambda *given, **more: np.zeros((32, 32), np.float32))
    for aspect, width in ((Fraction(4, 3), 128), (Fraction(1), 96), (Fraction(0), 96)):
        seen.clear()
        made = embedded.EmbeddedDepth(ConvertSettings(), replace(suites.info(), sample_aspect=aspect))
        list(made(iter(suites.film(2))))
        assert set(seen) == {(64, width)}


@pytest.mark.parametrize(
    ("kind", "scale"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1), (np.int32, 1), (bool, 1)]
)
def test_values_of_files(tmp_path, kind, scale):
    values = np.array([[0, 1], [1, 0]]).astype(kind) if kind is bool else np.array([[0, 51], [100, 255]], kind)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", other=np.zeros((1, 1)), depth=values)
    np.savez(tmp_path / "b.npz", first=values, other=np.zeros((1, 1)))
    for name in ("a.npy", "a.npz", "b.npz"):
        found = read_map(tmp_path / name)
        assert found.dtype == np.float32
        assert found == pytest.approx(values.astype(np.float64) / scale)
    np.save(tmp_path / "c.npy", np.dstack([values, values * 0]))
    assert read_map(tmp_path / "c.npy") == pytest.approx(values.astype(np.float64) / scale), "the first channel"
    for shape in ((4,), (2, 2, 2, 2)):
        np.save(tmp_path / "d.npy", np.zeros(shape, kind))
        with pytest.raises(SourceError, match="must be"):
            read_map(tmp_path / "d.npy")


def test_folders_without_maps_and_other_files(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(SourceError, match="contains no depth maps"):
        list(folder_maps(tmp_path))
    names = ["f10.png", "f9.png", "f09b.png", "g1.png", "f9a2.png"]
    assert sorted(names, key=lambda name: _natural(tmp_path / name)) == [
        "f9.png",
        "f9a2.png",
        "f09b.png",
        "f10.png",
        "g1.png",
    ]


def test_each_frame_has_its_map():
    maps = [np.full((4, 6), n, np.float64) for n in range(5)]
    clips = [Clip(np.zeros((n, 2, 2, 3), np.uint8), np.arange(n)) for n in (2, 3)]
    found = list(FileDepth(iter(maps), metric=True)(iter(clips)))
    assert [depth.values[:, 0, 0].tolist() for _, depth in found] == [[0, 1], [2, 3, 4]]
    assert all(depth.metric and depth.values.dtype == np.float32 for _, depth in found)
    with pytest.raises(SourceError, match="the depth ends after 4 frames"):
        list(FileDepth(iter(maps[:4]))(iter(clips)))
    odd = [*maps[:3], np.zeros((4, 8))]
    with pytest.raises(SourceError, match="d.mkv: map 4 is 8x4, the first 6x4"):
        list(FileDepth(iter(odd), name="d.mkv")(iter(clips)))


@pytest.mark.parametrize(("factor", "shape"), [(2, (8, 12)), (4, (4, 6)), (3, (5, 8)), (99, (1, 1))])
def test_smaller_maps(factor, shape):
    values = np.random.default_rng(0).random((2, 16, 24)).astype(np.float32)
    clip = suites.film(2)[0]
    ((same, depth),) = list(refine.Downsample(factor)(iter([(clip, DepthMap(values, True))])))
    assert same is clip and depth.metric and depth.values.shape == (2, *shape)
    if factor in (2, 4):
        blocks = values.reshape(2, 16 // factor, factor, 24 // factor, factor).mean((2, 4))
        assert depth.values == pytest.approx(blocks, abs=1e-6)
    assert refine.Downsample.held == 0


@pytest.mark.parametrize("metric", [False, True])
def test_a_correction_changes_the_part_inside_the_bars(metric):
    values = np.full((2, 8, 8), 0.9, np.float32)
    prior = np.full((2, 4, 4), 0.5, np.float32)
    depth, inner = DepthMap(values, metric), (slice(2, 6), slice(0, 8))
    assert refine._corrected(depth, prior, inner, 2.0, prior.copy()) is depth
    for change, wanted in ((0.2, 1.3 if metric else 1.0), (-0.2, 0.5), (-0.9, 0.0)):
        found = refine._corrected(depth, prior, inner, 2.0, prior + np.float32(change))
        assert found.metric == metric
        assert found.values[:, 2:6] == pytest.approx(wanted, abs=1e-6)
        assert found.values[:, [0, 1, 6, 7]] == pytest.approx(0.9)
    assert values.min() == np.float32(0.9), "the given map stays"


@pytest.mark.parametrize("metric", [False, True])
def test_what_is_corrected_is_scaled(metric, monkeypatch):
    """Metric depth by the 2nd and 98th percentile of every second sample of a shot's first map."""
    told = []
    monkeypatch.setattr(
        refine,
        "fused",
        lambda estimates: (
            (told.append(e.depths), (e.clip, e.map_of(e.depths + np.float32(0.1))))[1] for e in estimates
        ),
    )
    clips = suites.film(4, 2, size=2)
    ramp = (
        np.linspace(1, 5, 36, dtype=np.float32)[:, None].repeat(54, 1) if metric else np.full((36, 54), 0.4, np.float32)
    )
    scales = [1, 1, 3] if metric else [1, 1, 1]
    maps = [DepthMap(np.stack([ramp, ramp * 1.1]) * np.float32(k), metric) for k in scales]
    out = list(refine.MotionCorrection()(iter(zip(clips, maps, strict=True))))
    for prior, depth, scale, (_, found) in zip(told, maps, scales, out, strict=True):
        low, high = np.percentile(ramp[::2, ::2] * scale, (2, 98)) if metric else (0, 1)
        middle = (depth.values[:, 18, 20] - low) / (high - low)
        assert prior[:, prior.shape[1] // 2, 20] == pytest.approx(middle, abs=0.03)
        assert (prior.min() >= 0) and (prior.max() <= 1)
        assert found.values[:, 18, 20] - depth.values[:, 18, 20] == pytest.approx(0.1 * (high - low), rel=1e-3)
    assert refine.MotionCorrection.held == 8


def test_flat_metric_maps_can_be_scaled():
    clip = suites.film(2)[0]
    flat = DepthMap(np.full((2, 36, 54), 2.0, np.float32), True)
    ((_, found),) = list(refine.MotionCorrection()(iter([(clip, flat)])))
    assert found.values == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("shape", "how"), [((4, 6), cv2.INTER_AREA), ((8, 6), cv2.INTER_LINEAR), ((16, 24), cv2.INTER_LINEAR)]
)
def test_sizes_of_values(shape, how):
    values = np.random.default_rng(0).random((8, 12)).astype(np.float64)
    assert refine._sized(values, shape) == pytest.approx(
        cv2.resize(values.astype(np.float32), shape[::-1], interpolation=how)
    )


class Shot8:
    """A dissolver that gives maps out in groups of three, with 1 added."""

    def __init__(self, number, log):
        self.number, self.log, self.waiting = number, log, []

    def push(self, frames, depth):
        assert frames.shape[1:3] == depth.shape[1:] == (8, 16)
        self.log.append((self.number, round(float(depth.max()), 4)))
        self.waiting += list(depth + 1)
        while len(self.waiting) >= 3:
            yield np.stack(self.waiting[:3])
            del self.waiting[:3]

    def finish(self):
        if self.waiting:
            yield np.stack(self.waiting)
        self.log.append(f"end {self.number}")


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("metric", [True, False])
def test_dissolved_maps_come_back_to_their_clips(ended, metric):
    stage, log = refine.Dissolve.__new__(refine.Dissolve), []
    stage._maker = SimpleNamespace(shape=(8, 16), begin=lambda number: Shot8(number, log))
    clips = [replace(clip, last=clip.last and ended) for clip in suites.film(5, 2, size=2)]
    tops = [2.0, 4.0, 1.0, 3.0] if metric else [0.2, 0.4, 0.1, 0.3]
    given = [
        (clip, DepthMap(np.full((len(clip), 4, 8), top, np.float32), metric))
        for clip, top in zip(clips, tops, strict=True)
    ]
    out = list(stage(iter(given)))
    assert [clip.pts.tolist() for clip, _ in out] == [[0, 1], [2, 3], [4], [5, 6]]
    seen = [1.0, 1.0, 0.25, 1.0] if metric else tops  # the largest of the shot so far is 1
    assert [float(depth.values.mean()) for _, depth in out] == pytest.approx([1 + value for value in seen])
    assert [entry for entry in log if isinstance(entry, str)] == ["end 0", "end 1"]
    assert [entry for entry in log if isinstance(entry, tuple)] == [
        (0, seen[0]),
        (0, seen[1]),
        (0, seen[2]),
        (1, seen[3]),
    ]


def flow_of(dx, dy=0.0, shape=(6, 10)):
    return np.dstack([np.full(shape, dx, np.float32), np.full(shape, dy, np.float32)])


@pytest.mark.parametrize(("dx", "dy"), [(2, 0), (-2, 0), (0, 1), (0, -1), (3, -2), (-3, 2), (20, 0), (0, -20)])
def test_a_step_in_any_direction(dx, dy):
    depth = np.arange(60, dtype=np.float32).reshape(6, 10)
    found = propagate.moved(depth, flow_of(dx + 0.3, dy - 0.3))
    for y in range(6):
        for x in range(10):
            there = 0 <= x - dx < 10 and 0 <= y - dy < 6
            assert found[y, x] == depth[(y - dy, x - dx) if there else (y, x)]


@pytest.mark.parametrize(("px", "hidden"), [(0.99, False), (1.01, True)])
def test_flows_that_disagree_by_a_pixel(px, hidden):
    forward, back = flow_of(2, 1), flow_of(-2, -1)
    back[..., 0] += px * 0.6
    back[..., 1] += px * 0.8
    inside = np.s_[:-1, :-2]  # what leaves the picture is hidden in any case
    assert (propagate.occluded(forward, back)[inside] == hidden).all()
    assert not propagate.occluded(forward, back, 2.0)[inside].any()
    side = flow_of(0)
    side[:, 5:, 0] = -3
    assert propagate.occluded(flow_of(3), side)[0].tolist() == [x < 2 or x > 6 for x in range(10)]


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_maps_travel_both_ways_as_far_as_they_reach(reach):
    count = 7
    maps = np.random.default_rng(0).random((count, 6, 30)).astype(np.float32)
    state, out = propagate.Propagation(reach), []
    for n, depth in enumerate(maps):
        before = len(out)
        out += state.push_with_flow(None if n == 0 else flow_of(1, shape=(6, 30)), depth)
        assert len(out) - before == (n >= reach)
    out += state.finish()
    assert list(state.finish()) == []
    for t, found in enumerate(out):
        near = range(max(0, t - reach), min(count, t + reach + 1))
        wanted = np.mean([np.roll(maps[k], t - k, axis=1) for k in near], axis=0)
        assert found[:, 8:-8] == pytest.approx(wanted[:, 8:-8], abs=1e-6)
        assert found.dtype == np.float32


@pytest.mark.parametrize("ended", [True, False])
def test_propagated_clips_come_out_whole(ended, monkeypatch):
    monkeypatch.setattr(
        propagate.Propagation,
        "push",
        lambda self, grey, depth: self.push_with_flow(
            flow_of(0, shape=depth.shape) if self._sums or self._travelling else None, depth
        ),
    )
    clips = [replace(clip, last=clip.last and ended) for clip in suites.film(12, 3, size=5)]
    given = [
        (clip, DepthMap(np.full((len(clip), 4, 6), clip.shot.number, np.float32), clip.shot.number == 1))
        for clip in clips
    ]
    out = list(propagate.Propagate()(iter(given)))
    assert [clip.pts.tolist() for clip, _ in out] == [clip.pts.tolist() for clip in clips]
    assert [depth.metric for _, depth in out] == [False, False, False, True]
    for clip, depth in out:
        assert depth.values == pytest.approx(clip.shot.number)


def test_a_film_of_colours_has_its_shot_numbers():
    clip = Clip(np.zeros((1, 4, 4, 3), np.uint8), np.arange(1), colour=Colour(1, 1, 1), shot=Shot(3))
    ((found, _),) = list(FileDepth(iter([np.zeros((2, 2))]))(iter([clip])))
    assert found.shot.number == 3
