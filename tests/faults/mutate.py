"""Damaged copies of real containers: bits, blocks, sizes, counts and ends, from a seed."""

import random
import re
from collections.abc import Callable
from pathlib import Path

from tests.films import make_film

Change = Callable[[bytearray, random.Random], bytearray]
_BOXES = re.compile(
    rb"moov|trak|mdia|minf|stbl|stts|stsz|stco|ctts|stsc|stss|elst|mdhd|mvhd|tkhd|avcC|hdlr|mdat|moof|trun|tfhd"
)
_VALUES = [0, 1, 0x7F, 0x80, 0xFE, 0xFF]


def flip_bits(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 1, 4, 30, 200])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def cut_short(data: bytearray, rng: random.Random) -> bytearray:
    return data[: rng.randrange(len(data))]


def blank_block(data: bytearray, rng: random.Random) -> bytearray:
    start, size = rng.randrange(len(data)), rng.choice([4, 64, 1000, 5000])
    data[start : start + size] = bytes([rng.choice(_VALUES)]) * len(data[start : start + size])
    return data


def drop_block(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    del data[start : start + rng.choice([1, 2, 7, 188, 4096])]
    return data


def repeat_block(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    block = data[start : start + rng.choice([1, 16, 188, 3000])]
    at = rng.randrange(len(data))
    data[at:at] = block * rng.choice([1, 1, 5])
    return data


def insert_noise(data: bytearray, rng: random.Random) -> bytearray:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.choice([1, 3, 50, 2000]))
    return data


def spoil_head(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 2, 8])):
        data[rng.randrange(min(600, len(data)))] = rng.choice([*_VALUES, rng.randrange(256)])
    return data


def spoil_box(data: bytearray, rng: random.Random) -> bytearray:
    """A size before, or a number after, the name of an mp4 box; the head of the file where there is none."""
    found = [match.start() for match in _BOXES.finditer(data)]
    if not found:
        return spoil_head(data, rng)
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.choice(found) + rng.choice([-4, -3, -1, 4, 8, 12, 16, 20, 24])
        for k in range(rng.choice([1, 4])):
            if 0 <= at + k < len(data):
                data[at + k] = rng.choice([*_VALUES, rng.randrange(256)])
    return data


CHANGES: list[Change] = [
    flip_bits,
    cut_short,
    blank_block,
    drop_block,
    repeat_block,
    insert_noise,
    spoil_head,
    spoil_box,
    spoil_box,
]


def seeds(folder: Path) -> list[Path]:
    """Small sound films in the containers that people have."""
    folder.mkdir(parents=True, exist_ok=True)
    size, cuts = (48, 64), [5]
    return [
        make_film(
            folder / "a.mp4", frames=12, size=size, audio=["aac"], subtitles=["mov_text"], cuts=cuts, chapters=True
        ),
        make_film(folder / "b.mkv", frames=12, size=size, audio=["libopus"], subtitles=["ass"], cuts=cuts),
        make_film(folder / "c.ts", frames=12, size=size, codec="mpeg2video", audio=["mp2"], cuts=cuts),
        make_film(
            folder / "d.webm",
            frames=8,
            size=size,
            codec="libvpx-vp9",
            audio=["libopus"],
            options={"deadline": "realtime"},
        ),
        make_film(folder / "e.avi", frames=12, size=size, codec="mpeg4", cuts=cuts),
        make_film(folder / "f.mov", frames=12, size=size, codec="libx265", options={"x265-params": "log-level=none"}),
        make_film(folder / "g.mkv", frames=8, size=size, codec="ffv1", audio=["flac"]),
    ]


def mutant(originals: list[bytes], number: int) -> tuple[int, bytes]:
    """(which original, its damaged copy) of a case; the same for the same number."""
    rng = random.Random(number)
    which = rng.randrange(len(originals))
    data = bytearray(originals[which])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if len(data) > 1:
            data = rng.choice(CHANGES)(data, rng)
    return which, bytes(data)
