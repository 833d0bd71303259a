"""The comfort report: how much disparity a film has on a headset's screen, and whether it is comfortable to watch.

Figures are per shot and come from histograms, so memory doesn't grow with the number of frames. An angle is the share of
the width times the horizontal angle of the preset's screen. The limits follow Lambooij et al. 2009 ("Visual discomfort and
visual fatigue of stereoscopic displays"): disparities within one degree of the screen are comfortable, unless they change
fast or the side of the screen cuts an object in front of it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from stereocast.types import Array, StereoClip

LIMIT_DEG = 1.0  # from the screen, to either side
FAST_DEG_S = 2.0  # fastest change of disparity that eyes follow without effort
MANY_VIOLATIONS = 0.05  # share of frames
_BINS, _REACH = 4000, 20.0  # histogram: number of bins, range in % of the width to either side
_SIDE = 0.02  # margin searched for window violations, as a share of the width
_FRONT_DEG = 0.3  # least distance in front of the screen that counts; less is hardly visible
_CUT_ROWS = 0.05  # share of the margin's rows that must be in front
_SPAN_S = Fraction(1, 4)  # time over which the speed of a change is measured


@dataclass(frozen=True, slots=True)
class ShotFigures:
    """The figures of one shot; disparities in % of the width, positive in front of the screen."""

    start_s: float
    frames: int
    low: float  # 1st percentile
    middle: float
    high: float  # 99th percentile
    violations: int  # frames in which the side of the screen cuts an object in front of it
    fastest: float  # % of the width per second


@dataclass(frozen=True, slots=True)
class Comfort:
    """The figures of a film on a screen of `fov_deg`."""

    fov_deg: float
    shots: tuple[ShotFigures, ...] = ()

    def degrees(self, percent: float) -> float:
        """% of the width as degrees on the screen."""
        return percent / 100 * self.fov_deg

    @property
    def low(self) -> float:
        """The farthest shot's 1st percentile in % of the width."""
        return min((shot.low for shot in self.shots), default=0.0)

    @property
    def high(self) -> float:
        """The nearest shot's 99th percentile in % of the width."""
        return max((shot.high for shot in self.shots), default=0.0)

    @property
    def violation_share(self) -> float:
        """Share of frames with a window violation."""
        frames = sum(shot.frames for shot in self.shots)
        return sum(shot.violations for shot in self.shots) / frames if frames else 0.0

    @property
    def fastest_deg_s(self) -> float:
        """The fastest change of disparity within a shot."""
        return self.degrees(max((shot.fastest for shot in self.shots), default=0.0))

    @property
    def reasons(self) -> tuple[str, ...]:
        """What makes the film uncomfortable, in words; empty where nothing does."""
        found = []
        for value, where in ((-self.low, "behind"), (self.high, "in front of")):
            if self.degrees(value) > LIMIT_DEG:
                found.append(f"{self.degrees(value):.2f} degrees {where} the screen (limit {LIMIT_DEG:g})")
        if self.violation_share > MANY_VIOLATIONS:
            found.append(
                f"near objects cut by the screen's side in {self.violation_share:.0%} of the frames (--window-guard helps)"
            )
        if self.fastest_deg_s > FAST_DEG_S:
            found.append(f"disparity changes by {self.fastest_deg_s:.1f} degrees per second")
        return tuple(found)

    @property
    def verdict(self) -> str:
        """comfortable, strong (for short films) or uncomfortable."""
        worst = self.degrees(max(-self.low, self.high))
        if worst > 2 * LIMIT_DEG or len(self.reasons) > 2:
            return "uncomfortable"
        return "strong" if self.reasons else "comfortable"

    def line(self) -> str:
        """The report as a readable line."""
        near, far = self.degrees(self.high), self.degrees(self.low)
        body = f"disparity {self.low:.2f} .. {self.high:.2f} % of the width ({far:.2f} .. {near:.2f} degrees)"
        return f"{self.verdict}: {body}" + (f"; {'; '.join(self.reasons)}" if self.reasons else "")

    def table(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "screen_fov_deg": self.fov_deg,
            "percent": {"p1": round(self.low, 3), "p99": round(self.high, 3)},
            "degrees": {"p1": round(self.degrees(self.low), 3), "p99": round(self.degrees(self.high), 3)},
            "window_violations": round(self.violation_share, 4),
            "fastest_deg_s": round(self.fastest_deg_s, 3),
            "shots": [
                {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(shot).items()}
                for shot in self.shots
            ],
        }


@dataclass(slots=True)
class _Open:
    """The shot being measured."""

    start: int
    frames: int = 0
    violations: int = 0
    fastest: float = 0.0
    counts: Array = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    recent: deque[tuple[int, float, float]] = field(default_factory=deque)  # tick, low, high


class Meter:
    """A stage that measures the clips that pass through it."""

    held = 0

    def __init__(
        self,
        fov_deg: float,
        time_base: Fraction,
        before: Iterable[ShotFigures] = (),
        measured: Callable[[ShotFigures], None] = lambda shot: None,
    ) -> None:
        """`before`: shots of an earlier run of the same film. `measured` is called with each new shot."""
        self._fov_deg, self._time_base = fov_deg, time_base
        self._shots: list[ShotFigures] = list(before)
        self._measured = measured
        self._open: _Open | None = None

    def __call__(self, clips: Iterator[StereoClip]) -> Iterator[StereoClip]:
        for clip in clips:
            if clip.disparity is not None:
                self.add(clip.disparity.values, clip.pts, clip.width, first=clip.first)
            yield clip
            del clip

    def add(self, disparity: Array, pts: Array, width: int, *, first: bool) -> None:
        """Adds disparities [T, h, w] in pixels of a picture `width` wide; `first` starts a new shot."""
        if first or self._open is None:
            self._close()
            self._open = _Open(int(pts[0]))
        for frame, tick in zip(disparity, pts, strict=True):
            self._frame(self._open, np.asarray(frame) * (100.0 / width), int(tick))

    def _frame(self, shot: _Open, percent: Array, tick: int) -> None:
        step = max(1, percent.shape[1] // 160)
        values = percent[::step, ::step]
        values = values[np.isfinite(values)]
        if not values.size:
            return
        shot.frames += 1
        index = np.clip((values + _REACH) * (_BINS / (2 * _REACH)), 0, _BINS - 1).astype(np.int64)
        shot.counts += np.bincount(index, minlength=_BINS)
        shot.violations += _cut_by_the_side(percent, _FRONT_DEG / self._fov_deg * 100)
        low, high = (float(value) for value in np.percentile(values, (5, 95)))
        shot.recent.append((tick, low, high))
        while len(shot.recent) > 2 and (tick - shot.recent[1][0]) * self._time_base >= _SPAN_S:
            shot.recent.popleft()
        seconds = float((tick - shot.recent[0][0]) * self._time_base)
        if seconds >= float(_SPAN_S):
            change = max(abs(low - shot.recent[0][1]), abs(high - shot.recent[0][2]))
            shot.fastest = max(shot.fastest, change / seconds)

    def _close(self) -> None:
        shot, self._open = self._open, None
        if shot is None or not shot.frames:
            return
        share = np.cumsum(shot.counts) / shot.counts.sum()
        low, middle, high = (
            float((np.searchsorted(share, part) + 0.5) * (2 * _REACH / _BINS) - _REACH) for part in (0.01, 0.5, 0.99)
        )
        start = float(shot.start * self._time_base)
        self._shots.append(ShotFigures(start, shot.frames, low, middle, high, shot.violations, shot.fastest))
        self._measured(self._shots[-1])

    def result(self) -> Comfort | None:
        """The report; None where nothing could be measured."""
        self._close()
        return Comfort(self._fov_deg, tuple(self._shots)) if self._shots else None


def _cut_by_the_side(percent: Array, front: float) -> bool:
    """Whether something more than `front` % in front of the screen touches the left or right side of the picture."""
    margin = max(1, round(percent.shape[1] * _SIDE))
    sides = (percent[:, :margin], percent[:, -margin:])
    known = (np.where(np.isnan(side), -np.inf, side) for side in sides)  # what is unknown isn't in front
    return any((np.median(side, axis=1) > front).mean() > _CUT_ROWS for side in known)


def joined(parts: list[Comfort | None]) -> Comfort | None:
    """The report of a film from the reports of its sections, in order."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Comfort(known[0].fov_deg, tuple(shot for part in known for shot in part.shots))
