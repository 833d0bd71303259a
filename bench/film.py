"""Films to measure on: real footage if available, otherwise a generated scene with grain and cuts.

An ordinary preset encodes them, so that decoding costs what it does for a film from elsewhere.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 24
FOOTAGE = ("tokyo_walk.mp4", "rollercoaster.mp4", "marathon_static.mp4")  # a shot each: cuts at 3.8, 6.7 and 12.9 s
SHOT_S = 4  # of the generated film
GRAIN = 6.0  # its standard deviation in code values


def sources(clip: Path | None, shared: Path) -> list[Path]:
    """The films that are shown one after the other; none: a generated one."""
    if clip is not None:
        return [clip]
    found = [shared / "data/video" / name for name in FOOTAGE]
    return found if all(path.is_file() for path in found) else []


def pictures(films: list[Path], height: int, width: int) -> Iterator[Any]:
    """yuv420p frames of that size, without end."""
    while True:
        for film in films:
            with av.open(str(film)) as container:
                for frame in container.decode(video=0):
                    yield frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
        if not films:
            yield from _generated(height, width)


def _generated(height: int, width: int) -> Iterator[Any]:
    """Two shots of discs before a textured wall, with camera motion and grain."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for shot in range(2):
        discs = random.uniform(0, 1, (7, 4)).astype(np.float32)
        wall = random.normal(0, 25, (height // 8 + 2, width // 8 + 64)).astype(np.float32).repeat(8, 0).repeat(8, 1)
        for number in range(SHOT_S * RATE):
            luma = 90 + 40 * shot + wall[:height, 2 * number : 2 * number + width]
            for place, (y, x, size, light) in enumerate(discs):
                across = (x * width + (place + 2) * number) % width
                inside = (rows - y * height) ** 2 + (columns - across) ** 2 < (0.05 + 0.1 * size) ** 2 * height**2
                luma = np.where(inside, 40 + 170 * light + 8 * np.sin(columns / 5), luma)
            luma = luma + random.normal(0, GRAIN, luma.shape).astype(np.float32)
            chroma = np.full((height // 2, width), 128, np.float32)
            picture = np.concatenate([np.clip(luma, 16, 235), chroma]).astype(np.uint8)
            yield av.VideoFrame.from_ndarray(picture, format="yuv420p")


def make(films: list[Path], path: Path, height: int, seconds: int) -> Path:
    """`seconds` of film at that height, H.264 as a camera or a download would have it."""
    width = height * 16 // 9 // 2 * 2
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=RATE, options={"preset": "medium", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, frame in enumerate(islice(pictures(films, height, width), seconds * RATE)):
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            frame.pict_type = 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
