"""Fields to whole pictures with FFmpeg's filters: one per frame, one per field, or the film under a pulldown.

bwdif makes pictures of fields; fieldmatch and decimate undo a 3:2 pulldown: five frames of video become four of film.
"""

import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal

import av

log = logging.getLogger(__name__)

Mode = Literal["auto", "field", "frame", "telecine", "none"]
_CHAINS: dict[str, tuple[tuple[str, str], ...]] = {
    "auto": (("bwdif", "mode=send_frame:deint=interlaced"),),
    "frame": (("bwdif", "mode=send_frame:deint=all"),),
    "field": (("bwdif", "mode=send_field:deint=all"),),
    "telecine": (
        ("fieldmatch", "order=auto:combmatch=full"),
        ("bwdif", "mode=send_frame:deint=interlaced"),
        ("decimate", "cycle=5"),
    ),
}
# Pictures for each frame, and into how many a tick is divided so that each falls on one.
FACTORS: dict[str, tuple[Fraction, int]] = {"field": (Fraction(2), 2), "telecine": (Fraction(4, 5), 4)}


def factor(mode: Mode) -> Fraction:
    """Pictures that come out for each frame that goes in."""
    return FACTORS.get(mode, (Fraction(1), 1))[0]


def fineness(mode: Mode) -> int:
    """Into how many parts a tick of the source has to be divided."""
    return FACTORS.get(mode, (Fraction(1), 1))[1]


def wanted(mode: Mode, frame: Any) -> bool:
    """Whether the filters begin with this frame: `auto` waits for one that is flagged as interlaced."""
    return mode not in ("auto", "none") or (mode == "auto" and bool(frame.interlaced_frame))


class Deinterlacer:
    """Frames in, pictures out; made for the first frame's size and format."""

    def __init__(self, mode: Mode, frame: Any, time_base: Fraction, rate: Fraction | None) -> None:
        self._graph = av.filter.Graph()
        self._into: Fraction | None = None  # seconds of the first frame
        self._shift: Fraction | None = Fraction(0) if mode != "telecine" else None  # decimate rounds its clock
        source = self._graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={time_base}"
            f":frame_rate={rate or 30000 / Fraction(1001)}",
        )
        for name, options in _CHAINS[mode]:
            following = self._graph.add(name, options)
            source.link_to(following)
            source = following
        sink = self._graph.add("buffersink")
        source.link_to(sink)
        self._graph.configure()

    def __call__(self, frame: Any) -> Iterator[Any]:
        """The pictures that come out when a frame goes in; None at the end."""
        if frame is not None and self._into is None and frame.pts is not None:
            self._into = frame.pts * Fraction(frame.time_base or 0)
        self._graph.push(frame)
        while True:
            try:
                made = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if self._shift is None and self._into is not None and made.pts is not None:
                self._shift = self._into - made.pts * Fraction(made.time_base or 0)
            if self._shift and made.pts is not None:
                base = Fraction(1, 1_000_000_000)
                made.pts, made.time_base = round((made.pts * Fraction(made.time_base or 0) + self._shift) / base), base
            yield made
