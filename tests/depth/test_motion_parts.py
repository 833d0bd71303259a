"""The parts of depth from motion in numbers: gates, scale, evidence, correction, camera geometry."""

import cv2
import numpy as np
import pytest

from stereocast.depth import ahead, epipolar, motion
from stereocast.types import Clip, DepthMap

ROWS, COLUMNS = 60, 100


@pytest.mark.parametrize(
    ("value", "low", "high", "found"),
    [(0, 1, 3, 0), (1, 1, 3, 0), (2, 1, 3, 0.5), (3, 1, 3, 1), (9, 1, 3, 1), (0.45, 0.45, 0.3, 0), (0.375, 0.45, 0.3, 0.5), (0.1, 0.45, 0.3, 1)],
)  # fmt: skip
def test_ramps_rise_and_fall(value, low, high, found):
    assert motion._ramp(value, low, high) == pytest.approx(found)


def field(value=0.0):
    return np.full((ROWS, COLUMNS), value, np.float32)


@pytest.fixture
def sideways(monkeypatch):
    """A look at a camera that moves to the right: what is there comes nearer from the top to the bottom."""
    nearness = np.linspace(0.2, 1, ROWS, dtype=np.float32)[:, None].repeat(COLUMNS, 1)
    given = {"px": 10.0, "noise_px": 0.1, "inliers": 1.0, "turned": 9.0, "still": 0.0}
    rng = np.random.default_rng(0)
    greys = [rng.integers(0, 255, (ROWS, COLUMNS), np.uint8) for _ in range(2)]

    def flow(grey, other):
        out = np.zeros((ROWS, COLUMNS, 2), np.float32)
        sign = 1 if grey is greys[0] else -1
        out[..., 0] = sign * given["px"] * nearness / np.median(nearness[::5])
        out[:, : round(given["still"] * COLUMNS)] = 0
        return out

    look = motion.Parallax()
    look._flow = flow

    def camera(*_):
        return epipolar.CameraMotion(np.array([1.0, 0, 0]), np.eye(3), given["noise_px"], given["inliers"])

    monkeypatch.setattr(motion.epipolar, "camera_motion", camera)
    monkeypatch.setattr(motion.epipolar, "turn_and_zoom", lambda points, *_: np.where(
        np.arange(len(points)) < given.get("share", 0) * len(points), 0.0, given["turned"]
    ))  # fmt: skip
    monkeypatch.setattr(motion, "_matches", lambda flow, back, grey: given.get(
        "matches", (np.zeros((240, 2)), np.zeros((240, 2)), np.ones(240))
    ))  # fmt: skip
    monkeypatch.setattr(motion, "_pass_overlays", lambda *_: None)
    monkeypatch.setattr(motion, "_parallax", lambda *_: (nearness, field(0.01), field(1.0)))

    def seen(prior=nearness * 0.5 + 0.1, **changed):
        given.update(changed)
        return look(*greys, prior)

    seen.look = look
    return seen


def gate(found):
    return 0.0 if found is None else found.gate


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, 1),
        *(({"px": px}, open_) for px, open_ in ((2.99, 0), (3.01, 1), (19.99, 1), (20.01, 0))),
        *(({"still": share}, open_) for share, open_ in ((0.3, 1), (0.35, 2 / 3), (0.4, 1 / 3), (0.45, 0), (0.6, 0))),
        *(({"noise_px": px}, open_) for px, open_ in ((0.4, 1), (0.5, 0.5), (0.6, 0))),
        *(({"inliers": share}, open_) for share, open_ in ((0.6, 1), (0.5, 0.5), (0.4, 0))),
        *(({"share": share}, open_) for share, open_ in ((0.6, 1), (0.675, 0.5), (0.75, 0), (1.0, 0))),
        *(({"turned": px, "share": 0}, open_) for px, open_ in ((0.69, 0), (0.7, 1))),
        ({"matches": (np.zeros((79, 2)), np.zeros((79, 2)), np.ones(79))}, 0),
        ({"matches": (np.zeros((80, 2)), np.zeros((80, 2)), np.ones(80))}, 1),
        ({"matches": (np.zeros((80, 2)), np.zeros((80, 2)), np.full(80, 0.15 * 240 / 80))}, 1),
        ({"matches": (np.zeros((80, 2)), np.zeros((80, 2)), np.full(80, 0.149 * 240 / 80))}, 0),
    ],
    ids=lambda value: str(value)[:30],
)
def test_gates_of_a_look(sideways, changed, wanted):
    assert gate(sideways(**changed)) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize(
    ("noise_px", "inliers", "sure"), [(0.15, 0.95, 1), (0.225, 0.95, 0.5), (0.3, 0.95, 0), (0.1, 0.875, 0.5), (0.1, 0.8, 0), (0.225, 0.875, 0.25)]
)  # fmt: skip
def test_how_sure_a_motion_is(sideways, noise_px, inliers, sure, monkeypatch):
    told = []
    monkeypatch.setattr(motion, "_on_scale", lambda *given: told.append(given[-1]))
    sideways(noise_px=noise_px, inliers=inliers)
    assert told == [pytest.approx(sure, abs=1e-6)]


def test_the_speed_of_a_look_is_told(sideways):
    assert sideways.look.speed == 0.0
    assert sideways(px=7.0) is not None
    assert sideways.look.speed == pytest.approx(7.0, rel=0.05)


def evidence(r, spread=0.01, trust=1.0, prior=None, open_=1.0, sure=0.0):
    arrays = [
        np.broadcast_to(np.asarray(v, np.float32), (ROWS, COLUMNS)).copy()
        for v in (r, spread, trust, r if prior is None else prior)
    ]
    return motion._on_scale(*arrays, open_, sure)


SLOPE = np.linspace(0, 1, COLUMNS, dtype=np.float32)


def test_evidence_is_on_the_estimators_scale():
    found = evidence(SLOPE * 4 + 2, 0.04, 0.8, SLOPE * 0.6 + 0.2, 0.7)
    assert found.gate == pytest.approx(0.7)
    assert np.abs(found.depth[0] - (SLOPE * 0.6 + 0.2)).max() < 0.03, "but for the ends, which are held back"
    uncertain = np.ptp(found.depth) / 4 * 0.04
    assert found.weight == pytest.approx(0.8 / (1 + (uncertain / 0.06) ** 2), rel=1e-4)
    wide = evidence(np.where(SLOPE > 0.97, 40, SLOPE), prior=SLOPE * 0.9)
    assert wide.depth.max() == 1.25
    low = evidence(np.where(SLOPE < 0.03, -40, SLOPE), 30, prior=SLOPE * 0.9)
    assert low is None


@pytest.mark.parametrize(("seen", "enough"), [(99, False), (100, True)])
def test_evidence_needs_a_hundred_samples(seen, enough):
    """Of every second pixel."""
    trust = field()
    trust[::2, ::2].flat[np.arange(seen) * 15 % 1500] = 0.051
    trust[1::2] = 1.0
    assert (evidence(SLOPE, trust=trust) is not None) == enough
    assert evidence(SLOPE, trust=0.049) is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        *(
            ({"spread": 1.2 * 0.9 / 3.3 / signal / 1.2}, max(0, min(1, (signal - 1) / 2)))
            for signal in (1, 1.5, 2, 3, 9)
        ),
    ],
)
def test_a_weak_signal_closes_the_gate(given, wanted):
    assert gate(evidence(SLOPE, **given)) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize(("behind", "wanted"), [(5, 1), (6, 13 / 15), (9, 7 / 15), (12, 1 / 15), (13, 0)])
def test_negative_depth_closes_the_gate(behind, wanted):
    """Of fifty columns, those more than twice the uncertainty behind infinity."""
    r = SLOPE - SLOPE[2 * behind - 1] - 0.024
    assert gate(evidence(r, 0.012, prior=SLOPE)) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("sure", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("alike", [-0.5, 0.1, 0.2, 0.28, 0.35, 0.45, 0.6])
def test_the_surer_the_motion_the_more_may_the_estimator_be_contradicted(alike, sure):
    rng = np.random.default_rng(0)
    a, b = (rng.permutation(ROWS * COLUMNS).reshape(ROWS, COLUMNS).astype(np.float32) for _ in range(2))
    a, b = (v / v.max() for v in (a, b))
    held = np.clip(a[::2, ::2], *np.percentile(a[::2, ::2], (5, 95)))
    mixed = alike * (a - 0.5) + (1 - alike**2) ** 0.5 * (b - 0.5)
    mixed = mixed * 0.2 + 0.5
    real = np.corrcoef(held.ravel(), mixed[::2, ::2].ravel())[0, 1]
    found = gate(evidence(a, 0.001, prior=mixed, sure=sure))
    low, high = 0.3 - 0.15 * sure, 0.6 - 0.2 * sure
    assert found == pytest.approx(min(1, max(0, (real - low) / (high - low))), abs=0.01)


def test_fit_is_a_geometric_mean_and_robust():
    rng = np.random.default_rng(1)
    r = rng.random(4000)
    p = 0.4 * r + 0.3
    slope, shift, alike = motion._fit(r, p, np.ones(4000))
    assert (slope, shift, alike) == pytest.approx((0.4, 0.3, 1), abs=1e-6)
    noisy = p + rng.normal(0, 0.01, 4000)
    vr, vp = r.var(), noisy.var()
    slope, _, alike = motion._fit(r, noisy, np.ones(4000))
    correlation = np.corrcoef(r, noisy)[0, 1]
    assert alike == pytest.approx(correlation)
    assert slope == pytest.approx((vp / vr) ** 0.5 * correlation**0.5, rel=2e-3)
    wild = p.copy()
    wild[:400] += 3
    slope, shift, _ = motion._fit(r, wild, np.ones(4000))
    assert (slope, shift) == pytest.approx((0.4, 0.3), abs=0.03)
    weight = np.ones(4000)
    weight[:400] = 0
    assert motion._fit(r, wild, weight)[:2] == pytest.approx((0.4, 0.3), abs=1e-6)
    assert motion._fit(r, -p, np.ones(4000))[0] == 0


def piece(depth, weight=1.0, open_=1.0):
    depth = np.broadcast_to(np.asarray(depth, np.float32), (ROWS, COLUMNS)).copy()
    return motion.Evidence(depth, np.broadcast_to(np.asarray(weight, np.float32), depth.shape).copy(), open_)


@pytest.mark.parametrize(("alike", "wanted"), [(1.0, 1), (0.7, 1), (0.55, 0.5), (0.4, 0), (0.0, 0), (-1.0, 0)])
def test_how_well_two_pieces_agree(alike, wanted):
    angle = 2 * np.pi * np.arange(COLUMNS) / 10  # a sine and a cosine have nothing in common
    one, other = np.sin(angle), alike * np.sin(angle) + (1 - alike**2) ** 0.5 * np.cos(angle)
    assert motion._agreement(piece(one), piece(3 * other + 2)) == pytest.approx(wanted, abs=1e-4)
    weight = np.where(np.arange(COLUMNS) < 50, 0.5, 0.0)
    wild = np.where(np.arange(COLUMNS) < 50, other, 9)
    assert motion._agreement(piece(one), piece(wild, weight)) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(("weight", "wanted"), [(0.0101, 1), (0.0099, 0)])
def test_agreement_needs_a_hundredth_of_weight(weight, wanted):
    assert motion._agreement(piece(SLOPE), piece(SLOPE, weight)) == wanted
    assert motion._agreement(piece(SLOPE, weight), piece(SLOPE)) == wanted


def test_what_the_filter_lets_through():
    grey, prior = np.full((6, 8), 100, np.uint8), np.full((6, 8), 0.5, np.float32)
    grey[:, 4:], prior[3:] = 151, 0.62
    across, down = motion.crossing(grey, prior)
    free = np.exp(-(2**0.5) / 12)
    assert across == pytest.approx(
        np.where(np.arange(8) == 4, free * np.exp(-(2**0.5) * 0.2 / 0.12), free)[None].repeat(6, 0), rel=1e-5
    )
    assert down == pytest.approx(
        np.where(np.arange(6) == 3, free * np.exp(-(2**0.5)), free)[:, None].repeat(8, 1), rel=1e-5
    )
    assert across.dtype == down.dtype == np.float32


def test_slopes_are_grey_levels_a_pixel():
    y, x = np.mgrid[0:20, 0:30]
    across, down = motion._slopes((3 * x + 2 * y).astype(np.uint8))
    assert across[1:-1, 1:-1] == pytest.approx(3)
    assert down[1:-1, 1:-1] == pytest.approx(2)


def test_overlays_that_stand_still_are_passed():
    grey = np.full((ROWS, COLUMNS), 100, np.uint8)
    grey[40:44, 20:60:2] = 220  # letters
    other = grey.copy()
    other[:30] = 90  # what is behind changes
    for still_px, wanted in ((0.74, True), (0.76, False)):
        flow, trust = np.full((ROWS, COLUMNS, 2), 9, np.float32), field(1.0)
        flow[10:16, 50:60] = (still_px, -still_px)
        motion._pass_overlays(flow, grey, other, trust)
        box = np.zeros((ROWS, COLUMNS), bool)
        box[8:18, 48:62] = wanted  # and two pixels around
        assert np.array_equal(trust[:30] == 0, box[:30])
        assert trust[20:26, 50:60].min() == 1
        assert trust[41:43, 24:50].max() == 0
        assert trust[48:].min() == 1
    alone, trust = np.full((ROWS, COLUMNS, 2), 9, np.float32), field(1.0)
    alone[10, 10] = 0  # a single pixel is none
    motion._pass_overlays(alone, other, grey // 2, trust)
    assert trust.min() == 1


@pytest.mark.parametrize(
    ("ink", "changed", "kept"), [(114, 0, True), (115, 0, False), (150, 0, False), (150, 2, False), (150, 3, True)]
)
def test_overlays_have_contrast_and_do_not_change(ink, changed, kept):
    grey = np.full((ROWS, COLUMNS), 100, np.uint8)
    grey[20:22, 30:32] = ink
    other, trust = grey.copy(), field(1.0)
    other[grey == 100] = 0
    other[20:22, 30:32] = ink - changed
    motion._pass_overlays(np.full((ROWS, COLUMNS, 2), 9, np.float32), grey, other, trust)
    assert (trust[20, 30] == 1) == kept


def test_points_that_match():
    rng = np.random.default_rng(0)
    grey = cv2.GaussianBlur(rng.integers(0, 255, (ROWS, COLUMNS), np.uint8), (0, 0), 2)
    flow = np.dstack([field(3), field(-2)])
    back = -flow
    back[..., 0][:, 50:] += 1  # comes back a pixel beside
    back[:20] += 5  # doesn't come back
    points, moved, weight = motion._matches(flow, back, grey)
    focal = COLUMNS / 2 / np.tan(np.pi / 6)
    assert (moved - points) * focal == pytest.approx(np.tile([3, -2], (len(points), 1)))
    places = points * focal + [(COLUMNS - 1) / 2, (ROWS - 1) / 2]
    assert np.allclose(places % 5, 2)
    assert places[:, 1].min() >= 22 and places[:, 0].max() <= 97
    texture = cv2.blur(np.hypot(*motion._slopes(grey)), (5, 5))
    for (x, y), found in zip(np.rint(places).astype(int), weight, strict=True):
        here = texture[y, x]
        if not 46 <= x <= 50 and x < 95 and y > 23:
            assert found == pytest.approx(here / (here + 4) * (1 if x < 46 else np.exp(-1)), rel=1e-3)
    assert weight.min() > 0.05


class Look:
    """Answers in order; remembers which pictures were looked at."""

    def __init__(self, *answers, speeds=()):
        self.answers, self.asked, self.speed, self.speeds = list(answers), [], 9.0, list(speeds)

    def __call__(self, grey, other, prior, speed_px=motion._SPEED_PX):
        self.asked.append((int(grey[0, 0]), int(other[0, 0]), speed_px))
        if self.speeds:
            self.speed = self.speeds.pop(0)
        return self.answers.pop(0) if self.answers else None


def fusion(*answers, speeds=()):
    made = motion.MotionFusion()
    made._look = Look(*answers, speeds=speeds)
    made._steady = lambda grey, other: np.zeros((*grey.shape, 2), np.float32)
    return made


def film(count, start=0):
    return [np.full((ROWS, COLUMNS), start + n, np.uint8) for n in range(count)], np.full(
        (count, ROWS, COLUMNS), 0.5, np.float32
    )


def test_references_are_at_most_twenty_four_frames_back():
    state = fusion()
    greys, prior = film(33)
    state(greys, prior, [None, *[np.dstack([field(0.2), field(0)])] * 32])
    assert [pair[:2] for pair in state._look.asked if pair[0] >= 24] == [(24, 0), (32, 8)]


NOTHING = None


@pytest.mark.parametrize(
    ("answers", "count", "speeds", "asked", "opened"),
    [
        ([], 8, (), 7, 0.0),
        ([], 20, (), 7, 0.0),  # at most eight frames ahead
        ([piece(SLOPE)], 8, (), 7, 0.0),  # one alone doesn't count
        ([piece(SLOPE), piece(SLOPE, open_=0.4)], 8, (), 2, 0.4),
        ([piece(SLOPE), piece(SLOPE, open_=0)], 8, (), 2, 0.0),
        ([piece(SLOPE), piece(1 - SLOPE)], 8, (), 2, 0.0),
        ([NOTHING, piece(SLOPE), NOTHING, piece(SLOPE)], 8, (), 4, 1.0),
        ([piece(SLOPE)], 8, (9, 2.99), 2, 0.0),  # nearer references would move even less
        ([piece(SLOPE)], 8, (3.0,) * 7, 7, 0.0),
        ([piece(SLOPE, open_=0.7)], 2, (), 1, 0.7),  # a shot of two frames has no choice
        ([piece(SLOPE)], 3, (), 2, 0.0),
        ([], 1, (), 0, 0.0),
    ],
)  # fmt: skip
def test_how_a_shot_opens(answers, count, speeds, asked, opened):
    state = fusion(*answers, speeds=speeds)
    greys, prior = film(count)
    found = state(greys, prior, [None] * count)
    first = [pair for pair in state._look.asked if pair[0] == 0]
    assert [other for _, other, _ in first] == list(range(min(count, 8) - 1, min(count, 8) - 1 - asked, -1))
    assert {speed for *_, speed in first} <= {(2.0, 30.0) if count == 2 else (3.0, 20.0)}
    assert (found is prior) == (opened == 0)
    if opened:
        assert state._gain == pytest.approx(opened) or count > 4
        assert np.ptp(found[0]) > 0.1 * opened


@pytest.mark.parametrize(
    ("speeds", "back"),
    [
        ((0.7, 0.7, 0.7, 0.7), 0),  # too little in all
        ((1, 1, 1, 1), 4),
        ((3, 0, 0, 0), 4),
        ((2.5, 2.5, 2.5, 2.5), 4),
        ((5, 5, 4, 5), 2),
        ((9, 9, 9, 9), 1),
        ((1, 1, 1, 25), 1),
        ((1, 1, 20, 1), 1),
        ((1, 1, 19, 1), 2),
        ((1, 15, 1, 4), 3),
    ],
    ids=str,
)  # fmt: skip
def test_how_far_a_look_goes_back(speeds, back):
    """Until nine pixels are passed, never over twenty; and three at least, or there is nothing to see."""
    state = fusion()
    greys, prior = film(5)
    flows = [None, *(np.dstack([field(px * 0.6), field(px * 0.8)]) for px in speeds)]
    state._count = 0
    state(greys, prior, flows)
    looks = [pair[:2] for pair in state._look.asked if pair[0] == 4]
    way = sum(speeds[::-1][:back])
    assert looks == ([(4, 4 - back)] if back and way >= 3 else [])


@pytest.mark.parametrize(
    ("answers", "looks"),
    [((), [4, 8, 16, 24, 32]), ((*[None] * 7, *[piece(SLOPE)] * 20), [4, 8, 12, 16, 20, 24, 28, 32])],
)
def test_looks_become_seldom_where_they_find_nothing(answers, looks):
    state = fusion(*answers)
    greys, prior = film(36)
    flows = [np.dstack([field(3), field(0)])] * 36
    for at in range(0, 36, 4):
        state(
            greys[at : at + 4] if at else greys[:8], prior[:4] if at else prior[:8], flows[:4] if at else flows[:8]
        ) if at != 4 else None
    assert [pair[0] for pair in state._look.asked if pair[0]] == looks


def taken(*seen):
    state = fusion()
    history = []
    for each in seen:
        state._take(each)
        history.append(None if state._state is None else (
            round(float(state._state[0, 50, 1]), 4), round(float(state._state[0, 50, 2]), 4), state._agreed, round(state._gain, 4),
        ))  # fmt: skip
    return history


def test_evidence_is_taken_once_a_second_piece_agrees():
    here = float(SLOPE[50])
    near = piece(SLOPE, 0.5)
    assert taken(None) == [None]
    found = taken(near, near, near, near, None, None)
    weights = [0.5, 0.9, 1.22, 1.476, 1.1808, 0.94464]
    gains = [0, 0.34, 0.68, 1.0, 0.83, 0.66]
    assert [row[0] for row in found] == pytest.approx([here] * 6, abs=1e-4)
    assert [row[1] for row in found] == pytest.approx(weights, abs=1e-4)
    assert [row[3] for row in found] == pytest.approx(gains, abs=1e-4)
    assert [row[2] for row in found] == [False, *[True] * 5]
    heavy = piece(SLOPE, 2.0)
    assert taken(heavy, heavy)[1][1] == 2.0, "at most two"
    other = piece(1 - SLOPE, 0.3)
    assert taken(near, other)[1] == (pytest.approx(1 - here, abs=1e-4), 0.3, False, 0), "the newer one, as none agreed"
    assert taken(near, near, other)[2][:3] == (pytest.approx(here, abs=1e-4), 0.72, True)
    half = piece(2 * SLOPE, 0.5, open_=0.5)
    depth, weight, _, gain = taken(near, half)[1]
    assert (depth, weight, gain) == pytest.approx(((0.4 * here + 0.25 * 2 * here) / 0.65, 0.65, 0.34), abs=1e-3)


def corrected(depth, weight, prior=0.5, gain=1.0, **more):
    state = fusion()
    state._state = np.zeros((ROWS, COLUMNS, 4), np.float32)
    state._state[..., 1], state._state[..., 2] = depth, weight
    state._gain, state._agreed = gain, more.pop("agreed", True)
    state._correct(field(prior), np.full((ROWS, COLUMNS), 90, np.uint8), **more)
    return state


@pytest.mark.parametrize("weight", [0.06, 0.5, 2.0])
@pytest.mark.parametrize("difference", [-0.5, -0.1, -0.02, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_the_correction_of_even_evidence(weight, difference, gain):
    trust = 0.4 + 0.6 / (1 + np.exp(-difference / 0.04))
    part = weight * trust
    wanted = part * difference / (part + 0.005)
    if wanted < 0:
        wanted = -0.3 * np.tanh(wanted / -0.3)
    state = corrected(0.5 + difference, weight, gain=gain)
    assert state._state[..., 3] == pytest.approx(gain * wanted, abs=2e-4)
    assert state._state[..., 0].max() == 0, "it eases in"
    assert corrected(0.5 + difference, weight, gain=gain, at_once=True)._state[..., 0] == pytest.approx(
        gain * wanted, abs=2e-4
    )


@pytest.mark.parametrize(("columns", "prior_weight"), [(30, 0.005), (26, 0.005), (20, 0.0275), (14, 0.05), (10, 0.05)])
def test_sparse_evidence_in_numbers(columns, prior_weight, monkeypatch):
    monkeypatch.setattr(motion.cpu_motion, "recursive_filter", lambda stack, *_: None)
    weight = np.where(np.arange(COLUMNS) < columns, 1.0, 0.0)
    state = corrected(0.7, weight)
    trust = 0.4 + 0.6 / (1 + np.exp(-0.2 / 0.04))
    assert state._state[:, 0, 3] == pytest.approx(trust * 0.2 / (trust + prior_weight), rel=1e-4)
    assert state._state[:, -1, 3] == pytest.approx(0)


@pytest.mark.parametrize(
    ("now", "weight", "gain", "agreed", "over"),
    [
        (0.0019, 1.0, 0.0, True, True), (0.0021, 1.0, 0.0, True, False), (0.0, 1.0, 0.1, True, False),
        (0.0, 0.049, 0.0, False, True), (0.0, 0.051, 0.0, False, False), (-0.0021, 0.0, 0.0, True, False),
    ],
)  # fmt: skip
def test_when_a_correction_is_over(now, weight, gain, agreed, over):
    state = fusion()
    state._state = np.zeros((ROWS, COLUMNS, 4), np.float32)
    state._state[..., 0], state._state[..., 1], state._state[..., 2] = now, 0.5, weight
    state._gain, state._agreed = gain, agreed
    state._correct(field(0.5), np.full((ROWS, COLUMNS), 90, np.uint8))
    assert (state._state is None) == over


def test_a_correction_eases_in_along_the_flow():
    state = fusion()
    state._state = np.zeros((ROWS, COLUMNS, 4), np.float32)
    state._state[..., 3] = 0.3
    state._count = 1
    greys, prior = film(3, 1)
    prior[:, :, :10] = 0.9
    found = state(greys, prior, [None] * 3)
    steps = [0.3 * (1 - 0.84 ** (n + 1)) for n in range(3)]
    assert found[:, 30, 50] - 0.5 == pytest.approx(steps, abs=1e-5)
    assert found[2, 30, 5] == pytest.approx(1.0), "never beyond the range"
    state._state[:20, :, 3] = 7
    state._follow(np.dstack([field(0), field(-10)]))
    assert (state._state[:30, :, 3].min(), state._state[31:, :, 3].max()) == (7, pytest.approx(0.3))
    state._state[:, :50, 0] = 0
    state._follow(np.dstack([field(-10), field(0)]))
    assert (state._state[:, :60, 0].max(), state._state[:, 61:, 0].min()) == (0, pytest.approx(steps[2]))
    assert prior.max() == np.float32(0.9)


@pytest.mark.parametrize("vector", [(0, 0, 0), (0.3, 0, 0), (0, -0.2, 0), (0.1, 0.2, -0.3), (1e-13, 0, 0)])
def test_rotations(vector):
    found = epipolar.rotation_of(np.array(vector, float))
    wanted, _ = cv2.Rodrigues(np.array(vector, float))
    assert found == pytest.approx(wanted, abs=1e-12)
    points = np.random.default_rng(0).random((9, 2)) - 0.5
    rays = np.c_[points, np.ones(9)] @ wanted.T
    assert epipolar.turned(points, found) == pytest.approx(rays[:, :2] / rays[:, 2:])
    small = np.array(vector) * 1e-4
    flow = (epipolar.turned(points, epipolar.rotation_of(small)) - points) / 1e-4
    assert epipolar._rotational_flow(points) @ np.array(vector, float) == pytest.approx(flow, abs=1e-3)


def test_directions_to_try():
    half = epipolar._half_sphere(100)
    assert np.linalg.norm(half, axis=1) == pytest.approx(1)
    assert half[:, 2].min() == pytest.approx(0.005) and half[:, 2].max() == pytest.approx(0.995)
    assert np.abs(half.mean(0)[:2]).max() < 0.01
    nearest = np.sort(half @ half.T, axis=1)[:, -2]
    assert np.degrees(np.arccos(nearest)).max() < 16
    for direction in (*half[::9], np.array([0.0, 0.0, 1.0])):
        around = epipolar._around(direction, 7.0)
        assert around[0] == pytest.approx(direction)
        assert around[1:] @ direction == pytest.approx(np.cos(np.radians(7)))
        assert around[1:].mean(0) == pytest.approx(np.cos(np.radians(7)) * direction)
        assert np.linalg.norm(np.roll(around[1:], 1, 0) - around[1:], axis=1) == pytest.approx(
            2 * np.sin(np.radians(7)) * np.sin(np.pi / 8)
        )
    assert epipolar.focal_px(200) == pytest.approx(173.205, abs=1e-3)


@pytest.mark.parametrize(
    ("values", "weight", "found"),
    [
        ([3, 1, 2], [1, 1, 1], 2),
        ([1, 2, 3, 4], [1, 1, 1, 9], 4),
        ([4, 1, 2, 3], [0, 3, 1, 1], 1),
        ([5], [1], 5),
        ([1, 2], [1, 1], 1),
    ],
)
def test_weighted_medians(values, weight, found):
    assert epipolar._weighted_median(np.array(values, float), np.array(weight, float)) == found


def scene(direction, vector, count=600, noise_px=0.0, seed=0):
    """Points, where a camera that moves by `direction` and turns by `vector` sees them, and the focal length."""
    rng = np.random.default_rng(seed)
    focal = epipolar.focal_px(160)
    points = (rng.random((count, 2)) - 0.5) * [1.1, 0.7]
    rho = 0.02 + 0.08 * rng.random(count)
    rays = np.c_[points, np.ones(count)] @ epipolar.rotation_of(np.array(vector)).T + rho[:, None] * np.array(direction)
    moved = rays[:, :2] / rays[:, 2:] + rng.normal(0, noise_px / focal, (count, 2))
    return points, moved, focal


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (-0.6, 0, 0.8), (0.48, 0.6, -0.64), (0.1, 0.1, 0.99)])
@pytest.mark.parametrize("vector", [(0, 0, 0), (0.01, -0.02, 0.03)])
def test_the_cameras_motion_is_found_exactly(direction, vector):
    direction = np.array(direction) / np.linalg.norm(direction)
    points, moved, focal = scene(direction, vector)
    found = epipolar.camera_motion(points, moved, np.ones(len(points)), focal)
    assert np.degrees(np.arccos(min(1.0, abs(found.direction @ direction)))) < 1.0
    assert found.direction @ direction > 0
    assert found.rotation == pytest.approx(epipolar.rotation_of(np.array(vector)), abs=2e-3)
    assert found.noise_px < 0.05
    assert found.inliers == 1.0


def test_only_the_ratio_of_weights_counts():
    points, moved, focal = scene((-1, 0, 0), (0, 0, 0))
    light, heavy = (epipolar.camera_motion(points, moved, np.full(len(points), w), focal) for w in (1e-4, 1))
    assert light.direction == pytest.approx(heavy.direction, abs=1e-3)
    assert light.inliers == pytest.approx(heavy.inliers)


def test_noise_and_inliers_of_a_motion():
    points, moved, focal = scene((1, 0, 0), (0, 0, 0), 4000, 0.4)
    weight = np.ones(4000)
    found = epipolar.camera_motion(points, moved, weight, focal)
    assert found.noise_px == pytest.approx(0.4, rel=0.06)
    assert found.inliers == pytest.approx(0.997, abs=0.004)
    moved[:1000, 1] += 30 / focal
    wild = epipolar.camera_motion(points, moved, weight, focal)
    assert wild.inliers == pytest.approx(0.75, abs=0.02)
    weight[:1000] = 0
    assert epipolar.camera_motion(points, moved, weight, focal).inliers == pytest.approx(0.997, abs=0.004)
    calm, shown, focal = scene((1, 0, 0), (0, 0, 0), 500)
    shown[:100, 1] += 0.9 / focal
    shown[100:150, 1] += 1.5 / focal
    assert epipolar.camera_motion(calm, shown, np.ones(500), focal).inliers == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("zoom", [0.95, 1.0, 1.05])
def test_a_camera_that_stays_where_it_is(zoom):
    points, _, focal = scene((1, 0, 0), (0, 0, 0))
    moved = zoom * epipolar.turned(points, epipolar.rotation_of(np.array([0.01, -0.02, 0.02])))
    moved[:120] += 5 / focal
    found = epipolar.turn_and_zoom(points, moved, np.ones(len(points)), focal)
    assert np.median(found[120:]) < 0.02
    assert np.median(found[:120]) == pytest.approx(5 * 2**0.5, abs=0.1)


def estimate(pts, first, last, made):
    count = len(pts)
    clip = Clip(np.zeros((count, 4, 4, 3), np.uint8), np.array(pts), first=first, last=last)
    return ahead.Estimate(
        clip, [np.zeros((4, 4), np.uint8)] * count, np.zeros((count, 4, 4), np.float32), [None] * count, made
    )


@pytest.mark.parametrize(
    ("shots", "calls"),
    [
        ([[3, 3, 3, 3]], [9, 3]),
        ([[8, 1]], [8, 1]),
        ([[7], [2, 2]], [7, 4]),
        ([[4, 4, 4], [9]], [8, 4, 9]),
        ([[1]], [1]),
    ],
)
def test_an_opening_is_fused_at_once(shots, calls, monkeypatch):
    told = []

    class Fusion:
        def begin(self):
            told.append("begin")

        def __call__(self, greys, depths, flows):
            assert len(greys) == len(depths) == len(flows)
            told.append(len(greys))
            return depths + np.arange(len(depths), dtype=np.float32)[:, None, None]

    monkeypatch.setattr(ahead, "MotionFusion", Fusion)
    given, tick = [], 0
    for lengths in shots:
        for number, length in enumerate(lengths):
            pts = range(tick, tick + length)
            given.append(estimate(pts, number == 0, False, lambda depths: DepthMap(depths)))
            tick += length
    out = list(ahead.fused(iter(given)))
    assert [number for number in told if number != "begin"] == calls
    assert told.count("begin") == len(shots)
    assert np.concatenate([clip.pts for clip, _ in out]).tolist() == list(range(tick))
    assert all(len(clip) == len(depth) for clip, depth in out)
    numbers = np.concatenate([depth.values[:, 0, 0] for _, depth in out])
    assert numbers.tolist() == [n for count in calls for n in range(count)]
    assert ahead.HELD == 8
