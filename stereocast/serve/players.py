"""Listings for native players: JSON for DeoVR and HereSphere, with layout and projection from our tags."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from stereocast.serve.library import Item, Library, views_of

_DEO_STEREO = {"left-right": "sbs", "top-bottom": "tb"}
_DEO_SCREEN = {"flat": "flat", "180": "dome", "360": "sphere", "fisheye": "fisheye"}
_HERE_SCREEN = {"flat": "perspective", "180": "equirectangular", "360": "equirectangular360", "fisheye": "fisheye"}

Address = Callable[[str], str]  # a path of ours as a whole address that needs no cookie


def address(base: str, token: str) -> Address:
    """Whole addresses below `base` (with its / at the end)."""
    return lambda path: f"{base}{path}" + (f"?token={quote(token)}" if token else "")


def deovr(library: Library, at: Address) -> dict[str, Any]:
    """The list of all films."""
    films = [
        {
            "title": item.facts["name"], "videoLength": round(item.facts["duration_s"] or 0),
            "thumbnailUrl": at(f"poster/{item.ident}"), "video_url": at(f"deovr/{item.ident}"),
        }
        for item in library.films() if item.kind == "film" and not item.convert
    ]  # fmt: skip
    return {"scenes": [{"name": "stereocast", "list": films}], "authorized": "1"}


def deovr_film(item: Item, library: Library, at: Address) -> dict[str, Any]:
    """One film, as DeoVR's deep links and lists read it."""
    views = views_of(item, library.remembered.get(item.ident)["settings"])
    stereo = _DEO_STEREO.get(views["layout"], "off")
    source = {"resolution": item.facts["height"], "url": at(f"film/{item.ident}")}
    return {
        "id": int(item.ident[:13], 16), "title": item.facts["name"], "authorized": 1,
        "videoLength": round(item.facts["duration_s"] or 0), "thumbnailUrl": at(f"poster/{item.ident}"),
        "is3d": stereo != "off", "stereoMode": stereo, "screenType": _DEO_SCREEN[views["projection"]],
        "encodings": [{"name": _family(item.facts["codec"]), "videoSources": [source]}],
    }  # fmt: skip


def heresphere(library: Library, at: Address) -> dict[str, Any]:
    """The list of all films."""
    films = [at(f"heresphere/{item.ident}") for item in library.films() if item.kind == "film" and not item.convert]
    return {"access": 1, "library": [{"name": "stereocast", "list": films}]}


def heresphere_film(item: Item, library: Library, at: Address) -> dict[str, Any]:
    """One film, as HereSphere reads it."""
    known = library.remembered.get(item.ident)
    views = views_of(item, known["settings"])
    stereo = _DEO_STEREO.get(views["layout"], "mono")
    facts = item.facts
    around = views["projection"]
    source = {
        "resolution": facts["height"], "height": facts["height"], "width": facts["width"], "size": facts["size"],
        "url": at(f"film/{item.ident}"),
    }  # fmt: skip
    texts = [
        {"name": text["name"], "language": text["language"], "url": at(f"text/{item.ident}/{number}")}
        for number, text in enumerate(library.texts(item))
    ]
    return {
        "access": 1, "title": facts["name"], "duration": round(1000 * (facts["duration_s"] or 0)),
        "thumbnailImage": at(f"poster/{item.ident}"), "projection": _HERE_SCREEN[around], "stereo": stereo,
        "isEyeSwapped": bool(views["swapped"]), "fov": 190.0 if around == "fisheye" else 180.0, "lens": "Linear",
        "currentTime": known["position_s"], "subtitles": texts,
        "media": [{"name": _family(facts["codec"]), "sources": [source]}],
        "writeFavorite": False, "writeRating": False, "writeTags": False, "writeHSP": False,
    }  # fmt: skip


def _family(codec: str) -> str:
    return {"hevc": "h265", "libdav1d": "av1"}.get(codec, codec)
