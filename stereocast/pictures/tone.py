"""HDR pictures as an SDR screen shows them."""

import cv2
import numpy as np

from stereocast.pictures import planes
from stereocast.types import Array, Clip, Colour, HdrStatic, PixelFormat

PQ, HLG = 16, 18  # codes of the transfer functions
_SDR_WHITE = 203.0  # cd/m², ITU-R BT.2408
_PEAK = 1000.0  # cd/m², where the film doesn't say
_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)  # BT.2020
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)


def is_hdr(colour: Colour) -> bool:
    """Whether the transfer function is PQ or HLG."""
    return colour.transfer in (PQ, HLG)


def mapped(signal: Array, transfer: int, hdr: HdrStatic | None = None) -> Array:
    """BT.709 RGB float32 [H, W, 3], 0..1, of BT.2020 PQ or HLG RGB, 0..1: extended Reinhard on luminance, white point from
    the metadata's peak."""
    light = _to_light(signal, transfer).astype(np.float32)
    peak = float(hdr.luminance[1]) if hdr and hdr.luminance else _PEAK
    white = max(peak / _SDR_WHITE, 1.5)
    luma = np.maximum(light @ _LUMA, 1e-6)
    squeezed = luma * (1 + luma / white**2) / (1 + luma)
    linear = np.clip(cv2.transform(light * (squeezed / luma)[..., None] * 1.18, _TO_709), 0, 1)
    return np.asarray(np.power(linear, 1 / 2.4), np.float32)


def rgb(image: Array, pixel_format: PixelFormat, colour: Colour, shape: tuple[int, int] | None = None) -> Array:
    """As `planes.rgb`, but HDR is tone-mapped: networks that read photographs expect SDR."""
    made = planes.rgb(image, pixel_format, colour, shape)
    return mapped(made, colour.transfer) if is_hdr(colour) else made


def rgb_frames(clip: Clip, shape: tuple[int, int] | None = None) -> Array:
    """All frames of a clip as `rgb`, float32 [T, H, W, 3]."""
    return np.stack([rgb(frame, clip.pixel_format, clip.colour, shape) for frame in clip.frames])


def _to_light(signal: Array, transfer: int) -> Array:
    """Signal 0..1 to display light in multiples of SDR white (203 cd/m²). SMPTE ST 2084; ITU-R BT.2100 HLG at 1000 cd/m²."""
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = np.power(signal, 1 / m2)
        return np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1) * (10000 / _SDR_WHITE)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return scene * np.power(np.maximum(scene @ _LUMA, 1e-6), 0.2)[..., None] * (1000 / _SDR_WHITE)
