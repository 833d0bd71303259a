"""Layouts: how two views become one picture, what it is called, and how big it gets."""

from collections.abc import Callable

import cv2
import numpy as np

from stereocast import planes
from stereocast.types import Anaglyph, Array, Colour, Layout, PixelFormat, StereoFormat

SUFFIXES = {
    Layout.SBS: "_LRF_Full_SBS",
    Layout.HALF_SBS: "_LR",
    Layout.OU: "_TBF_fulltb",
    Layout.HALF_OU: "_TB",
    Layout.CROSS_EYED: "_RLF_cross",
    Layout.VR180: "_180x180_LR",
    Layout.RGBD: "_RGBD",
    Layout.ROW_INTERLACED: "_RI",
    Layout.PAIR: "",
    Layout.LEFT: "_L",
    Layout.RIGHT: "_R",
    Layout.MONO: "_mono",
    Layout.SPATIAL: "_spatial_LRF_Full_SBS",
}

STEREO_MODE = {  # Matroska StereoMode by FFmpeg's names
    Layout.SBS: "left_right",
    Layout.HALF_SBS: "left_right",
    Layout.OU: "top_bottom",
    Layout.HALF_OU: "top_bottom",
    Layout.CROSS_EYED: "right_left",
    Layout.VR180: "left_right",
    Layout.SPATIAL: "left_right",
    Layout.ANAGLYPH: "anaglyph_cyan_red",
}
_WIDE = (Layout.SBS, Layout.CROSS_EYED, Layout.RGBD, Layout.SPATIAL)

# Rows are output R, G, B; columns are left R, G, B, then right R, G, B.
# Dubois (2001), least squares for red-cyan glasses, as published for gamma-encoded values; the others by definition.
ANAGLYPHS = {
    Anaglyph.DUBOIS: (
        (0.4561, 0.500484, 0.176381, -0.0434706, -0.0879388, -0.00155529),
        (-0.0400822, -0.0378246, -0.0157589, 0.378476, 0.73364, -0.0184503),
        (-0.0152161, -0.0205971, -0.00546856, -0.0721527, -0.112961, 1.2264),
    ),
    Anaglyph.COLOR: ((1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 1)),
    Anaglyph.HALF_COLOR: ((0.299, 0.587, 0.114, 0, 0, 0), (0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 1)),
    Anaglyph.GRAY: ((0.299, 0.587, 0.114, 0, 0, 0), (0, 0, 0, 0.299, 0.587, 0.114), (0, 0, 0, 0.299, 0.587, 0.114)),
    Anaglyph.WIMMER: ((0, 0.7, 0.3, 0, 0, 0), (0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 1)),
}


def suffix(form: StereoFormat) -> str:
    """What the name of a file in this layout ends with, so that players recognise it."""
    if form.layout is Layout.ANAGLYPH:
        return f"_redcyan_{form.anaglyph.value}"
    return SUFFIXES[form.layout]


def shape(layout: Layout, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the packed picture for views of that size."""
    if layout in _WIDE:
        return height, 2 * width
    if layout is Layout.OU:
        return 2 * height, width
    return height, width


def _beside(left: Array, right: Array) -> Array:
    return np.concatenate([left, right], 1)


def _above(left: Array, right: Array) -> Array:
    return np.concatenate([left, right], 0)


def _on_planes(join: Callable[[Array, Array], Array], left: Array, right: Array, pixel_format: PixelFormat) -> Array:
    """`join` on each plane, or on the whole where colours share one."""
    if not pixel_format.planar:
        return join(left, right)
    joined = [join(a, b) for a, b in zip(planes.planes(left), planes.planes(right), strict=True)]
    width = joined[0].shape[1]
    return np.concatenate([plane.reshape(-1) for plane in joined]).reshape(-1, width)


def _rows(left: Array, right: Array) -> Array:
    out = left.copy()
    out[1::2] = right[1::2]
    return out


def anaglyph(left: Array, right: Array, kind: Anaglyph) -> Array:
    """Red-cyan picture of two RGB views in 0..1 (float32 [H, W, 3])."""
    mix = np.array(ANAGLYPHS[kind], np.float32)
    mixed = cv2.transform(left, mix[:, :3]) + cv2.transform(right, mix[:, 3:])
    if kind is Anaglyph.WIMMER:
        mixed[..., 0] = np.power(np.clip(mixed[..., 0], 0, 1), 1 / 1.5)
    return np.clip(mixed, 0, 1)


def pack_frame(
    left: Array, right: Array, form: StereoFormat, pixel_format: PixelFormat, colour: Colour, depth: Array | None = None
) -> Array:
    """One packed picture. `depth` (float32 [h, w], 0..1) is needed for rgbd alone.

    Half layouts shrink by area averaging, so both eyes keep their energy and nothing aliases.
    """
    layout = form.layout
    height, width = planes.size(left, pixel_format)
    if form.right_first:
        left, right = right, left
    if layout in (Layout.LEFT, Layout.MONO, Layout.PAIR):
        return left
    if layout is Layout.RIGHT:
        return right
    if layout in (Layout.SBS, Layout.SPATIAL):
        return _on_planes(_beside, left, right, pixel_format)
    if layout is Layout.CROSS_EYED:
        return _on_planes(_beside, right, left, pixel_format)
    if layout is Layout.OU:
        return _on_planes(_above, left, right, pixel_format)
    if layout is Layout.HALF_SBS:
        # each half is even-sized only if the width is a multiple of 4; the planes are resized to what is there
        return _halves(left, right, pixel_format, height, width, beside=True)
    if layout is Layout.HALF_OU:
        return _halves(left, right, pixel_format, height, width, beside=False)
    if layout is Layout.ROW_INTERLACED:
        return _on_planes(_rows, left, right, pixel_format)
    if layout is Layout.ANAGLYPH:
        views = (planes.rgb(view, pixel_format, colour) for view in (left, right))
        return planes.from_rgb(anaglyph(next(views), next(views), form.anaglyph), pixel_format, colour)
    if layout is Layout.RGBD:
        if depth is None:
            raise ValueError("rgbd needs the depth")
        grey = np.clip(planes.resize(np.ascontiguousarray(depth), height, width), 0, 1)
        return _on_planes(
            _beside, left, planes.from_rgb(np.repeat(grey[..., None], 3, 2), pixel_format, colour), pixel_format
        )
    raise ValueError(f"{layout} is not packed frame by frame")


def _halves(left: Array, right: Array, pixel_format: PixelFormat, height: int, width: int, *, beside: bool) -> Array:
    def join(a: Array, b: Array) -> Array:
        rows, columns = a.shape[:2]
        if beside:
            first = columns // 2
            return _beside(planes.resize(a, rows, first), planes.resize(b, rows, columns - first))
        first = rows // 2
        return _above(planes.resize(a, first, columns), planes.resize(b, rows - first, columns))

    return _on_planes(join, left, right, pixel_format)
