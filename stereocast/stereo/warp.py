"""One new view of one picture: warp, then fill. Planar 4:2:0 and RGB, 8 and 16 bit."""

from dataclasses import dataclass, replace

import numpy as np

from stereocast.kernels import cpu, cpu_edges
from stereocast.pictures.planes import planes
from stereocast.stereo.fill import Effort, fill
from stereocast.stereo.plates import Layer, Other, Plates
from stereocast.types import Array, PixelFormat

_NO_MASK = np.empty((0, 0), np.uint8)


@dataclass(slots=True)
class Workspace:
    """Buffers of one thread for pictures of one size; contents are valid only during a call."""

    disparity: Array  # float32 [H, W]
    chroma_disparity: Array  # float32 [H/2, W/2]
    shifts: Array  # int16 [H, W]
    chroma_shifts: Array
    holes: Array  # uint8 [H, W rounded up to 8]
    chroma_holes: Array

    @classmethod
    def of(cls, height: int, width: int) -> "Workspace":
        half = (height // 2, width // 2)
        return cls(
            np.empty((height, width), np.float32),
            np.empty(half, np.float32),
            np.empty((height, width), np.int16),
            np.empty(half, np.int16),
            np.zeros((height, (width + 7) // 8 * 8), np.uint8),
            np.zeros((half[0], (half[1] + 7) // 8 * 8), np.uint8),
        )


def layers(image: Array, pixel_format: PixelFormat) -> list[Array]:
    """The picture's planes by size, each [P, h, w]: luma and both chromas, or R, G and B together."""
    if not pixel_format.planar:
        return [image.transpose(2, 0, 1)]
    luma, first, _ = planes(image)
    height, width = luma.shape
    chroma = image.reshape(-1)[height * width :].reshape(2, *first.shape)
    return [luma[None], chroma]


@dataclass(frozen=True, slots=True)
class Look:
    """How views of a film are drawn: the same for all its frames.

    `gain`: 1 for a whole disparity, 0.5 for half of it, and at least 0. `distrust`: columns of background beside a
    silhouette that are taken to be mixed with it (0 or 1).
    """

    gain: float
    pixel_format: PixelFormat
    effort: Effort = "fast"
    distrust: int = 1


def render_view(
    image: Array,
    disparity: Array,
    look: Look,
    out: Array,
    holes: Array | None,
    space: Workspace,
    *,
    mirror: bool = False,
    plates: Plates | None = None,
    halved: bool = False,
    ahead: tuple[list[Layer], Array] | None = None,
) -> None:
    """Writes the view that sees every pixel `gain * disparity` further left (right, if `mirror`) into `out`.

    image, out: one picture; disparity float32 [H, W], finite, contiguous; holes bool [H, W] (written): what was
    invented, None: not requested. `plates`: the previous frame of this eye, if any. `halved`: the space holds this disparity at the size of
    chroma already, from the other eye. `ahead`: the layers of a later frame (`seen_layers`) and the motion from this
    frame to it, float32 [2, h, w] in pixels.
    """
    gain, pixel_format, distrust = look.gain, look.pixel_format, look.distrust
    peak = (1 << pixel_format.bits) - 1
    masks = [space.holes, space.chroma_holes]
    views = [_NO_MASK if holes is None else holes.view(np.uint8), _NO_MASK]
    maps = [space.shifts, space.chroma_shifts]
    depths = [disparity, space.chroma_disparity]
    sources, targets = layers(image, pixel_format), layers(out, pixel_format)
    if len(sources) == 2 and not halved:
        cpu.halve_disparity(disparity, space.chroma_disparity)
    turn = np.s_[..., ::-1] if mirror else np.s_[..., :]
    for number, (source, target, mask, view, shifts, depth) in enumerate(
        zip(sources, targets, masks, views, maps, depths, strict=False)
    ):
        cpu.warp_rows(source, depth, gain, mirror, target, shifts, mask, view, 0, target.shape[1], distrust, peak)
        others = plates.former(number) if plates is not None else []
        if ahead is not None:
            others.append(Other(ahead[0][number], ahead[1], filled=False))
        others = [replace(other, flow=_layer_flow(other.flow, number, mirror)) for other in others]
        fill(source[turn], target[turn], depth[turn], gain, shifts, mask, look.effort, others)
        cpu_edges.soften(target[turn], shifts)
        if plates is not None:
            plates.keep(number, target[turn], shifts, mask)


def _layer_flow(flow: Array, number: int, mirror: bool) -> Array:
    """Flow in the pixels of a layer as the kernels see it: half for chroma, reversed for a left view."""
    scaled = flow * np.float32(0.5) if number else flow
    return np.stack([-scaled[0, :, ::-1], scaled[1, :, ::-1]]) if mirror else scaled


def compile_warp(pixel_format: PixelFormat) -> None:
    """Compiles the warp for planar films of that format, by a picture of a few pixels."""
    plane, space = np.zeros((1, 8, 16), pixel_format.dtype), Workspace.of(8, 16)
    view = np.zeros((8, 16), np.uint8)
    space.disparity[:] = 0
    cpu.halve_disparity(space.disparity, space.chroma_disparity)
    for mask in (view, _NO_MASK):
        cpu.warp_rows(
            plane, space.disparity, 0.5, False, plane.copy(), space.shifts, space.holes, mask, 0, 8, 1,
            (1 << pixel_format.bits) - 1,
        )  # fmt: skip


def compile_fill(pixel_format: PixelFormat) -> None:
    """Compiles the fast fill for planar films of that format, likewise."""
    plane, space = np.zeros((1, 8, 16), pixel_format.dtype), Workspace.of(8, 16)
    space.disparity[:], space.shifts[:], space.holes[2:5, 6:9] = 0, 0, 1
    fill(plane, plane.copy(), space.disparity, 0.5, space.shifts, space.holes)
    cpu_edges.soften(plane, space.shifts)


def seen_layers(image: Array, disparity: Array, look: Look, *, mirror: bool = False) -> list[Layer]:
    """What a view shows of one picture without any fill, for `ahead` of `render_view` with the same arguments."""
    gain, pixel_format, distrust = look.gain, look.pixel_format, look.distrust
    peak = (1 << pixel_format.bits) - 1
    depth, found = disparity, []
    for number, source in enumerate(layers(image, pixel_format)):
        if number:
            depth = np.empty(source.shape[1:], np.float32)
            cpu.halve_disparity(disparity, depth)
        height, width = depth.shape
        target, shifts = np.empty_like(source), np.empty((height, width), np.int16)
        mask = np.zeros((height, (width + 7) // 8 * 8), np.uint8)
        cpu.warp_rows(source, depth, gain, mirror, target, shifts, mask, _NO_MASK, 0, height, distrust, peak)
        found.append(Layer(target[..., ::-1] if mirror else target, shifts, mask))
    return found
