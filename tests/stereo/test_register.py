"""A drawn view in the holes of a warped one: with an ideal drawing, with nonsense, and with foreground that must stay out."""

import cv2
import numpy as np
import pytest

from stereocast.stereo import register
from stereocast.stereo.blend import Composer
from stereocast.stereo.register import Geometry, Seen
from stereocast.stereo.warp import Look, Workspace, render_view
from stereocast.types import Colour, PixelFormat

H, W, ROWS, COLUMNS, PAD = 270, 480, 36, 64, 120
COLOUR = Colour(1, 1, 1, False)
X0, X1, Y0, Y1 = 171, 291, 67, 216


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed)
    layers = ((2.5, 3.0), (6, 12), (20, 50))
    shape = (H, W + 2 * PAD, 3)
    made = sum(cv2.GaussianBlur(noise.random(shape, np.float32) - 0.5, (0, 0), s) * a for s, a in layers)
    return np.clip(made * 0.9 + 0.5, 0, 1)


class Scene:
    """A card before a wall, both textured; strength in % of the width, the screen at depth 0.5."""

    def __init__(self, near: float, far: float, *, mirror: bool = False, percent: float = 4.0) -> None:
        self.near, self.far, self.mirror, self.pixels = near, far, mirror, percent / 100 * W
        self.wall, self.card = texture(1), texture(2) * np.array([1, 0.6, 0.5], np.float32)
        self.depth = np.full((H, W), far, np.float32)
        self.depth[Y0:Y1, X0:X1] = near
        self.disparity = self.pixels * (self.depth - 0.5)
        self.base = Geometry(percent / 100 * COLUMNS, ROWS, COLUMNS)

    def view(self, card: float, wall: float) -> np.ndarray:
        """Seen with both moved to the left by this many pixels (to the right for a left view)."""
        side = -1 if self.mirror else 1
        xs, ys = np.meshgrid(np.arange(W, dtype=np.float32), np.arange(H, dtype=np.float32))
        pictures = [
            cv2.remap(p, xs + PAD + side * m, ys, cv2.INTER_CUBIC) for p, m in ((self.wall, wall), (self.card, card))
        ]
        cover = np.clip(np.minimum(xs + side * card - (X0 - 0.5), X1 - 0.5 - (xs + side * card)), 0, 1)
        cover = (cover * ((ys >= Y0) & (ys < Y1)))[..., None]
        return pictures[0] * (1 - cover) + pictures[1] * cover

    def warped(self) -> tuple[np.ndarray, np.ndarray]:
        source = (self.view(0, 0) * 255 + 0.5).astype(np.uint8)
        out, holes = np.empty_like(source), np.empty((H, W), bool)
        look = Look(1.0, PixelFormat.RGB24, "fast", 1)
        render_view(source, self.disparity, look, out, holes, Workspace.of(H, W), mirror=self.mirror)
        return out, holes

    def composed(self, drawing: object = None) -> tuple[float, float, np.ndarray, np.ndarray, np.ndarray]:
        """PSNR in the card's holes of the warp's own fill and of the composition; both pictures, and the holes."""
        seen = Seen.of(self.disparity, 1.0, self.pixels, 0.5, mirror=self.mirror)
        small = register.at_latents(self.depth, ROWS, COLUMNS)
        turned = register.at_latents(self.depth, ROWS, COLUMNS, mirror=self.mirror)
        geometry = register.fitted(self.base, [seen], [turned])
        moves = [float(geometry.steps(np.float32(d))) * W / COLUMNS for d in (self.near, self.far)]
        drawn = self.view(*moves) if drawing is None else drawing
        drawn = cv2.resize(drawn.astype(np.float32), (COLUMNS * 8, ROWS * 8), interpolation=cv2.INTER_LINEAR)
        out, holes = self.warped()
        got = Composer(geometry, PixelFormat.RGB24, COLOUR, self.mirror)(out, drawn, seen, small)
        true = self.view(*(self.pixels * (d - 0.5) for d in (self.near, self.far))) * 255
        inner = holes.copy()
        inner[:, :20] = inner[:, -20:] = False
        scores = [
            10 * np.log10(255**2 / np.mean((p[inner] - true[inner]) ** 2))
            for p in (out.astype(float), got.astype(float))
        ]
        return *scores, out, got, holes


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("pair", [(1.0, 0.0), (0.9, 0.3), (0.75, 0.35), (0.6, 0.1)])
def test_an_ideal_drawn_view_fills_the_hole_at_30_db(pair: tuple[float, float], mirror: bool) -> None:
    fill, made, out, got, holes = Scene(*pair, mirror=mirror).composed()
    assert made >= 30
    assert made > fill + 10
    assert np.array_equal(out[~holes], got[~holes])


@pytest.mark.parametrize("seed", range(3))
def test_nonsense_leaves_the_warps_own_fill(seed: int) -> None:
    noise = np.random.default_rng(seed).random((H, W, 3), np.float32)
    for drawing in (noise, cv2.GaussianBlur(noise, (0, 0), 6), np.full((H, W, 3), 0.2 * seed)):
        fill, made, *_ = Scene(0.9, 0.3).composed(drawing)
        assert made > fill - 0.1


def test_a_tint_of_the_drawn_view_is_taken_out() -> None:
    scene = Scene(0.9, 0.3)
    seen = Seen.of(scene.disparity, 1.0, scene.pixels, 0.5, mirror=False)
    geometry = register.fitted(scene.base, [seen], [register.at_latents(scene.depth, ROWS, COLUMNS)])
    moves = [float(geometry.steps(np.float32(d))) * W / COLUMNS for d in (0.9, 0.3)]
    tinted = scene.view(*moves) * np.array([0.9, 1, 1]) + np.array([0.06, -0.04, 0.03])
    assert scene.composed(tinted)[1] > 26


def test_drawn_foreground_never_comes_into_a_hole() -> None:
    """A card so bright that a single pixel of it would show, drawn where the sampler puts it."""
    scene = Scene(1.0, 0.0)
    scene.wall, scene.card = scene.wall * 0.3, np.ones_like(scene.card)
    _, _, _, got, holes = scene.composed()
    inner = cv2.erode(holes.astype(np.uint8), np.ones((1, 3), np.uint8)) > 0
    inner[:, :20] = inner[:, -20:] = False
    assert got[inner].max() < 140


def test_without_holes_nothing_changes_and_planes_are_taken() -> None:
    scene = Scene(0.5, 0.5)
    out, holes = scene.warped()
    assert not holes[:, 20:-20].any()
    seen = Seen.of(scene.disparity, 1.0, scene.pixels, 0.5, mirror=False)
    composer = Composer(scene.base, PixelFormat.RGB24, COLOUR, False)
    assert (
        composer(out, np.zeros((ROWS * 8, COLUMNS * 8, 3), np.float32), seen, np.zeros((ROWS, COLUMNS), np.float32))
        is out
    )
