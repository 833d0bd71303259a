"""Layouts: how two views become one picture, its name and its size."""

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.pictures.arrangement import TABLE
from stereocast.types import Anaglyph, Array, Colour, Layout, PixelFormat, StereoFormat

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
WIMMER_EXPONENT = 1 / 1.5  # of red


def suffix(form: StereoFormat) -> str:
    """What the name of a file in this layout ends with, so that players recognise it."""
    return TABLE[form.layout].suffix + (form.anaglyph.value if form.layout is Layout.ANAGLYPH else "")


def shape(layout: Layout, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the packed picture for views of that size."""
    if layout is Layout.RGBD or (TABLE[layout].views == "left-right" and TABLE[layout].full):
        return height, 2 * width
    if layout is Layout.OU:
        return 2 * height, width
    return height, width


def _parts(image: Array, pixel_format: PixelFormat) -> tuple[Array, ...]:
    return planes.planes(image) if pixel_format.planar else (image,)


def _halves(plane: Array, *, beside: bool) -> tuple[Array, Array]:
    if beside:
        middle = plane.shape[1] // 2
        return plane[:, :middle], plane[:, middle:]
    middle = plane.shape[0] // 2
    return plane[:middle], plane[middle:]


def _join(first: Array, second: Array, out: Array, pixel_format: PixelFormat, *, beside: bool) -> None:
    """Both pictures into the halves of `out`; area averaging where a half is smaller than its picture."""
    pictures = (_parts(first, pixel_format), _parts(second, pixel_format))
    for number, target in enumerate(_parts(out, pixel_format)):
        for half, picture in zip(_halves(target, beside=beside), pictures, strict=True):
            half[...] = planes.resize(picture[number], *half.shape[:2])


def anaglyph(left: Array, right: Array, kind: Anaglyph) -> Array:
    """Red-cyan picture of two RGB views in 0..1 (float32 [H, W, 3])."""
    mix = np.array(ANAGLYPHS[kind], np.float32)
    mixed = cv2.transform(left, mix[:, :3]) + cv2.transform(right, mix[:, 3:])
    if kind is Anaglyph.WIMMER:
        mixed[..., 0] = np.power(np.clip(mixed[..., 0], 0, 1), WIMMER_EXPONENT)
    return np.clip(mixed, 0, 1)


def mix_planes(
    left: Array, right: Array, out: Array, kind: Anaglyph, pixel_format: PixelFormat, colour: Colour
) -> None:
    """`anaglyph` of two 4:2:0 pictures into `out`, without RGB pictures in between; within one code value of it."""
    from stereocast.kernels import cpu_mix  # compiled for this layout alone

    height, width = planes.size(left, pixel_format)
    views = [  # OpenCV enlarges the chroma, as for `planes.rgb`, so that it is rounded alike
        tuple(planes.resize(plane, height, width, chroma=plane.shape[0] < height) for plane in planes.planes(view))
        for view in (left, right)
    ]
    kr, kb = planes.matrix(colour, height)
    kg = 1 - kr - kb
    red_of_v, blue_of_u = 2 * (1 - kr), 2 * (1 - kb)
    to_rgb = np.array([red_of_v, -kb * blue_of_u / kg, -kr * red_of_v / kg, blue_of_u], np.float32)
    to_yuv = np.array([kr, kg, kb, 1 / blue_of_u, 1 / red_of_v], np.float32)
    levels = np.array([*planes.levels(pixel_format.bits, colour.full_range), (1 << pixel_format.bits) - 1], np.float32)
    exponent = np.float32(WIMMER_EXPONENT if kind is Anaglyph.WIMMER else 1)
    weights = np.array(ANAGLYPHS[kind], np.float32)
    cpu_mix.mix(views[0], views[1], weights, exponent, to_rgb, to_yuv, levels, *planes.luma_and_chroma(out))


def _grey_picture(grey: Array, pixel_format: PixelFormat, colour: Colour) -> Array:
    """Grey in 0..1 (float32 [H, W]) as a picture of that format."""
    if not pixel_format.planar:
        return planes.from_rgb(np.repeat(grey[..., None], 3, 2), pixel_format, colour)
    out = planes.blank(grey.shape[0], grey.shape[1], pixel_format, colour)
    black, span, _, _ = planes.levels(pixel_format.bits, colour.full_range)
    planes.planes(out)[0][...] = np.rint(grey * np.float32(span) + np.float32(black))
    return out


def pack_frame(
    left: Array,
    right: Array,
    out: Array,
    form: StereoFormat,
    pixel_format: PixelFormat,
    colour: Colour,
    depth: Array | None = None,
) -> None:
    """Packs one picture into `out`, whose size is `shape`. `depth` (float32 [h, w], 0..1) is for rgbd alone."""
    layout = form.layout
    if form.right_first != TABLE[layout].crossed:
        left, right = right, left
    lie = TABLE[layout].views
    if lie == "left-right" and layout is not Layout.VR180:
        _join(left, right, out, pixel_format, beside=True)
    elif lie == "top-bottom":
        _join(left, right, out, pixel_format, beside=False)
    elif layout is Layout.ROW_INTERLACED:
        for target, a, b in zip(*(_parts(image, pixel_format) for image in (out, left, right)), strict=True):
            target[::2], target[1::2] = a[::2], b[1::2]
    elif layout is Layout.ANAGLYPH and pixel_format.planar:
        mix_planes(left, right, out, form.anaglyph, pixel_format, colour)
    elif layout is Layout.ANAGLYPH:
        views = [planes.rgb(view, pixel_format, colour) for view in (left, right)]
        out[...] = planes.from_rgb(anaglyph(views[0], views[1], form.anaglyph), pixel_format, colour)
    elif layout is Layout.RGBD and depth is not None:
        height, width = planes.size(left, pixel_format)
        grey = np.clip(planes.resize(np.ascontiguousarray(depth), height, width), 0, 1)
        _join(left, _grey_picture(grey, pixel_format, colour), out, pixel_format, beside=True)
    else:
        raise ValueError(f"{layout} can't be packed frame by frame{' without depth' if layout is Layout.RGBD else ''}")
