"""The known failure of StereoCrafter-Zero (appendix C.2): the depth of a small, fast object jumps between frames."""

import logging

import cv2
import numpy as np

from stereocast.pictures.motion import Flow, grey
from stereocast.types import Array

log = logging.getLogger(__name__)

JUMP, AREA = 0.15, 0.004  # depth change along motion, and the share of the picture, that are too much
_SIZE = (160, 96)
_TOLERANCE_PX = 1.5


def flicker(pictures: Array, depth: Array) -> float:
    """The largest share of a picture whose depth changes along its motion by more than `JUMP` from one frame to the next.

    Only what can be followed there and back counts: at what appears or vanishes a change means nothing.
    pictures RGB in 0..1 [T, H, W, 3]; depth [T, h, w], about 0..1.
    """
    greys = [grey(cv2.resize(p, _SIZE, interpolation=cv2.INTER_AREA)) for p in pictures]
    maps = [cv2.resize(np.asarray(d, np.float32), _SIZE, interpolation=cv2.INTER_AREA) for d in depth]
    finder = Flow("medium")
    x, y = np.meshgrid(np.arange(_SIZE[0], dtype=np.float32), np.arange(_SIZE[1], dtype=np.float32))
    worst = 0.0
    for t in range(len(greys) - 1):
        flow, back = finder(greys[t], greys[t + 1]), finder(greys[t + 1], greys[t])
        to_x, to_y = x + flow[..., 0], y + flow[..., 1]

        def arrived(image: Array, x: Array = to_x, y: Array = to_y) -> Array:
            return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

        followed = np.linalg.norm(flow + arrived(back), axis=-1) < _TOLERANCE_PX
        jump = (np.abs(arrived(maps[t + 1]) - maps[t]) > JUMP) & followed
        # edges always move by a fraction of a pixel: only what remains after an opening counts
        opened = cv2.morphologyEx(jump.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        worst = max(worst, float(opened.mean()))
    return worst


class FlickerGuard:
    """Checks each window and warns once per run."""

    def __init__(self, *, propagated: bool) -> None:
        """`propagated`: the depth is already averaged along motion, so --propagate is not advised."""
        self._advice = "try a lower --strength" if propagated else "try --propagate"
        self.warned = False

    def check(self, pictures: Array, depth: Array) -> None:
        """As for `flicker`; nothing is measured after a warning."""
        share = 0.0 if self.warned else flicker(pictures, depth)
        if share > AREA:
            self.warned = True
            log.warning(
                "depth jumps in %.1f %% of the picture between two frames, typical of a small, fast object; %s",
                share * 100,
                self._advice,
            )
