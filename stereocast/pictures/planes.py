"""Planar 4:2:0 pictures: views of their planes, and conversion to and from RGB.

Matrices are those of ITU-T H.273 (BT.601, BT.709, BT.2020 non-constant luminance). An unspecified matrix is taken as
BT.709 from 720 rows on and BT.601 below, as players do.
"""

from typing import Any

import cv2
import numpy as np

from stereocast.pictures.pool import Pool
from stereocast.types import Array, Clip, Colour, PixelFormat

_KR_KB = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}


def planes(image: Array) -> tuple[Array, Array, Array]:
    """Views of the Y [.., H, W], U and V [.., H/2, W/2] planes of one or many 4:2:0 pictures [.., H*3//2, W]."""
    rows, width = image.shape[-2:]
    height = rows * 2 // 3
    lead = image.shape[:-2]
    flat = image.reshape(*lead, rows * width)  # a chroma plane may end in the middle of a row
    luma, chroma = height * width, height * width // 4
    u = flat[..., luma : luma + chroma].reshape(*lead, height // 2, width // 2)
    v = flat[..., luma + chroma :].reshape(*lead, height // 2, width // 2)
    return image[..., :height, :], u, v


def size(image: Array, pixel_format: PixelFormat) -> tuple[int, int]:
    """Height and width in pixels of one picture."""
    rows, width = image.shape[-2:] if pixel_format.planar else image.shape[-3:-1]
    return (int(rows) * 2 // 3 if pixel_format.planar else int(rows)), int(width)


def empty(pool: Pool, height: int, width: int, pixel_format: PixelFormat, count: int) -> Array:
    """Uninitialised pictures of an even size."""
    shape = (count, height * 3 // 2, width) if pixel_format.planar else (count, height, width, 3)
    return pool.empty(shape, pixel_format.dtype)


def blank(height: int, width: int, pixel_format: PixelFormat, colour: Colour, count: int | None = None) -> Array:
    """Black picture(s) of an even size."""
    lead = () if count is None else (count,)
    if not pixel_format.planar:
        return np.zeros((*lead, height, width, 3), pixel_format.dtype)
    top = 1 << pixel_format.bits
    image = np.full((*lead, height * 3 // 2, width), 0 if colour.full_range else top // 16, pixel_format.dtype)
    image[..., height:, :] = top // 2
    return image


def matrix(colour: Colour, height: int) -> tuple[float, float]:
    """The luma coefficients (kr, kb) of a stream of that height."""
    return _KR_KB.get(colour.matrix, _KR_KB[1] if height >= 720 else _KR_KB[6])


def luma_and_chroma(image: Array) -> tuple[Array, Array]:
    """Views of the luma [H, W] and of both chroma planes [2, H/2, W/2] of one 4:2:0 picture, contiguous."""
    luma, u, _ = planes(image)
    return luma, image.reshape(-1)[luma.size :].reshape(2, *u.shape)


def levels(bits: int, full_range: bool) -> tuple[float, float, float, float]:
    """Black, luma span, chroma zero, chroma span in code values."""
    top, unit = (1 << bits) - 1, 1 << (bits - 8)
    return (0.0, top, 128.0 * unit, top) if full_range else (16.0 * unit, 219.0 * unit, 128.0 * unit, 224.0 * unit)


def _from_yuv(y: Array, u: Array, v: Array, pixel_format: PixelFormat, colour: Colour, height: int) -> Array:
    kr, kb = matrix(colour, height)
    black, luma, zero, chroma = levels(pixel_format.bits, colour.full_range)
    y = (y.astype(np.float32) - black) / luma
    u = (u.astype(np.float32) - zero) / chroma
    v = (v.astype(np.float32) - zero) / chroma
    red = y + 2 * (1 - kr) * v
    blue = y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], -1), 0, 1)


def rgb(image: Array, pixel_format: PixelFormat, colour: Colour, shape: tuple[int, int] | None = None) -> Array:
    """One picture as RGB in 0..1, float32 [H, W, 3]; `shape` (height, width) resizes by area or cubic on the way.

    Resizing is done on the planes, so a small RGB picture for a depth network costs little at any source size.
    """
    height, width = size(image, pixel_format)
    rows, columns = shape or (height, width)
    if not pixel_format.planar:
        full = resize(image, rows, columns)
        return full.astype(np.float32) / ((1 << pixel_format.bits) - 1)
    y, u, v = planes(image)
    y, u, v = (resize(plane, rows, columns, chroma=plane is not y) for plane in (y, u, v))
    return _from_yuv(y, u, v, pixel_format, colour, height)


def rgb_bytes(image: Array, pixel_format: PixelFormat, colour: Colour, shape: tuple[int, int] | None = None) -> Array:
    """`rgb` as uint8 [H, W, 3], within two code values of it and several times as fast: for the screen."""
    height, width = size(image, pixel_format)
    rows, columns = shape or (height, width)
    if not pixel_format.planar:
        full = resize(image, rows, columns)
        return full if pixel_format.bits == 8 else np.asarray(cv2.convertScaleAbs(full, alpha=1 / 257))
    parts = [resize(plane, rows, columns, chroma=number > 0) for number, plane in enumerate(planes(image))]
    share = 1.0
    if pixel_format.bits > 8:
        share = 255 / ((1 << pixel_format.bits) - 1) if colour.full_range else 1 / (1 << (pixel_format.bits - 8))
        parts = [cv2.convertScaleAbs(part, alpha=share) for part in parts]
    kr, kb = matrix(colour, height)
    kg = 1 - kr - kb
    black, luma, zero, chroma = (level * share for level in levels(pixel_format.bits, colour.full_range))
    y, c = 255 / luma, 255 / chroma
    turn = np.array([
        [y, 0, 2 * (1 - kr) * c],
        [y, -2 * (1 - kb) * kb / kg * c, -2 * (1 - kr) * kr / kg * c],
        [y, 2 * (1 - kb) * c, 0],
    ])  # fmt: skip
    offset = -turn @ np.array([black, zero, zero])
    made: Array = cv2.transform(cv2.merge(parts), np.column_stack([turn, offset]).astype(np.float32))
    return made


def rgb_frames(clip: Clip, shape: tuple[int, int] | None = None) -> Array:
    """All frames of a clip as RGB in 0..1, float32 [T, H, W, 3]."""
    return np.stack([rgb(frame, clip.pixel_format, clip.colour, shape) for frame in clip.frames])


def from_rgb(image: Array, pixel_format: PixelFormat, colour: Colour) -> Array:
    """RGB in 0..1 (float [H, W, 3], even size) as a picture of that format; chroma is averaged over 2x2 pixels."""
    if not pixel_format.planar:
        return np.rint(np.clip(image, 0, 1) * ((1 << pixel_format.bits) - 1)).astype(pixel_format.dtype)
    height, width = image.shape[:2]
    kr, kb = matrix(colour, height)
    black, luma, zero, chroma = levels(pixel_format.bits, colour.full_range)
    red, green, blue = (image[..., i].astype(np.float32) for i in range(3))
    y = kr * red + (1 - kr - kb) * green + kb * blue
    u = cv2.resize((blue - y) / (2 * (1 - kb)), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    v = cv2.resize((red - y) / (2 * (1 - kr)), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    out = np.empty((height * 3 // 2, width), pixel_format.dtype)
    top = (1 << pixel_format.bits) - 1
    for target, plane, offset, span in zip(
        planes(out), (y, u, v), (black, zero, zero), (luma, chroma, chroma), strict=True
    ):
        target[...] = np.clip(np.rint(plane * span + offset), 0, top).astype(pixel_format.dtype)
    return out


def resize(plane: Array, rows: int, columns: int, *, chroma: bool = False) -> Array:
    """A plane or RGB picture at another size: area when it shrinks, Lanczos when it grows (linear for chroma)."""
    height, width = plane.shape[:2]
    if (height, width) == (rows, columns):
        return plane
    shrinks = rows <= height and columns <= width
    method: Any = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR if chroma else cv2.INTER_LANCZOS4
    return cv2.resize(plane, (columns, rows), interpolation=method)


def resize_picture(image: Array, rows: int, columns: int, pixel_format: PixelFormat) -> Array:
    """One picture, planar or RGB, at another even size; 10-bit samples stay within their range."""
    if not pixel_format.planar:
        return resize(image, rows, columns)
    if size(image, pixel_format) == (rows, columns):
        return image
    out = np.empty((rows * 3 // 2, columns), image.dtype)
    for target, plane in zip(planes(out), planes(image), strict=True):
        target[...] = np.minimum(resize(plane, *target.shape), (1 << pixel_format.bits) - 1)
    return out
