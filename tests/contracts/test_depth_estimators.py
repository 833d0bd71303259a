"""One suite over every registered depth estimator: shapes, range, order, determinism, cuts, cancelling."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stereocast import registry
from stereocast.settings import ConvertSettings
from stereocast.types import Clip, DepthMap, PixelFormat, Shot, StreamInfo

ROOT = Path(__file__).resolve().parents[1]
HEIGHT, WIDTH = 64, 96
INFO = StreamInfo(WIDTH, HEIGHT, Fraction(1, 25), Fraction(25), PixelFormat.RGB24)
NAMES = [name for name in registry.DEPTH if name != "file"]
LEARNED = [name for name in NAMES if name != "embedded"]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """name -> `--weights` arguments of a tiny checkpoint in the published layout."""
    made: dict[str, tuple[str, ...]] = {"embedded": ()}

    def arguments(name: str) -> tuple[str, ...]:
        if name not in made:
            backend = registry.DEPTH[name]
            if not backend.installed:
                pytest.skip(f"needs the {backend.extra} extra")
            from tests import tiny_models

            folder = tmp_path_factory.mktemp(name)
            if name == "depthcrafter":
                configs = json.loads((ROOT / "data/reference/depthcrafter/configs.json").read_text("utf-8"))
                made[name] = tuple(tiny_models.depthcrafter(folder, configs))
            else:
                make = {"depth-pro": "depth_pro"}.get(name) or name.rsplit("-", 1)[0].removesuffix("-v2").replace(
                    "-", "_"
                )
                made[name] = tuple(getattr(tiny_models, make)(folder, name))
        return made[name]

    return arguments


def open_estimator(name, given, **options):
    chosen = {"device": "cpu", "depth_size": 64, "depth_window": 8, "depth_steps": 1, "smooth": 0, **options}
    settings = ConvertSettings(depth=name, weights=given(name), **chosen)
    return registry.load(registry.DEPTH, "depth estimator", name)(settings, INFO)


def frames(count: int, seed: int = 0) -> np.ndarray:
    """A texture that moves over a darker sky."""
    stream = np.random.default_rng(seed)
    texture = stream.integers(60, 255, (HEIGHT, WIDTH + 4 * count, 3), dtype=np.uint8)
    texture[: HEIGHT // 3] //= 4
    return np.stack([texture[:, 2 * n : 2 * n + WIDTH] for n in range(count)])


def clips(pictures: np.ndarray, sizes: list[int], number: int = 0) -> Iterator[Clip]:
    begin = 0
    while begin < len(pictures):
        size = sizes[0] if len(sizes) == 1 else sizes.pop(0)
        end = min(begin + size, len(pictures))
        yield Clip(
            pictures[begin:end], np.arange(begin, end), PixelFormat.RGB24,
            shot=Shot(number), first=begin == 0, last=end == len(pictures),
        )  # fmt: skip
        begin = end


def depth_of(estimator, *shots) -> tuple[list[Clip], list[DepthMap]]:
    pairs = list(estimator(clip for shot in shots for clip in shot))
    return [clip for clip, _ in pairs], [depth for _, depth in pairs]


def joined(maps: list[DepthMap]) -> np.ndarray:
    return np.concatenate([depth.values for depth in maps])


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_once_in_order_and_in_range(name, given):
    estimator = open_estimator(name, given)
    assert estimator.held >= 0
    out, maps = depth_of(estimator, clips(frames(19), [4]), clips(frames(3, 1), [2], number=1))
    assert np.concatenate([clip.pts for clip in out]).tolist() == [*range(19), *range(3)]
    assert [clip.first for clip in out] == [True, False, False, False, False, True, False]
    assert all(clip.overlap == 0 and len(depth) == len(clip) for clip, depth in zip(out, maps, strict=True))
    values = joined(maps)
    assert values.dtype == np.float32
    assert values.ndim == 3
    assert np.isfinite(values).all()
    if maps[0].metric:
        assert (values > 0).all()
    else:
        assert values.min() >= 0
        assert values.max() <= 1
        assert values.max() - values.min() > 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_same_again(name, given):
    first = joined(depth_of(open_estimator(name, given, seed=3), clips(frames(9), [4]))[1])
    again = joined(depth_of(open_estimator(name, given, seed=3), clips(frames(9), [4]))[1])
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", NAMES)
def test_shots_know_nothing_of_each_other(name, given):
    """Scale and state are reset at a cut: a shot alone gives the same result as after another one."""
    estimator = open_estimator(name, given, seed=1)
    both = joined(depth_of(estimator, clips(frames(5), [3]), clips(frames(6, 2), [3], number=1))[1])
    alone = joined(depth_of(open_estimator(name, given, seed=1), clips(frames(6, 2), [3], number=1))[1])
    np.testing.assert_allclose(both[5:], alone, atol=1e-5)


@pytest.mark.parametrize("name", LEARNED)
def test_portions_of_the_stream_do_not_matter(name, given):
    """How frames are bundled into clips changes nothing but the last bits (and, for image models, the running scale)."""
    whole, single = (joined(depth_of(open_estimator(name, given), clips(frames(12), [size]))[1]) for size in (12, 1))
    if name.startswith("depth-anything"):
        # the scale looks ahead by one clip: compare what doesn't depend on it, the order of depths
        whole, single = (np.corrcoef(v.reshape(12, -1))[0, 1:] for v in (whole, single))
        np.testing.assert_allclose(whole, single, atol=0.1)
    else:
        np.testing.assert_allclose(whole, single, atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_cancelling_stops_at_once(name, given):
    taken = []

    def endless() -> Iterator[Clip]:
        for clip in clips(frames(60), [1]):
            taken.append(clip)
            yield clip

    estimator = open_estimator(name, given)
    output = estimator(endless())
    next(output)
    output.close()
    assert len(taken) <= estimator.held + 2, "it holds no more frames than it says"
    assert next(output, None) is None


@pytest.mark.parametrize("name", LEARNED)
def test_repeated_frames_are_left_out(name, given):
    pictures = frames(6)
    overlapping = [
        Clip(pictures[:4], np.arange(4), PixelFormat.RGB24, first=True, last=False),
        Clip(pictures[2:], np.arange(2, 6), PixelFormat.RGB24, overlap=2, first=False, last=True),
    ]
    out, maps = depth_of(open_estimator(name, given), overlapping)
    assert np.concatenate([clip.pts for clip in out]).tolist() == list(range(6))
    assert len(joined(maps)) == 6


@pytest.mark.parametrize("name", LEARNED)
def test_half_precision_changes_little(name, given):
    want = joined(depth_of(open_estimator(name, given, seed=3), clips(frames(6), [6]))[1])
    made = joined(depth_of(open_estimator(name, given, seed=3, precision="bf16"), clips(frames(6), [6]))[1])
    assert np.corrcoef(made.ravel(), want.ravel())[0, 1] > 0.97
    assert len(np.unique(made)) > 0.25 * len(np.unique(want)), "terraces"


@pytest.mark.gpu
@pytest.mark.parametrize(
    "options", [{}, {"precision": "bf16"}, {"depth_offload": "model"}, {"depth_offload": "sequential"}]
)
@pytest.mark.parametrize("name", LEARNED)
def test_a_gpu_gives_what_the_cpu_gives(name, given, options):
    """Half precision and offloading change the last bits alone."""
    want = joined(depth_of(open_estimator(name, given, seed=3), clips(frames(12), [4]))[1])
    made = joined(depth_of(open_estimator(name, given, seed=3, device="cuda", **options), clips(frames(12), [4]))[1])
    assert made.dtype == np.float32
    assert np.abs(made - want).mean() < 0.05 * np.ptp(want)
    assert np.corrcoef(made.ravel(), want.ravel())[0, 1] > 0.97
