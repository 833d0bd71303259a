"""Marks in names that state views and projection, as people and players write them: one grammar, with two levels of trust.

A certain mark (HSBS, Full-SBS, VR180) counts anywhere. A short one is also a word or a number (`ou`, LR, 180): it counts
only at the end of the name, and only if the frame has the matching shape.
"""

import re
from dataclasses import dataclass

_SEPARATOR = re.compile(r"[\W_]")  # each becomes a space, so that places stay those of the name
_SIDE, _OVER = r"(?:sbs|side *by *side)", r"(?:ou|tab|tb|over *under|top *(?:and *)?bottom)"
_START, _END = r"(?:(?<=^)|(?<= ))", r"(?=$| )"


def _word(text: str) -> re.Pattern[str]:
    return re.compile(f"{_START}(?:{text}){_END}")


_Said = tuple[str, bool | None, bool, str]  # layout, full (None: not said), swapped, projection
_CERTAIN: list[tuple[re.Pattern[str], str, bool | None, bool, str]] = [
    (_word(rf"lrf(?: *full *sbs)?|f *sbs|full *{_SIDE}|{_SIDE} *full"), "left-right", True, False, ""),
    (_word(rf"h *sbs|half *{_SIDE}|{_SIDE} *half|3dh"), "left-right", False, False, ""),
    (_word(r"rlf(?: *cross)?|cross *eyed?"), "left-right", True, True, ""),
    (_word(r"3d *side *by *side|side *by *side *3d|sidebyside"), "left-right", None, False, ""),  # also a phrase
    (_word(rf"tbf(?: *fulltb)?|fulltb|f +(?:ou|tab)|full *{_OVER}|{_OVER} *full"), "top-bottom", True, False, ""),
    (_word(rf"h +(?:ou|tab)|half *{_OVER}|{_OVER} *half|3dv"), "top-bottom", False, False, ""),
    (
        _word(r"3d *over *under|over *under *3d|3d *top *(?:and *)?bottom|top *(?:and *)?bottom *3d"),
        "top-bottom",
        None,
        False,
        "",
    ),
    (_word(r"redcyan(?: (?:dubois|color|half color|gray|wimmer))?"), "anaglyph", False, False, ""),
    (_word(r"180 ?x ?180|(?:3d)?vr ?180|180 ?(?:3d)?vr"), "", None, False, "180"),
    (_word(r"360 ?x ?180|(?:3d)?vr ?360|360 ?(?:3d)?vr"), "", None, False, "360"),
    (_word(r"fisheye(?: ?\d{3})?|mkx(?:200|22|220)|vrca220|rf52"), "", None, False, "fisheye"),
]
_SHORT: list[tuple[re.Pattern[str], str, bool | None, bool, str]] = [
    (_word(r"lr"), "left-right", None, False, ""),
    (_word(r"rl"), "left-right", None, True, ""),
    (_word(r"tb|ou|tab"), "top-bottom", None, False, ""),
    (_word(r"bt"), "top-bottom", None, True, ""),
    (_word(r"hou|htab"), "top-bottom", False, False, ""),  # Hou is a name, fou a word
    (_word(r"fou|ftab"), "top-bottom", True, False, ""),
    (_word(r"anaglyph"), "anaglyph", False, False, ""),
    (_word(r"180"), "", None, False, "180"),
    (_word(r"360"), "", None, False, "360"),
]
# SBS is also the name of broadcasters, who stand first
_SBS = re.compile(rf"(?<= )sbs{_END}")
# what may follow a short mark: quality, codecs, 3D itself
_BEHIND = re.compile(
    r"(?: *(?:3d|vr|4k|5k|6k|8k|hd|uhd|\d{3,4}p|\d{3,5}x\d{3,5}|\d{2,3} ?fps|[xh] ?26[45]|hevc|avc|av1|10bit|hdr|spatial))* *$"
)
_SHAPES = {  # width over height of frames that a projection has, by layout
    "180": {"left-right": 2.0, "top-bottom": 0.5, "": 1.0},
    "360": {"left-right": 4.0, "top-bottom": 1.0, "": 2.0},
}


@dataclass(frozen=True, slots=True)
class Marks:
    """What a name states. `layout` is '' and `full` is None if it states nothing."""

    layout: str = ""
    full: bool | None = None
    swapped: bool = False
    projection: str = ""  # 180, 360, fisheye, or '' where it isn't said
    certain: bool = False  # False: short marks alone
    spans: tuple[tuple[int, int], ...] = ()  # where the marks are in the name


def read(stem: str, width: int = 0, height: int = 0) -> Marks | None:
    """The marks of a name without its suffix, for a frame of that size (0: unknown). None where it says nothing."""
    text = _SEPARATOR.sub(" ", stem).lower()
    layout, full, swapped, projection = "", None, False, ""
    spans: list[tuple[int, int]] = []
    said: _Said
    for pattern, kind, whole, crossed, sphere in _CERTAIN:
        said = (kind, whole, crossed, sphere)
        found = pattern.search(text)
        if found is not None and not (said[0] and layout and said[0] != layout):
            layout, projection, swapped = layout or said[0], projection or said[3], swapped or said[2]
            full = said[1] if full is None else full
            spans.append(found.span())
    if not layout and (found := _SBS.search(text)):
        layout = "left-right"
        spans.append(found.span())
    certain = bool(spans)
    for said, span in _short(stem, text, Marks(layout, full, swapped, projection, spans=tuple(spans)), (width, height)):
        layout, projection, swapped = layout or said[0], projection or said[3], swapped or said[2]
        full = said[1] if full is None else full
        spans.append(span)
    return Marks(layout, full, swapped, projection, certain, tuple(sorted(spans))) if spans else None


_Short = tuple[_Said, tuple[int, int]]


def _short(stem: str, text: str, sure: Marks, size: tuple[int, int]) -> list[_Short]:
    """Short marks at the end of the name that stand beside other marks, or fit the shape of the frame."""
    found: list[_Short] = []
    for pattern, kind, whole, crossed, sphere in _SHORT:
        for match in pattern.finditer(text):
            inside = any(a <= match.start() < b for a, b in sure.spans)
            if (
                match.start()
                and not inside
                and _spelled(stem, *match.span())
                and not (sure.layout if kind else sure.projection)
            ):
                found.append(((kind, whole, crossed, sphere), match.span()))
    rest = text
    for a, b in [*sure.spans, *(span for _, span in found)]:
        rest = rest[:a] + " " * (b - a) + rest[b:]
    found = sorted((each for each in found if _BEHIND.match(rest, each[1][1])), key=lambda each: each[1])
    layouts, spheres = [e for e in found if e[0][0]][-1:], [e for e in found if e[0][3]][-1:]
    if spheres and not (sure.layout or layouts) and not _fits_sphere(spheres[0][0][3], size):
        spheres = []
    if layouts and not (sure.projection or spheres) and not _fits_layout(layouts[0][0], size):
        layouts = []
    return layouts + spheres


def _spelled(stem: str, start: int, end: int) -> bool:
    """Whether a short mark is written as one: in capitals, or behind a separator that no sentence has."""
    mark, after_space = stem[start:end], start > 0 and stem[start - 1] == " "
    return not (mark.islower() and after_space) and not mark.istitle()


def _fits_layout(said: _Said, size: tuple[int, int]) -> bool:
    if not all(size):
        return True
    ratio, (layout, full, *_) = size[0] / size[1], said
    if layout != "top-bottom":
        return ratio > 1.2 or layout == "anaglyph"
    return 0.55 < ratio < (1.25 if full else 2.9)


def _fits_sphere(projection: str, size: tuple[int, int]) -> bool:
    return not all(size) or any(abs(size[0] / size[1] / shape - 1) < 0.05 for shape in _SHAPES[projection].values())


def bare(stem: str) -> str:
    """A name without its marks, where one of them is certain; the name itself where nothing else is in it."""
    marks = read(stem)
    for a, b in reversed(marks.spans if marks and marks.certain else ()):
        start = a - 1 if a and _SEPARATOR.match(stem[a - 1]) else a
        rest = stem[:start] + stem[b:]
        stem = rest if rest.strip("_-. ") else stem
    return stem
