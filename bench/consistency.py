"""How well both views of side-by-side films agree, without weights: `python -m bench consistency FILM...`.

Dense motion from the left to the right view (DIS); the right view is brought back along its horizontal part. `residual` is the mean absolute
difference of luma (0..255) where motion to and fro agrees, `vertical_px` the mean vertical part (a true pair has 0), `matched` the agreeing share.
"""

import argparse
import json
from typing import Any

import av
import cv2
import numpy as np


def consistency(left: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Figures of one pair of uint8 luma pictures [H, W]."""
    finder: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = finder.calc(left, right, None), finder.calc(right, left, None)
    height, width = left.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    returned = cv2.remap(back, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    agrees = np.abs(there + returned).max(-1) < 1.0
    seen = cv2.remap(right, x + there[..., 0], y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(seen.astype(np.float32) - left)
    return {
        "residual": float(difference[agrees].mean()) if agrees.any() else float("nan"),
        "vertical_px": float(np.abs(there[..., 1])[agrees].mean()) if agrees.any() else float("nan"),
        "matched": float(agrees.mean()),
    }


def film(path: str, every: int) -> dict[str, float]:
    """Means over every n-th frame of a full side-by-side film."""
    rows = []
    with av.open(path) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % every == 0:
                luma = frame.to_ndarray(format="gray")
                half = luma.shape[1] // 2
                rows.append(consistency(np.ascontiguousarray(luma[:, :half]), np.ascontiguousarray(luma[:, half:])))
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def main(argv: list[str]) -> int:
    """One line of JSON a film."""
    parser = argparse.ArgumentParser(prog="python -m bench consistency", description=__doc__)
    parser.add_argument("films", nargs="+")
    parser.add_argument("--every", type=int, default=10)
    options = parser.parse_args(argv)
    for path in options.films:
        print(json.dumps({"film": path, **film(path, options.every)}))
    return 0
