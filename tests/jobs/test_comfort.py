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
