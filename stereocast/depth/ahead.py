"""Holds back the start of a shot until motion can be read from it; later clips pass at once.

The pipeline's clips are shorter than the distance to a reference ahead. A shot's first clips therefore wait for LOOK_AHEAD
frames or the shot's end, so that how frames are bundled into clips changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stereocast.depth.motion import LOOK_AHEAD, MotionFusion
from stereocast.pipeline.stages import DepthClip
from stereocast.types import Array, Clip, DepthMap

HELD = LOOK_AHEAD  # frames


@dataclass(frozen=True, slots=True)
class Estimate:
    """A clip's depth before motion is fused with it."""

    clip: Clip
    greys: list[Array]  # uint8 [h, w] each
    depths: Array  # float32 [T, h, w], 0..1
    flows: list[Array | None]  # as in MotionFusion
    map_of: Callable[[Array], DepthMap]  # the clip's map from corrected depth, shaped as `depths`


def fused(estimates: Iterator[Estimate]) -> Iterator[DepthClip]:
    """Clips with corrected depth, in order."""
    fusion = MotionFusion()
    waiting: list[Estimate] = []
    opening = True
    for estimate in estimates:
        if estimate.clip.first:
            yield from _opened(fusion, waiting)
            waiting, opening = [], True
        if not opening:
            made = estimate.clip, estimate.map_of(fusion(estimate.greys, estimate.depths, estimate.flows))
            del estimate  # held while the next one comes, it would count twice in peak memory
            yield made
            del made
            continue
        waiting.append(estimate)
        ended = estimate.clip.last
        del estimate
        if ended or sum(len(part.greys) for part in waiting) >= LOOK_AHEAD:
            yield from _opened(fusion, waiting)
            waiting, opening = [], False
    yield from _opened(fusion, waiting)


def _opened(fusion: MotionFusion, waiting: list[Estimate]) -> Iterator[DepthClip]:
    """A shot's first clips, taken together; the list is emptied."""
    if not waiting:
        return
    fusion.begin()
    depths = fusion(
        [grey for part in waiting for grey in part.greys],
        np.concatenate([part.depths for part in waiting]),
        [flow for part in waiting for flow in part.flows],
    )
    at = 0
    while waiting:
        part = waiting.pop(0)
        made = part.clip, part.map_of(depths[at : at + len(part.greys)])
        at += len(part.greys)
        del part
        yield made
        del made
