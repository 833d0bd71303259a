"""What `gen` makes of a picture before any network: sizes, lengths, clips, scale of depth, programs of the user's own."""

import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from stereocast.errors import StereocastError, UsageError
from stereocast.jobs.generate import hooks, long, pairs
from stereocast.jobs.generate.film import Film
from stereocast.pipeline.progress import Progress
from stereocast.settings import GenSettings
from stereocast.types import DepthMap, PixelFormat

PICTURE = np.full((7, 9, 3), 0.5, np.float32)


def film(frames: int, rate: int = 10, size: tuple[int, int] = (8, 10)) -> Film:
    """Each left view is as bright as its number, each right one a little darker."""
    views = [np.full((*size, 3), n / 20, np.float32) for n in range(frames)]
    return Film("toy", *size, frames, Fraction(rate), iter([(view, view * 0.5) for view in views]), ("before",))


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> None:
    def move(picture: Any, depth: Any, settings: Any) -> Any:
        return SimpleNamespace(name="orbit", pairs=lambda count: iter([(picture, depth)] * count))

    monkeypatch.setattr(pairs.registry, "load", lambda *given: move)
    monkeypatch.setattr(pairs, "_Depths", lambda settings: lambda pictures: np.zeros((1, 4, 4), np.float32))


@pytest.mark.parametrize(
    ("options", "size", "rate", "count"),
    [
        ({}, (8, 8), 30, 120),
        ({"scale": 2.0}, (14, 18), 30, 120),
        ({"scale": 0.1}, (2, 2), 30, 120),
        ({"fps": 24, "seconds": 0.5}, (8, 8), 24, 12),
        ({"fps": 10, "seconds": 0.01}, (8, 8), 10, 2),
        ({"fps": 24000 / 1001}, (8, 8), Fraction(24000, 1001), 96),
    ],
    ids=str,
)
def test_a_camera_moves_for_four_seconds(
    camera: None, options: dict[str, Any], size: tuple[int, int], rate: Fraction, count: int
) -> None:
    made = pairs._camera(PICTURE, GenSettings(**options))
    assert ((made.height, made.width), made.rate, made.frames) == (size, rate, count)
    views = list(made.pairs)
    assert len(views) == count
    assert [view.shape[:2] for view in views[0]] == [size, size]


@pytest.mark.parametrize(("container", "single"), [("mp4", True), ("hls", False)])
def test_what_is_written_is_checked_before_anything_is_made(
    tmp_path: Path, container: str, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))

    def check(writes: Any, *_: object, overwrite: bool) -> None:
        raise UsageError(" ".join(each.path.name for each in writes))

    monkeypatch.setattr(pairs.written, "check", check)
    monkeypatch.setattr(pairs, "_film", lambda *given: pytest.fail("not before the check"))
    with pytest.raises(UsageError) as caught:
        pairs.prepare(str(tmp_path / "a.png"), None, GenSettings(out_format=container), lambda progress: None)
    assert ("index.m3u8" in str(caught.value)) != single


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9])
def test_frames_in_clips_of_four(count: int) -> None:
    clips = list(pairs.clips(film(count), PixelFormat.RGB24))
    assert [len(clip) for clip in clips] == [4] * (count // 4) + [count % 4] * (count % 4 > 0)
    assert np.concatenate([clip.pts for clip in clips]).tolist() == list(range(count))
    assert [clip.first for clip in clips] == [n == 0 for n in range(len(clips))]
    assert [clip.last for clip in clips] == [n == len(clips) - 1 for n in range(len(clips))]
    left = np.concatenate([clip.left for clip in clips])[:, 0, 0, 0]
    right = np.concatenate([clip.right for clip in clips])[:, 0, 0, 0]
    assert np.abs(left - np.arange(count) * 12.75).max() <= 0.5
    assert np.abs(right - np.arange(count) * 6.375).max() <= 0.5
    assert clips[0].colour == pairs.BT709


def test_pictures_of_any_depth(tmp_path: Path) -> None:
    for kind in (np.uint8, np.uint16):
        cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 8, 3), np.iinfo(kind).max // 5, kind))
        for found in (pairs.picture_of(str(tmp_path / "a.png")), long._picture(tmp_path / "a.png")):
            assert found.dtype == np.float32
            assert found == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize(("step", "hard"), [(0.05, False), (0.1, False), (0.11, True), (0.5, True)])
def test_soft_steps_of_a_tenth_are_snapped_and_slopes_stay(step: float, hard: bool) -> None:
    soft = np.tile(step * np.array([0, 0, 0, 0.5, 1, 1, 1, 1], np.float32), (8, 1))
    large = pairs._sharp(soft, 32, 32)
    assert (large.min(), large.max()) == (0, pytest.approx(step))
    assert np.abs(np.diff(large[16])).max() == pytest.approx(step if hard else step / 8, rel=0.01)


def test_weights_of_the_video_model_are_not_the_depths(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def estimator(settings: Any, info: Any) -> Any:
        told.append((settings.weights, info.width, info.height, info.rate, info.time_base))
        return lambda clips: (
            (clip, DepthMap(np.full((len(clip), 2, 2), clip.frames.mean(), np.float32))) for clip in clips
        )

    monkeypatch.setattr(pairs.assembly, "estimator", estimator)
    depths = pairs._Depths(GenSettings(weights=("folder", "depthcrafter=x")))
    for count in (3, 2):
        found = depths(np.full((count, 6, 8, 3), 0.2, np.float32))
        assert found.shape == (count, 2, 2)
        assert found.dtype == np.float32
        assert found.max() == 51.0
    assert told == [(("depthcrafter=x",), 8, 6, 8, Fraction(1, 8))], "loaded once"


@pytest.mark.parametrize(
    ("options", "there", "wanted"),
    [
        ({"model": "camera"}, {"512"}, None),
        ({}, set(), None),
        ({}, {"256", "512"}, "512"),
        ({}, {"1024", "512"}, "1024"),
        ({"loop": True}, {"1024"}, None),
        ({"loop": True}, {"1024", "512-interp"}, "512-interp"),
        ({"end_image": "b.png"}, {"512-interp"}, "512-interp"),
        ({"model": "256"}, set(), "256"),
    ],
)
def test_the_model_for_what_is_asked(
    options: dict[str, Any], there: set[str], wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = pytest.importorskip("stereocast.models.weights", reason="needs the depth extra")
    monkeypatch.setattr(weights.WeightStore, "has", lambda self, name: name.removeprefix("dynamicrafter-") in there)
    monkeypatch.setattr(weights.WeightStore, "path", lambda self, name: Path(name))
    monkeypatch.setattr(pairs.registry, "find", lambda *given: None)
    name = None if wanted is None else f"dynamicrafter-{wanted}"
    assert pairs.weights_for(GenSettings(**options)) == (None if name is None else (name, Path(name)))


class Toy:
    """A generator whose every window is as many frames as asked, numbered on."""

    def __init__(self, frames: int) -> None:
        self.config, self.count, self.window = SimpleNamespace(name="toy"), frames, -1
        self.asked: list[Any] = []

    def fit(self, height: int, width: int) -> None:
        self.size = height, width

    def trimmed(self, view: Any, *, stereo: bool) -> Any:
        self.asked.append(stereo)
        return view


@pytest.mark.parametrize(
    ("options", "made", "frames"),
    [
        ({"seconds": 1.0}, 8, 8),
        ({"seconds": 1.5}, 14, 12),
        ({"seconds": 1.75}, 14, 14),
        ({"seconds": 3.0}, 26, 24),
        ({}, 8, 8),
        ({"seconds": 0.01}, 8, 2),
        ({"seconds": 0.5, "fps": 16}, 8, 8),
        ({"loop": True}, 8, 8),
        ({"loop": True, "seconds": 0.5}, 8, 8),
    ],
    ids=str,
)
def test_windows_go_on_until_the_film_is_long_enough(
    options: dict[str, Any], made: int, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[str] = []
    toy = Toy(8)

    def one(self: Any, start: Any, end: Any, known: Any, before: Any, number: int, place: str) -> Any:
        places.append(place)
        begin = 0 if number == 0 else int(start[0, 0, 0] * 1000)  # goes on from the first shared frame
        view = (np.arange(begin, begin + 8) / 1000)[:, None, None, None] * np.ones((1, 4, 6, 3))
        assert (known, before) == ((None, None) if number == 0 else (number - 1, number - 1))
        assert toy.window == number
        return view, view, number, number, view

    monkeypatch.setattr(long._Windows, "_one", one)
    monkeypatch.setattr(long.registry, "load", lambda *given: lambda *more: toy)
    settings = GenSettings(frames=8, gen_overlap=2, device="cpu", **options)
    found = long.film(np.zeros((4, 6, 3), np.float32), settings, Path("w"), lambda view: view, lambda at: None)
    views = [pair[0][0, 0, 0] for pair in found.pairs]
    assert np.rint(np.array(views) * 1000).tolist() == list(range(frames)), "no frame is missing or there twice"
    assert found.frames == frames
    assert found.rate == options.get("fps", 8)
    assert sum(8 if n == 0 else 6 for n in range(len(places))) == made
    assert places == (
        [""] if frames <= 8 else [", frames from 0", *(f", frames from {n}" for n in range(8, made - 5, 6))]
    )
    assert toy.asked == [True, True]


@pytest.mark.parametrize(("scale", "size"), [(0.5, (2, 4)), (1.0, (4, 6)), (2.0, (8, 12)), (0.1, (2, 2))])
def test_the_size_of_a_generated_film(scale: float, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    view = np.full((3, 4, 6, 3), 1.5, np.float32)
    view[1] = -0.5
    monkeypatch.setattr(long._Windows, "run", lambda self, *given: (view, view / 3))
    monkeypatch.setattr(long.registry, "load", lambda *given: lambda *more: Toy(3))
    settings = GenSettings(frames=3, scale=scale, device="cpu", format="mono")
    found = long.film(np.zeros((4, 6, 3), np.float32), settings, Path("w"), lambda view: view, lambda at: None)
    assert ((found.height, found.width), found.frames) == (size, 3)
    views = list(found.pairs)
    assert all(one.shape == (*size, 3) for pair in views for one in pair)
    assert [float(pair[0].mean()) for pair in views] == pytest.approx([1, 0, 1]), "RGB stays in 0..1"
    assert float(views[0][1].mean()) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loop": True, "seconds": 4.0}, "--seconds 4: a loop"),
        ({"end_image": "b.png", "seconds": 4.0}, "one window of 8 frames"),
        ({"seconds": 4.0, "gen_overlap": 8}, "--gen-overlap 8: must be below --frames 8"),
    ],
    ids=str,
)
def test_films_that_cannot_be_made(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        long.film(PICTURE, GenSettings(frames=8, **options), Path("w"), lambda view: view, lambda at: None)


@pytest.mark.parametrize(
    ("slope", "shift", "wanted"),
    [(0.8, 0.1, True), (2.0, -0.3, True), (0.5, 0.2, True), (0.4, 0.2, False), (2.2, -0.3, False), (-1.0, 0.9, False)],
)
def test_depth_goes_on_at_the_scale_of_the_window_before(slope: float, shift: float, wanted: bool) -> None:
    windows = long._Windows(None, GenSettings(gen_overlap=2), lambda view: view, lambda at: None)
    ramp = np.linspace(0.3, 0.6, 4 * 20, dtype=np.float32).reshape(4, 4, 5)
    assert windows._continued(ramp) is ramp
    following = np.concatenate([(ramp[-2:] - shift) / slope, (ramp[:2] - shift) / slope])
    found = windows._continued(following)
    assert np.allclose(found[:2], ramp[-2:], atol=1e-5) == wanted
    assert found[:2].mean() == pytest.approx(ramp[-2:].mean(), abs=1e-4), "the middle fits in any case"
    used = min(2.0, max(0.5, slope))
    assert np.ptp(found[:2]) == pytest.approx(used / abs(slope) * np.ptp(ramp[-2:]), rel=1e-3)
    assert windows._depth is not None and len(windows._depth) == 2


def test_flat_depth_keeps_its_scale() -> None:
    windows = long._Windows(None, GenSettings(gen_overlap=1), lambda view: view, lambda at: None)
    windows._continued(np.full((2, 3, 3), 0.25, np.float32))
    later = np.full((2, 3, 3), 0.5, np.float32)
    later[1, 0] = 0.7
    found = windows._continued(later)
    assert found[0] == pytest.approx(0.25)
    assert found[1, 0] == pytest.approx(0.45)
    assert found.dtype == np.float32


def test_phases_are_named_after_their_part_of_the_film() -> None:
    told: list[Progress] = []
    assert long._renamed(told.append, "") == told.append
    long._renamed(told.append, ", frames from 8")(Progress("views", 1, 4, {"depth": 1.0}, 3))
    assert told == [Progress("views, frames from 8", 1, 4, {"depth": 1.0}, 3)]


PROGRAM = """
import cv2, pathlib, sys
import numpy as np
how, source, target = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
print("on the way")
for n, path in enumerate(sorted(source.glob("*.png"))):
    image = cv2.imread(str(path), -1)
    assert image.dtype == np.uint16
    if how == "odd":
        cv2.imwrite(str(target / f"{n:03d}.png"), image[:7, :9])
    if how == "8bit":
        cv2.imwrite(str(target / f"{n:03d}.jpg"), (image >> 8).astype(np.uint8))
    if how == "alpha":
        clear = np.full(image.shape[:2], 7, np.uint16)
        cv2.imwrite(str(target / f"{n:03d}.png"), np.dstack([image, clear]))
    if how == "grey":
        cv2.imwrite(str(target / f"{n:03d}.png"), image[..., 0])
    if how == "ragged":
        cv2.imwrite(str(target / f"{n:03d}.png"), image[: 8 - n])
    if how == "twice":
        for k in range(2):
            cv2.imwrite(str(target / f"{n:03d}_{k}.TIF"), image)
    (target / "notes.txt").write_text("x")
if how == "silent":
    sys.exit(3)
if how == "said":
    print("the reason")
    sys.exit(4)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(PROGRAM)
    return f"{sys.executable} {path}"


@pytest.mark.parametrize(
    ("how", "layout", "size", "frames", "rate"),
    [
        ("odd", "sbs", (6, 8), 3, 10),
        ("8bit", "mono", (8, 10), 3, 10),
        ("twice", "sbs", (8, 10), 6, 20),
    ],
)
def test_what_programs_make(program: str, how: str, layout: str, size: tuple[int, int], frames: int, rate: int) -> None:
    told: list[Progress] = []
    option = "interpolate" if how == "twice" else "upscale"
    settings = GenSettings(format=layout, **{option: f"{program} {how}"})
    made = hooks.applied(film(3), settings, told.append)
    assert ((made.height, made.width), made.frames, made.rate) == (size, frames, rate)
    assert told == [Progress(option, 0, 1)]
    assert made.notes == ("before", f"--{option}: 10x8, 3 frames became {size[1]}x{size[0]}, {frames}")
    views = list(made.pairs)
    numbers = [n // 2 if how == "twice" else n for n in range(frames)]
    for (left, right), number in zip(views, numbers, strict=True):
        assert left.shape == right.shape == (*size, 3)
        near = 0.02 if how == "8bit" else 1e-4
        assert left == pytest.approx(number / 20, abs=near)
        assert right == pytest.approx(number / 20 * (1 if layout == "mono" else 0.5), abs=near)


def test_programs_one_after_the_other(program: str) -> None:
    told: list[Progress] = []
    settings = GenSettings(upscale=f"{program} odd", interpolate=f"{program} twice")
    made = hooks.applied(film(2), settings, told.append)
    assert ((made.height, made.width), made.frames, made.rate) == ((6, 8), 4, 20)
    assert told == [Progress("upscale", 0, 2), Progress("interpolate", 1, 2)]
    assert "--upscale and --interpolate: " in made.notes[-1]
    plain = film(2)
    assert hooks.applied(plain, GenSettings(), told.append) is plain


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("grey", "can't be read as a colour image"),
        ("ragged", "differ in size, or in number"),
        ("nothing", "wrote no pictures"),
        ("silent", "exited with code 3: on the way"),
        ("said", "exited with code 4: the reason"),
    ],
)
def test_programs_that_fail(program: str, how: str, said: str) -> None:
    with pytest.raises(StereocastError, match=said):
        hooks.applied(film(2), GenSettings(upscale=f"{program} {how}"), lambda at: None)


def test_commands_that_are_none() -> None:
    for options, said in (
        ({"upscale": "no-such-program x"}, "--upscale no-such-program x: no such program"),
        ({"interpolate": ""}, "--interpolate : no such program"),
        ({"interpolate": "'open"}, "--interpolate 'open: No closing quotation"),
    ):
        with pytest.raises(UsageError, match=said):
            hooks.check(GenSettings(**options))
    hooks.check(GenSettings(upscale=f"{sys.executable} a b"))


def test_colours_return_from_a_program_that_adds_transparency(program: str) -> None:
    shades = np.array([0.2, 0.4, 0.8], np.float32)
    view = np.broadcast_to(shades, (8, 10, 3))
    given = Film("toy", 8, 10, 1, Fraction(10), iter([(view, view)]))
    made = hooks.applied(given, GenSettings(upscale=f"{program} alpha"), lambda at: None)
    ((left, right),) = made.pairs
    assert left.shape == right.shape == (8, 10, 3)
    assert left.reshape(-1, 3) == pytest.approx(np.broadcast_to(shades, (80, 3)), abs=1e-4)
