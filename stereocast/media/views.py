"""Whether a source is already 3D or spherical: from decoder and container, otherwise from its name.

Frame side data carries StereoMode, st3d and the frame-packing message alike; vexu and MV-HEVC are read from the boxes.
"""

import logging
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stereocast.errors import SourceError
from stereocast.media import marks, owned, stereoinfo

log = logging.getLogger(__name__)

_PACKED = {
    1: "side-by-side",
    2: "over-under",
    3: "frame-sequential",
    4: "checkerboard",
    5: "quincunx",
    6: "row-interlaced",
    7: "column-interlaced",
}  # AVStereo3DType
_SPHERES = {0: "360", 1: "360", 2: "360", 3: "180", 5: "fisheye"}  # AVSphericalProjection; 4 is flat
_TITLES = {
    "side-by-side": "side by side",
    "over-under": "over-under",
    "multiview": "MV-HEVC",
    "row-interlaced": "row-interlaced",
}
# names so short that they count only with a tag of ours inside
_SHORT = {"_LR": "side-by-side", "_TB": "over-under", "_RI": "row-interlaced"}


@dataclass(frozen=True, slots=True)
class Found:
    """What a source is. `packing`: side-by-side, over-under, row-interlaced, multiview, another word, or '' (flat)."""

    packing: str = ""
    half: bool | None = None  # each eye has half the resolution; None: not said
    swapped: bool = False
    sphere: str = ""  # 360, 180 or fisheye
    by: str = ""  # how it is known

    @property
    def title(self) -> str:
        """For people."""
        return " ".join(
            filter(
                None,
                (
                    self.sphere and f"{self.sphere}°".replace("fisheye°", "fisheye"),
                    _TITLES.get(self.packing, self.packing),
                ),
            )
        )


def of_frame(frame: Any) -> Found | None:
    """By the side data of a decoded frame: AVStereo3D (type, flags) and AVSphericalMapping (projection)."""
    packing, swapped, sphere = "", False, ""
    for item in frame.side_data:
        name, data = getattr(item.type, "name", ""), bytes(item)
        if name == "STEREO3D" and len(data) >= 8:
            kind, flags = struct.unpack_from("=ii", data)
            packing, swapped = _PACKED.get(kind, ""), bool(flags & 1)
        elif name == "SPHERICAL" and len(data) >= 4:
            sphere = _SPHERES.get(struct.unpack_from("=i", data)[0], "")
            if sphere == "360" and len(data) >= 32:
                left, _, right, _ = struct.unpack_from("=4I", data, 16)  # what of the full width is missing, 0.32
                sphere = "180" if abs((left + right) / 2**32 - 0.5) < 0.05 else sphere
    return Found(packing, None, swapped, sphere, "its tags") if packing or sphere else None


def detect(name: str, frame: Any, width: int, height: int) -> Found | None:
    """What the source is, None for an ordinary film; `frame` is None for a picture."""
    path = Path(name)
    tagged = _boxes(path) if frame is not None and path.is_file() else None
    if tagged is not None and tagged.packing == "multiview":
        return tagged
    named = of_name(path)
    found = (of_frame(frame) if frame is not None else None) or tagged or named
    if found is None or found.half is not None or found.packing not in ("side-by-side", "over-under"):
        return found
    half = named.half if named is not None and named.packing == found.packing and named.half is not None else None
    if half is None:
        half = not (width > 2.5 * height if found.packing == "side-by-side" else width < 1.25 * height)
    return Found(found.packing, half and not found.sphere, found.swapped, found.sphere, found.by)


def _boxes(path: Path) -> Found | None:
    try:
        tags = stereoinfo.read_tags(path)
    except (SourceError, OSError):
        return None
    if tags.get("mv_hevc"):
        return Found("multiview", False, by="its MV-HEVC layers")
    said = stereoinfo.from_tags(tags, 2, 1)
    packing = (
        {"left-right": "side-by-side", "top-bottom": "over-under", "anaglyph": "anaglyph"}.get(said.layout, "")
        if said
        else ""
    )
    full = False if "vexu_packing" in tags else None
    sphere = said.projection if said and said.projection != "flat" and "sv3d_cubemap" not in tags else ""
    return Found(packing, full, bool(said and said.swapped), sphere, "its tags") if packing or sphere else None


def of_name(path: Path) -> Found | None:
    """By the name alone, where it can't be chance."""
    said = marks.read(path.stem)
    if said is not None and said.certain:
        packing = {"left-right": "side-by-side", "top-bottom": "over-under"}.get(said.layout, said.layout)
        half = None if said.full is None or packing == "anaglyph" else not said.full
        return Found(packing, False if said.projection and packing else half, said.swapped, said.projection, "its name")
    for mark, packing in _SHORT.items():
        if path.stem.endswith(mark) and path.is_file() and owned.finished(path):
            return Found(packing, True, by="its name")
    return None
