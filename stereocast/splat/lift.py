"""The embedded default of `4d`: a closed relief of the object (splat.relief) instead of a generative model.

A video's frames move it; a picture gets a gentle idle motion. The result is a small image matrix, and Gaussians that
stage 2 starts from, as fine as the rendered films. What the camera never saw is guessed, not generated.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from stereocast.pictures.motion import Flow
from stereocast.splat import prepare
from stereocast.splat.back import smooth_inside
from stereocast.splat.matrix import Matrix, ring
from stereocast.splat.motion import Motion, MotionConfig, Ramp
from stereocast.splat.relief import Relief, height, place, relief, sampled, surface, surfels
from stereocast.splat.render import render
from stereocast.splat.scene import Camera, Gaussians, from_points, orbit_camera
from stereocast.types import Array


@dataclass(frozen=True, slots=True)
class LiftSettings:
    """Size of the small matrix and of the relief."""

    views: int = 13
    frames: int = 9
    size: int = 192
    fine: int = 192  # side of the pictures from which the relief is made
    elevation_deg: float = 0.0
    ratio: float = 0.85
    reference_frame: int | None = None  # None: the middle frame of a video
    fps: float = 12.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Tracks:
    """Positions of the reference frame's points at every time."""

    points: Array  # float32 [N, 3]
    shifts: Array  # float32 [F, N, 3]


@dataclass(frozen=True, slots=True)
class Lifted:
    """The input of stage 2."""

    matrix: Matrix
    start: Gaussians
    tracks: Tracks


def idle(points: Array, time: float) -> Array:
    """Points at `time` of a gentle idle motion, float32 [N, 3]: the body leans, turns and breathes about its feet.

    `time` is in 0..1; at 0 and 1 the points are unmoved.
    """
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

    frames uint8 [T, S, S, 4], at the relief's resolution, all in one box; depths float32 [T, S, S], 1 = nearest, or
    None. A single frame gets the idle motion, several keep the video's motion.
    """
    camera = orbit_camera(0, frames.shape[1], settings.elevation_deg)
    count = len(frames)
    reliefs = [relief(frames[t], None if depths is None else depths[t], camera) for t in range(count)]
    small = np.stack([prepare.resized(frame, settings.size) for frame in frames])
    if count == 1:
        lifted = animate(surfels(reliefs[0], camera), settings)
        for f in (0, settings.frames - 1):
            lifted.matrix.images[0, f], lifted.matrix.masks[0, f] = prepare.on_white(small[0]), small[0][..., 3]
        return lifted
    reference = count // 2 if settings.reference_frame is None else min(settings.reference_frame, count - 1)
    azimuths, info = ring(settings.views, count, settings.size, settings.elevation_deg)
    images = np.empty((settings.views, count, settings.size, settings.size, 3), np.uint8)
    masks = np.empty(images.shape[:-1], np.uint8)
    for f, shape in enumerate(reliefs):
        images[:, f], masks[:, f] = _seen(surfels(shape, camera), azimuths, settings)
        images[0, f], masks[0, f] = prepare.on_white(small[f]), small[f][..., 3]
    points, shifts = follow(frames, reliefs, reference, camera)
    matrix = Matrix(images, masks, azimuths, replace(info, fps=settings.fps, method="relief"), 0, reference)
    return Lifted(matrix, surfels(reliefs[reference], camera), Tracks(points, shifts))


def animate(start: Gaussians, settings: LiftSettings) -> Lifted:
    """Adds the idle motion to a still object's Gaussians and renders the matrix from the ring of cameras."""
    points = start.means.numpy()
    azimuths, info = ring(settings.views, settings.frames, settings.size, settings.elevation_deg)
    images = np.empty((settings.views, settings.frames, settings.size, settings.size, 3), np.uint8)
    masks = np.empty(images.shape[:-1], np.uint8)
    last = max(settings.frames - 1, 1)
    shifts = np.stack([idle(points, f / last) - points for f in range(settings.frames)])
    for f in range(settings.frames):
        moved = Gaussians(torch.from_numpy(points + shifts[f]), *list(start.tensors().values())[1:])
        images[:, f], masks[:, f] = _seen(moved, azimuths, settings)
    matrix = Matrix(images, masks, azimuths, replace(info, fps=settings.fps, loop=True, method="relief"))
    return Lifted(matrix, start, Tracks(points, shifts))


def object_gaussians(points: Array, colours: Array, spacing: float) -> Gaussians:
    """Gaussians on a solid object's surface points [N, 3], fitted into the view: centred, longest side 1 m."""
    low, high = points.min(0), points.max(0)
    scale = 1.0 / max(float((high - low).max()), 1e-9)
    return from_points((points - (low + high) / 2) * scale, colours, spacing * scale, 0.9, 0)


def _seen(gaussians: Gaussians, azimuths: tuple[float, ...], settings: LiftSettings) -> tuple[Array, Array]:
    """The Gaussians seen from the ring: pictures uint8 [V, S, S, 3] on white, and masks uint8 [V, S, S]."""
    images, masks = [], []
    for azimuth in azimuths:
        camera = orbit_camera(azimuth, settings.size, settings.elevation_deg)
        with torch.no_grad():
            seen = render(gaussians, None, 0, [camera], antialiased=True)  # Gaussians are smaller than pixels
        images.append(np.rint(seen.rgb[0].clamp(0, 1).numpy() * 255).astype(np.uint8))
        masks.append(np.rint(seen.alpha[0, ..., 0].clamp(0, 1).numpy() * 255).astype(np.uint8))
    return np.stack(images), np.stack(masks)


def follow(frames: Array, reliefs: list[Relief], reference: int, camera: Camera) -> tuple[Array, Array]:
    """The reference relief's points [N, 3] and their shifts [F, N, 3], tracked by dense optical flow.

    A point that leaves the silhouette moves to the nearest pixel inside. Its height comes from the relief of its frame.
    """
    tiled = surface(reliefs[reference], camera)
    shifts = np.zeros((len(frames), len(tiled.points), 3), np.float32)
    finder = Flow("medium")
    greys = [cv2.cvtColor(prepare.on_white(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    start = np.stack([tiled.u, tiled.v], 1)
    for step in (1, -1):
        at = start.copy()
        for f in range(reference + step, len(frames) if step > 0 else -1, step):
            flow = _calm(finder(greys[f - step], greys[f]), reliefs[f - step].mask)
            at = _into(at + sampled(flow, at[:, 0], at[:, 1]), reliefs[f].mask)
            now = place(at[:, 0], at[:, 1], height(reliefs[f], at[:, 0], at[:, 1], tiled.share), camera)
            shifts[f] = now - tiled.points
    return tiled.points, shifts


def _calm(flow: Array, mask: Array) -> Array:
    """The flow inside the object, slightly smoothed and continued outside it.

    So a thin part moves as one and the still background doesn't hold it back.
    """
    sigma = max(1.0, mask.shape[0] / 96)
    smooth = smooth_inside(flow, mask, sigma)
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    y, x = np.nonzero(mask)
    table = np.zeros((int(labels.max()) + 1, 2), np.float32)
    table[labels[y, x]] = smooth[y, x]
    return np.where(mask[..., None], smooth, table[labels]).astype(np.float32)


def _into(at: Array, mask: Array) -> Array:
    """Positions (x, y) in pixels; those outside the mask move to its nearest pixel."""
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
    """A motion network fitted to the tracks by least squares of position: the start of stage 2's second phase."""
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
