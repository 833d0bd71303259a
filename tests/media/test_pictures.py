"""Packed pictures as files: every depth, cropped, one or numbered."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stereocast.media import pictures
from stereocast.types import Layout, PackedClip, PixelFormat, StereoFormat


def clip(values: list[float], pixel_format: PixelFormat) -> PackedClip:
    """Flat pictures 6x8 of these values (0..1)."""
    kind = np.uint16 if pixel_format is PixelFormat.RGB48 else np.uint8
    top = np.iinfo(kind).max
    frames = np.stack([np.full((6, 8, 3), round(value * top), kind) for value in values])
    return PackedClip(frames, np.arange(len(values)), StereoFormat(Layout.SBS), pixel_format)


@pytest.mark.parametrize(
    ("suffix", "pixel_format", "top"),
    [
        (".png", PixelFormat.RGB48, 65535), (".tif", PixelFormat.RGB48, 65535), (".TIFF", PixelFormat.RGB48, 65535),
        (".jpg", PixelFormat.RGB48, 255), (".png", PixelFormat.RGB24, 255),
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_picture_keeps_its_depth(
    tmp_path: Path, suffix: str, pixel_format: PixelFormat, top: int, value: float
) -> None:
    sink = pictures.ImageSink(tmp_path / f"a{suffix}", (2, 3))
    sink.write(clip([0.9, value], pixel_format))
    found = cv2.imread(str(sink.path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert (found.shape, sink.frames) == ((4, 5, 3), 2)
    assert found.dtype == (np.uint16 if top > 255 else np.uint8)
    assert (found == round(value * top)).all(), "the last one stays"


def test_numbered_pictures(tmp_path: Path) -> None:
    sink = pictures.SequenceSink(tmp_path / "f_%03d.png")
    sink.write(clip([0.2, 0.4], PixelFormat.RGB24))
    sink.write(clip([0.6], PixelFormat.RGB24))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f_001.png", "f_002.png", "f_003.png"]
    assert [cv2.imread(str(sink.path(n)))[0, 0, 0] for n in (1, 2, 3)] == [51, 102, 153]  # type: ignore[index]
