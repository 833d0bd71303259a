"""Films whose pictures change their size: nothing is lost, nothing ends."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stereocast.media import sizes
from stereocast.types import Colour, PixelFormat
from tests.media.small import convert, packets

pytestmark = pytest.mark.usefixtures("small_stages")

Part = tuple[int, int, bool]  # width, height, interlaced


def stream(folder: Path, parts: list[Part]) -> Path:
    body = b""
    for width, height, interlaced in parts:
        flags = {"flags": "+ildct+ilme"} if interlaced else {}
        with av.open(str(folder / "part.m2v"), "w", format="mpeg2video") as out:
            video = out.add_stream("mpeg2video", rate=25, options={"g": "5", "bf": "0", **flags})
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            for k in range(10):
                image = np.full((height, width, 3), 60 + 10 * k, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = k, Fraction(1, 25)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        body += (folder / "part.m2v").read_bytes()
    path = folder / "in.m2v"
    path.write_bytes(body)
    return path


@pytest.mark.parametrize(
    "parts",
    [
        [(160, 120, False), (200, 150, False)],
        [(160, 120, True), (200, 150, True)],
        [(160, 120, True), (200, 150, False), (160, 120, True)],
        [(160, 120, False), (201, 151, False)],
        [(161, 121, False), (200, 150, False)],
        [(160, 120, False), (320, 120, False), (120, 160, False)],
    ],
)
def test_every_picture_comes_at_the_first_ones_size(
    tmp_path: Path, parts: list[Part], caplog: pytest.LogCaptureFixture
) -> None:
    source = stream(tmp_path, parts)
    with av.open(str(source)) as film:
        decoded = sum(1 for _ in film.decode(video=0))
    output = convert(source, tmp_path / "out.mp4").plan.outputs[0]
    found = packets(output)["video"]
    assert len(found) == decoded >= 10 * len(parts) - len(parts)
    width, height = (side + side % 2 for side in parts[0][:2])
    with av.open(str(output)) as film:
        assert {(f.width, f.height) for f in film.decode(video=0)} == {(2 * width, height)}
    assert caplog.text.count("the frame size changes") == 1


@pytest.mark.parametrize("pixel_format", [PixelFormat.YUV420P, PixelFormat.YUV420P10])
def test_another_aspect_gets_bars(pixel_format: PixelFormat) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((60, 160, 3), 200, np.uint8), format="rgb24")
    planes = sizes.fitted(frame, 80, 60, pixel_format, Colour(1, 1, 1))
    assert [plane.shape[:2] for plane in planes] == (
        [(60, 80), (30, 40), (30, 40)] if pixel_format.planar else [(60, 80)]
    )
    rows = planes[0]
    black = {PixelFormat.YUV420P: 16, PixelFormat.YUV420P10: 64}[pixel_format]
    assert (rows[:14] == black).all()
    assert (rows[46:] == black).all()
    assert (rows[16:44] > 150).all()
