"""The embedded default of `4d`: a closed relief of the object instead of a generative model.

The front is the silhouette, inflated, with the depth map's detail on it; the back is the inflated silhouette, its
colours the front's, smoothed. A video moves it by its own frames, a picture by a gentle idle motion. What comes out is
a small image matrix and a start for stage 2. What the camera never saw is guessed, not generated.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from stereocast.pictures.motion import Flow
from stereocast.splat import prepare
from stereocast.splat.matrix import Matrix, ring
from stereocast.splat.motion import Motion, MotionConfig, Ramp
from stereocast.splat.render import render
from stereocast.splat.scene import SH_C0, Camera, Gaussians, from_points, orbit_camera
from stereocast.types import Array

_PLUMP = 0.8  # a limb's cross section: 1 would be √2 deeper than wide
_DETAIL = 0.08  # depth map's relief, of the object's size
_STEEPEST = 8.0
_WALL_STEP = 2.0  # pixels


@dataclass(frozen=True, slots=True)
class LiftSettings:
    """Size of the small matrix and of the relief."""

    views: int = 13
    frames: int = 9
    size: int = 192
    elevation_deg: float = 0.0
    ratio: float = 0.85
    reference_frame: int | None = None  # of a video: the middle one
    fps: float = 12.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Tracks:
    """Where the reference frame's points are at every time."""

    points: Array  # float32 [N, 3]
    shifts: Array  # float32 [F, N, 3]


@dataclass(frozen=True, slots=True)
class Lifted:
    """What stage 2 takes."""

    matrix: Matrix
    start: Gaussians
    tracks: Tracks


def inflate(mask: Array) -> Array:
    """Half thickness in pixels, float32 [H, W], of a silhouette (bool): the root of the solution of ∇²u = -4, which
    makes a ball of a disc and a tube of a strip. Zero outside."""
    inside = mask.astype(bool).copy()
    inside[0] = inside[-1] = inside[:, 0] = inside[:, -1] = False
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    u = (distance * distance.max()).astype(np.float64)  # a start that is near for most shapes
    y, x = np.nonzero(inside)
    halves = [(y[(y + x) % 2 == c], x[(y + x) % 2 == c]) for c in (0, 1)]
    relax = 2 / (1 + math.sin(math.pi / max(8.0, 2.5 * float(distance.max()))))  # over-relaxation, by the widest part
    for _ in range(int(4 * distance.max()) + 40):
        for rows, columns in halves:
            around = u[rows - 1, columns] + u[rows + 1, columns] + u[rows, columns - 1] + u[rows, columns + 1]
            u[rows, columns] += relax * ((around + 4) / 4 - u[rows, columns])
    return (np.sqrt(np.maximum(u, 0)) * _PLUMP).astype(np.float32)


def detail(depth: Array, mask: Array) -> Array:
    """The depth map's relief, about -0.5..0.5, without offset and slope, fading at the outline; float32 [H, W]."""
    y, x = np.nonzero(mask)
    if len(y) < 16:
        return np.zeros(mask.shape, np.float32)
    values = depth[y, x].astype(np.float64)
    spread = max(float(np.subtract(*np.percentile(values, (95, 5)))), 1e-3)
    plane = np.stack([x, y, np.ones_like(x)], 1).astype(np.float64)
    values = values - plane @ np.linalg.lstsq(plane, values, rcond=None)[0]
    out = np.zeros(mask.shape, np.float32)
    out[y, x] = np.clip(values / spread, -0.5, 0.5)
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return out * np.minimum(1, distance / max(1.0, 0.35 * float(distance.max()))).astype(np.float32)


def smooth_inside(image: Array, mask: Array, sigma: float) -> Array:
    """A Gaussian blur of float32 [H, W, C] that takes nothing from outside the mask."""
    weight = mask.astype(np.float32)
    total = cv2.GaussianBlur(image * weight[..., None], (0, 0), sigma)
    return total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-4)[..., None]


@dataclass(frozen=True, slots=True)
class Relief:
    """One frame's closed surface, on the pixel grid of the reference camera."""

    mask: Array  # bool [H, W]
    core: Array  # bool [H, W], without the outline's pixels, which Gaussians of its neighbours cover
    front: Array  # float32 [H, W], towards the camera, metres from the middle plane
    back: Array  # float32 [H, W], away from it
    colour: Array  # float32 [H, W, 3], 0..1
    colour_back: Array


def relief(rgba: Array, depth: Array | None, camera: Camera) -> Relief:
    """The closed relief of a framed RGBA picture, uint8 [S, S, 4]; `depth` is inverse depth [S, S], 1 = nearest."""
    size = rgba.shape[0]
    mask = prepare.largest(rgba[..., 3] > 127).astype(bool)
    pixel = camera.view[2, 3] / camera.intrinsics[0, 0]
    half = inflate(mask) * pixel
    front = half.copy()
    if depth is not None:
        front = np.where(mask, half + _DETAIL * size * pixel * 0.5 * detail(depth, mask), 0).astype(np.float32)
        front = np.maximum(front, 0.3 * half)
    colour = rgba[..., :3].astype(np.float32) / 255
    solid = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    edge = mask & ~solid  # outline pixels are mixed with the background: take their neighbours' colour
    colour = np.where(edge[..., None], smooth_inside(colour, solid, 1.5), colour)
    soft = smooth_inside(colour, mask, 0.03 * size)
    return Relief(mask, _core(mask), cv2.GaussianBlur(front, (0, 0), 0.7) * mask, half, colour, soft)


def _core(mask: Array) -> Array:
    """The mask without its outline; lines that are thinner than that stay."""
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    ridge = distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))
    return mask & ((distance > 1.5) | ridge)


def surface(shape: Relief, camera: Camera) -> tuple[Array, Array, Array]:
    """World points float32 [2 N + W, 3] (front, back, the wall between them along the outline), their colours, and the
    pixels (y, x) int [N, 2] of the first two parts."""
    y, x = np.nonzero(shape.core)
    wall_y, wall_x, share = wall(shape, camera)
    points = [place(x + 0.5, y + 0.5, side[y, x] * sign, camera) for side, sign in ((shape.front, 1), (shape.back, -1))]
    points.append(place(wall_x + 0.5, wall_y + 0.5, wall_height(shape, wall_y, wall_x, share), camera))
    mixed = share[:, None] * shape.colour[wall_y, wall_x] + (1 - share[:, None]) * shape.colour_back[wall_y, wall_x]
    return (
        np.concatenate(points),
        np.concatenate([shape.colour[y, x], shape.colour_back[y, x], mixed]),
        np.stack([y, x], 1),
    )


def wall(shape: Relief, camera: Camera) -> tuple[Array, Array, Array]:
    """Pixels (y, x) along the outline, one for each step between back (share 0) and front (share 1)."""
    pixel = camera.view[2, 3] / camera.intrinsics[0, 0]
    rim = shape.core & ~cv2.erode(shape.core.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    y, x = np.nonzero(rim)
    steps = np.ceil((shape.front[y, x] + shape.back[y, x]) / (_WALL_STEP * pixel)).astype(int)
    share = np.concatenate([np.arange(1, n + 1) / (n + 1) for n in steps]) if steps.sum() else np.zeros(0)
    return np.repeat(y, steps), np.repeat(x, steps), share.astype(np.float32)


def wall_height(shape: Relief, y: Array, x: Array, share: Array) -> Array:
    """Height of a place between back and front."""
    return np.asarray(share * shape.front[y, x] - (1 - share) * shape.back[y, x])


def place(u: Array, v: Array, height: Array, camera: Camera) -> Array:
    """World points float32 [N, 3] at pixels (u, v), `height` metres before the plane through the origin."""
    k, depth = camera.intrinsics, camera.view[2, 3] - height
    seen = np.stack([(u - k[0, 2]) / k[0, 0] * depth, (v - k[1, 2]) / k[1, 1] * depth, depth], 1)
    return ((seen - camera.view[:3, 3]) @ camera.view[:3, :3]).astype(np.float32)


def surfels(shape: Relief, camera: Camera) -> Gaussians:
    """Gaussians that tile the relief: flat ones tilted with front and back, round ones on the wall between them."""
    points, colours, pixels = surface(shape, camera)
    pixel = camera.view[2, 3] / camera.intrinsics[0, 0]
    quats, scales = [], []
    for side, sign in ((shape.front, 1.0), (shape.back, -1.0)):
        rise_x, rise_y = _slopes(side, shape.mask, pixel)
        sx, sy = rise_x[tuple(pixels.T)] * sign, rise_y[tuple(pixels.T)] * sign
        steep = np.sqrt(sx**2 + sy**2)
        flat = steep < 1e-6
        cx, cy = np.where(flat, 1.0, sx / np.maximum(steep, 1e-6)), np.where(flat, 0.0, sy / np.maximum(steep, 1e-6))
        stretch = np.sqrt(1 + steep**2)
        # camera axes: x right, y down, z forward; the surface rises against z
        along = np.stack([cx, cy, -steep], 1) / stretch[:, None]
        across = np.stack([-cy, cx, np.zeros_like(cx)], 1)
        turn = np.stack([along, across, np.cross(along, across)], 2)  # columns
        quats.append(_quaternions(camera.view[:3, :3].T @ turn))
        scales.append(np.stack([0.62 * stretch, np.full_like(stretch, 0.62), np.full_like(stretch, 0.25)], 1) * pixel)
    extra = len(points) - 2 * len(pixels)
    quats.append(np.repeat(_quaternions(camera.view[None, :3, :3].transpose(0, 2, 1)), extra, 0))
    scales.append(np.tile(np.array([0.55, 0.55, 0.6 * _WALL_STEP]) * pixel, (extra, 1)))
    count = len(points)
    return Gaussians(
        torch.from_numpy(points), torch.log(torch.from_numpy(np.concatenate(scales).astype(np.float32))),
        torch.from_numpy(np.concatenate(quats).astype(np.float32)), torch.full((count,), 2.0),
        torch.from_numpy(((colours[:, None] - 0.5) / SH_C0).astype(np.float32)), torch.zeros(count, 0, 3),
    )  # fmt: skip


def _slopes(side: Array, mask: Array, pixel: float) -> tuple[Array, Array]:
    """Rise per metre along x and y, central differences, no steeper than `_STEEPEST`."""
    rise_x, rise_y = (np.gradient(side, axis=axis) / pixel for axis in (1, 0))
    steep = np.sqrt(rise_x**2 + rise_y**2)
    limit = np.minimum(1, _STEEPEST / np.maximum(steep, 1e-6)) * mask
    return rise_x * limit, rise_y * limit


def _quaternions(r: Array) -> Array:
    """wxyz [N, 4] of rotations [N, 3, 3] (the largest component first, which keeps it stable)."""
    m = r.astype(np.float64)
    trace = [m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2]] + [2 * m[:, i, i] - np.trace(m, axis1=1, axis2=2) for i in range(3)]
    best = np.argmax(np.stack(trace, 1), 1)
    q = np.zeros((len(m), 4))
    for which in range(4):
        at = best == which
        a = m[at]
        root = np.sqrt(1 + np.stack(trace, 1)[at, which]) * 2
        if which == 0:
            q[at] = np.stack(
                [
                    root / 4,
                    (a[:, 2, 1] - a[:, 1, 2]) / root,
                    (a[:, 0, 2] - a[:, 2, 0]) / root,
                    (a[:, 1, 0] - a[:, 0, 1]) / root,
                ],
                1,
            )
        else:
            i, j, k = which - 1, which % 3, (which + 1) % 3
            part = np.zeros((len(a), 4))
            part[:, 0] = (a[:, k, j] - a[:, j, k]) / root
            part[:, 1 + i] = root / 4
            part[:, 1 + j] = (a[:, j, i] + a[:, i, j]) / root
            part[:, 1 + k] = (a[:, k, i] + a[:, i, k]) / root
            q[at] = part
    return q


def idle(points: Array, time: float) -> Array:
    """float32 [N, 3]: where points are at `time` (0..1; 0 and 1 are the pose itself) of a gentle idle motion: the body
    leans, turns and breathes about its feet."""
    low, high = points[:, 1].min(), points[:, 1].max()
    height = np.clip((points[:, 1] - low) / max(high - low, 1e-6), 0, 1)
    phase = 2 * math.pi * time
    turn = 0.16 * math.sin(phase) * height
    lean = 0.07 * math.sin(phase) * height**2
    grow = 1 + 0.02 * (1 - math.cos(phase)) * height
    x = points[:, 0] * np.cos(turn) + points[:, 2] * np.sin(turn)
    z = points[:, 2] * np.cos(turn) - points[:, 0] * np.sin(turn)
    y = low + (points[:, 1] - low) * grow
    away = y - low
    return np.stack([x + away * np.sin(lean), y - x * np.sin(lean) * height, z], 1).astype(np.float32)


def lift(frames: Array, depths: Array | None, settings: LiftSettings) -> Lifted:
    """The relief, its small matrix and its tracks, from framed RGBA pictures.

    frames: uint8 [T, S, S, 4] at settings.size, all in one box; depths: float32 [T, S, S], 1 = nearest, or None.
    One frame gets an idle motion, several are a video's own motion.
    """
    camera = orbit_camera(0, settings.size, settings.elevation_deg)
    count = len(frames)
    reliefs = [relief(frames[t], None if depths is None else depths[t], camera) for t in range(count)]
    if count == 1:
        lifted = animate(surfels(reliefs[0], camera), settings)
        for f in (0, settings.frames - 1):
            lifted.matrix.images[0, f], lifted.matrix.masks[0, f] = prepare.on_white(frames[0]), frames[0][..., 3]
        return lifted
    reference = count // 2 if settings.reference_frame is None else min(settings.reference_frame, count - 1)
    azimuths, info = ring(settings.views, count, settings.size, settings.elevation_deg)
    images = np.empty((settings.views, count, settings.size, settings.size, 3), np.uint8)
    masks = np.empty(images.shape[:-1], np.uint8)
    for f, shape in enumerate(reliefs):
        images[:, f], masks[:, f] = _seen(surfels(shape, camera), azimuths, camera, settings)
        images[0, f], masks[0, f] = prepare.on_white(frames[f]), frames[f][..., 3]
    points, shifts = follow(frames, reliefs, reference, camera)
    matrix = Matrix(images, masks, azimuths, replace(info, fps=settings.fps, method="relief"), 0, reference)
    return Lifted(matrix, surfels(reliefs[reference], camera), Tracks(points, shifts))


def animate(start: Gaussians, settings: LiftSettings) -> Lifted:
    """A still object's Gaussians with the idle motion, and the matrix that the ring sees of them."""
    points, camera = start.means.numpy(), orbit_camera(0, settings.size, settings.elevation_deg)
    azimuths, info = ring(settings.views, settings.frames, settings.size, settings.elevation_deg)
    images = np.empty((settings.views, settings.frames, settings.size, settings.size, 3), np.uint8)
    masks = np.empty(images.shape[:-1], np.uint8)
    last = max(settings.frames - 1, 1)
    shifts = np.stack([idle(points, f / last) - points for f in range(settings.frames)])
    for f in range(settings.frames):
        moved = Gaussians(torch.from_numpy(points + shifts[f]), *list(start.tensors().values())[1:])
        images[:, f], masks[:, f] = _seen(moved, azimuths, camera, settings)
    matrix = Matrix(images, masks, azimuths, replace(info, fps=settings.fps, loop=True, method="relief"))
    return Lifted(matrix, start, Tracks(points, shifts))


def object_gaussians(points: Array, colours: Array, spacing: float) -> Gaussians:
    """Gaussians of a solid object's surface points [N, 3], fitted into the view: centred, longest side 1 m."""
    low, high = points.min(0), points.max(0)
    scale = 1.0 / max(float((high - low).max()), 1e-9)
    return from_points((points - (low + high) / 2) * scale, colours, spacing * scale, 0.9, 0)


def _seen(
    gaussians: Gaussians, azimuths: tuple[float, ...], camera: Camera, settings: LiftSettings
) -> tuple[Array, Array]:
    """What the ring sees of Gaussians: pictures uint8 [V, S, S, 3] on white, and masks."""
    images, masks = [], []
    for azimuth in azimuths:
        with torch.no_grad():
            seen = render(gaussians, None, 0, [orbit_camera(azimuth, camera.width, settings.elevation_deg)])
        images.append(np.rint(seen.rgb[0].clamp(0, 1).numpy() * 255).astype(np.uint8))
        masks.append(np.rint(seen.alpha[0, ..., 0].clamp(0, 1).numpy() * 255).astype(np.uint8))
    return np.stack(images), np.stack(masks)


def follow(frames: Array, reliefs: list[Relief], reference: int, camera: Camera) -> tuple[Array, Array]:
    """The reference relief's points [N, 3] and their shifts [F, N, 3], along dense optical flow from frame to frame.

    A point that leaves the silhouette goes to its nearest pixel; its height is that of the relief it arrives on.
    """
    points, _, pixels = surface(reliefs[reference], camera)
    shifts = np.zeros((len(frames), len(points), 3), np.float32)
    finder = Flow("medium")
    greys = [cv2.cvtColor(prepare.on_white(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    wall_y, wall_x, share = wall(reliefs[reference], camera)
    start = np.concatenate([pixels[:, ::-1], pixels[:, ::-1], np.stack([wall_x, wall_y], 1)]).astype(np.float32) + 0.5
    shares = np.concatenate([np.ones(len(pixels)), np.zeros(len(pixels)), share])
    for step in (1, -1):
        at = start.copy()
        for f in range(reference + step, len(frames) if step > 0 else -1, step):
            flow = finder(greys[f - step], greys[f])
            grid = (at - 0.5)[:, None]
            moved = cv2.remap(flow, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            at = _into(at + moved[:, 0], reliefs[f].mask)
            column, row = np.clip(at.astype(int), 0, len(reliefs[f].mask) - 1).T
            now = place(at[:, 0], at[:, 1], wall_height(reliefs[f], row, column, shares), camera)
            shifts[f] = now - points
    return points, shifts


def _into(at: Array, mask: Array) -> Array:
    """Places (x, y) in pixels, those outside the mask put on its nearest pixel."""
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    y, x = np.nonzero(mask)
    table = np.zeros((int(labels.max()) + 1, 2), np.float32)
    table[labels[y, x]] = np.stack([x + 0.5, y + 0.5], 1)
    column, row = np.clip(at.astype(int), 0, len(mask) - 1).T
    outside = ~mask[row, column]
    return np.where(outside[:, None], table[labels[row, column]], at).astype(np.float32)


def small_motion() -> MotionConfig:
    """A network that a CPU trains in a minute."""
    return MotionConfig(width=64, depth=4, place_octaves=5, time_octaves=3)


def learn(tracks: Tracks, config: MotionConfig, steps: int = 500, batch: int = 2048, seed: int = 0) -> Motion:
    """A motion network that follows the tracks: least squares of place alone, the start of stage 2's second phase."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        motion = Motion(config).start_still()
    rng = np.random.default_rng((seed, 3))
    optimiser, rate = torch.optim.Adam(motion.parameters(), lr=3e-3), Ramp(3e-3, 3e-4, steps)
    points, shifts = torch.from_numpy(tracks.points), torch.from_numpy(tracks.shifts)
    frames = len(shifts)
    for step in range(steps):
        f, n = rng.integers(frames, size=batch), rng.integers(len(points), size=batch)
        time = torch.from_numpy(f.astype(np.float32))[:, None] / max(frames - 1, 1)
        shift, turn, growth = motion(points[n], time)
        loss = 30 * (shift - shifts[f, n]).square().sum(-1).mean() + 1e-3 * (turn.abs().mean() + growth.abs().mean())
        for group in optimiser.param_groups:
            group["lr"] = rate(step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return motion
