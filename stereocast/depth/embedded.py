"""The estimator that is always available: our small network in the wheel, run by OpenCV without torch.

Black bars are excluded, and the picture keeps its aspect ratio. The network sees the first frame of each shot and every
fourth from there; in between, depth follows optical flow (see `steady`). training/embedded_depth trained the network.
"""

import json
from collections.abc import Iterator
from functools import cache, partial
from importlib.resources import as_file, files
from typing import Any

import cv2
import numpy as np

from stereocast.depth import steady
from stereocast.depth.ahead import HELD, Estimate, fused
from stereocast.errors import StereocastError
from stereocast.pictures import planes, tone
from stereocast.pictures.motion import eight_bit, luma, small_luma
from stereocast.pipeline.stages import Cost, DepthClip
from stereocast.settings import DepthSettings
from stereocast.types import Array, Clip, DepthMap, PixelFormat, StreamInfo

EVERY = 4  # the network runs on every EVERY-th frame of a shot
AREA = 36_500  # pixels of the network's input: 128 rows for wide pictures, 160 or more for others
MAP_AREA = 160 * 288  # pixels of the depth maps: the picture's edges are finer than the network's
STEP = 32  # the input's sides are multiples of this
ASPECTS = (0.5, 3.0)  # taller and wider pictures are squeezed
RAMP = 0.25  # share of a plain vertical ramp, which steadies what the network leaves undecided
CRISPEN, CRISPEN_SIGMA = 0.5, 3.0  # unsharp mask of the output: more finds more steps but worsens the depth order
TOLERANCE = 1e-4  # largest difference from the stored output
BAR_LUMA = 22  # 8-bit code values up to this count as black
BAR_SHARE = 0.35  # largest share of the picture for one bar


class NetworkMismatch(StereocastError):
    """The embedded network gives other numbers on this machine than where it was trained."""


def _resource(name: str) -> Any:
    return files("stereocast.depth").joinpath(name)


def provenance() -> dict[str, Any]:
    """How the network was trained and how it scored: script, commit, options, samples."""
    result: dict[str, Any] = json.loads(_resource("embedded_network.json").read_text("utf-8"))
    return result


@cache
def _checked() -> list[Any]:
    """The checked network, for the first caller to take: loading another would cost its memory again."""
    network = _open()
    with as_file(_resource("embedded_network.npz")) as path, np.load(path, allow_pickle=False) as pair:
        picture, wanted = pair["picture"].astype(np.float32), pair["depth"]
    network.setInput(picture)
    error = float(np.abs(network.forward() - wanted).max())
    if not error <= TOLERANCE:
        raise NetworkMismatch(
            f"the embedded depth network is off by {error:.3g} under OpenCV {cv2.__version__} (allowed: {TOLERANCE}); "
            "install opencv-python-headless>=5,<6 or choose another --depth"
        )
    return [network]


def _open() -> Any:
    # the classic engine runs this network without an error but gives wrong numbers
    with as_file(_resource("embedded_network.onnx")) as path:
        return cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_NEW)


def load_network() -> Any:
    """The network as an OpenCV DNN net, checked once per process against a stored pair. Raises NetworkMismatch."""
    checked = _checked()
    try:
        return checked.pop()
    except IndexError:  # already taken: a net serves one thread
        return _open()


def network_shape(height: int, width: int, area: int = AREA) -> tuple[int, int]:
    """Rows and columns, multiples of 32, of about `area` pixels in the picture's aspect ratio."""
    aspect = min(ASPECTS[1], max(ASPECTS[0], width / height))
    rows = max(2, round((area / aspect) ** 0.5 / STEP)) * STEP
    return rows, max(2, round(rows * aspect / STEP)) * STEP


def infer(network: Any, picture: Array) -> Array:
    """Raw inverse depth float32 [h/2, w/2] of an RGB picture float32 [h, w, 3] in 0..1; sides multiples of 32."""
    rows, columns = picture.shape[:2]
    blob = np.empty((1, 5, rows, columns), np.float32)
    blob[0, :3] = picture.transpose(2, 0, 1) * 2 - 1
    blob[0, 3] = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    blob[0, 4] = np.linspace(-1, 1, columns, dtype=np.float32)
    network.setInput(blob)
    depth: Array = network.forward()[0, 0].copy()
    return depth


def predict(network: Any, picture: Array, *, twice: bool = False) -> Array:
    """As `infer`, with a share of the vertical ramp mixed in.

    `twice`: the mean over the picture and its mirror image, which ranks better than either, at twice the cost.
    """
    depth = infer(network, picture)
    if twice:
        depth = (depth + infer(network, picture[:, ::-1])[:, ::-1]) / 2
    ramp = np.linspace(0, 1, depth.shape[0], dtype=np.float32)[:, None]
    result: Array = (1 - RAMP) * depth + RAMP * ramp
    return result


def guided(guide: Array, values: Array, radius: int, epsilon: float) -> Array:
    """Guided filter (He et al. 2010): `values` with the edges of `guide`, both float32 [h, w]."""
    size = (2 * radius + 1, 2 * radius + 1)
    mean_g, mean_v = cv2.blur(guide, size), cv2.blur(values, size)
    slope = (cv2.blur(guide * values, size) - mean_g * mean_v) / (cv2.blur(guide * guide, size) - mean_g**2 + epsilon)
    return cv2.blur(slope, size) * guide + cv2.blur(mean_v - slope * mean_g, size)


def sharpen(depth: Array, grey: Array) -> Array:
    """Network output at the size of `grey` uint8 [h, w], with steeper steps and the picture's edges where both agree."""
    depth = depth + CRISPEN * (depth - cv2.GaussianBlur(depth, (0, 0), CRISPEN_SIGMA))
    large = cv2.resize(depth, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return guided(grey.astype(np.float32) * (1 / 255), large, radius=3, epsilon=1e-3)


def window(clip: Clip) -> tuple[int, int, int, int]:
    """Top, bottom, left, right (even; bottom and right exclusive) of the picture inside black bars.

    Bars count only if they are on both sides and about equally wide. A dark scene has none.
    """
    height, width = clip.height, clip.width
    step = max(1, len(clip) // 4)
    brightest = np.max([luma(frame, clip.pixel_format) for frame in clip.frames[::step]], axis=0)
    lit = brightest > BAR_LUMA
    whole = (0, height, 0, width)
    if lit.mean() < 0.1:
        return whole
    top, bottom = _bars(lit[:, ::4].mean(1) > 0.02)
    left, right = _bars(lit[::4].mean(0) > 0.02)
    return top, height - bottom, left, width - right


def _bars(lit: Array) -> tuple[int, int]:
    inside = np.flatnonzero(lit)
    if not len(inside):
        return 0, 0
    first, last = int(inside[0]), len(lit) - 1 - int(inside[-1])
    if min(first, last) < 0.015 * len(lit) or max(first, last) > BAR_SHARE * len(lit):
        return 0, 0
    if abs(first - last) > max(4, 0.3 * max(first, last)):
        return 0, 0
    return -(-first // 2) * 2, -(-last // 2) * 2


def cropped(frame: Array, pixel_format: PixelFormat, part: tuple[int, int, int, int]) -> Array:
    """The part (top, bottom, left, right; even) of one picture, in the same pixel format."""
    top, bottom, left, right = part
    if not pixel_format.planar:
        return frame[top:bottom, left:right]
    if (top, left) == (0, 0) and (bottom, right) == planes.size(frame, pixel_format):
        return frame
    out = np.empty(((bottom - top) * 3 // 2, right - left), frame.dtype)
    for target, plane, half in zip(planes.planes(out), planes.planes(frame), (1, 2, 2), strict=True):
        target[...] = plane[top // half : bottom // half, left // half : right // half]
    return out


def small_grey(
    frame: Array, pixel_format: PixelFormat, part: tuple[int, int, int, int], shape: tuple[int, int]
) -> Array:
    """8-bit luma [h, w] of the part (top, bottom, left, right) of one picture, shrunk to `shape`."""
    if not pixel_format.planar:
        return small_luma(cropped(frame, pixel_format, part), pixel_format, shape)
    top, bottom, left, right = part
    plane = planes.planes(frame)[0][top:bottom, left:right]
    if bottom - top >= 6 * shape[0]:
        plane = plane[::2]  # every second row suffices for a sixth of the size
    return eight_bit(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA), pixel_format.bits)


class EmbeddedDepth:
    """Relative depth, 1 = nearest, one scale per shot, in maps of about MAP_AREA pixels. Raises NetworkMismatch."""

    def __init__(self, settings: DepthSettings, info: StreamInfo) -> None:
        self._network = load_network()
        self._aspect = float(info.sample_aspect or 1)
        self._scale = steady.Scale()
        # the smoother takes one step per network frame, so each keeps less than a step per frame would
        self._smoother = steady.FlowSmoother(settings.smooth**2, EVERY)
        self._motion = settings.motion == "auto"
        self.held = HELD if self._motion else 1
        self._part = (0, info.height, 0, info.width)
        self._count = 0

    @staticmethod
    def cost(settings: DepthSettings, info: StreamInfo) -> Cost:
        """The frames of a shot's opening, which wait for motion."""
        return Cost(HELD if settings.motion == "auto" else 1)

    def __call__(self, clips: Iterator[Clip]) -> Iterator[DepthClip]:
        estimates = self._estimates(clips)
        if self._motion:
            yield from fused(estimates)
            return
        for estimate in estimates:
            made = estimate.clip, estimate.map_of(estimate.depths)
            del estimate
            yield made
            del made

    def _estimates(self, clips: Iterator[Clip]) -> Iterator[Estimate]:
        for clip in clips:
            if clip.first:
                self._begin(clip)
            made = self._estimate(clip)
            del clip
            yield made
            del made

    def _begin(self, clip: Clip) -> None:
        self._scale.reset()
        self._smoother.reset()
        self._part = window(clip)
        self._count = 0

    def _estimate(self, clip: Clip) -> Estimate:
        top, bottom, left, right = self._part
        size = bottom - top, round((right - left) * self._aspect)
        shape, seen = network_shape(*size, MAP_AREA), network_shape(*size, AREA)
        greys, raw = [], {}
        for number, frame in enumerate(clip.frames):
            greys.append(small_grey(frame, clip.pixel_format, self._part, shape))
            if (self._count + number) % EVERY == 0:
                inner = cropped(frame, clip.pixel_format, self._part)
                picture = tone.rgb(inner, clip.pixel_format, clip.colour, seen)
                raw[number] = sharpen(predict(self._network, picture, twice=self._count + number == 0), greys[-1])
        self._count += len(clip)
        if raw:
            self._scale.look(np.stack(list(raw.values())))
        depths, flows = [], []
        for number, grey in enumerate(greys):
            own = self._scale(raw[number]) if number in raw else None
            depths.append(self._smoother(grey, own))
            flows.append(self._smoother.flow)
        return Estimate(clip, greys, np.stack(depths), flows, partial(_framed, clip, self._part, flows))


def _framed(clip: Clip, part: tuple[int, int, int, int], flows: list[Array | None], depths: Array) -> DepthMap:
    """Depth and motion inside the bars, extended over them so that the maps cover the frame."""
    top, bottom, left, right = part
    rows, columns = depths.shape[1:]
    down, across = rows / (bottom - top), columns / (right - left)
    pads = (
        (0, 0),
        (round(top * down), round((clip.height - bottom) * down)),
        (round(left * across), round((clip.width - right) * across)),
    )
    if not any(any(pad) for pad in pads):
        return DepthMap(depths, flows=tuple(flows))
    wider = (*pads[1:], (0, 0))
    around = tuple(None if flow is None else np.pad(flow, wider, mode="edge") for flow in flows)
    return DepthMap(np.pad(depths, pads, mode="edge"), flows=around)
