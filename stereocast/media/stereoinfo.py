"""How the views are arranged in a file, from the surest source: boxes, StereoMode, the frame-packing message, the name, the frame's shape."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stereocast.errors import SourceError
from stereocast.media import ebml, marks, spatial

_APPLE = {"hequ": "180", "equi": "360", "fish": "fisheye", "prim": "fisheye"}


@dataclass(frozen=True, slots=True)
class Views:
    """`layout` is mono, left-right, top-bottom or anaglyph; `full` means that each eye has the whole resolution."""

    layout: str = "mono"
    full: bool = False
    swapped: bool = False
    projection: str = "flat"  # flat, 180, 360 or fisheye
    source: str = "none"  # of the layout: tags, message, name, shape or none

    @property
    def half_sphere(self) -> bool:
        """Whether the picture covers half of what is around."""
        return self.projection == "180"

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "layout": self.layout, "full": self.full, "swapped": self.swapped, "half_sphere": self.half_sphere,
            "projection": self.projection, "source": self.source,
        }  # fmt: skip


def read_tags(path: Path) -> dict[str, object]:
    """All stereo and sphere tags of an mp4, mov, mkv or webm file; {} for others. Raises SourceError if damaged."""
    return spatial.read_tags(path) or ebml.read_tags(path)


def from_tags(tags: dict[str, Any], width: int, height: int) -> Views | None:
    """What the tags alone say; None where they say nothing."""
    layout, full, swapped = _tagged(tags)
    projection = _projection(tags)
    if layout in (None, "mono") and projection is None:
        return None
    if full is None:
        full = projection is not None or _looks_full(str(layout), width, height)
    full = full and layout in ("left-right", "top-bottom")
    return Views(layout or "mono", full, swapped, projection or "flat", "tags")


def _tagged(tags: dict[str, Any]) -> tuple[str | None, bool | None, bool]:
    """Layout, full and swapped by the tags; None for what they don't say."""
    layout, full, swapped = None, None, "reversed" in tags.get("vexu_eyes", ())
    if tags.get("st3d") in ("left-right", "top-bottom", "mono"):
        layout = tags["st3d"]
    if tags.get("vexu_packing") in ("side", "over"):
        layout = layout or {"side": "left-right", "over": "top-bottom"}[tags["vexu_packing"]]
        full = True
    mode = tags.get("stereo_mode")
    if mode in ("left_right", "right_left", "top_bottom", "bottom_top"):
        layout = "left-right" if mode in ("left_right", "right_left") else "top-bottom"
        swapped = mode in ("right_left", "bottom_top")
    elif mode == "anaglyph_cyan_red":
        layout = "anaglyph"
    return layout, full, swapped


def _projection(tags: dict[str, Any]) -> str | None:
    """Projection by the tags: bounds of a quarter on each side leave half a sphere. None if they state nothing."""
    bounds = tags.get("sv3d_equi") or (tags.get("bounds") if tags.get("projection") == "equirectangular" else None)
    if bounds is not None:
        return "180" if abs(bounds["left"] + bounds["right"] - 0.5) < 0.1 else "360"
    if tags.get("projection") == "equirectangular":
        return "360"
    if "sv3d_mesh" in tags or tags.get("projection") == "mesh":
        return "180"
    return _APPLE.get(str(tags.get("vexu_projection")))


def from_name(name: str, width: int = 0, height: int = 0) -> Views | None:
    """What the name alone says about a frame of that size (0: unknown); None where it says nothing."""
    said = marks.read(Path(name).stem, width, height)
    if said is None:
        return None
    layout, projection = said.layout or "mono", said.projection or "flat"
    full = said.full
    if full is None:
        full = bool(width and height and _looks_full(layout, width, height))
    full = full or projection != "flat"  # on a sphere, the projection gives the shape
    return Views(layout, full and layout in ("left-right", "top-bottom"), said.swapped, projection, "name")


def _looks_full(layout: str, width: int, height: int) -> bool:
    if layout == "left-right":
        return width > 2.5 * height
    return layout == "top-bottom" and height > width


def from_shape(width: int, height: int) -> Views | None:
    """What a frame's shape alone says: two screens beside or above each other. None for anything else."""
    ratio = width / height if height else 0.0
    if any(abs(ratio / 2 / screen - 1) < 0.02 for screen in (16 / 9, 1.85, 2.39)):
        return Views("left-right", True, source="shape")
    if width >= 1280 and abs(ratio * 2 * 9 / 16 - 1) < 0.02:
        return Views("top-bottom", True, source="shape")
    return None


def views(path: Path, width: int, height: int, packed: tuple[str, bool] | None = None) -> Views:
    """What a careful player takes the file for, shown upright in that size; `packed` is what `sei.read` found."""
    try:
        tags = read_tags(path)
    except (SourceError, OSError):
        tags = {}
    return settle(path, tags, width, height, packed)


def settle(path: Path, tags: dict[str, Any], width: int, height: int, packed: tuple[str, bool] | None = None) -> Views:
    """What is known about the views, each property by the surest that says it."""
    tagged, named = from_tags(tags, width, height), from_name(path.name, width, height)
    layout, full, swapped = _tagged(tags)
    source = "tags"
    if layout is None and packed is not None:
        (layout, swapped), source = packed, "message"
    if layout is None and named is not None and named.layout != "mono":
        layout, full, swapped, source = named.layout, named.full, named.swapped, "name"
    projection = (_projection(tags) or (named.projection if named else None)) or "flat"
    if layout is None:
        shape = from_shape(width, height) if projection == "flat" else None
        if shape is not None:
            return shape
        return Views(projection=projection, source=(tagged or named).source) if tagged or named else Views()  # type: ignore[union-attr]
    if full is None:
        said = marks.read(path.stem, width, height)
        full = said.full if said is not None and said.layout == layout else None
    if full is None:
        full = _looks_full(layout, width, height)
    full = (full or projection != "flat") and layout in ("left-right", "top-bottom")
    return Views(layout, full, swapped, projection, source)


def contradictions(path: Path, tags: dict[str, object], width: int, height: int) -> list[str]:
    """What in the file's name, tags and shape can't be true together, one line each."""
    named, tagged = from_name(path.name, width, height), from_tags(tags, width, height)
    found = []
    if named and tagged:
        if named.layout != tagged.layout:
            found.append(f"the name says {named.layout}, the tags say {tagged.layout}")
        elif named.swapped != tagged.swapped:
            found.append(f"the name says {_order(named)}, the tags say {_order(tagged)}")
        if named.projection != tagged.projection:
            found.append(f"the name says {_surface(named)}, the tags say {_surface(tagged)}")
    packing, mode = tags.get("vexu_packing"), tags.get("st3d")
    if (
        packing
        and mode in ("left-right", "top-bottom")
        and {"side": "left-right", "over": "top-bottom"}.get(str(packing)) != mode
    ):
        found.append(f"st3d says {mode}, vexu says {packing}")
    for what in filter(None, (named, tagged)):
        if what.full and what.projection == "flat":
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
    return {"180": "half sphere", "360": "sphere", "fisheye": "fisheye"}.get(what.projection, "flat screen")


def players(
    path: Path, tags: dict[str, object], codec: str, width: int, height: int, packed: tuple[str, bool] | None = None
) -> dict[str, str]:
    """What each player makes of the file by itself, without a manual switch."""
    known = settle(path, tags, width, height, packed)
    both = known if known.source != "none" else None
    table = {name: _shown(both) for name in ("SKYBOX", "Pigasus", "DeoVR", "Quest's own player")}
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
    if what is None:
        return "2D"
    around = {"180": " on a half sphere", "360": " all around", "fisheye": " as a fisheye"}.get(what.projection, "")
    if what.layout == "mono":
        return f"2D{around}"
    if what.layout == "anaglyph":
        return "2D picture for red-cyan glasses"
    size = "full" if what.full else "half"
    order = ", eyes swapped" if what.swapped else ""
    return f"3D {size} {what.layout}{order}{around} (by {what.source})"
