"""Sources that are already 3D: refused with advice, or split into their views and repacked without depth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stereocast.errors import UsageError
from stereocast.media import views as known
from stereocast.media.views import Found
from stereocast.pack import layouts
from stereocast.pack.packer import FlatPacker
from stereocast.pictures import planes
from stereocast.pictures.pool import Pool
from stereocast.pipeline.stages import Packer
from stereocast.settings import ConvertSettings, FilmSettings
from stereocast.types import Array, Clip, Layout, PackedClip, PixelFormat, StereoClip, StereoFormat, StreamInfo

_ASKED = {
    "sbs": Found("side-by-side", False),
    "half-sbs": Found("side-by-side", True),
    "ou": Found("over-under", False),
    "half-ou": Found("over-under", True),
    "cross-eyed": Found("side-by-side", False, True),
    "row-interlaced": Found("row-interlaced", True),
    "multiview": Found("multiview", False),
}
_SAME = {
    ("side-by-side", True): Layout.HALF_SBS,
    ("over-under", True): Layout.HALF_OU,
    ("row-interlaced", True): Layout.ROW_INTERLACED,
}


@dataclass(frozen=True, slots=True)
class Views:
    """How the source's picture holds its two views."""

    packing: str  # side-by-side, over-under, row-interlaced or multiview
    half: bool
    swapped: bool = False
    sphere: str = ""

    @property
    def same_as(self) -> Layout | None:
        """The format whose pictures these are already, None where they have to be taken apart."""
        return None if self.swapped or self.sphere else _SAME.get((self.packing, self.half))


def check_flat(name: str, found: Found | None, settings: FilmSettings) -> None:
    """Refuses a 3D or spherical source where a flat one is wanted. Raises UsageError."""
    if found is None or settings.source_layout == "mono":
        return
    if not found.packing:
        raise UsageError(
            f"{name} is a {found.title} film (by {found.by}), and a second view can't be made in that projection; "
            "--source-layout mono treats it as a flat picture"
        )
    raise UsageError(
        f"{name} is already 3D: {found.title} (by {found.by}); --source-layout auto repacks it to --format without depth, "
        "--source-layout mono treats it as a flat picture"
    )


def views_of(name: str, found: Found | None, settings: ConvertSettings) -> Views | None:
    """The views of a source that is to be repacked; None for a flat one. Raises UsageError."""
    asked = settings.source_layout
    if asked in (None, "mono") or (asked == "auto" and found is None):
        check_flat(name, found, settings)
        return None
    wanted = found if asked == "auto" else _ASKED[str(asked)]
    assert wanted is not None
    if wanted.packing not in ("side-by-side", "over-under", "row-interlaced", "multiview"):
        check_flat(name, wanted if not wanted.packing else None, settings)
        raise UsageError(f"{name}: {wanted.title} pictures can't be taken apart into two views")
    sphere = found.sphere if found is not None else ""
    if sphere and (sphere != "180" or settings.format is not Layout.VR180):
        more = "use --format vr180, which keeps its projection" if sphere == "180" else "it stays as it is"
        raise UsageError(f"{name} is a {sphere}° stereo film (by {found.by if found else ''}); {more}")
    for given, option in ((settings.depth_out, "--depth-out"), (settings.disparity, "--disparity")):
        if given is not None:
            raise UsageError(f"{option}: a source that is already 3D is repacked without depth")
    if settings.format is Layout.RGBD:
        raise UsageError("--format rgbd: a source that is already 3D is repacked without depth; choose another format")
    return Views(wanted.packing, bool(wanted.half), wanted.swapped != settings.swap_eyes, sphere)


def eye_info(info: StreamInfo, views: Views) -> StreamInfo:
    """The stream of one view, at the size at which it is shown."""
    width, height = info.width, info.height
    if views.packing == "side-by-side" and not views.half:
        width = width // 2 + width // 2 % 2
    elif views.packing == "over-under" and not views.half:
        height = height // 2 + height // 2 % 2
    return replace(info, width=width, height=height, padding=(0, 0))


def packer(made: Packer, form: StereoFormat, views: Views) -> Packer:
    """The stage that packs the views; those of a half sphere are put side by side as they are."""
    return _Sphere(form) if views.sphere else made


class _Sphere:
    """Both views of a half sphere side by side."""

    held = 0

    def __init__(self, form: StereoFormat) -> None:
        self.format = form
        self._flat = FlatPacker(StereoFormat(Layout.SBS))

    def shape(self, height: int, width: int) -> tuple[int, int]:
        return layouts.shape(Layout.SBS, height, width)

    def own_bytes(self, height: int, width: int) -> int:
        """Bytes that the packer keeps for itself."""
        return 0

    def __call__(self, clips: Iterator[StereoClip]) -> Iterator[PackedClip]:
        for clip in clips:
            yield replace(self._flat.pack(clip), format=self.format)


def stages(views: Views, info: StreamInfo, form: StereoFormat, pack: Packer) -> tuple[Callable[..., Any], ...]:
    """Source pictures to packed ones; `info` is that of a view."""
    if views.same_as is form.layout:
        return (lambda clips: _as_it_is(clips, form),)
    return (lambda clips: _taken_apart(clips, views, info), packer(pack, form, views))


def _as_it_is(clips: Iterator[Clip], form: StereoFormat) -> Iterator[PackedClip]:
    for clip in clips:
        yield PackedClip(clip.frames, clip.pts, form, clip.pixel_format, clip.colour)


def _taken_apart(clips: Iterator[Clip], views: Views, info: StreamInfo) -> Iterator[StereoClip]:
    pool = Pool()
    for clip in clips:
        pairs = [split(frame, views, clip.pixel_format, (info.height, info.width), pool) for frame in clip.frames]
        left, right = (np.stack(eye) for eye in zip(*pairs, strict=True))
        if views.swapped:
            left, right = right, left
        yield StereoClip(left, right, clip.pts, clip.pixel_format, clip.colour, first=clip.first, last=clip.last)


def split(
    image: Array, views: Views, pixel_format: PixelFormat, size: tuple[int, int], pool: Pool
) -> tuple[Array, Array]:
    """The first and second view of a packed picture, each of `size` (height, width), in memory of `pool`."""
    parts = planes.planes(image) if pixel_format.planar else (image,)
    eyes = []
    for second in (False, True):
        out = planes.empty(pool, *size, pixel_format, 1)[0]
        targets = planes.planes(out) if pixel_format.planar else (out,)
        for number, (part, target) in enumerate(zip(parts, targets, strict=True)):
            half = _half(part, views.packing, second=second)
            if views.half:
                top = (1 << pixel_format.bits) - 1
                target[...] = np.minimum(
                    planes.resize(np.ascontiguousarray(half), *target.shape[:2], chroma=number > 0), top
                )
            else:
                missing = [(0, max(0, target.shape[k] - half.shape[k])) for k in (0, 1)]
                target[...] = np.pad(half, missing + [(0, 0)] * (half.ndim - 2), "edge")
        eyes.append(out)
    return eyes[0], eyes[1]


def _half(part: Array, packing: str, *, second: bool) -> Array:
    """One view's samples; where an odd number of them is divided, the middle one belongs to both."""
    if packing == "row-interlaced":
        return part[int(second) :: 2]
    axis = 0 if packing == "over-under" else 1
    size = part.shape[axis]
    kept = slice(size // 2, size) if second else slice(0, size - size // 2)
    return part[kept] if axis == 0 else part[:, kept]


def detect(name: str, source: Any) -> Found | None:
    """What an open source is: `known.detect` on its first frame."""
    return known.detect(name, getattr(source, "first_frame", None), source.info.width, source.info.height)
