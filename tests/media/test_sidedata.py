"""Frames that carry what PyAV doesn't know."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stereocast.media import sidedata
from tests.films import make_film
from tests.media.small import convert, packets


def with_exif(path: Path) -> Path:
    """MJPEG as cameras write it: each picture with EXIF."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0"
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    jpeg = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    with av.open(str(path), "w") as out:
        video = out.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        for k in range(4):
            packet = av.Packet(jpeg)
            packet.stream, packet.pts, packet.dts, packet.duration = video, k, k, 1
            packet.time_base, packet.is_keyframe = Fraction(1, 25), True
            out.mux(packet)
    return path


@pytest.mark.usefixtures("small_stages")
def test_unknown_side_data_is_passed_over(tmp_path: Path) -> None:
    source = with_exif(tmp_path / "in.mov")
    output = convert(source, tmp_path / "out.mp4").plan.outputs[0]
    assert len(packets(output)["video"]) == 4


def test_known_side_data_has_names(tmp_path: Path) -> None:
    film = make_film(tmp_path / "in.mp4", rotation=90, frames=2)
    with av.open(str(film)) as container:
        names = [name for name, _ in sidedata.of_frame(next(container.decode(video=0)))]
    assert "DISPLAYMATRIX" in names
