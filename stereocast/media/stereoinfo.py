"""How the views lie in a file: from its tags, else from its name, else from its shape; and where these contradict."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stereocast.errors import SourceError
from stereocast.media import ebml, spatial

_BESIDE = re.compile(r"(?:^|[_\-. ])(LRF|LR|SBS|HSBS|FSBS|3DH|3dh|hsbs|sbs)(?=$|[_\-. ])")
_ABOVE = re.compile(r"(?:^|[_\-. ])(TBF|TB|OU|HOU|3DV|3dv|fulltb|ou|tb)(?=$|[_\-. ])")
_CROSSED = re.compile(r"(?:^|[_\-. ])(RLF|RL)(?=$|[_\-. ])")
_HALF_SPHERE = re.compile(r"(?:^|[_\-. ])(180x180|VR180|vr180|180)(?=$|[_\-. ])")
_FULL_MARK = re.compile(r"LRF|RLF|TBF|Full_SBS|FSBS|fulltb")
_RED_CYAN = re.compile(r"redcyan|anaglyph", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Views:
    """`layout` is mono, left-right, top-bottom or anaglyph; `full` means that each eye has the whole resolution."""

    layout: str = "mono"
    full: bool = False
    swapped: bool = False
    half_sphere: bool = False
    source: str = "none"  # tags, name or none


def read_tags(path: Path) -> dict[str, object]:
    """All stereo and sphere tags of an mp4, mov, mkv or webm file; {} for others. Raises SourceError if damaged."""
    return spatial.read_tags(path) or ebml.read_tags(path)


def from_tags(tags: dict[str, Any], width: int, height: int) -> Views | None:
    """What the tags alone say; None where they say nothing."""
    layout, swapped = None, "reversed" in tags.get("vexu_eyes", ())
    if tags.get("st3d") in ("left-right", "top-bottom"):
        layout = tags["st3d"]
    elif tags.get("vexu_packing") in ("side", "over"):
        layout = {"side": "left-right", "over": "top-bottom"}[tags["vexu_packing"]]
    mode = tags.get("stereo_mode")
    if mode in ("left_right", "right_left", "top_bottom", "bottom_top"):
        layout = "left-right" if mode in ("left_right", "right_left") else "top-bottom"
        swapped = mode in ("right_left", "bottom_top")
    elif mode == "anaglyph_cyan_red":
        layout = "anaglyph"
    sphere = "sv3d_equi" in tags or tags.get("projection") == "equirectangular" or tags.get("vexu_projection") == "hequ"
    if layout is None and not sphere:
        return None
    full = "vexu_packing" in tags or sphere or _looks_full(str(layout), width, height)
    return Views(layout or "mono", full and layout not in (None, "anaglyph"), swapped, sphere, "tags")


def from_name(name: str) -> Views | None:
    """What the name alone says, as players read it; None where it says nothing."""
    stem = Path(name).stem
    if _RED_CYAN.search(stem):
        return Views("anaglyph", source="name")
    crossed = bool(_CROSSED.search(stem))
    sphere = bool(_HALF_SPHERE.search(stem))
    if crossed or _BESIDE.search(stem):
        return Views("left-right", bool(_FULL_MARK.search(stem)) or sphere, crossed, sphere, "name")
    if _ABOVE.search(stem):
        return Views("top-bottom", bool(_FULL_MARK.search(stem)) or sphere, False, sphere, "name")
    return Views("mono", half_sphere=True, source="name") if sphere else None


def _looks_full(layout: str, width: int, height: int) -> bool:
    if layout == "left-right":
        return width > 2.5 * height
    return layout == "top-bottom" and height > width


def views(path: Path, width: int, height: int) -> Views:
    """What a careful player takes the file for: tags first, then the name."""
    try:
        tags = read_tags(path)
    except (SourceError, OSError):
        tags = {}
    named, tagged = from_name(path.name), from_tags(tags, width, height)
    if tagged is not None:
        if named is not None and named.layout == tagged.layout:
            return Views(tagged.layout, named.full, tagged.swapped, tagged.half_sphere, "tags")
        return tagged
    return named or Views()


def contradictions(path: Path, tags: dict[str, object], width: int, height: int) -> list[str]:
    """What in the file's name, tags and shape can't be true together, one line each."""
    named, tagged = from_name(path.name), from_tags(tags, width, height)
    found = []
    if named and tagged:
        if named.layout != tagged.layout:
            found.append(f"the name says {named.layout}, the tags say {tagged.layout}")
        elif named.swapped != tagged.swapped:
            found.append(f"the name says {_order(named)}, the tags say {_order(tagged)}")
        if named.half_sphere != tagged.half_sphere:
            found.append(f"the name says {_surface(named)}, the tags say {_surface(tagged)}")
    packing, mode = tags.get("vexu_packing"), tags.get("st3d")
    if (
        packing
        and mode in ("left-right", "top-bottom")
        and {"side": "left-right", "over": "top-bottom"}.get(str(packing)) != mode
    ):
        found.append(f"st3d says {mode}, vexu says {packing}")
    for what in filter(None, (named, tagged)):
        if what.full and not what.half_sphere:
            ratio = width / height / 2 if what.layout == "left-right" else 2 * width / height
            if what.layout in ("left-right", "top-bottom") and not 0.4 < ratio < 3:
                found.append(
                    f"{what.source} say full {what.layout}, but a view of {width}x{height} would be {ratio:.2f}:1"
                )
                break
    return found


def _order(what: Views) -> str:
    return "right eye first" if what.swapped else "left eye first"


def _surface(what: Views) -> str:
    return "half sphere" if what.half_sphere else "flat screen"


def players(path: Path, tags: dict[str, object], codec: str, width: int, height: int) -> dict[str, str]:
    """What each player makes of the file by itself, without a manual switch."""
    named, tagged = from_name(path.name), from_tags(tags, width, height)
    both = named or tagged
    table = {name: _shown(named or tagged) for name in ("SKYBOX", "Pigasus", "DeoVR")}
    table["Quest's own player"] = _shown(tagged if tagged and "sv3d_equi" in tags else named or tagged)
    if tags.get("mv_hevc"):
        table["Vision Pro"] = "spatial video (MV-HEVC)"
    elif "vexu_packing" in tags and codec == "hevc":
        table["Vision Pro"] = "stereo, by vexu" if "vexu_hero" not in tags else "spatial, side by side by vexu"
    else:
        table["Vision Pro"] = "flat, both views in one picture" if both and both.layout != "mono" else "flat"
    if tags.get("st3d") in ("left-right", "top-bottom"):
        table["YouTube"] = "VR180" if "sv3d_equi" in tags else "3D, by st3d"
    elif "stereo_mode" in tags:
        table["YouTube"] = "VR180" if "projection" in tags else "3D, by StereoMode"
    else:
        table["YouTube"] = "2D"
    return table


def _shown(what: Views | None) -> str:
    if what is None or what.layout == "mono":
        return "2D" if what is None or not what.half_sphere else "2D on a half sphere"
    if what.layout == "anaglyph":
        return "2D picture for red-cyan glasses"
    size = "full" if what.full else "half"
    order = ", eyes swapped" if what.swapped else ""
    return f"3D {size} {what.layout}{order}{' on a half sphere' if what.half_sphere else ''} (by {what.source})"
