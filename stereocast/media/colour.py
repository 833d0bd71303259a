"""Converts colour tags and HDR10 static metadata between FFmpeg's frames and `Colour`, and tone-maps HDR to SDR."""

import struct
from dataclasses import replace
from fractions import Fraction
from typing import Any

from av.video.reformatter import Colorspace, Interpolation

from stereocast.media import sidedata
from stereocast.pictures import planes, tone
from stereocast.types import Array, Colour, HdrStatic, PixelFormat

BT2020, BT709, BT470BG, SMPTE170M = 9, 1, 5, 6
_RGB = 0  # the matrix code of RGB
_UNSPECIFIED = (0, 2, 3)  # unspecified and reserved codes
_BELONGS = {
    1: (1, 1),
    4: (4, 4),
    5: (5, 6),
    6: (6, 6),
    7: (7, 7),
    9: (9, 14),
    10: (9, 14),
}  # matrix: primaries, transfer
_CAREFUL = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def of_frame(frame: Any) -> Colour:
    """The colours of a decoded frame once it is YUV, with every field specified.

    `yuvj` formats are full range, regardless of the tag. Untagged YUV is BT.601 below HD, as players take it; RGB, which
    has no matrix, becomes BT.709 of limited range.
    """
    full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
    colour = Colour(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), full)
    if _is_rgb(frame) or colour.matrix == _RGB:
        colour = replace(colour, matrix=BT709, full_range=False)
    return explicit(colour, frame.width, frame.height)


def _is_rgb(frame: Any) -> bool:
    """Whether a frame holds RGB, also by a palette, which FFmpeg doesn't count as RGB."""
    return bool(frame.format.is_rgb) or frame.format.name == "pal8"


def explicit(colour: Colour, width: int, height: int) -> Colour:
    """`colour` with unspecified fields filled in, for a view (not a packed picture) of this size."""
    matrix = colour.matrix
    if matrix in _UNSPECIFIED:
        known = {primaries: m for m, (primaries, _) in reversed(_BELONGS.items())}  # of BT.2020's two, the usual one
        hd = width >= 1280 or height >= 720
        matrix = known.get(colour.primaries, BT709 if hd else BT470BG if height in (288, 576) else SMPTE170M)
    primaries, transfer = _BELONGS.get(matrix, (BT709, BT709))
    return Colour(
        primaries if colour.primaries in _UNSPECIFIED else colour.primaries,
        transfer if colour.transfer in _UNSPECIFIED else colour.transfer,
        matrix,
        colour.full_range,
    )


def converted(
    frame: Any, pixel_format: PixelFormat, colour: Colour, size: tuple[int | None, int | None] = (None, None)
) -> Any:
    """A decoded frame in `pixel_format` with `colour`, as returned by `of_frame`; YUV keeps its matrix and range.
    `size`: (width, height) of the result."""
    width, height = size
    span = 2 if colour.full_range else 1
    if _is_rgb(frame):
        return frame.reformat(
            width, height, pixel_format.value, dst_colorspace=Colorspace.ITU709, src_color_range=2, dst_color_range=span,
            interpolation=_CAREFUL,
        )  # fmt: skip
    same = Colorspace.ITU709  # any matrix will do: equal ones leave the values unchanged
    if len(frame.format.components) < 3:  # swscale treats grey as full range, whatever the source's tag
        span = 2
    return frame.reformat(
        width, height, pixel_format.value, src_colorspace=same, dst_colorspace=same, src_color_range=span, dst_color_range=span,
        interpolation=_CAREFUL,
    )  # fmt: skip


def as_rgb(frame: Any, pixel_format: PixelFormat) -> Array:
    """A decoded frame as full-range RGB, converted by its tagged matrix and range."""
    if _is_rgb(frame):
        return frame.to_ndarray(format=pixel_format.value)
    tags = of_frame(frame)
    source = {1: Colorspace.ITU709, 4: Colorspace.FCC, 7: Colorspace.SMPTE240M, 9: Colorspace.BT2020}
    made = frame.reformat(
        format=pixel_format.value, src_colorspace=source.get(tags.matrix, Colorspace.ITU601),
        src_color_range=2 if tags.full_range else 1, dst_color_range=2, interpolation=_CAREFUL,
    )  # fmt: skip
    return made.to_ndarray()


def apply(context: Any, colour: Colour) -> None:
    """Writes the tags into an encoder's context or a frame."""
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    context.colorspace = colour.matrix
    context.color_range = 2 if colour.full_range else 1


def hdr_of_frame(frame: Any) -> HdrStatic | None:
    """HDR10 static metadata of a frame's side data (AVMasteringDisplayMetadata, AVContentLightMetadata), or None."""
    primaries: tuple[tuple[Fraction, Fraction], ...] = ()
    luminance = None
    content = average = 0
    for name, data in sidedata.of_frame(frame):
        if name == "MASTERING_DISPLAY_METADATA" and len(data) >= 88:
            numbers = struct.unpack_from("=22i", data)
            ratios = [Fraction(a, b or 1) for a, b in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
            if numbers[20]:
                primaries = tuple((ratios[i], ratios[i + 1]) for i in (0, 2, 4, 6))
            if numbers[21]:
                luminance = (ratios[8], ratios[9])
        elif name == "CONTENT_LIGHT_LEVEL" and len(data) >= 8:
            content, average = struct.unpack_from("=2I", data)
    if primaries or luminance or content:
        return HdrStatic(primaries, luminance, int(content), int(average))
    return None


def x265_params(hdr: HdrStatic | None, colour: Colour) -> str:
    """HDR10 metadata in x265's syntax (units of 0.00002 and 0.0001 cd/m²); '' where there is none."""
    parts = []
    if tone.is_hdr(colour):
        parts.append("hdr10=1" if colour.transfer == tone.PQ else "hdr10=0")
        parts.append("repeat-headers=1")
    if hdr and hdr.primaries and hdr.luminance:
        red, green, blue, white = [(round(x * 50000), round(y * 50000)) for x, y in hdr.primaries]
        low, high = (round(value * 10000) for value in hdr.luminance)
        points = f"G({green[0]},{green[1]})B({blue[0]},{blue[1]})R({red[0]},{red[1]})WP({white[0]},{white[1]})"
        parts.append(f"master-display={points}L({high},{low})")
    if hdr and (hdr.max_content or hdr.max_average):
        parts.append(f"max-cll={hdr.max_content},{hdr.max_average}")
    return ":".join(parts)


def svtav1_params(hdr: HdrStatic | None) -> str:
    """HDR10 metadata in SVT-AV1's syntax; '' where there is none."""
    parts = []
    if hdr and hdr.primaries and hdr.luminance:
        red, green, blue, white = [(float(x), float(y)) for x, y in hdr.primaries]
        low, high = (float(value) for value in hdr.luminance)
        points = "".join(
            f"{n}({x:.5f},{y:.5f})" for n, (x, y) in zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
        )
        parts.append(f"mastering-display={points}L({high:.4f},{low:.4f})")
    if hdr and (hdr.max_content or hdr.max_average):
        parts.append(f"content-light={hdr.max_content},{hdr.max_average}")
    return ":".join(parts)


def tone_map(image: Array, pixel_format: PixelFormat, colour: Colour, hdr: HdrStatic | None) -> Array:
    """An HDR picture as 8-bit BT.709 yuv420p (`tone.mapped`)."""
    made = tone.mapped(planes.rgb(image, pixel_format, colour), colour.transfer, hdr)
    return planes.from_rgb(made, PixelFormat.YUV420P, Colour(BT709, BT709, BT709))
