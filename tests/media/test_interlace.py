"""Fields become pictures: one a frame, one a field, or the film that was under a pulldown; each at its own time."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast.media import reader
from tests.films import number_of, picture

H, W = 64, 192


def woven(path: Path, pairs: list[tuple[int, int]], codec: str = "ffv1", flagged: bool = True) -> Path:
    """A film whose frames hold two moments: even rows of the first, odd rows of the second. No frame is flagged in ffv1."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            codec,
            rate=Fraction(30000, 1001),
            options={"flags": "+ildct+ilme", "qscale": "2"} if codec != "ffv1" else {},
        )
        stream.width, stream.height, stream.pix_fmt = W, H, "yuv420p"
        for number, (top, bottom) in enumerate(pairs):
            image = picture(top, H, W)
            image[1::2] = picture(bottom, H, W)[1::2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def read(path: Path, mode: str) -> tuple[list[int], list[Fraction], reader.StreamInfo]:
    source = reader.open_source(str(path), reader.ReadOptions(deinterlace=mode))  # type: ignore[arg-type]
    try:
        frames = list(source)
    finally:
        source.close()
    return (
        [number_of(frame.image[:H]) for frame in frames],
        [frame.pts * source.info.time_base for frame in frames],
        source.info,
    )


def test_pulldown_is_taken_out(tmp_path: Path) -> None:
    """Four frames of film in five of video, at 24000/1001, to the tick although the source counts in 1/30 s or 1/1000 s."""
    film = list(range(32))
    pairs = []
    for a, b, c, d in zip(*(film[k::4] for k in range(4)), strict=True):
        pairs += [(a, a), (b, b), (b, c), (c, d), (d, d)]
    for suffix in (".avi", ".mkv"):
        numbers, times, info = read(woven(tmp_path / f"in{suffix}", pairs), "telecine")
        assert numbers[4:28] == film[4:28]
        assert len(numbers) == 32
        assert info.rate == Fraction(24000, 1001)
        steps = np.diff([float(time) for time in times])
        assert np.abs(steps - 1001 / 24000).max() < (1e-6 if suffix == ".avi" else 6e-4)
        assert times[0] < Fraction(1, 100)


def test_a_picture_for_each_field(tmp_path: Path) -> None:
    """Twice the frames at twice the rate, in the order of their fields: a box that moves 4 pixels a field."""
    path = tmp_path / "in.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = W, H, "yuv420p"
        for number in range(20):
            image = np.zeros((H, W, 3), np.uint8)
            for field in (0, 1):
                left = 4 * (2 * number + field)
                image[field::2, left : left + 24] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    source = reader.open_source(str(path), reader.ReadOptions(deinterlace="field"))
    frames, info = list(source), source.info
    source.close()
    assert len(frames) == info.frames == 40
    assert info.rate == Fraction(60000, 1001)
    centres = []
    for frame in frames:
        weight = np.clip(frame.image[4 : H - 4].astype(float) - 30, 0, None).sum(0)
        centres.append(float((weight * np.arange(W)).sum() / weight.sum()))
    steps = np.diff(centres)[4:-4]
    assert np.abs(steps - 4).max() < 1.5
    times = [float(frame.pts * info.time_base) for frame in frames]
    assert np.diff(times) == pytest.approx([1001 / 60000] * 39)


def test_all_frames_or_none(tmp_path: Path) -> None:
    """Unflagged material: auto leaves the comb, frame takes it out."""
    path = woven(tmp_path / "in.avi", [(n, n + 40) for n in range(10)])
    combs = {}
    for mode in ("auto", "none", "frame"):
        source = reader.open_source(str(path), reader.ReadOptions(deinterlace=mode))  # type: ignore[arg-type]
        luma = [frame.image[:H].astype(int) for frame in source][4]
        source.close()
        combs[mode] = np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) // 2).mean()
        assert source.info.frames == 10
    assert combs["auto"] == combs["none"] > 2 * combs["frame"]
