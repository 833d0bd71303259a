"""What is in a converted file: packets, numbers of frames, stereo tags."""

import struct
from pathlib import Path

import av

from tests.films import number_of

SIDE, OVER = 1, 2  # AVStereo3DType


def packets(path: Path) -> dict[str, list[tuple[int | None, int | None, bytes]]]:
    """Every packet by stream; how the streams are interleaved is a matter of threads."""
    found: dict[str, list[tuple[int | None, int | None, bytes]]] = {}
    with av.open(str(path)) as box:
        for packet in box.demux():
            if packet.size:
                found.setdefault(packet.stream.type, []).append((packet.pts, packet.dts, bytes(packet)))
    return found


def left_numbers(film: dict) -> list[int]:
    """The numbers in the left views of what `read_film` found in a side-by-side film."""
    width = film["size"][1] // 2
    return [number_of(frame.to_ndarray(format="gray")[:, :width]) for frame in film["frames"]]


def side_data(path: Path) -> dict[str, bytes]:
    """Side data of the first frame, by FFmpeg's names."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return {item.type.name: bytes(item) for item in frame.side_data}


def stereo(path: Path) -> tuple[int, ...]:
    """type, flags, view, primary eye, baseline (um), disparity shift, field of view: FFmpeg's AVStereo3D."""
    data = side_data(path)["STEREO3D"]
    return struct.unpack("iiiiIiiii", data[:36])
