"""Burned-in text gets one steady depth; everything else keeps its own."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

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
