"""The comfort report measures what it says."""

from fractions import Fraction

import numpy as np
import pytest

from stereocast.jobs.comfort import Comfort, Meter, ShotFigures, joined
from stereocast.types import Disparity, PixelFormat, StereoClip

TICK = Fraction(1, 24)


def measured(frames: np.ndarray, width: int = 1000, firsts: tuple[int, ...] = (0,), fov_deg: float = 60.0) -> Comfort:
    meter = Meter(fov_deg, TICK)
    for begin in range(0, len(frames), 4):
        part = frames[begin : begin + 4].astype(np.float32)
        meter.add(part, np.arange(begin, begin + len(part)), width, first=begin in firsts)
    result = meter.result()
    assert result is not None
    return result


def test_percentiles_and_degrees() -> None:
    ramp = np.linspace(-15, 5, 201)[None, None].repeat(8, 0).repeat(20, 1)  # pixels of 1000: -1.5 % to 0.5 %
    ramp[:, :, :5] = ramp[:, :, -5:] = 0
    report = measured(ramp)
    wanted = np.percentile(ramp, (1, 50, 99)) / 10
    assert (report.low, report.shots[0].middle, report.high) == pytest.approx(wanted, abs=0.02)
    assert report.degrees(report.low) == pytest.approx(wanted[0] * 0.6, abs=0.02)
    assert report.verdict == "comfortable"
    assert report.line().startswith("comfortable: disparity -1.4")


def test_too_deep_is_said() -> None:
    far = np.full((8, 20, 40), -20.0)  # 2 % at 60 degrees: 1.2 degrees
    assert measured(far).verdict == "strong"
    assert "1.20 degrees behind the screen" in measured(far).reasons[0]
    assert measured(far * 2).verdict == "uncomfortable"
    assert measured(far, fov_deg=40).verdict == "comfortable"


def test_window_violation() -> None:
    calm = np.zeros((8, 20, 100))
    inside, cut = calm.copy(), calm.copy()
    inside[:, 5:15, 40:60] = 10
    cut[:4, 5:15, 90:] = 10
    assert measured(inside).violation_share == 0
    assert measured(cut).violation_share == 0.5
    assert measured(-cut).violation_share == 0
    assert any("--window-guard" in reason for reason in measured(cut).reasons)


def test_fast_change_within_a_shot_but_not_at_a_cut() -> None:
    frames = np.zeros((48, 20, 40))
    frames[24:] = -10  # 1 % at once
    jump = measured(frames)
    assert jump.fastest_deg_s == pytest.approx(0.6 * 4, rel=0.1)
    assert measured(frames, firsts=(0, 24)).fastest_deg_s == 0
    slow = np.linspace(0, -10, 48)[:, None, None] * np.ones((1, 20, 40))
    assert measured(slow).fastest_deg_s == pytest.approx(0.6 / 2, rel=0.15)


def test_shots_are_told_apart_and_joined() -> None:
    frames = np.zeros((12, 20, 40))
    frames[8:] = -12
    report = measured(frames, firsts=(0, 8))
    assert [(shot.start_s, shot.frames) for shot in report.shots] == [(0.0, 8), (pytest.approx(8 / 24), 4)]
    both = joined([report, None, report])
    assert both is not None
    assert len(both.shots) == 4
    assert joined([None]) is None
    table = report.table()
    assert table["verdict"] == "comfortable"
    assert len(table["shots"]) == 2


def test_as_a_stage_it_changes_nothing() -> None:
    picture = np.zeros((3, 8, 16, 3), np.uint8)
    disparity = Disparity(np.full((3, 4, 8), 0.5, np.float32))
    clip = StereoClip(picture, picture, np.arange(3), PixelFormat.RGB24, disparity=disparity)
    meter = Meter(60, TICK)
    assert list(meter(iter([clip]))) == [clip]
    report = meter.result()
    assert report is not None
    assert report.high == pytest.approx(0.5 / 16 * 100, abs=0.02)
    assert Meter(60, TICK).result() is None


def test_memory_does_not_grow_with_a_shot() -> None:
    meter = Meter(60, TICK)
    frame = np.zeros((1, 8, 16), np.float32)
    for tick in range(5000):
        meter.add(frame, np.array([tick]), 16, first=tick == 0)
    assert meter._open is not None
    assert len(meter._open.recent) < 12


def test_verdict_counts_reasons() -> None:
    shot = ShotFigures(0.0, 10, -1.9, 0.0, 1.9, 10, 9.0)
    assert Comfort(60, (shot,)).verdict == "uncomfortable"


SHOT = {"start_s": 0.0, "frames": 100, "low": 0.0, "middle": 0.0, "high": 0.0, "violations": 0, "fastest": 0.0}


@pytest.mark.parametrize(
    ("given", "verdict", "reasons"),
    [
        ({"low": -1.0, "high": 1.0}, "comfortable", 0),
        ({"low": -1.01}, "strong", 1),
        ({"high": 1.01}, "strong", 1),
        ({"low": -2.0}, "strong", 1),
        ({"high": 2.01}, "uncomfortable", 1),
        ({"low": -1.5, "high": 1.5}, "strong", 2),
        ({"low": -1.5, "high": 1.5, "fastest": 2.01}, "uncomfortable", 3),
        ({"violations": 5}, "comfortable", 0),
        ({"violations": 6}, "strong", 1),
        ({"fastest": 2.0}, "comfortable", 0),
        ({"fastest": 2.01}, "strong", 1),
    ],
    ids=str,
)
def test_limits_of_comfort(given: dict[str, float], verdict: str, reasons: int) -> None:
    """On a screen of 100 degrees, a percent of the width is a degree."""
    found = Comfort(100.0, (ShotFigures(**{**SHOT, **given}),))  # type: ignore[arg-type]
    assert (found.verdict, len(found.reasons)) == (verdict, reasons)


def test_the_figures_of_a_film_are_those_of_its_worst_shots() -> None:
    one = ShotFigures(0.12345, 30, -1.23456, 0.00049, 0.5, 3, 1.00049)
    two = ShotFigures(2.0, 10, -0.5, 0.1, 2.5, 1, 4.0)
    film = Comfort(50.0, (one, two))
    assert film.line() == (
        "strong: disparity -1.23 .. 2.50 % of the width (-0.62 .. 1.25 degrees); 1.25 degrees in front of the screen "
        "(limit 1); near objects cut by the screen's side in 10% of the frames (--window-guard helps)"
    )
    table = film.table()
    assert table["percent"] == {"p1": -1.235, "p99": 2.5}
    assert table["degrees"] == {"p1": -0.617, "p99": 1.25}
    assert (table["window_violations"], table["fastest_deg_s"], table["screen_fov_deg"]) == (0.1, 2.0, 50.0)
    assert table["shots"][0] == {
        "start_s": 0.123, "frames": 30, "low": -1.235, "middle": 0.0, "high": 0.5, "violations": 3, "fastest": 1.0,
    }  # fmt: skip
    third = Comfort(50.0, (ShotFigures(**{**SHOT, "frames": 3, "violations": 1}),))  # type: ignore[arg-type]
    assert third.table()["window_violations"] == 0.3333
    nothing = Comfort(50.0)
    assert (nothing.low, nothing.high, nothing.violation_share, nothing.fastest_deg_s) == (0, 0, 0, 0)


def test_every_second_sample_of_a_large_map_and_nothing_unknown_is_measured() -> None:
    frame = np.zeros((1, 8, 320))
    frame[:, 1::2, :] = frame[:, :, 1::2] = 30.0  # what is passed over
    frame[0, 0, 0:40] = np.nan
    found = measured(frame).shots[0]
    assert (found.low, found.high) == pytest.approx((0.005, 0.005), abs=1e-6)
    whole = measured(frame[:, :, :318])
    assert whole.high == pytest.approx(3.0, abs=0.011)
    meter = Meter(60, TICK)
    meter.add(np.full((2, 4, 8), np.nan), np.arange(2), 100, first=True)
    assert meter.result() is None


@pytest.mark.parametrize(("pixels", "percent"), [(-900.0, -19.995), (900.0, 19.995), (0.0, 0.005), (25.0, 2.505)])
def test_bins_of_a_hundredth_of_a_percent(pixels: float, percent: float) -> None:
    found = measured(np.full((1, 4, 8), pixels)).shots[0]
    assert (found.low, found.middle, found.high) == pytest.approx((percent,) * 3, abs=1e-9)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("columns", "rows", "percent", "cut"),
    [
        (2, 6, 0.51, True),
        (2, 5, 0.51, False),  # a twentieth of the height
        (2, 6, 0.49, False),  # 0.3 degrees of 60
        (1, 6, 0.51, True),  # the median of two columns is halfway, so one near column counts where it is nearer
        (1, 100, 0.3, False),
    ],
)
def test_what_the_side_of_the_screen_cuts(side: str, columns: int, rows: int, percent: float, cut: bool) -> None:
    frame = np.zeros((1, 100, 100))
    frame[0, :rows, :columns] = 10 * percent * (2 if columns == 1 and cut else 1)
    shown = frame if side == "left" else frame[:, :, ::-1]
    assert measured(shown).shots[0].violations == cut


def test_narrow_maps_have_a_margin_of_one_column() -> None:
    frame = np.zeros((1, 10, 20))
    frame[0, :, 1] = 50
    assert measured(frame).shots[0].violations == 0
    frame[0, :, 0] = 50
    assert measured(frame).shots[0].violations == 1


@pytest.mark.parametrize(
    ("ticks", "values", "fastest"),
    [
        ((0, 5), (0, 10), 0.0),  # less than a quarter of a second says nothing
        ((0, 6), (0, 10), 4.0),
        ((0, 12), (0, 10), 2.0),
        ((0, 3, 6, 9), (0, 0, 0, 10), 4.0),  # over a quarter of a second, not over the shot
        ((0, 6, 12), (0, 10, 0), 4.0),
        ((0, 4, 8), (0, 0, 10), 3.0),
    ],
)
def test_speed_over_a_quarter_of_a_second(ticks: tuple[int, ...], values: tuple[float, ...], fastest: float) -> None:
    for sign in (1, -1):
        meter = Meter(60.0, TICK)
        maps = np.array(values, float)[:, None, None] * np.ones((1, 10, 20)) * sign
        meter.add(maps, np.array(ticks), 1000, first=True)
        (shot,) = meter.result().shots  # type: ignore[union-attr]
        assert shot.fastest == pytest.approx(fastest)
    maps[:, :, 1:] = 0  # one column of twenty: a twentieth of the samples isn't the scene
    meter = Meter(60.0, TICK)
    meter.add(maps, np.array(ticks), 1000, first=True)
    assert meter.result().shots[0].fastest < fastest / 2 + 1e-9  # type: ignore[union-attr]


def test_shots_of_an_earlier_run_come_first_and_new_ones_are_told() -> None:
    earlier, told = ShotFigures(**SHOT), []  # type: ignore[arg-type]
    meter = Meter(60.0, TICK, [earlier], told.append)
    for number in range(2):
        meter.add(np.zeros((3, 4, 8)), np.arange(3) + 24 * number, 100, first=True)
    found = meter.result()
    assert found is not None
    assert found.shots == (earlier, *told)
    assert [shot.start_s for shot in told] == [0.0, 1.0]
    assert meter.held == 0
