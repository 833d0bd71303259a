"""Draw docs/embedded-depth.jpg: frames of the samples, which the training never saw, depth before and now.

git show 518bdf4:stereocast/depth/embedded_network.onnx > before.onnx
python training/embedded_depth/pictures.py docs/embedded-depth.jpg --before before.onnx
"""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from stereocast.depth import embedded
from stereocast.media import reader
from stereocast.pictures import planes
from stereocast.settings import ConvertSettings
from stereocast.shots import clips
from stereocast.types import Clip, StreamInfo

ROOT = Path(__file__).resolve().parents[2]
FRAMES = tuple((name, number) for name in ("street", "close") for number in (8, 30, 55, 80))
BEFORE = 23_000  # pixels that the first network saw
SIZE = (216, 324)  # of a picture in the sheet


def pictures():
    """RGB uint8 with the aspect of SIZE."""
    for name, number in FRAMES:
        source = reader.open_source(str(ROOT / f"samples/{name}.mp4"))
        try:
            clip = clips.concatenate(list(islice(source, number, number + 1)))
        finally:
            source.close()
        rgb = planes.rgb(clip.frames[0], clip.pixel_format, clip.colour, (clip.height, clip.width))
        yield fitted(np.rint(rgb * 255).astype(np.uint8))


def fitted(picture):
    """The middle of a picture with the aspect of SIZE, about twice as large."""
    height, width = picture.shape[:2]
    wide = SIZE[1] / SIZE[0]
    rows, columns = min(height, round(width / wide)), min(width, round(height * wide))
    top, left = (height - rows) // 3, (width - columns) // 2
    return cv2.resize(picture[top : top + rows, left : left + columns], (2 * SIZE[1], 2 * SIZE[0]))


def estimate(picture):
    """Depth [h, w] in 0..1 of one RGB picture."""
    info = StreamInfo(picture.shape[1], picture.shape[0], Fraction(1, 25), None)
    [(_, depth)] = embedded.EmbeddedDepth(ConvertSettings(), info)(iter([Clip(picture[None], np.arange(1))]))
    return depth.values[0]


def row(picture, maps):
    """A picture and its maps side by side, BGR."""
    shown = [cv2.applyColorMap((np.clip(m, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO) for m in maps]
    return np.hstack([cv2.resize(p, SIZE[::-1], interpolation=cv2.INTER_AREA) for p in (picture[..., ::-1], *shown)])


def main(argv=None) -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("target", type=Path)
    a.add_argument("--before", type=Path, help="ONNX of an earlier network")
    o = a.parse_args(argv)
    shown = list(pictures())
    maps = [[estimate(picture)] for picture in shown]
    if o.before:
        earlier = cv2.dnn.readNetFromONNX(str(o.before), engine=cv2.dnn.ENGINE_NEW)
        embedded.load_network, embedded.AREA = (lambda: earlier), BEFORE
        maps = [[estimate(picture), *now] for picture, now in zip(shown, maps, strict=True)]
    rows = [row(*pair) for pair in zip(shown, maps, strict=True)]
    half = (len(rows) + 1) // 2
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
    cv2.imwrite(str(o.target), sheet, [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
