"""How the views are arranged in each layout: one table for names, container tags, messages and players."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stereocast.types import Layout

Views = Literal["left-right", "top-bottom", "anaglyph", "rows", "mono"]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """One layout, as a player needs it."""

    views: Views
    suffix: str  # what a file's name ends with, so that players recognise it
    full: bool = False  # each eye has the whole resolution
    stereo_mode: str | None = None  # Matroska's, by FFmpeg's names
    crossed: bool = False  # the right view comes first


TABLE: Mapping[Layout, Arrangement] = {
    Layout.SBS: Arrangement("left-right", "_LRF_Full_SBS", True, "left_right"),
    Layout.HALF_SBS: Arrangement("left-right", "_LR", False, "left_right"),
    Layout.OU: Arrangement("top-bottom", "_TBF_fulltb", True, "top_bottom"),
    Layout.HALF_OU: Arrangement("top-bottom", "_TB", False, "top_bottom"),
    Layout.CROSS_EYED: Arrangement("left-right", "_RLF_cross", True, "right_left", crossed=True),
    Layout.VR180: Arrangement("left-right", "_180x180_LR", True, "left_right"),
    Layout.SPATIAL: Arrangement("left-right", "_spatial_LRF_Full_SBS", True, "left_right"),
    Layout.ANAGLYPH: Arrangement("anaglyph", "_redcyan_", False, "anaglyph_cyan_red"),  # and the colours' name
    Layout.ROW_INTERLACED: Arrangement("rows", "_RI"),
    Layout.RGBD: Arrangement("mono", "_RGBD"),
    Layout.PAIR: Arrangement("mono", ""),
    Layout.LEFT: Arrangement("mono", "_L"),
    Layout.RIGHT: Arrangement("mono", "_R"),
    Layout.MONO: Arrangement("mono", "_mono"),
}
