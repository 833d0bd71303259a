"""The stage from clips with depth to two views, on the CPU. One task per frame; the frames of a clip run in parallel."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stereocast.errors import UsageError
from stereocast.pictures.arrays import load_array
from stereocast.pictures.devices import to_host
from stereocast.pictures.planes import size
from stereocast.pictures.pool import Pool
from stereocast.pipeline.stages import Cost, DepthClip
from stereocast.settings import StereoSettings
from stereocast.stereo import comfort, edges, frame_edge
from stereocast.stereo.plates import AHEAD, Plates, in_pixels, look_ahead, motion, small
from stereocast.stereo.warp import Look, Workspace, render_view, seen_layers
from stereocast.types import Array, Clip, DepthMap, Disparity, PixelFormat, StereoClip, StreamInfo


def read_disparity(path: Path) -> Array:
    """Exact disparities float32 [T, H, W] from .npz (key 'disparity') or .npy; nan = unknown. Raises UsageError."""

    def choose(names: list[str]) -> str:
        if "disparity" not in names:
            raise UsageError(f"--disparity {path}: contains no array 'disparity' (its arrays: {', '.join(names)})")
        return "disparity"

    try:
        values = load_array(path, choose)
    except (OSError, ValueError) as error:
        raise UsageError(f"--disparity {path}: not a readable .npz or .npy file; {error}") from error
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu":
        raise UsageError(f"--disparity {path}: needs shape [H, W] or [T, H, W], not {values.shape}")
    return (values[None] if values.ndim == 2 else values).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class Motions:
    """Flow float32 [2, h, w] from a frame to the previous one, and to the one AHEAD frames later. None: unknown."""

    back: Array | None
    ahead: Array | None


def with_later(clips: Iterator[DepthClip], look: int) -> Iterator[tuple[DepthClip, list[tuple[Array, Array]]]]:
    """Each clip with the pictures and depth of up to `look` frames that follow it in its shot.

    Holds back no more clips than that takes.
    """
    waiting: deque[DepthClip] = deque()

    def known() -> bool:
        """Whether everything that the first clip needs has arrived."""
        follow = [clip for clip, _ in islice(waiting, 1, None)]
        ended = waiting[0][0].last or (bool(follow) and follow[-1].first)
        return ended or sum(len(clip) - clip.overlap for clip in follow) >= look

    def give() -> tuple[DepthClip, list[tuple[Array, Array]]]:
        item = waiting.popleft()
        found: list[tuple[Array, Array]] = []
        for clip, depth in waiting:
            if clip.first or len(found) >= look:
                break
            found += zip(to_host(clip.frames)[clip.overlap :], to_host(depth.values)[clip.overlap :], strict=True)
        return item, found[:look]

    for item in clips:
        waiting.append(item)
        del item
        while waiting and known():
            yield give()
    while waiting:
        yield give()


class WarpSynthesizer:
    """Sub-pixel warp and fill of one eye or both."""

    def __init__(
        self,
        settings: StereoSettings,
        info: StreamInfo | None = None,
        *,
        threads: int = 0,
        first_frame: int = 0,
        fov_deg: float = comfort.SCREEN_FOV_DEG,
    ) -> None:
        """Raises UsageError for an unreadable --disparity.

        info: unused, sizes come with the clips; threads: 0 = one per core, at most 8; first_frame: number of the first
        frame, for --disparity; fov_deg: horizontal angle of the screen, for --strength auto.
        """
        self.settings = settings
        self.keeps_holes = True  # False: views come without masks of the filled pixels, which a film doesn't need
        self.held = look_ahead(settings)
        self._fov_deg = fov_deg
        self._threads = threads or min(8, os.cpu_count() or 1)
        self._exact = read_disparity(settings.disparity) if settings.disparity else None
        self._next = first_frame
        self._local = threading.local()
        self._gain = 0.5 if settings.synthesised == "both" else 1.0
        self._scale = comfort.DepthScale(0.0, 0.0)
        self._begun = False
        self._unit = 1.0
        self._fixed: tuple[comfort.DepthScale, float] | None = None
        self._softness = 1.0
        self._window = frame_edge.FloatingWindow()
        self._plates: dict[str, Plates] = {"left": Plates(), "right": Plates()}
        self._last_luma: Array | None = None
        self._pictures, self._masks, self._maps = Pool(), Pool(), Pool()
        self.disparities: dict[int, Array] | None = (
            None  # if set to a dict, it receives the last clip's disparities by frame
        )

    @classmethod
    def cost(cls, settings: StereoSettings, info: StreamInfo) -> Cost:
        """Frames held back to look ahead, buffers of each thread, and for `best` a former view of each eye."""
        pixels = info.width * info.height
        buffers = min(8, os.cpu_count() or 1) * 10 * pixels
        plates = 2 * AHEAD * 4 * pixels if settings.fill == "best" else 0
        return Cost(look_ahead(settings), buffers + plates)

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[StereoClip]:
        """Yields one stereo clip per clip, without its `overlap` frames."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="warp") as pool:
            for (clip, depth), later in with_later(clips, self.held):
                made = self._convert(clip, depth, later, pool)
                del clip, depth, later
                yield made
                del made

    def _convert(
        self, clip: Clip, depth: DepthMap, later: Sequence[tuple[Array, Array]], pool: ThreadPoolExecutor
    ) -> StereoClip:
        """`later`: pictures and depth maps of the frames that follow this clip in its shot, at most `held`."""
        frames = np.ascontiguousarray(to_host(clip.frames)[clip.overlap :])
        values = to_host(depth.values)[clip.overlap :]
        film, maps = [*frames, *(late for late, _ in later)], [*values, *(late for _, late in later)]
        if clip.first or not self._begun:
            self._begin_shot(clip, np.stack(maps[: self.held + 1]), depth.metric)  # whatever the clip's length
        found = self._disparities(clip, maps, len(values))
        eyes, form = self.settings.synthesised, clip.pixel_format
        count, height, width = len(frames), clip.height, clip.width
        left, right = (
            frames if eyes not in ("both", eye) else self._pictures.empty(frames.shape, frames.dtype)
            for eye in ("left", "right")
        )
        views = {"left": left, "right": right}
        masked = self.keeps_holes or self.settings.border == "paper"
        holes = {
            eye: self._masks.empty((count, height, width), np.bool_) if masked else [None] * count
            for eye in ("left", "right")
            if eyes in ("both", eye)
        }
        look = Look(self._gain, form, self.settings.fill, min(self.settings.edge_dilation, 1))

        def disparity_of(t: int, buffer: Array) -> Array:
            disparity = found(t, buffer)
            if self.disparities is not None and t < count:
                self.disparities[t] = disparity.copy()
            return disparity

        def draw(t: int, eye: str, disparity: Array, **more: Any) -> None:
            space = self._space(height, width)
            render_view(frames[t], disparity, look, views[eye][t], holes[eye][t], space, mirror=eye == "left", **more)

        def one_frame(t: int) -> None:
            disparity = disparity_of(t, self._space(height, width).disparity)
            for number, eye in enumerate(holes):
                draw(t, eye, disparity, halved=number > 0)

        if self.settings.fill == "best":  # each frame needs the previous one, so only the eyes run in parallel
            motions = self._motions(film, count, form, pool, depth.flows[clip.overlap :])
            used = {*range(count), *(t + AHEAD for t in range(count) if motions[t].ahead is not None)}
            mapped = pool.map(lambda n: disparity_of(n, self._maps.empty((height, width), np.float32)), used)
            disparities = dict(zip(used, mapped, strict=True))  # for both eyes

            def one_eye(eye: str) -> None:
                plates = self._plates[eye]
                for t, known in enumerate(motions):
                    plates.flow, ahead = known.back, None
                    if known.ahead is not None:
                        n = t + AHEAD
                        seen = seen_layers(film[n], disparities[n], look, mirror=eye == "left")
                        ahead = seen, known.ahead
                    draw(t, eye, disparities[t], plates=plates, ahead=ahead)

            list(pool.map(one_eye, holes))
        elif count == 1:  # the eyes in parallel
            disparity = disparity_of(0, self._maps.empty((height, width), np.float32))
            list(pool.map(lambda eye: draw(0, eye, disparity), holes))
        else:
            list(pool.map(one_frame, range(count)))
        left, right = self._finish(clip, frames, views, holes, values)
        return StereoClip(
            left,
            right,
            clip.pts[clip.overlap :],
            clip.pixel_format,
            clip.colour,
            holes.get("left") if self.keeps_holes else None,
            holes.get("right") if self.keeps_holes else None,
            DepthMap(values, depth.metric),
            Disparity(self._scale.disparity(values)) if self._exact is None else None,
            shot=clip.shot,
            first=clip.first,
            last=clip.last,
        )

    @property
    def scale(self) -> comfort.DepthScale:
        """The current shot's map from depth to disparity."""
        return self._scale

    @property
    def unit(self) -> float:
        """The depth that counts as 1 in the current shot."""
        return self._unit

    def fix(self, scale: comfort.DepthScale, unit: float) -> None:
        """Sets the next shot's map instead of measuring it: an earlier run started that shot."""
        self._fixed = scale, unit

    def _space(self, height: int, width: int) -> Workspace:
        space: Workspace | None = getattr(self._local, "space", None)
        if space is None or space.disparity.shape != (height, width):
            space = self._local.space = Workspace.of(height, width)
        return space

    def _begin_shot(self, clip: Clip, depth: Array, metric: bool) -> None:
        """Sets the scale and softness of a new shot and clears its plates."""
        self._begun = True
        self._plates = {"left": Plates(), "right": Plates()}
        self._last_luma = None
        self._window.reset()
        if self._exact is None:
            options = self.settings
            unit = comfort.metric_unit(depth) if metric else 1.0
            self._unit = unit
            self._scale = comfort.scale_for(
                depth, clip.width, options.strength_percent, options.convergence, options.pop_out, unit, self._fov_deg
            )
            if self._fixed is not None:
                (self._scale, self._unit), self._fixed = self._fixed, None
            self._softness = edges.working_softness(self._scale.disparity(depth[0]), clip.height, clip.width)

    def _motions(
        self,
        film: Sequence[Array],
        count: int,
        pixel_format: PixelFormat,
        pool: ThreadPoolExecutor,
        known: Sequence[Array | None] = (),
    ) -> list[Motions]:
        """Motion from each of the first `count` frames to the previous one, across clips of a shot, and to a later one.

        known: flows to the previous frame from the depth estimator, in pixels of its maps, None where it has none. Only
        missing flows are computed.
        """
        lumas = list(pool.map(lambda frame: small(frame, pixel_format), film))
        before = [self._last_luma, *lumas[: count - 1]]
        self._last_luma = lumas[count - 1]
        height, width = size(film[0], pixel_format)

        def flow(t: int, other: Array | None) -> Array | None:
            return None if other is None else motion(lumas[t], other, width)

        def back(t: int) -> Array | None:
            found = known[t] if known else None
            return flow(t, before[t]) if found is None or before[t] is None else in_pixels(found, height, width)

        after = [*lumas[AHEAD:], *([None] * AHEAD)]
        return list(pool.map(lambda t: Motions(back(t), flow(t, after[t])), range(count)))

    def _disparities(self, clip: Clip, depth: Sequence[Array], count: int) -> Callable[[int, Array], Array]:
        """A function from (frame, buffer) to that frame's disparity in pixels, [H, W], finite. `count`: the clip's frames."""
        grown = max(0, self.settings.edge_dilation - 1)

        def grow(disparity: Array) -> Array:
            if not grown:
                return disparity
            return cv2.dilate(disparity, np.ones((2 * grown + 1, 2 * grown + 1), np.uint8))

        if self._exact is not None:
            start = self._next
            self._next += count
            exact, height, width = self._exact, clip.height, clip.width
            return lambda t, buffer: grow(self._fitted(exact, start + t, height, width))
        scale, softness = self._scale, self._softness
        return lambda t, buffer: grow(
            edges.enlarge(scale.disparity(depth[t]), buffer.shape[0], buffer.shape[1], buffer, softness)
        )

    def _finish(
        self, clip: Clip, frames: Array, views: dict[str, Array], holes: dict[str, Any], depth: Array
    ) -> tuple[Array, Array]:
        """Applies border handling and floating window. Returns the left and right view."""
        border, form = self.settings.border, clip.pixel_format
        for eye, view in views.items():  # never paint on the source itself
            if view is frames and (border in ("crop", "scale") or self.settings.window_guard):
                views[eye] = frames.copy()
        if border == "paper":
            for eye, masks in holes.items():
                for view, frame, mask in zip(views[eye], frames, masks, strict=True):
                    frame_edge.take_other(view, frame, mask, form)
        elif border in ("crop", "scale"):
            strip = self._strip(clip.width)
            for view in (*views["left"], *views["right"]):
                if border == "crop":
                    frame_edge.paint(view, strip, strip, form, clip.colour)
                else:
                    frame_edge.zoom(view, strip, form)
        if self.settings.window_guard:
            for t in range(len(frames)):
                disparity = (
                    self._scale.disparity(depth[t])
                    if self._exact is None
                    else self._fitted(self._exact, self._next - len(frames) + t, clip.height, clip.width)
                )
                left, right = self._window.columns(disparity)
                frame_edge.paint(views["left"][t], left, 0, form, clip.colour)
                frame_edge.paint(views["right"][t], 0, right, form, clip.colour)
        return views["left"], views["right"]

    def _strip(self, width: int) -> int:
        """Columns at either side that may lack a source in this shot, the same in all its frames."""
        if self._exact is None:
            return min(width // 4, frame_edge.strip_width(self._scale, self._gain, 0.0, self._unit))
        known = np.abs(self._exact[np.isfinite(self._exact)])
        return min(width // 4, int(np.ceil(self._gain * float(known.max(initial=0.0)))))

    def _fitted(self, exact: Array, frame: int, height: int, width: int) -> Array:
        if len(exact) > 1 and frame >= len(exact):
            raise UsageError(f"--disparity {self.settings.disparity}: has {len(exact)} frames, but the film has more")
        one = edges.snap(edges.fill_unknown(exact[frame if len(exact) > 1 else 0]))
        short = (height - one.shape[0], width - one.shape[1])
        if short == (0, 0):
            return one
        if max(short) <= 1 and min(short) >= 0:  # an odd size was padded on reading
            return np.ascontiguousarray(np.pad(one, ((0, short[0]), (0, short[1])), mode="edge"))
        raise UsageError(
            f"--disparity {self.settings.disparity}: is {one.shape[1]}x{one.shape[0]}, but the film {width}x{height}"
        )
