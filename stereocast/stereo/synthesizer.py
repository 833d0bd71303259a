"""The stage from clips with depth to two views, on the CPU. One task per frame; frames of a clip run side by side."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from stereocast.arrays import to_host
from stereocast.errors import UsageError
from stereocast.settings import StereoSettings
from stereocast.stages import DepthClip
from stereocast.stereo import comfort, edges
from stereocast.stereo.warp import Workspace, render_view
from stereocast.types import Array, Clip, DepthMap, Disparity, StereoClip, StreamInfo


def read_disparity(path: Path) -> Array:
    """Exact disparities float32 [T, H, W] from .npz (key 'disparity') or .npy; nan = unknown. Raises UsageError."""
    try:
        loaded = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"--disparity {path}: not a readable .npz or .npy file; {error}") from error
    if isinstance(loaded, np.lib.npyio.NpzFile):
        with loaded:
            if "disparity" not in loaded:
                raise UsageError(f"--disparity {path}: has no array 'disparity' (it has: {', '.join(loaded.files)})")
            loaded = loaded["disparity"]
    values = np.asarray(loaded)
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu":
        raise UsageError(f"--disparity {path}: needs numbers of shape [H, W] or [T, H, W], not {values.shape}")
    return (values[None] if values.ndim == 2 else values).astype(np.float32, copy=False)


class WarpSynthesizer:
    """Sub-pixel warp and fill of both eyes, or of one."""

    held = 0

    def __init__(
        self, settings: StereoSettings, info: StreamInfo | None = None, *, threads: int = 0, first_frame: int = 0
    ) -> None:
        """`info` isn't needed here: sizes come with the clips.

        `threads` 0: one per core.
        `first_frame`: number of the first frame that will come, for --disparity."""
        self.settings = settings
        self._threads = threads or min(8, os.cpu_count() or 1)
        self._exact = read_disparity(settings.disparity) if settings.disparity else None
        self._next = first_frame
        self._local = threading.local()
        self._scale = comfort.DepthScale(0.0, 0.0)

    def __call__(self, clips: Iterator[DepthClip]) -> Iterator[StereoClip]:
        """Clips come out as they came in, `overlap` frames left out."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="warp") as pool:
            for clip, depth in clips:
                yield self._convert(clip, depth, pool)

    def _convert(self, clip: Clip, depth: DepthMap, pool: ThreadPoolExecutor) -> StereoClip:
        frames = np.ascontiguousarray(to_host(clip.frames)[clip.overlap :])
        values = to_host(depth.values)[clip.overlap :]
        disparity_of = self._disparities(clip, values, depth.metric)
        eyes = self.settings.synthesised
        count, height, width = len(frames), clip.height, clip.width
        left, right = (frames if eyes not in ("both", eye) else np.empty_like(frames) for eye in ("left", "right"))
        holes = {eye: np.empty((count, height, width), np.bool_) for eye in ("left", "right") if eyes in ("both", eye)}
        gain = 0.5 if eyes == "both" else 1.0

        def work(t: int) -> None:
            space = self._space(height, width)
            disparity = disparity_of(t, space.disparity)
            for eye, out in (("left", left), ("right", right)):
                if eye in holes:
                    render_view(
                        frames[t],
                        disparity,
                        gain,
                        clip.pixel_format,
                        out[t],
                        holes[eye][t],
                        space,
                        mirror=eye == "left",
                        effort=self.settings.fill,
                    )

        list(pool.map(work, range(count)))
        return StereoClip(
            left,
            right,
            clip.pts[clip.overlap :],
            clip.pixel_format,
            clip.colour,
            holes.get("left"),
            holes.get("right"),
            DepthMap(values, depth.metric),
            Disparity(self._scale.disparity(values)) if self._exact is None else None,
            first=clip.first,
            last=clip.last,
        )

    def _space(self, height: int, width: int) -> Workspace:
        space: Workspace | None = getattr(self._local, "space", None)
        if space is None or space.disparity.shape != (height, width):
            space = self._local.space = Workspace.of(height, width)
        return space

    def _disparities(self, clip: Clip, depth: Array, metric: bool) -> Callable[[int, Array], Array]:
        """A function from (frame, buffer) to that frame's disparity in pixels, finite, [H, W]."""
        if self._exact is not None:
            start = self._next
            self._next += len(depth)
            exact, height, width = self._exact, clip.height, clip.width

            def brought(t: int, buffer: Array) -> Array:
                return self._fitted(exact, start + t, height, width)

            return brought
        if clip.first:
            options = self.settings
            unit = comfort.metric_unit(depth) if metric else 1.0
            self._scale = comfort.scale_for(
                depth, clip.width, options.strength_percent, options.convergence, options.pop_out, unit
            )
        scale = self._scale
        return lambda t, buffer: edges.enlarge(scale.disparity(depth[t]), buffer.shape[0], buffer.shape[1], buffer)

    def _fitted(self, exact: Array, frame: int, height: int, width: int) -> Array:
        if len(exact) > 1 and frame >= len(exact):
            raise UsageError(f"--disparity {self.settings.disparity}: has {len(exact)} frames, the film has more")
        one = edges.snap(edges.fill_unknown(exact[frame if len(exact) > 1 else 0]))
        short = (height - one.shape[0], width - one.shape[1])
        if short == (0, 0):
            return one
        if max(short) <= 1 and min(short) >= 0:  # an odd size that was padded on reading
            return np.ascontiguousarray(np.pad(one, ((0, short[0]), (0, short[1])), mode="edge"))
        raise UsageError(
            f"--disparity {self.settings.disparity}: is {one.shape[1]}x{one.shape[0]}, the picture {width}x{height}"
        )
