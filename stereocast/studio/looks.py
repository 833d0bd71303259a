"""Draws a moment for the page: a JPEG of the chosen kind, with its figures."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from stereocast import catalog
from stereocast.depth import choice
from stereocast.errors import SourceError, UnknownName
from stereocast.jobs import assembly
from stereocast.jobs.preview import moments, sheet
from stereocast.jobs.preview.moments import Moment, Warm
from stereocast.pack import layouts
from stereocast.pictures import planes
from stereocast.settings import ConvertSettings
from stereocast.stereo import comfort
from stereocast.types import Array

KINDS = ("source", "depth", "anaglyph", "views", "packed", "filled")  # views: left and right side by side
_QUALITY = 86


def look(
    warm: Warm, name: str, start: Fraction, settings: ConvertSettings, kind: str, width: int, *, draft: bool = False
) -> tuple[bytes, dict[str, Any]]:
    """A JPEG about `width` wide of the moment at `start` seconds, and its figures. `draft`: use the fast fill, while a
    slider moves. Raises StereocastError."""
    if kind not in KINDS:
        raise UnknownName("kind of look", kind, KINDS)
    chosen = settings if settings.synth == "warp" else settings.model_copy(update={"synth": "warp"})
    if draft and chosen.fill != "fast":
        chosen = chosen.model_copy(update={"fill": "fast"})
    fov_deg = catalog.preset(settings.preset).screen_fov_deg
    moment = warm.moment(name, start, chosen, fov_deg)
    data = jpeg(_picture(moment, settings, kind, width))
    return data, facts(moment, settings)


def facts(moment: Moment, settings: ConvertSettings) -> dict[str, Any]:
    """The comfort line, the value of strength `auto`, and the duration of each step in milliseconds."""
    measured = moments.figures(moment.stereo, moment.fov_deg)
    depth = moment.stereo.depth
    auto = 0.0
    if depth is not None:
        unit = comfort.metric_unit(depth.values) if depth.metric else 1.0
        auto = comfort.auto_strength(depth.values / np.float32(unit), moment.fov_deg)
    estimator, reason = choice.resolve(settings) if settings.depth_path is None else ("file", "")
    return {
        "verdict": measured.verdict if measured else "",
        "line": measured.line() if measured else "",
        "degrees": measured.table()["degrees"] if measured else None,
        "reasons": list(measured.reasons) if measured else [],
        "auto_strength": round(auto, 1),
        "format": settings.format.value,
        "estimator": estimator, "reason": reason,
        "note": "" if settings.synth == "warp" else f"drawn with warp, because {settings.synth} is too slow for a preview",
        "ms": {step: round(seconds * 1000, 1) for step, seconds in moment.seconds.items()},
    }  # fmt: skip


def _picture(moment: Moment, settings: ConvertSettings, kind: str, width: int) -> Array:
    """RGB uint8 [h, w, 3]."""
    clip, stereo = moment.clip, moment.stereo
    width = min(width, clip.width)
    shape = (max(2, round(clip.height * width / clip.width * float(1 / (moment.info.sample_aspect or 1)))), width)

    def rgb(view: Array) -> Array:
        return planes.rgb_bytes(view, clip.pixel_format, clip.colour, shape)

    if kind == "source":
        return rgb(clip.frames[-1])
    if kind == "depth":
        return sheet.depth_picture(stereo.depth.values[-1] if stereo.depth else np.zeros(shape, np.float32), shape)
    if kind == "packed":
        return _packed(moment, settings, width)
    left, right = rgb(stereo.left[-1]), rgb(stereo.right[-1])
    if kind == "anaglyph":
        one, two = (view.astype(np.float32) * np.float32(1 / 255) for view in (left, right))
        mixed = layouts.anaglyph(one, two, settings.anaglyph)
        return (mixed * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    if kind == "filled":
        return sheet.filled_picture(left, right, stereo, shape)
    return np.concatenate([left, right], 1)


def _packed(moment: Moment, settings: ConvertSettings, width: int) -> Array:
    packed = next(iter(assembly.packer(settings, moment.info)(iter([moment.stereo]))))
    frame = packed.frames[-1]
    rows, columns = planes.size(frame, packed.pixel_format)
    wide = min(width, columns)
    shape = (max(2, round(rows * wide / columns)), wide)
    return planes.rgb_bytes(frame, packed.pixel_format, packed.colour, shape)


def jpeg(picture: Array) -> bytes:
    """RGB uint8 [h, w, 3] as JPEG. Raises SourceError where it can't be encoded."""
    good, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not good:
        raise SourceError("the picture can't be encoded")
    return data.tobytes()
