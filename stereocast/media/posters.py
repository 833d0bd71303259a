"""Pictures of a film for a library and a seek bar: one view, upright, at its display aspect."""

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from stereocast.errors import SourceError
from stereocast.media import colour, photos, probe, stills
from stereocast.pictures import tone
from stereocast.types import Array

THUMB = (160, 90)
COLUMNS = 10
_MOST, _LEAST_S = 100, 2.0
_WIDE = 1920


def sprite(duration_s: float | None) -> dict[str, Any] | None:
    """The arrangement of the thumbnails of a film in one picture; None where the film is too short."""
    if not duration_s or duration_s < 2 * _LEAST_S:
        return None
    interval = max(_LEAST_S, duration_s / _MOST)
    count = max(1, int(duration_s / interval))
    return {
        "columns": COLUMNS, "rows": -(-count // COLUMNS), "count": count, "interval_s": round(interval, 3),
        "width": THUMB[0], "height": THUMB[1],
    }  # fmt: skip


def of_picture(paths: tuple[Path, ...], views: dict[str, Any], width: int = 480) -> bytes:
    """A JPEG of one view of a still. Raises SourceError."""
    image = photos.read(str(paths[0]))[0]
    if image.dtype != np.uint8:
        image = (image >> 8).astype(np.uint8)
    return _jpeg(fitted(one_view(image, views if len(paths) == 1 else {}), views, (width, width * 9 // 16)))


def of_film(path: Path, views: dict[str, Any], width: int = 480) -> bytes:
    """A JPEG of one view, a tenth into the film. Raises SourceError."""
    container = probe.open_input(str(path))
    try:
        stream = probe.video_stream(container, str(path), quiet=True)
        stream.codec_context.skip_frame = "NONKEY"
        if container.duration:
            container.seek(container.duration // 10)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise SourceError(f"{path}: no frame could be decoded")
        return _jpeg(_drawn(frame, stream, views, (width, width * 9 // 16)))
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: no frame could be decoded") from error
    finally:
        container.close()


def of_sprite(path: Path, views: dict[str, Any], duration_s: float) -> bytes:
    """A JPEG with the thumbnails that `sprite` describes, from key frames. Raises SourceError."""
    plan = sprite(duration_s)
    if plan is None:
        raise SourceError(f"{path} is too short for thumbnails")
    width, height = THUMB
    sheet = np.zeros((plan["rows"] * height, COLUMNS * width, 3), np.uint8)
    container = probe.open_input(str(path))
    try:
        stream = probe.video_stream(container, str(path), quiet=True)
        stream.codec_context.skip_frame = "NONKEY"
        last: tuple[Any, Array] | None = None
        for number in range(plan["count"]):
            try:
                container.seek(int(number * plan["interval_s"] * av.time_base))
                frame = next(container.decode(stream), None)
            except av.error.FFmpegError:
                frame = None
            if frame is None:
                continue
            if last is None or last[0] != frame.pts:
                last = frame.pts, _drawn(frame, stream, views, THUMB)
            row, column = divmod(number, COLUMNS)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = last[1]
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: no frame could be decoded") from error
    finally:
        container.close()
    return _jpeg(sheet, 70)


def _drawn(frame: Any, stream: Any, views: dict[str, Any], size: tuple[int, int]) -> Array:
    image = stills.upright(frame)
    aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    turned = image.shape[1] != frame.width
    if tone.is_hdr(colour.of_frame(frame)):
        image = stills.in_sdr(_reduced(image), frame)
    elif image.dtype != np.uint8:
        image = (image >> 8).astype(np.uint8)
    return fitted(one_view(image, views), views, size, 1 / aspect if turned else aspect, half_of=views)


def _reduced(image: Array) -> Array:
    """An image at most _WIDE pixels wide: tone mapping needs ten times its memory."""
    wide = image.shape[1]
    if wide <= _WIDE:
        return image
    return cv2.resize(image, (_WIDE, max(1, image.shape[0] * _WIDE // wide)), interpolation=cv2.INTER_AREA)


def one_view(image: Array, views: dict[str, Any]) -> Array:
    """The left view of a packed picture."""
    height, width = image.shape[:2]
    second = bool(views.get("swapped"))
    if views.get("layout") == "left-right":
        return image[:, width // 2 :] if second else image[:, : width // 2]
    if views.get("layout") == "top-bottom":
        return image[height // 2 :] if second else image[: height // 2]
    return image


def fitted(
    image: Array, views: dict[str, Any], size: tuple[int, int], aspect: float = 1.0,
    half_of: dict[str, Any] | None = None,
) -> Array:  # fmt: skip
    """A view fitted into `size` (width, height), RGB uint8: unsqueezed, with black bars. Of a sphere only the middle."""
    height, width = image.shape[:2]
    wide = width * aspect
    if half_of and not half_of.get("full"):
        wide *= {"left-right": 2.0, "top-bottom": 0.5}.get(str(half_of.get("layout")), 1.0)
    if views.get("projection", "flat") != "flat":
        cut_w, cut_h = max(2, width // 2), max(2, min(height, round(width / 2 * 9 / 16)))
        top, left = (height - cut_h) // 2, (width - cut_w) // 2
        image, wide, height = image[top : top + cut_h, left : left + cut_w], cut_w, cut_h
    scale = min(size[0] / wide, size[1] / height)
    shape = max(1, min(size[0], round(wide * scale))), max(1, min(size[1], round(height * scale)))
    small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
    out = np.zeros((size[1], size[0], 3), np.uint8)
    top, left = (size[1] - shape[1]) // 2, (size[0] - shape[0]) // 2
    out[top : top + shape[1], left : left + shape[0]] = small
    return out


def beside(left: Path, right: Path) -> bytes:
    """Two pictures side by side as one JPEG. Raises SourceError."""
    one, two = (photos.read(str(path))[0] for path in (left, right))
    one, two = ((each >> 8).astype(np.uint8) if each.dtype != np.uint8 else each for each in (one, two))
    if two.shape != one.shape:
        two = cv2.resize(two, one.shape[1::-1], interpolation=cv2.INTER_AREA)
    return _jpeg(np.concatenate([one, two], 1), 92)


def as_jpeg(path: Path) -> bytes:
    """A still of any kind as JPEG. Raises SourceError."""
    image = photos.read(str(path))[0]
    return _jpeg((image >> 8).astype(np.uint8) if image.dtype != np.uint8 else image, 92)


def _jpeg(image: Array, quality: int = 82) -> bytes:
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
