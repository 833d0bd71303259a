"""A source without weights: a camera that moves through one picture, in stereo.

The picture becomes two sheets: the visible surface, torn at depth edges, and a background sheet that continues behind
it. Near surfaces end in a matte (`gen.matte`), not at the edge of a grid cell. Both sheets are drawn for each eye in
every frame, so uncovered background stays consistent. This module knows no files.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import cos, pi, sin

import cv2
import numpy as np

from stereocast.gen import matte
from stereocast.gen.behind import background
from stereocast.kernels.mesh import raster
from stereocast.settings import GenSettings
from stereocast.types import Array

FAR = 0.22  # inverse depth of the farthest surface; the nearest has 1
FOCAL = 1.0  # in widths of the picture: 53 degrees
CELL = 2  # pixels per grid cell
PAD = 0.14  # share of the width by which the background sheet extends beyond the picture
TEAR = 0.08  # step of relative depth within a cell that counts as an edge
PART = 1.3  # a surface belongs to the nearer one beside it unless that step is so many times the step to its background
STRENGTH = 2.0  # default for the largest disparity, % of the width
MARGIN = 1.035  # slight enlargement that keeps the frame's sides covered

_WORDS = (  # first match wins; (pattern, move, direction)
    (r"\b(pull(s|ing)? (back|out|away)|dolly (out|back)|back(s|ing)? (away|off|up)|retreat\w*|reveal\w*)\b", "dolly", -1),
    (r"\bzoom(s|ing)? (out|back)\b", "zoom", -1),
    (r"\bzoom\w*\b", "zoom", 1),
    (r"\b(dolly\w*|push(es|ing)? in|forward|approach\w*|fly\w*|walk\w*|driv\w*|into|toward\w*|closer)\b", "dolly", 1),
    (r"\b(orbit\w*|circl\w*|around|arc\w*|revolv\w*)\b", "orbit", 1),
    (r"\b(tilt\w* down|descend\w*|crane down|downward\w*)\b", "tilt", -1),
    (r"\b(tilt\w*|rise\w*|rising|crane\w*|upward\w*|lift\w*)\b", "tilt", 1),
    (r"\b(pan\w* left|turn\w* left|look\w* left|leftward\w*)\b", "pan", -1),
    (r"\b(pan|pans|panning|turn\w* right|look\w* right|rightward\w*)\b", "pan", 1),
    (r"\b(sway\w*|swing\w*|truck\w*|slid\w*|rock\w*|handheld)\b", "swing", 1),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pose:
    """The camera's position (right, down, forward, in units of the nearest surface's distance) and direction."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    yaw: float = 0.0  # radians, to the right
    pitch: float = 0.0  # radians, upwards
    zoom: float = 1.0


def chosen_move(prompt: str, move: str = "auto") -> tuple[str, int]:
    """The move (`move`, or for 'auto' the one that the prompt describes, by default a gentle orbit) and its direction."""
    text = prompt.lower()
    found = next(((name, way) for pattern, name, way in _WORDS if re.search(pattern, text)), ("orbit", 1))
    if move == "auto":
        return found
    return move, found[1] if found[0] == move else 1


def pose_at(move: str, direction: int, when: float, amount: float, pivot: float) -> Pose:
    """The camera at `when` (0..1) of the move. `pivot`: inverse depth of the point that stays in the middle.

    Orbit and swing end where they start, so the clip can loop. The others ease in and out.
    """
    turn, ease = 2 * pi * when, 0.5 - 0.5 * cos(pi * when)
    centred = (2 * ease - 1) * direction
    match move:
        case "dolly":
            travel = 0.24 * amount * (ease if direction > 0 else 1 - ease)
            return Pose(z=travel, y=0.01 * amount * sin(pi * ease))
        case "pan":
            return Pose(x=0.05 * amount * centred, yaw=0.055 * amount * centred)
        case "tilt":
            return Pose(y=-0.05 * amount * centred, pitch=0.03 * amount * centred)
        case "zoom":
            return Pose(zoom=1 + 0.16 * amount * (ease if direction > 0 else 1 - ease))
        case "swing":
            return Pose(x=0.07 * amount * sin(turn))
        case _:
            x, y = 0.06 * amount * sin(turn), 0.014 * amount * (cos(turn) - 1)
            return Pose(x, y, 0.05 * amount * (1 - cos(turn)) / 2, -x * pivot, y * pivot)


class CameraMove:
    """A picture's sheets and its camera move."""

    def __init__(self, picture: Array, depth: Array, settings: GenSettings) -> None:
        """picture [H, W, 3]: RGB in 0..1; depth float32 [H, W]: 1 = near, with sharp edges."""
        self.settings = settings
        self.picture = np.ascontiguousarray(picture, np.float32)
        self.height, self.width = picture.shape[:2]
        low, high = (float(v) for v in np.percentile(depth, (0.5, 99.5)))
        self.depth = np.clip((depth - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
        self.move, self.direction = chosen_move(settings.prompt, settings.move)
        self.pad = round(PAD * self.width / 8) * 8
        inverse = (FAR + (1 - FAR) * self.depth).astype(np.float32)
        colour, behind, ahead = background(self.picture, inverse, radius=round(0.035 * self.width))
        tear = np.maximum(TEAR * (1 - FAR), PART * ahead)
        outline = matte.outlined(self.picture, inverse, tear, reach=2 * CELL)
        self._front = _Sheet(outline.colour, outline.inverse, 0, tear, outline.cover)
        border = ((self.pad, self.pad), (self.pad, self.pad))
        colour = np.pad(colour, (*border, (0, 0)), "symmetric")
        self._back = _Sheet(colour, np.pad(behind, border, "edge"), self.pad)
        percent = settings.strength if isinstance(settings.strength, float) else STRENGTH
        self.disparity = percent / 100 * self.width
        if isinstance(settings.convergence, str):
            bottom, top = (float(v) for v in np.percentile(self.depth, (2, 98)))
            self.screen = top - settings.pop_out * (top - bottom)
        else:
            self.screen = settings.convergence
        self.pivot = FAR + (1 - FAR) * float(np.percentile(self.depth, 60))

    @property
    def name(self) -> str:
        """The move's name, with its direction."""
        backwards = {"dolly": "dolly out", "zoom": "zoom out", "pan": "pan left", "tilt": "tilt down"}
        return backwards.get(self.move, self.move) if self.direction < 0 else self.move

    def pairs(self, count: int) -> Iterator[tuple[Array, Array]]:
        """Left and right view of each frame, RGB in 0..1 [H, W, 3]."""
        eyes = {"both": (-0.5, 0.5), "right": (0.0, 1.0), "left": (-1.0, 0.0)}[self.settings.eyes or "both"]
        loops = self.move in ("orbit", "swing")
        with ThreadPoolExecutor(2, thread_name_prefix="camera") as pool:
            for number in range(count):
                when = number / (count if loops else max(count - 1, 1))
                pose = pose_at(self.move, self.direction, when, self.settings.amount, self.pivot)
                left, right = pool.map(self.view, (pose, pose), eyes)
                yield left, right

    def view(self, pose: Pose, eye: float) -> Array:
        """The picture seen from one eye, RGB in 0..1 [H, W, 3]. `eye`: offset in interocular distances, right = positive."""
        focal = FOCAL * self.width
        base = self.disparity / (focal * (1 - FAR))  # distance between the eyes
        shift = eye * base * focal * (FAR + (1 - FAR) * self.screen)
        placed = Pose(pose.x + eye * base, pose.y, pose.z, pose.yaw, pose.pitch, pose.zoom * MARGIN)
        shape = (self.height, self.width)
        back, _ = self._back.drawn(placed, focal, shift, shape)
        front, cover = self._front.drawn(placed, focal, shift, shape)
        soft = cover[..., None]
        return np.clip(front * soft + back * (1 - soft), 0, 1)


class _Sheet:
    """A textured surface over the picture's plane."""

    def __init__(
        self, colour: Array, inverse: Array, pad: int, tear: Array | None = None, cover: Array | None = None
    ) -> None:
        """tear [H, W]: the step of inverse depth at which the surface is torn, by the far side's pixel; None = nowhere.
        cover [H, W]: the share (0..1) of each pixel that the surface covers; None = all."""
        self.colour, self.pad, self.cover = colour, pad, cover
        height, width = inverse.shape
        self.rows, self.columns = _grid(height), _grid(width)
        self.v, self.u = (g.astype(np.float32) for g in np.meshgrid(self.rows, self.columns, indexing="ij"))
        self.inverse = np.ascontiguousarray(inverse[np.ix_(self.rows, self.columns)])
        self.size = (height - 2 * pad, width - 2 * pad)
        self.keep = np.ones((len(self.rows) - 1, len(self.columns) - 1), np.bool_)
        if tear is not None:
            corners = _corners(self.inverse)
            steps = np.max(corners, 0) - np.min(corners, 0)
            self.keep = steps < np.choose(np.argmin(corners, 0), _corners(tear[np.ix_(self.rows, self.columns)]))

    def drawn(self, pose: Pose, focal: float, shift: float, shape: tuple[int, int]) -> tuple[Array, Array]:
        """Colour [H, W, 3] and the share of each pixel that it covers, float32 [H, W] in 0..1."""
        height, width = self.size
        across = (self.u - self.pad - (width - 1) / 2) / focal
        down = (self.v - self.pad - (height - 1) / 2) / focal
        z = 1 / self.inverse
        x, y, z = across * z - pose.x, down * z - pose.y, z - pose.z
        cy, sy, cp, sp = cos(pose.yaw), sin(pose.yaw), cos(pose.pitch), sin(pose.pitch)
        x, z = cy * x - sy * z, sy * x + cy * z
        y, z = cp * y + sp * z, -sp * y + cp * z
        z = np.maximum(z, 0.05)
        scale = focal * pose.zoom
        columns = scale * x / z + (width - 1) / 2 + shift * pose.zoom
        rows = scale * y / z + (height - 1) / 2
        places = raster(columns, rows, 1 / z, self.u, self.v, self.keep, *shape)
        colour = cv2.remap(self.colour, places[0], places[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        there = (places[0] >= 0).astype(np.float32)
        if self.cover is None:
            return colour, there
        # a torn cell's edge stays invisible: it lies where the matte is 0, or where the other sheet looks the same
        inside = cv2.GaussianBlur(cv2.erode(there, np.ones((3, 3), np.uint8)), (0, 0), 0.8)
        share = cv2.remap(self.cover, places[0], places[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return colour, share * inside


def _corners(values: Array) -> list[Array]:
    """The four corners of each cell of a grid [h, w], each [h - 1, w - 1]."""
    return [values[i : i - 1 or None, j : j - 1 or None] for i in (0, 1) for j in (0, 1)]


def _grid(size: int) -> Array:
    """Positions of every `CELL`-th sample, and of the last."""
    places = np.arange(0, size, CELL)
    return places if places[-1] == size - 1 else np.append(places, size - 1)
