"""Draw docs/embedded-depth.jpg: scenes that the training never saw (another seed), their true depth, and what the wheel's network says.

python training/embedded_depth/pictures.py docs/embedded-depth.jpg
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import scenes
from photo import Maker

from stereocast.depth.embedded import EmbeddedDepth
from stereocast.settings import ConvertSettings
from stereocast.types import Clip, StreamInfo

SEED = 990
SHOWN = (
    scenes.room,
    scenes.tabletop,
    scenes.desk,
    scenes.street,
    scenes.field_scene,
    scenes.portrait,
    scenes.group,
    scenes.heap,
)


def estimate(picture):
    """Depth [h, w] in 0..1 of one RGB picture."""
    info = StreamInfo(picture.shape[1], picture.shape[0], Fraction(1, 25), None)
    [(_, depth)] = EmbeddedDepth(ConvertSettings(), info)(iter([Clip(picture[None], np.arange(1))]))
    return depth.values[0]


def row(picture, *maps):
    """Picture and maps side by side, BGR."""
    h, w = picture.shape[:2]
    shown = [
        cv2.applyColorMap((np.clip(cv2.resize(m, (w, h)), 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        for m in maps
    ]
    return np.hstack([picture[..., ::-1], *shown])


def main(target: Path) -> None:
    maker = Maker(SEED)
    rows = []
    for number, kind in enumerate(SHOWN):
        picture, truth, _ = next(
            view for k in range(99) for view in maker.scene(50 + k + 7 * number, 180, 320, only=kind)
        )
        if kind is scenes.desk:  # letterbox
            picture[:22], picture[-22:], truth[:22], truth[-22:] = 0, 0, 0, 0
        rows.append(row(picture, truth, estimate(picture)))
    half = len(rows) // 2
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
    cv2.imwrite(
        str(target),
        cv2.resize(sheet, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA),
        [cv2.IMWRITE_JPEG_QUALITY, 85],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
