"""Burned-in text gets one steady depth; everything else keeps its own."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from stereocast.depth import captions
from stereocast.depth.captions import SteadyText, find
from stereocast.pictures import planes
from stereocast.types import Clip, Colour, DepthMap, PixelFormat

H, W = 180, 320


class Wobbling:
    """Depth that changes from frame to frame everywhere."""

    held = 0

    def __call__(self, clips: Iterator[Clip]) -> Iterator[tuple[Clip, DepthMap]]:
        for clip in clips:
            rows = np.linspace(0.1, 0.7, 90, dtype=np.float32)[:, None].repeat(160, 1)
            yield clip, DepthMap(np.stack([rows + 0.02 * np.sin(int(tick)) for tick in clip.pts]).astype(np.float32))


def film(text: str = "", move: int = 0, frames: int = 12) -> list[np.ndarray]:
    """A ground that moves and a box; `text` at the bottom, which moves by `move` pixels a frame."""
    rows, columns = np.mgrid[0:H, 0:W]
    made = []
    for n in range(frames):
        image = np.stack([90 + 30 * np.sin((columns + 3 * n) / 9.0), 110 + 20 * np.cos(rows / 7.0), 80 + 0 * rows], -1)
        image = np.clip(image, 0, 255).astype(np.uint8)
        image[60:110, 40 + 3 * n : 90 + 3 * n] = (200, 190, 180)
        if text:
            place = (60 + move * n, 160)
            cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 4, cv2.LINE_AA)
            cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (250, 250, 250), 1, cv2.LINE_AA)
        made.append(image)
    return made


def maps_of(images: list[np.ndarray], depth: float | str, pixel_format: PixelFormat = PixelFormat.RGB24) -> np.ndarray:
    colour = Colour(1, 1, 1)
    frames = np.stack([planes.from_rgb(image / np.float32(255), pixel_format, colour) for image in images])
    clips = [
        Clip(frames[n : n + 2], np.arange(n, n + 2, dtype=np.int64), pixel_format, colour, first=n == 0)
        for n in range(0, len(images), 2)
    ]
    stage = SteadyText(Wobbling(), depth)  # type: ignore[arg-type]
    return np.concatenate([depth.values for _, depth in stage(iter(clips))])


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_text_is_steady_and_in_front(pixel_format: PixelFormat) -> None:
    plain = maps_of(film(), "auto", pixel_format)
    found = maps_of(film("Burned in subtitle"), "auto", pixel_format)
    band = found[4:, 74:79, 35:95]
    assert band.max() - band.min() < 1e-6  # one value, in all frames
    assert band.mean() >= plain[4:, 74:79, 35:95].max() - 0.05
    assert np.abs(plain[4:, 74:79, 35:95].std(0)).max() > 0.005  # it did wobble
    assert (found[:, :60] == plain[:, :60]).all()  # the rest is as it was


def test_a_depth_of_ones_own() -> None:
    assert (maps_of(film("Burned in subtitle"), 0.9)[5:, 74:79, 35:95] == np.float32(0.9)).all()


@pytest.mark.parametrize("images", [film(), film("rolling credits", move=4)], ids=["no text", "text that moves"])
def test_what_is_left_alone(images: list[np.ndarray]) -> None:
    assert (maps_of(images, "auto") == maps_of(film(), 0.0)).all()


def test_text_that_ends_is_let_go() -> None:
    found = maps_of([*film("Burned in subtitle", frames=8), *film(frames=8)], "auto")
    assert (found[12:, 76, 40:100].std(0) > 0.005).all()


def test_what_flickers_is_no_text() -> None:
    images = film("Burned in subtitle")
    for n, image in enumerate(images):
        letters = image.min(2) > 240
        image[letters] = 250 - 40 * (n % 2)  # as bright as letters, but not still
    assert (maps_of(images, 0.9)[5:, 74:79, 35:95] != np.float32(0.9)).any()
    assert not (maps_of(images, 0.9) == np.float32(0.9)).any()


def test_a_cut_forgets() -> None:
    """What comes after a cut doesn't depend on what was before: a resumed film begins there."""
    images = film("Burned in subtitle", frames=8)
    frames = np.stack(images)

    def clip(begin: int, first: bool) -> Clip:
        return Clip(frames[begin : begin + 4], np.arange(begin, begin + 4, dtype=np.int64), first=first)

    whole = [depth.values for _, depth in SteadyText(Wobbling(), "auto")(iter([clip(0, True), clip(4, True)]))]
    alone = [depth.values for _, depth in SteadyText(Wobbling(), "auto")(iter([clip(4, True)]))]
    assert (whole[1] == alone[0]).all()


def test_lines_are_told_from_textures() -> None:
    checks = np.zeros((H, W), bool)
    checks[100:120] = (np.arange(W) // 4 % 2 == 0)[None]
    bar = np.zeros((H, W), bool)
    bar[100:104] = True
    assert find(checks) == []
    assert find(bar) == []
    assert find(np.zeros((H, W), bool)) == []


def line(top: float, bottom: float, left: float, right: float, depth: float = 0.5) -> captions._Line:
    return captions._Line(top, bottom, left, right, depth)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ((0.75, 0.875, 0.25, 0.75), True),
        ((0.8, 0.925, 0.25, 0.75), True),
        ((0.8125, 0.9375, 0.25, 0.75), False),  # half of its height
        ((0.78125, 0.8125, 0.25, 0.75), True),
        ((0.625, 0.75, 0.25, 0.75), False),
        ((0.75, 0.875, 0.74, 0.95), True),
        ((0.75, 0.875, 0.75, 0.95), False),
    ],
)
def test_which_line_goes_on(other: tuple[float, ...], same: bool) -> None:
    one, two = line(0.75, 0.875, 0.25, 0.75), line(*other)
    assert one.overlaps(two) == two.overlaps(one) == same


def letters(height: int, width: int, top: int, tall: int, left: int, wide: int, gap: int = 8) -> np.ndarray:
    """Uprights of different length in steps of `gap` pixels."""
    strokes = np.zeros((height, width), bool)
    for number, column in enumerate(range(left, left + wide - 1, gap)):
        strokes[top + (0, 1, 2)[number % 3] : top + tall - (0, 2, 1)[number % 3], column : column + 2] = True
    strokes[top, left] = strokes[top + tall - 1, left + wide - 1] = True
    return strokes


@pytest.mark.parametrize(
    ("tall", "wide", "gap", "found"),
    [
        (12, 160, 8, True),
        (32, 160, 8, True),
        (33, 160, 8, False),  # 0.16 of the height
        (30, 48, 4, True),
        (30, 47, 4, False),  # 1.6 times as wide as it is high
        (6, 20, 3, True),
        (6, 19, 3, False),  # a twentieth of the width
        (12, 160, 16, False),  # strokes too far apart
    ],
)
def test_what_a_line_looks_like(tall: int, wide: int, gap: int, found: bool) -> None:
    lines = find(letters(200, 400, 100, tall, 100, wide, gap))
    assert bool(lines) == found
    if lines:
        (one,) = lines
        assert (one.top, one.bottom) == pytest.approx((0.5, 0.5 + tall / 200))
        assert (one.left, one.right) == pytest.approx((0.25, 0.25 + wide / 400))
        assert (one.depth, one.missed) == (0.0, 0)


def test_a_line_is_neither_full_nor_nearly_empty() -> None:
    def with_share(share: float) -> np.ndarray:
        strokes = letters(200, 400, 100, 20, 100, 160)
        part = strokes[100:120, 100:260]
        missing = round(share * part.size) - int(part.sum())
        columns = np.flatnonzero(~part.any(0))
        if missing > 0:  # strokes become wider
            rows = np.arange(3, 17)
            places = [(row, column) for column in columns if column % 8 < 7 for row in rows][:missing]
            part[tuple(zip(*places, strict=True))] = True
        return strokes

    assert [len(find(with_share(share))) for share in (0.3, 0.6, 0.68)] == [1, 1, 1]
    full = letters(200, 400, 100, 20, 100, 160, 8)
    for shift in range(1, 6):
        full |= np.roll(letters(200, 400, 100, 20, 100, 154, 8), shift, axis=1)
    assert full[100:120, 100:260].mean() > 0.7
    assert find(full) == []


def test_a_line_below_something_else_is_found() -> None:
    strokes = letters(200, 400, 150, 12, 100, 160)
    strokes[20:30, 30:35] = True
    assert [round(one.top, 3) for one in find(strokes)] == [0.75]


def test_the_smallest_letters() -> None:
    """0.018 of the height."""
    assert [len(find(letters(400, 800, 200, tall, 100, 120, 4))) for tall in (7, 8)] == [0, 1]


def test_strokes_near_each_other_are_one_line() -> None:
    """The reach is a 22nd of the height to either side."""
    one = letters(210, 400, 100, 12, 20, 100)
    for gap, count in ((18, 1), (19, 2)):
        both = one | np.roll(one, 100 + gap, axis=1)
        assert len(find(both)) == count


@pytest.mark.parametrize(
    ("grow", "rows", "columns"), [(0.0, (40, 50), (20, 60)), (0.3, (37, 53), (17, 63)), (9.0, (0, 100), (0, 80))]
)
def test_the_surroundings_of_a_line(grow: float, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    depth = np.zeros((100, 80), np.float32)
    found = captions._box(depth, line(0.4, 0.5, 0.25, 0.75), grow)
    assert (found[0].start, found[0].stop) == rows
    assert (found[1].start, found[1].stop) == columns
    captions.lay(depth, line(0.4, 0.5, 0.25, 0.75), 0.7)
    assert depth.sum() == pytest.approx(16 * 46 * 0.7, rel=1e-5)
    assert depth[37:53, 17:63].min() == np.float32(0.7)
    wide = np.zeros((50, 200), np.float32)
    assert captions._box(wide, line(0.4, 0.6, 0.25, 0.5), 0.5)[1] == slice(45, 105), "as many pixels as above and below"


@pytest.mark.parametrize(
    ("behind", "elsewhere", "wanted"), [(0.2, 1.0, 0.6), (0.2, 0.5, 0.3), (0.9, 1.0, 0.9), (0.2, 3.0, 0.6)]
)
def test_text_is_in_front_of_what_it_covers(behind: float, elsewhere: float, wanted: float) -> None:
    depth = np.full((100, 80), behind, np.float32)
    depth[0, 0] = elsewhere
    depth[45, 40] = behind + 0.05  # a speck: fewer than 2 %
    assert captions._in_front(depth, line(0.4, 0.5, 0.25, 0.75)) == pytest.approx(wanted, abs=1e-5)


def followed(*found: list[captions._Line]) -> list[list[tuple[float, float, int]]]:
    """Top, depth and frames missed of the lines after each frame; depth grows by 0.1 a frame."""
    stage = SteadyText(Wobbling(), "auto")
    states = []
    for number, lines in enumerate(found):
        stage._follow(lines, np.full((20, 20), 0.6 + 0.1 * number, np.float32))
        states.append([(one.top, round(one.depth, 3), one.missed) for one in stage._lines])
    return states


def test_lines_keep_their_depth_and_are_missed_twice() -> None:
    here, moved, there = (
        (lambda: line(0.8, 0.9, 0.2, 0.8)),
        (lambda: line(0.82, 0.92, 0.2, 0.8)),
        (lambda: line(0.1, 0.2, 0.2, 0.8)),
    )
    assert followed([here()], [moved()], [there()], [], [], []) == [
        [(0.8, 0.6, 0)],
        [(0.82, 0.6, 0)],
        [(0.1, 0.8, 0), (0.82, 0.6, 1)],
        [(0.1, 0.8, 1), (0.82, 0.6, 2)],
        [(0.1, 0.8, 2)],
        [],
    ]
    assert followed([here()], [], [here()])[-1] == [(0.8, 0.6, 0)]


def test_strokes_count_from_the_third_frame_and_begin_again_after_a_change() -> None:
    stage = SteadyText(Wobbling(), "auto")
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[20:40, 30:70:8] = 255
    clip = Clip(picture[None], np.arange(1))
    steady = [bool(stage._strokes(picture, clip).any()) for _ in range(4)]
    assert steady == [False, False, False, True]
    for change, kept in ((17, True), (18, False)):
        other = picture.copy()
        other[picture > 0] = 255 - change
        assert bool(stage._strokes(other, clip).any()) == kept
        stage._strokes(picture, clip)
        for _ in range(4):
            stage._strokes(picture, clip)
    assert not stage._strokes(picture[:48], Clip(picture[None, :48], np.arange(1))).any(), "another size"


@pytest.mark.parametrize(
    ("ink", "ground", "found"), [(160, 104, True), (160, 105, False), (151, 0, True), (150, 0, False)]
)
def test_strokes_are_bright_on_a_darker_ground(ink: int, ground: int, found: bool) -> None:
    luma = np.full((240, 96), ground, np.uint8)
    luma[100:130, 30:34] = ink
    assert captions._bright_strokes(luma).any() == found


def test_strokes_are_thin() -> None:
    for width, found in ((10, True), (11, False)):
        luma = np.zeros((240, 96), np.uint8)
        luma[100:130, 30 : 30 + width] = 200
        assert captions._bright_strokes(luma).any() == found
    small = np.zeros((48, 96), np.uint8)
    small[10:30, 30:34] = 200
    assert captions._bright_strokes(small).any(), "five pixels at least"
    assert not captions._bright_strokes(np.roll(small, 1, 1) | small | np.roll(small, -1, 1)).any()


@pytest.mark.parametrize(
    ("size", "searched"),
    [((96, 64), (64, 96)), ((1280, 720), (360, 640)), ((1920, 1080), (360, 640)), ((4000, 8), (8, 640))],
)
def test_text_is_searched_in_a_small_picture(size: tuple[int, int], searched: tuple[int, int]) -> None:
    width, height = size
    for form, top in ((PixelFormat.YUV420P, 255), (PixelFormat.YUV420P10, 1023), (PixelFormat.RGB24, 255)):
        shape = (height * 3 // 2, width) if form.planar else (height, width, 3)
        clip = Clip(np.full((1, *shape), top * 3 // 5, form.dtype), np.arange(1), form)
        luma = captions._luma(clip.frames[0], clip)
        assert luma.shape == searched
        assert luma.dtype == np.uint8
        assert (luma == 153).all()


@pytest.mark.parametrize("across", [True, False])
def test_strokes_beside_moving_ones_do_not_count(across: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine tenths of the strokes around must stand still: an eleventh of the width, a fifth of the height here."""
    stage, shown = SteadyText(Wobbling(), "auto"), np.zeros((120, 264), bool)
    monkeypatch.setattr(captions, "_luma", lambda frame, clip: np.zeros((120, 264), np.uint8))
    monkeypatch.setattr(captions, "_bright_strokes", lambda luma: shown.copy())
    clip = Clip(np.zeros((1, 120, 264, 3), np.uint8), np.arange(1))
    still, moving = (np.s_[:, 50:70], np.s_[:, 70:72]) if across else (np.s_[50:70], np.s_[70:72])
    shown[still] = True
    for _ in range(4):
        stage._strokes(clip.frames[0], clip)
    shown[moving] = True
    found = stage._strokes(clip.frames[0], clip)
    wanted = np.zeros_like(shown)
    wanted[np.s_[:, 50:66] if across else np.s_[50:68]] = True
    assert np.array_equal(found, wanted)
