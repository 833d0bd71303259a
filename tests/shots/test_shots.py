"""Cuts are found, motion and flashes are not taken for cuts, windows cover every frame once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast.media.reader import open_source
from stereocast.shots.clips import Clipper
from stereocast.shots.cuts import mark_cuts
from stereocast.types import Frame
from tests.films import picture


def frames(count: int, cuts: tuple[int, ...] = (), flash: int | None = None) -> Iterator[Frame]:
    for number in range(count):
        image = picture(number, 72, 128, sum(number >= cut for cut in cuts))
        if number == flash:
            image = np.full_like(image, 250)
        yield Frame(image, number * 10)


@pytest.mark.parametrize("cuts", [(), (12,), (9, 20, 33)])
def test_cuts(cuts: tuple[int, ...]) -> None:
    found = [n for n, (_, cut) in enumerate(mark_cuts(frames(40, cuts))) if cut]
    assert found == [0, *cuts]


def test_a_flash_is_no_cut() -> None:
    assert [n for n, (_, cut) in enumerate(mark_cuts(frames(30, flash=15))) if cut] == [0]


@given(st.integers(0, 40), st.integers(1, 9), st.integers(0, 8), st.sets(st.integers(8, 32), max_size=2))
@settings(max_examples=40, deadline=None)
def test_windows_cover_everything_once(count: int, length: int, overlap: int, cuts: set[int]) -> None:
    if overlap >= length:
        overlap = length - 1
    at = tuple(sorted(cuts))
    if len(at) == 2 and at[1] - at[0] < 8:
        at = at[:1]
    clips = list(Clipper(length, overlap)(frames(count, at)))
    fresh = [int(p) for clip in clips for p in clip.pts[clip.overlap :]]
    assert fresh == [n * 10 for n in range(count)]
    for before, clip in zip(clips, clips[1:], strict=False):
        assert clip.first == before.last == (clip.shot != before.shot)
        assert len(clip) <= length
        assert clip.overlap < len(clip)
        if clip.overlap:
            assert (clip.frames[: clip.overlap] == before.frames[-clip.overlap :]).all()


def test_the_real_hard_cut(shared: Path) -> None:
    source = open_source(str(shared / "data/video/hardcut_dog_to_marathon.mp4"))
    assert [n for n, (_, cut) in enumerate(mark_cuts(iter(source))) if cut] == [0, 40]
    source.close()
