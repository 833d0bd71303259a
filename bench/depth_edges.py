"""Edges of estimated depth on dense scenes: are the true steps there, and what comes of them in the right view."""

import numpy as np

from bench import score_views
from bench.stereo import right_view
from stereocast.stereo import edges

TALL = 0.1  # a step of the truth: neighbours along a row that differ by more than this share of its range
REACH = 3  # pixels within which the estimate must have it
MASKS = ("edge", "dis", "all")


def scaled(depth, truth):
    """`depth` [h, w] with the p2..p98 range of `truth` [H, W] (nan where unknown)."""
    low, high = np.percentile(truth[np.isfinite(truth)], (2, 98))
    near, far = np.percentile(depth, (98, 2))
    return (low + (depth - far) / max(near - far, 1e-6) * (high - low)).astype(np.float32)


def steps_found(depth, truth) -> float:
    """Share of the truth's steps along rows that `depth`, in the truth's range, takes by at least half within REACH pixels.

    depth, truth [H, W]; truth is nan where unknown. nan if it has no steps.
    """
    low, high = np.percentile(truth[np.isfinite(truth)], (2, 98))
    rise = np.diff(truth, axis=1)
    wide = np.pad(depth, ((0, 0), (REACH, REACH)), mode="edge")
    before = np.stack([wide[:, REACH - k : REACH - k + depth.shape[1]] for k in range(REACH + 1)])
    after = np.stack([wide[:, REACH + k : REACH + k + depth.shape[1]] for k in range(REACH + 1)])
    up = after.max(0)[:, 1:] - before.min(0)[:, :-1]
    down = before.max(0)[:, :-1] - after.min(0)[:, 1:]
    tall = np.abs(rise) > TALL * (high - low)  # False beside nan
    if not tall.any():
        return float("nan")
    return float((np.where(rise > 0, up, down) >= 0.5 * np.abs(rise))[tall].mean())


def views(left, right, truth, depth) -> dict[str, float]:
    """PSNR of the right view that a small `depth` [h, w] gives, in the masks of score_views, and the steps found. BGR pictures."""
    prepared = score_views.prepare(left, right, truth)
    disparity = edges.enlarge(scaled(depth, truth), *truth.shape)  # as the synthesis does
    scores = score_views.score(right_view(left, disparity, "fast"), right, prepared)
    found = {f"psnr_{mask}": float(scores[mask]["psnr"]) for mask in MASKS if scores.get(mask)}
    return found | {"steps": steps_found(disparity, truth)}
