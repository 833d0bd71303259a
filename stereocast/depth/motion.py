"""Depth from motion, fused with an estimator's: where the camera travels, parallax shows what is near.

On every EVERY-th frame of a shot, the flow to an earlier frame (at the start of the shot, a later one) gives the camera
motion (`epipolar`) and inverse depth along the epipolar lines. That depth is brought to the estimator's scale, weighted,
carried along the flow, and its smoothed difference is added. Many gates exclude shots it can't read; these stay
unchanged. A cut clears the state, so a shot's result depends only on that shot's frames.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from stereocast.depth import epipolar
from stereocast.kernels import cpu_motion
from stereocast.pictures.motion import Flow
from stereocast.types import Array

EVERY = 4  # frames between two looks at the motion
SELDOM = 8  # likewise, once looks keep finding nothing
LOOK_AHEAD = 8  # frames at the start of a shot from which references ahead are taken
_FURTHEST = 24  # frames back
_WANTED_PX = 9.0  # median flow to a reference
_SPEED_PX = (3.0, 20.0)  # least and most
_ALONE_PX = (2.0, 30.0)  # likewise, if a shot has only two frames and so no choice
_GRID = 5  # pixels between the points from which camera motion is solved
_FLOOR_PX = 0.2  # smallest assumed error of the flow
_FARTHER = 0.4  # trust in depth farther than the estimator's: a walker whom the camera follows must not sink
_SINK = 0.3  # largest correction away from the viewer, share of the range
_SOFT = 0.04  # share of the range over which that trust changes
_PRIOR = 0.005  # weight of the estimator in the mean
_PRIOR_SPARSE = 0.05  # likewise, if few pixels carry evidence: a few edges say little about large plain walls
_SPARSE = (0.25, 0.15)  # shares of pixels with evidence at which that starts and is complete
_DECAY = 0.8  # of evidence from one look to the next
_MOST = 2.0  # largest weight of evidence
_RISE, _FALL = 0.34, 0.34  # how fast the correction fades in and out, per look
_EASE = 0.16  # share of the remaining correction that each frame applies: half of it between two looks
_SPATIAL, _RANGE = 12.0, 0.12  # edge-aware filter: pixels, share of the picture's range


@dataclass(frozen=True, slots=True)
class Evidence:
    """Depth found from one reference, at the maps' size and on the estimator's scale."""

    depth: Array  # float32 [h, w]
    weight: Array  # float32 [h, w], 0..1
    gate: float = 1.0  # 0..1, of the whole


def _ramp(value: float, low: float, high: float) -> float:
    """0 at `low`, 1 at `high`, linear in between. `high` may be smaller than `low`."""
    return float(min(1.0, max(0.0, (value - low) / (high - low))))


class Parallax:
    """Reads depth from the motion between two pictures. It keeps only the flow's buffers."""

    def __init__(self) -> None:
        self._flow = Flow("fast", finest=0)
        self.speed = 0.0  # median flow of the last pair, pixels

    def __call__(
        self, grey: Array, other: Array, prior: Array, speed_px: tuple[float, float] = _SPEED_PX
    ) -> Evidence | None:
        """Evidence from one pair, or None if the motion says nothing about depth.

        grey, other uint8 [h, w]; prior float32 [h, w]: the estimator's depth.
        """
        flow = self._flow(grey, other)
        near = flow[::_GRID, ::_GRID]
        length = np.hypot(near[..., 0], near[..., 1])
        self.speed = float(np.median(length))
        still = _ramp(float(np.mean(length < 0.5)), 0.45, 0.3)
        if not speed_px[0] <= self.speed <= speed_px[1] or still == 0:
            return None
        back = self._flow(other, grey)
        points, moved, weight = _matches(flow, back, grey)
        if len(points) < 80 or weight.sum() < 0.15 * near.shape[0] * near.shape[1]:
            return None
        focal = epipolar.focal_px(grey.shape[1])
        on_one_spot = epipolar.turn_and_zoom(points, moved, weight, focal) < 0.7
        gate = still * _ramp(float(np.sum(weight * on_one_spot) / weight.sum()), 0.75, 0.6)
        if gate == 0:
            return None
        camera = epipolar.camera_motion(points, moved, weight, focal)
        gate *= _ramp(camera.noise_px, 0.6, 0.4) * _ramp(camera.inliers, 0.4, 0.6)
        if gate == 0:
            return None
        rho, spread, trust = _parallax(flow, back, grey, camera, focal)
        _pass_overlays(flow, grey, other, trust)
        sure = _ramp(camera.noise_px, 0.3, 0.15) * _ramp(camera.inliers, 0.8, 0.95)
        return _on_scale(rho, spread, trust, prior, gate, sure)


def _matches(flow: Array, back: Array, grey: Array) -> tuple[Array, Array, Array]:
    """Grid points, their new positions, both [N, 2] in focal lengths, and weights [N] from round-trip error and texture."""
    rows, columns = grey.shape
    v, u = np.mgrid[_GRID // 2 : rows : _GRID, _GRID // 2 : columns : _GRID].astype(np.float32)
    step = flow[_GRID // 2 :: _GRID, _GRID // 2 :: _GRID]
    x, y = u + step[..., 0], v + step[..., 1]
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(99, 99))
    trip = ((step + returned) ** 2).sum(-1)
    texture = cv2.blur(np.hypot(*_slopes(grey)), (5, 5))[_GRID // 2 :: _GRID, _GRID // 2 :: _GRID]
    weight = np.exp(-trip) * texture / (texture + 4)
    good = weight > 0.05
    focal, middle = epipolar.focal_px(columns), np.array([(columns - 1) / 2, (rows - 1) / 2])
    points = (np.stack([u[good], v[good]], 1) - middle) / focal
    moved = (np.stack([x[good], y[good]], 1) - middle) / focal
    return points, moved, weight[good].astype(np.float64)


def _slopes(grey: Array) -> tuple[Array, Array]:
    """Central differences of a picture in grey levels per pixel, float32."""
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *axis, ksize=3, scale=1 / 8) for axis in ((1, 0), (0, 1)))
    return across, down


def _parallax(
    flow: Array, back: Array, grey: Array, camera: epipolar.CameraMotion, focal: float
) -> tuple[Array, Array, Array]:
    rho, spread, trust = (np.empty(grey.shape, np.float32) for _ in range(3))
    noise = max(camera.noise_px, _FLOOR_PX)
    cpu_motion.motion_parallax(
        flow, back, *_slopes(grey), camera.rotation, camera.direction, focal, noise, rho, spread, trust
    )
    return rho, spread, trust


def compile_motion() -> None:
    """Compiles what a travelling camera needs by calling it with a few pixels."""
    flow, grey, prior = np.zeros((8, 16, 2), np.float32), np.zeros((8, 16), np.uint8), np.zeros((8, 16), np.float32)
    _parallax(flow, flow, grey, epipolar.CameraMotion(np.ones(3), np.eye(3), 0.5, 1.0), epipolar.focal_px(16))
    cpu_motion.recursive_filter(np.zeros((2, 8, 16), np.float32), *crossing(grey, prior))


def _pass_overlays(flow: Array, grey: Array, other: Array, trust: Array) -> None:
    """Clears the trust of overlays that stand still while the picture moves: subtitles, logos."""
    same = (np.abs(flow).max(-1) < 0.75) | (cv2.absdiff(grey, other) < 3) & (
        cv2.absdiff(grey, cv2.blur(grey, (5, 5))) > 12
    )
    two = np.ones((2, 2), np.uint8)  # single pixels are none; the other anchor keeps the rest in its place
    whole = cv2.dilate(cv2.erode(same.astype(np.uint8), two), two, anchor=(0, 0))
    trust[cv2.dilate(whole, np.ones((5, 5), np.uint8)) > 0] = 0


def _on_scale(rho: Array, spread: Array, trust: Array, prior: Array, gate: float, sure: float) -> Evidence | None:
    """Inverse depth of unknown scale as evidence on the estimator's scale, or None if the gates are closed.

    sure (0..1): how certain the camera's motion is; the more certain, the more the estimator may be contradicted.
    """
    step = 2
    r, s, w, p = (a[::step, ::step].ravel().astype(np.float64) for a in (rho, spread, trust, prior))
    seen = w > 0.05
    if seen.sum() < 100:
        return None
    r, s, w, p = r[seen], s[seen], w[seen], p[seen]
    gate *= _ramp(float(np.sum(w * (r > -2 * s)) / w.sum()), 0.75, 0.9)
    low, high = np.percentile(r, (5, 95))
    r_held = np.clip(r, low, high)
    signal = float((high - low) / 3.3 / np.median(s))
    gate *= _ramp(signal, 1.0, 3.0)
    sure *= _ramp(signal, 4.0, 10.0)
    slope, shift, alike = _fit(r_held, p, w)
    gate *= _ramp(alike, 0.3 - 0.15 * sure, 0.6 - 0.2 * sure)
    if gate == 0 or slope <= 0:
        return None
    depth = np.clip(slope * rho + shift, -0.25, 1.25).astype(np.float32)
    uncertain = slope * spread
    weight = (trust / (1 + (uncertain / 0.06) ** 2)).astype(np.float32)
    return Evidence(depth, weight, gate)


def _fit(r: Array, p: Array, w: Array) -> tuple[float, float, float]:
    """Robust scale and shift from r to p [N], and their correlation.

    Geometric mean regression assumes noise in both; ordinary regression would flatten a noisy r.
    """
    weight = w.copy()
    slope, shift, alike = 0.0, 0.0, 0.0
    for turn in range(8):
        total = weight.sum()
        mr, mp = (weight * r).sum() / total, (weight * p).sum() / total
        vr, vp = (weight * (r - mr) ** 2).sum(), (weight * (p - mp) ** 2).sum()
        shared = (weight * (r - mr) * (p - mp)).sum()
        now = shared / np.sqrt(vr * vp + 1e-20)
        if turn == 0:
            alike = float(now)
        slope = float(np.sqrt(vp / (vr + 1e-20)) * now**0.5) if now > 0 else 0.0
        shift = float(mp - slope * mr)
        rest = slope * r + shift - p
        weight = w / (1 + (rest / 0.12) ** 2)
    return slope, shift, alike


class MotionFusion:
    """The state of one shot: evidence and the resulting correction, both carried along the flow.

    A shot's first call has at least LOOK_AHEAD frames or the whole shot; `ahead.fused` ensures that.
    """

    def __init__(self) -> None:
        self._look = Parallax()
        self._steady = Flow("ultrafast", finest=1)
        self.begin()

    def begin(self) -> None:
        """Clears the state for a new shot."""
        self._greys: deque[Array] = deque(maxlen=_FURTHEST + 1)
        self._speeds: deque[float] = deque(maxlen=_FURTHEST)  # median flow from each frame to the previous one
        self._count = 0
        self._state: Array | None = None  # float32 [h, w, 4]: correction, evidence, its weight, wanted correction
        self._gain = 0.0
        self._agreed = False
        self._settled = False  # the last two looks found nothing
        self._saw: bool | None = None

    def __call__(self, greys: list[Array], depths: Array, flows: list[Array | None]) -> Array:
        """Depth [T, h, w] corrected by motion, or `depths` itself if there is no correction.

        greys: uint8 [h, w] each; flows: from each frame to the previous one, [h, w, 2], None = unknown.
        """
        out = depths
        for number, (grey, flow) in enumerate(zip(greys, flows, strict=True)):
            if self._greys:
                if flow is None:
                    flow = self._steady(grey, self._greys[-1])
                self._follow(flow)
            self._greys.append(grey)
            if self._count == 0:
                self._open(greys[number : number + LOOK_AHEAD], depths[number])
            elif self._count % (SELDOM if self._settled else EVERY) == 0:
                self._look_back(depths[number])
            self._count += 1
            if self._state is not None:
                self._state[..., 0] += _EASE * (self._state[..., 3] - self._state[..., 0])
                if out is depths:
                    out = depths.copy()
                out[number] = np.clip(depths[number] + self._state[..., 0], 0, 1)
        return out

    def _follow(self, flow: Array) -> None:
        sample = flow[::_GRID, ::_GRID]
        self._speeds.append(float(np.median(np.hypot(sample[..., 0], sample[..., 1]))))
        if self._state is not None:
            rows, columns = flow.shape[:2]
            y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
            self._state = cv2.remap(
                self._state, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )

    def _open(self, ahead: list[Array], prior: Array) -> None:
        """The shot's first frame: if two references ahead agree, the full correction applies from the start."""
        alone = len(ahead) == 2
        found: list[Evidence] = []
        for other in reversed(ahead[1:]):
            seen = self._look(ahead[0], other, prior, _ALONE_PX if alone else _SPEED_PX)
            if seen is not None:
                found.append(seen)
            if len(found) == 2 or self._look.speed < _SPEED_PX[0]:
                break
        if not found or (len(found) < 2 and not alone):
            return
        share = min(seen.gate for seen in found) * (1.0 if alone else _agreement(*found))
        if share == 0:
            return
        weight = sum(seen.weight for seen in found) / len(found)
        total = sum(seen.weight * seen.depth for seen in found) / (sum(seen.weight for seen in found) + 1e-6)
        self._state = np.stack([np.zeros_like(prior), total, weight, np.zeros_like(prior)], -1).astype(np.float32)
        self._agreed, self._gain = True, share
        self._correct(prior, self._greys[-1], at_once=True)

    def _look_back(self, prior: Array) -> None:
        distance, way = 0, 0.0
        for speed in reversed(self._speeds):
            if way >= _WANTED_PX or (distance and way + speed > _SPEED_PX[1]):
                break
            way, distance = way + speed, distance + 1
        seen = None
        if way >= _SPEED_PX[0] and distance:
            seen = self._look(self._greys[-1], self._greys[-1 - distance], prior)
        fast_enough = way >= _SPEED_PX[0] and distance > 0
        self._settled = fast_enough and seen is None and self._saw is False
        self._saw = seen is not None if fast_enough else None
        self._take(seen)
        if self._state is not None:
            self._correct(prior, self._greys[-1])

    def _take(self, seen: Evidence | None) -> None:
        """Merges new evidence into the old. The first counts only once a second agrees with it."""
        if self._state is None:
            if seen is not None:
                self._state = np.stack([none := np.zeros_like(seen.depth), seen.depth, seen.weight, none], -1)
                self._agreed, self._gain = False, 0.0
            return
        old = Evidence(self._state[..., 1], self._state[..., 2] * _DECAY)
        share = 0.0 if seen is None else _agreement(old, seen) * seen.gate
        if seen is not None and share > 0:
            added = seen.weight * share
            total = old.weight + added
            depth = (old.weight * old.depth + added * seen.depth) / (total + 1e-6)
            self._state[..., 1] = np.where(total > 1e-6, depth, old.depth)
            self._state[..., 2] = np.minimum(total, _MOST)
            self._agreed = True
        elif not self._agreed and seen is not None:
            self._state[..., 1], self._state[..., 2] = seen.depth, seen.weight
        else:
            self._state[..., 2] = old.weight
        goal = share if self._agreed else 0.0
        self._gain += min(_RISE, goal - self._gain) if goal > self._gain else max(-_FALL * 0.5, goal - self._gain)

    def _correct(self, prior: Array, grey: Array, at_once: bool = False) -> None:
        assert self._state is not None
        evidence, weight = self._state[..., 1], self._state[..., 2]
        trust = _FARTHER + (1 - _FARTHER) / (1 + np.exp(-(evidence - prior) / _SOFT))
        weight = weight * trust
        stack = np.stack([weight * (evidence - prior), weight]).astype(np.float32)
        cpu_motion.recursive_filter(stack, *crossing(grey, prior))
        sparse = _ramp(float(np.mean(self._state[::2, ::2, 2] > 0.05)), *_SPARSE)
        wanted = stack[0] / (stack[1] + _PRIOR + sparse * (_PRIOR_SPARSE - _PRIOR))
        wanted = self._gain * np.where(wanted < 0, -_SINK * np.tanh(wanted / -_SINK), wanted)
        self._state[..., 3] = wanted
        if at_once:
            self._state[..., 0] = wanted
        if (
            self._gain == 0
            and np.abs(self._state[..., 0]).max() < 2e-3
            and (self._agreed or self._state[..., 2].max() < 0.05)
        ):
            self._state = None


def crossing(grey: Array, prior: Array) -> tuple[Array, Array]:
    """The edge-aware filter's shares that pass from the left and from above, float32 [h, w] each."""
    shares = []
    guide = grey.astype(np.float32) * (1 / 255)
    for axis in (1, 0):
        step = np.zeros_like(guide)
        part = (slice(None), slice(1, None)) if axis else (slice(1, None), slice(None))
        step[part] = np.abs(np.diff(guide, axis=axis)) + np.abs(np.diff(prior, axis=axis))
        shares.append(np.exp(np.float32(-(2**0.5)) * (1 / _SPATIAL + step / _RANGE)).astype(np.float32))
    return shares[0], shares[1]


def _agreement(one: Evidence, other: Evidence) -> float:
    """How well two pieces of evidence agree where both are certain, 0..1."""
    a, b = one.depth[::2, ::2], other.depth[::2, ::2]
    w = np.minimum(one.weight[::2, ::2], other.weight[::2, ::2])
    total = float(w.sum())
    if total < 0.01 * w.size:
        return 0.0
    ma, mb = float((w * a).sum()) / total, float((w * b).sum()) / total
    va, vb = float((w * (a - ma) ** 2).sum()), float((w * (b - mb) ** 2).sum())
    alike = float((w * (a - ma) * (b - mb)).sum()) / np.sqrt(va * vb + 1e-12)
    return _ramp(alike, 0.4, 0.7)
