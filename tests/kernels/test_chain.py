"""The CPU kernels from the warp to the finished view: numbers as they were, compiled or not, and what they mean."""

import cv2
import numpy as np
import pytest

from stereocast.kernels import cpu_carry, cpu_edges, cpu_fill, cpu_structure
from tests.kernels import scenes


@pytest.mark.parametrize("seed", scenes.SCENES)
@pytest.mark.parametrize("make", [scenes.chain, scenes.sharpened])
def test_numbers_as_they_were(seed, make, request):
    """A change on purpose: run with --update-golden, and say in the commit why."""
    name = f"{make.__name__} {seed}"
    made = scenes.fingerprint(make(seed))
    stored = scenes.golden(request.config.getoption("--update-golden"), {name: made})[name]
    assert made.keys() == stored.keys()
    for array, numbers in made.items():
        assert numbers == pytest.approx(stored[array], rel=1e-4, abs=1e-3), array


def test_the_scenes_lead_through_every_kernel():
    made = [scenes.chain(seed) for seed in scenes.SCENES]
    for name in ("followed", "leans", "side"):
        assert sum(m[name].any() for m in made) >= len(made) // 2, name
    assert sum((m["carried 0"] > m["followed"]).any() for m in made) >= len(made) // 2
    assert sum((m["carried 3"] > m["carried 0"]).any() for m in made) >= len(made) // 2


@pytest.mark.parametrize("seed", scenes.SCENES)
def test_holes_are_listed_and_linked(seed):
    holes = scenes.warped(scenes.scene(seed))["holes"]
    xs, starts, up, down = scenes.listed(holes)
    ys, want = np.nonzero(holes)
    assert xs.tolist() == want.tolist()
    assert [starts[y + 1] - starts[y] for y in range(len(holes))] == np.bincount(ys, minlength=len(holes)).tolist()
    number = {place: k for k, place in enumerate(zip(ys, xs, strict=True))}
    assert up.tolist() == [number.get((y - 1, x), -1) for y, x in zip(ys, xs, strict=True)]
    assert down.tolist() == [number.get((y + 1, x), -1) for y, x in zip(ys, xs, strict=True)]


def filled(source, disparity, *, sweeps=60, leans=None, pull=None, want=None):
    """A right view of `source` [P, H, W] and its unrounded fill."""
    made = scenes.warped({"planes": source, "disparity": disparity, "gain": np.float32(1), "mirror": False})
    xs, starts, up, down = scenes.listed(made["holes"])
    count, height = source.shape[:2]
    values = np.zeros((count, xs.size), np.float32)
    cpu_fill.harmonic(
        source, made["out"], disparity, np.float32(1), made["shifts"], xs, starts, up, down,
        np.zeros(xs.size, np.float32) if pull is None else pull, np.zeros(values.shape, np.float32) if want is None else want,
        np.zeros((2, height), np.float32) if leans is None else leans, sweeps, values,
    )  # fmt: skip
    return made, np.repeat(np.arange(height), np.diff(starts)), xs, values


def behind_a_box(height=14, width=40):
    disparity = np.full((height, width), 0.0, np.float32)
    disparity[3:11, 14:24] = 6
    return disparity


def test_a_fill_is_the_mean_of_its_neighbours():
    """Laplace's equation, with foreground as an insulator. (The outermost rows border on colours that the box's own are
    mixed with: these don't flow.)"""
    y, x = np.mgrid[:14, :40].astype(np.float32)
    source = np.clip(np.stack([60 + 3 * x, 200 - 9 * y]), 0, 255).astype(np.uint8)
    source[:, 3:11, 14:24] = 255
    made, ys, xs, values = filled(source, behind_a_box())
    inside = {place: k for k, place in enumerate(zip(ys, xs, strict=True))}
    assert len(inside) >= 48
    for p in range(2):
        for (row, column), k in inside.items():
            if not 4 <= row < 10:
                continue
            around = []
            for v, u in ((row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)):
                if (v, u) in inside:
                    around.append(values[p, inside[v, u]])
                elif made["shifts"][v, u] <= made["shifts"][row, column] + 12:
                    around.append(made["out"][p, v, u])
            assert values[p, k] == pytest.approx(np.mean(around), abs=2.5)
    assert (made["out"][0, ys, xs] < 150).all(), "the box's white stays out"
    assert (made["out"][:, ys, xs] == np.floor(values + 0.5)).all()


def test_a_flat_background_goes_on_flat():
    source = np.full((1, 14, 40), 90, np.uint8)
    source[:, 3:11, 14:24] = 255
    _, _, xs, values = filled(source, behind_a_box())
    assert xs.size
    assert np.allclose(values, 90, atol=0.05)


def test_what_pulls_hard_wins():
    source = np.full((1, 14, 40), 90, np.uint8)
    count = filled(source, behind_a_box())[2].size
    pull, want = np.full(count, 1e4, np.float32), np.full((1, count), 33, np.float32)
    assert np.allclose(filled(source, behind_a_box(), pull=pull, want=want)[3], 33, atol=0.1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_strip_at_the_side_follows_the_lean(sign):
    """Rows of one colour each: with a lean of 1, a strip shows in column n the colour n rows up or down."""
    source = np.repeat(np.repeat(np.arange(20, dtype=np.uint8)[None, :, None] * 10, 24, 2), 1, 0)
    disparity = np.full((20, 24), 5 * sign, np.float32)
    leans = np.full((2, 20), 1, np.float32)
    made, ys, xs, values = filled(source, disparity, leans=leans)
    strip = np.unique(xs)
    assert strip.tolist() == (list(range(19, 24)) if sign > 0 else list(range(5)))
    for row, column, value in zip(ys, xs, values[0], strict=True):
        distance = (column - 18) if sign > 0 else (column - 5)
        if 8 <= row < 12:
            assert value == pytest.approx(10 * (row - distance), abs=4)
    assert (made["out"][0, ys, xs] == np.floor(values[0] + 0.5)).all()


def strip_of(source, width=6):
    """The unrounded fill of a strip of `width` columns at the right side, [H, width]."""
    disparity = np.full(source.shape, width, np.float32)
    _, _, _, values = filled(source[None], disparity)
    return values[0].reshape(len(source), width)


def test_a_spoilt_outermost_column_is_not_continued():
    """Many films end in a dark or blended column."""
    y, x = np.mgrid[:24, :40]
    source = (120 + 20 * np.sin(y / 4) + 2 * np.cos(x)).astype(np.uint8)
    whole = strip_of(source)
    source[:, -1] //= 4
    assert np.abs(strip_of(source) - whole).max() < 6


def test_structure_across_the_side_stays_sharp_and_structure_along_it_fades():
    y, x = np.mgrid[:48, :40]
    bands = (80 + 90 * (y // 6 % 2)).astype(np.uint8)
    noisy = np.random.default_rng(0).integers(90, 160, (48, 40)).astype(np.uint8)
    upright = cv2.GaussianBlur(noisy, (1, 31), 0, sigmaY=3)  # it changes from column to column
    assert np.ptp(strip_of(bands)[12:36, 5]) > 70
    fades = strip_of(upright)[:, 5].std() / strip_of(upright)[:, 0].std()
    assert fades < 0.65


def test_a_slope_goes_on_within_the_colours_that_are_there():
    y, x = np.mgrid[:48, :40]
    source = np.where(y < 24, 40 + 4 * x, 230).astype(np.uint8)  # row 0 grows to 196
    made = strip_of(source)
    assert 197 < made[2, 0] < made[2, 2] < 206
    assert made.max() <= 230


def test_the_other_frame_s_background_is_carried():
    rng = np.random.default_rng(0)
    background = rng.integers(0, 255, (2, 14, 50)).astype(np.uint8)
    disparity = behind_a_box()
    now = background[:, :, 4:44].copy()
    now[:, 3:11, 14:24] = 255
    made = scenes.warped({"planes": now, "disparity": disparity, "gain": np.float32(1), "mirror": False})
    xs, starts, _, _ = scenes.listed(made["holes"])
    ys = np.repeat(np.arange(14), np.diff(starts))
    former = np.ascontiguousarray(background[:, :, 2:42])  # there the camera stood 2 px to the left, without the box
    flow = np.stack([np.full((7, 20), 2, np.float32), np.zeros((7, 20), np.float32)])
    seen, nothing = np.zeros((14, 40), np.int16), np.zeros((14, 40), np.uint8)
    pull, want = np.zeros(xs.size, np.float32), np.zeros((2, xs.size), np.float32)
    cpu_carry.carry(made["out"], former, seen, nothing, flow, made["shifts"], xs, starts, np.float32(0), pull, want)
    assert (pull == cpu_carry.SEEN).all()
    assert (want == background[:, ys, xs + 4]).all()
    again = pull.copy()
    cpu_carry.carry(
        made["out"], former, seen, nothing + 1, flow, made["shifts"], xs, starts, np.float32(0), again, want
    )
    assert (again == pull).all(), "fills that were never shown count nothing"
    cpu_carry.carry(
        made["out"], 255 - former, seen, nothing, flow, made["shifts"], xs, starts, np.float32(0), again, want
    )
    assert (again == pull).all(), "a different picture must not count as the previous frame"


def test_structure_leads_along_stripes():
    y, x = np.mgrid[:14, :40]
    for picture, clear in ((x * 0 + y % 4 * 60, True), (x * 0 + 100, False)):
        source = np.repeat(picture[None].astype(np.uint8), 1, 0)
        made = scenes.warped({"planes": source, "disparity": behind_a_box(), "gain": np.float32(1), "mirror": False})
        xs, starts, _, _ = scenes.listed(made["holes"])
        side = np.ones(xs.size, np.bool_)
        cpu_structure.mark_sides(xs, starts, 40, side)
        assert not side.any()
        tensor, known = np.zeros((3, 14, 40), np.float32), np.zeros((14, 40), np.uint8)
        cpu_structure.gradients(made["out"], made["shifts"], made["holes"], xs, starts, 9, tensor, known)
        pull, want = np.zeros(xs.size, np.float32), np.zeros((1, xs.size), np.float32)
        window = np.ones((19, 19), np.float32)
        cpu_structure.follow(
            made["out"], made["shifts"], made["holes"], xs, starts, side, tensor, known, window, 9, 20, np.float32(2),
            pull, want,
        )  # fmt: skip
        rows = np.repeat(np.arange(14), np.diff(starts))
        assert (pull > 1).all() == clear
        if clear:
            assert (want[0] == rows % 4 * 60).all()


def softened(planes, shifts):
    """The kernel in NumPy: beside a step of more than one pixel, a 3 x 3 Gaussian of the picture as it was."""
    apart = np.zeros(shifts.shape, bool)
    wide = shifts.astype(np.int32)
    across, down = np.abs(np.diff(wide, axis=1)) > 8, np.abs(np.diff(wide, axis=0)) > 8
    apart[:, 1:] |= across
    apart[:, :-1] |= across
    apart[1:] |= down
    apart[:-1] |= down
    padded = np.pad(planes.astype(np.float64), ((0, 0), (1, 1), (1, 1)), "edge")
    line = np.array([0.1664, 1 - 2 * 0.1664, 0.1664])
    height, width = shifts.shape
    mean = sum(line[i] * line[j] * padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3))
    return np.where(apart, mean, planes), apart


@pytest.mark.parametrize("seed", range(12))
def test_outlines_are_softened_as_in_numpy(seed):
    rng = np.random.default_rng(seed)
    height, width = 5 + seed % 3, 8 + seed
    planes = rng.integers(0, 255, (1 + seed % 3, height, width)).astype((np.uint8, np.uint16)[seed % 2])
    shifts = (rng.integers(0, 2 + seed % 2, (height, width)) * rng.integers(5, 12, (height, width))).astype(np.int16)
    if seed > 5:  # single steps at the sides
        shifts[:] = 0
        shifts[:, (0, -1, 0, width - 2, 1, -1)[seed % 6]] = 40
        shifts[(0, -1)[seed % 2]] += 9 * (seed % 3)
    want, apart = softened(planes, shifts)
    made = planes.copy()
    cpu_edges.soften(made, shifts)
    assert np.abs(made - want).max() <= 0.51
    assert (made[:, ~apart] == planes[:, ~apart]).all()


def test_an_outline_is_drawn_over_two_pixels():
    planes = np.zeros((1, 6, 10), np.uint8)
    planes[..., 5:] = 200
    shifts = np.zeros((6, 10), np.int16)
    shifts[:, 5:] = 40
    cpu_edges.soften(planes, shifts)
    assert (planes[0] == [0, 0, 0, 0, 33, 167, 200, 200, 200, 200]).all()
    flat = np.arange(60, dtype=np.uint8).reshape(1, 6, 10)
    before = flat.copy()
    cpu_edges.soften(flat, np.zeros((6, 10), np.int16))
    assert (flat == before).all()
