"""Interlaced pictures to progressive ones, by FFmpeg's bwdif."""

from fractions import Fraction
from typing import Any

import av


def deinterlacer(frame: Any, time_base: Fraction) -> Any:
    """A filter graph for frames like `frame`; those that aren't flagged pass as they are."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=av.VideoFormat(frame.format.name), time_base=time_base
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph
