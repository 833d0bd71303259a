"""Moments of a film, what of them is kept, and the sheet that shows them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from stereocast import registry
from stereocast.errors import SourceError, UsageError
from stereocast.jobs.preview import job, moments, sheet
from stereocast.settings import PreviewSettings, ViewSettings
from stereocast.types import Clip, DepthMap, Disparity, PixelFormat, StereoClip
from tests.fakes import RampDepth
from tests.films import make_film


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The real steps with cheap stages; the steps that were taken."""
    taken: list[str] = []

    class Depth(RampDepth):
        def __init__(self, *_: object) -> None:
            taken.append("network")

        def __call__(self, clips: Iterator[Clip]) -> Iterator[Any]:
            taken.append("depth")
            return super().__call__(clips)

    decode, views = moments.decode, moments.views_of
    monkeypatch.setattr(registry, "load", lambda kind, what, name, load=registry.load: (
        Depth if kind is registry.DEPTH else load(kind, what, name)
    ))  # fmt: skip
    monkeypatch.setattr(registry, "SYNTH", {"warp": registry.Backend("tests.fakes:ShiftSynthesizer")})
    monkeypatch.setattr(moments, "decode", lambda *given: taken.append("decode") or decode(*given))
    monkeypatch.setattr(moments, "views_of", lambda *given: taken.append("views") or views(*given))
    return taken


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_film(tmp_path_factory.mktemp("film") / "a.mkv", frames=12, size=(32, 48), codec="ffv1"))


def test_a_changed_option_repeats_only_its_steps(made: list[str], film: str) -> None:
    warm = moments.Warm()

    def asked(start: Fraction = Fraction(0), fov_deg: float = 60.0, **options: Any) -> list[str]:
        made.clear()
        warm.moment(film, start, ViewSettings(depth="embedded", **options), fov_deg)
        return list(made)

    assert asked() == ["decode", "network", "depth", "views"]
    assert asked() == []
    assert asked(strength=1.0) == ["views"]
    assert asked(fov_deg=90.0) == ["views"]
    assert asked(smooth=0.3) == ["network", "depth", "views"]
    assert asked(Fraction(1, 4)) == ["decode", "depth", "views"], "the network is still there"
    assert asked(Fraction(1, 4), smooth=0.3) == ["depth", "views"]
    assert asked(Fraction(1, 4), smooth=0.4) == ["network", "depth", "views"], "two networks at most"
    assert asked(Fraction(1, 3), smooth=0.3)[:3] == ["decode", "depth", "views"]
    assert asked(Fraction(1, 3)) == ["network", "depth", "views"]
    made.clear()
    assert len(warm.picture(film, Fraction(1, 3)).clip) == 3
    assert made == []


def test_what_is_shown_of_a_moment(made: list[str], film: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warm = moments.Warm()
    assert warm.used == 0.0
    fast = warm.moment(film, Fraction(1, 4), ViewSettings(depth="embedded"), 60.0)
    assert (len(fast.clip), len(fast.stereo.left), fast.clip.first, fast.clip.last) == (1, 1, True, True)
    assert set(fast.seconds) == {"decoding", "depth", "views"}
    assert all(seconds > 0 for seconds in fast.seconds.values())
    best = warm.moment(film, Fraction(1, 4), ViewSettings(depth="embedded", fill="best"), 60.0)
    assert (len(best.clip), set(best.seconds)) == (3, {"views"})
    assert np.array_equal(best.clip.frames[-1:], fast.clip.frames)
    np.save(tmp_path / "d.npy", np.zeros((32, 48), np.float32))
    exact = warm.moment(film, Fraction(1, 4), ViewSettings(depth="embedded", disparity=tmp_path / "d.npy"), 60.0)
    assert len(exact.clip) == 3
    assert warm.used > 0
    monkeypatch.setattr(moments, "decode", lambda name, start: None)
    with pytest.raises(SourceError, match=r"no frame could be decoded at 9\.0 s"):
        warm.moment(film, Fraction(9), ViewSettings(depth="embedded"), 60.0)


def test_the_least_recently_used_go_first() -> None:
    kept, asked = moments._Kept(10), []

    def get(key: str, size: int = 4) -> None:
        assert kept.get(key, lambda: asked.append(key) or key, lambda made: size) == key

    for key in ("a", "b", "a", "c", "a", "c", "b"):
        get(key)
    assert asked == ["a", "b", "c", "b"]
    get("d", 2)
    get("b")
    get("c")
    assert asked == ["a", "b", "c", "b", "d"], "ten bytes fit"
    get("large", 99)
    get("large", 99)
    get("c")
    assert asked[5:] == ["large", "c"], "the newest stays, however large it is"
    assert moments._ROOM == 256 * 2**20


def test_figures_of_one_moment() -> None:
    picture = np.zeros((1, 4, 100, 3), np.uint8)
    near = Disparity(np.full((1, 4, 100), 2.0, np.float32))
    found = moments.figures(StereoClip(picture, picture, np.arange(1), PixelFormat.RGB24, disparity=near), 60.0)
    assert found is not None and found.high == pytest.approx(2.0, abs=0.01)
    later = StereoClip(picture, picture, np.arange(7, 8), PixelFormat.RGB24, disparity=near)
    assert moments.figures(later, 60.0).shots[0].start_s == 7.0  # type: ignore[union-attr]
    assert moments.figures(StereoClip(picture, picture, np.arange(1), PixelFormat.RGB24), 60.0) is None


@pytest.mark.parametrize(("count", "starts"), [(1, [6]), (2, [3, 9]), (4, [1.5, 4.5, 7.5, 10.5])])
def test_moments_are_spread_over_the_film(count: int, starts: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(duration: int | None, frames: int | None) -> None:
        info = SimpleNamespace(
            duration=None if duration is None else Fraction(duration), frames=frames, width=4, height=4
        )
        monkeypatch.setattr(job.reader, "open_source", lambda name: SimpleNamespace(info=info, close=lambda: None))

    opened(12, None)
    assert job._moments("a.mp4", count, PreviewSettings()) == starts
    for duration, frames in ((None, None), (12, 1), (0, 5)):
        opened(duration, frames)
        assert job._moments("a.mp4", count, PreviewSettings()) == [0]
    with pytest.raises(UsageError, match="flat film"):
        job._moments("a.mp4", count, PreviewSettings(source_layout="sbs"))


def test_a_sheet_of_moments(made: list[str], film: str, tmp_path: Path) -> None:
    done = job.preview(film, tmp_path / "new/look.png", PreviewSettings(moments=3, width=96, depth="embedded"))
    assert [figures["time_s"] for figures in done.moments] == [0.083, 0.25, 0.417]
    picture = cv2.imread(str(done.path))
    assert picture is not None
    assert picture.shape == (26 + 3 * (64 + 26 + 6), 6 * (96 + 6) + 6, 3)
    beside = job.preview(film, None, PreviewSettings(moments=1, width=96, depth="embedded", overwrite=True))
    assert beside.path.parent == Path(film).parent
    assert beside.path.name.startswith("a_preview")


def stereo(**given: Any) -> tuple[Clip, StereoClip]:
    """Two frames, of which the last is shown: red, with a green left and a blue right view."""
    views = [np.zeros((2, 6, 10, 3), np.uint8) for _ in range(3)]
    for channel, view in enumerate(views):
        view[1, ..., channel] = 255
    pts = np.arange(2)
    return Clip(views[0], pts), StereoClip(views[1], views[2], pts, PixelFormat.RGB24, **given)


@pytest.mark.parametrize(("width", "height"), [(100, 60), (64, 38), (30, 18), (10, 6), (2, 2)])
def test_a_row_shows_the_last_frame_in_the_films_shape(width: int, height: int) -> None:
    depth = DepthMap(np.stack([np.zeros((3, 5)), np.ones((3, 5))]).astype(np.float32))
    holes = np.zeros((2, 6, 10), bool)
    row = sheet.row(*stereo(depth=depth, holes_right=holes), width)
    assert [picture.shape for picture in row] == [(height, width, 3)] * 6
    assert [row[n][0, 0].tolist() for n in (0, 2, 3, 4)] == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [40, 40, 167]]
    assert row[5][0, 0].tolist() == [127, 0, 255], "half of the left view's green in red, the right view's blue"
    assert row[1].tolist() == sheet.depth_picture(np.ones((2, 2), np.float32), (height, width)).tolist()
    without = sheet.row(*stereo(), width)
    assert without[1].tolist() == sheet.depth_picture(np.zeros((2, 2), np.float32), (height, width)).tolist()
    assert row[1].sum() > without[1].sum(), "near is bright"
    assert len(sheet.LABELS) == len(row)


def test_filled_areas_are_tinted() -> None:
    _, views = stereo()
    left, right = np.full((6, 10, 3), 100, np.uint8), np.full((6, 10, 3), 200, np.uint8)
    holes = np.zeros((2, 6, 10), bool)
    holes[1, :, 5:] = True
    for which, base in (("holes_right", 140), ("holes_left", 90)):
        found = sheet.filled_picture(left, right, stereo(**{which: holes})[1], (6, 10))
        assert found[:, :5].tolist() == np.full((6, 5, 3), base).tolist()
        assert found[:, 5:].tolist() == np.tile([255, 60, 160], (6, 5, 1)).tolist()
    both = stereo(holes_left=holes, holes_right=~holes)[1]
    assert sheet.filled_picture(left, right, both, (6, 10))[0, :, 0].tolist() == [255] * 5 + [140] * 5
    assert (sheet.filled_picture(left, right, views, (6, 10)) == 90).all()


def test_the_sheet_places_pictures_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, int, int, float]] = []
    monkeypatch.setattr(sheet, "_write", lambda canvas, text, x, y, size: written.append((text, x, y, size)))
    pictures = [
        [np.full((20, 30, 3), 50 * row + 40 * column + 20, np.uint8) for column in range(2)] for row in range(2)
    ]
    canvas = sheet.sheet([("one", pictures[0]), ("two", pictures[1])], ("a", "b"))
    assert canvas.shape == (26 + 2 * 52, 78, 3)
    assert written == [
        ("a", 6, 18, 0.5), ("b", 42, 18, 0.5), ("one", 6, 64, 0.45), ("two", 6, 116, 0.45),
    ]  # fmt: skip
    rest = canvas.copy()
    for row, top in enumerate((26, 78)):
        for column, left in enumerate((6, 42)):
            part = np.s_[top : top + 20, left : left + 30]
            assert (canvas[part] == pictures[row][column]).all()
            rest[part] = 18
    assert (rest == 18).all()
    monkeypatch.undo()
    assert (sheet.sheet([("one", pictures[0])], ("a", "b")) > 200).any(), "words are bright"
