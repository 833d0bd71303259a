"""A short panning film with depth, and settings that sample it quickly."""

from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np

from stereocast.types import Clip, DepthMap, PixelFormat, Shot, StreamInfo


def clips(count: int, shot: int = 0, length: int = 4, *, moving: bool = True) -> Iterator[tuple[Clip, DepthMap]]:
    noise = cv2.GaussianBlur(np.random.default_rng(shot).random((64, 160, 3), np.float32), (0, 0), 3)
    picture = np.clip((noise - 0.5) * 3 + 0.5, 0, 1)
    depth = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None], (1, 96))
    for start in range(0, count, length):
        stop = min(start + length, count)
        at = [t if moving else 0 for t in range(start, stop)]
        frames = np.stack([(picture[:, a : a + 96] * 255).astype(np.uint8) for a in at])
        yield (
            Clip(
                frames,
                np.arange(start, stop, dtype=np.int64),
                shot=Shot(shot),
                first=start == 0,
                last=stop == count,
            ),
            DepthMap(np.repeat(depth[None], stop - start, 0)),
        )


INFO = StreamInfo(96, 64, Fraction(1, 25), Fraction(25), PixelFormat.RGB24)
FAST = {"synth": "stereocrafter-zero", "steps": 3, "restart_passes": 1, "restart_steps": 1, "cfg": 1.0, "last_warp": 1}
