"""Holes of real pairs by diffusion, against the classical fill: what a network draws must not be worse where it is put.

    python -m bench diffuse --weights FOLDER [--data DIR] [--width 480] [--json]

DIR holds depth_gt/*/ (rgb.png, right.png, gt.npz with 'disparity'). Each left picture stands still for a window; its true
disparity is the depth. PSNR in the holes against the real right picture, of the warp's own fill and of the composition.
With random weights the composition must keep the classical fill; a trained network may change it.
"""

import argparse
import json
import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from stereocast.models import checkpoints
from stereocast.settings import ConvertSettings
from stereocast.stereo.diffuse_film import ZeroSynthesizer
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.types import Clip, DepthMap, PixelFormat, StreamInfo

FRAMES = 4


def pair(folder, width):
    """Left, right and disparity at about `width`; None where there is no dense disparity."""
    try:
        table = np.load(folder / "gt.npz")
    except OSError:
        return None
    left, right = (cv2.imread(str(folder / name)) for name in ("rgb.png", "right.png"))
    if "disparity" not in table or left is None or right is None:
        return None
    disparity = table["disparity"].astype(np.float32)
    if np.isfinite(disparity).mean() < 0.7:
        return None
    factor = min(1.0, width / left.shape[1])
    size = (round(left.shape[1] * factor) // 2 * 2, round(left.shape[0] * factor) // 2 * 2)
    left, right = (cv2.resize(p, size, interpolation=cv2.INTER_AREA)[..., ::-1] for p in (left, right))
    from stereocast.stereo import edges

    full = edges.fill_unknown(disparity)
    small = cv2.resize(full, size, interpolation=cv2.INTER_NEAREST) * (size[0] / disparity.shape[1])
    return np.ascontiguousarray(left), np.ascontiguousarray(right), small


def score(folder, width, model, options):
    found = pair(folder, width)
    if found is None:
        return None
    left, right, disparity = found
    top = float(disparity.max())
    depth = disparity / max(top, 1e-6)
    strength = 100 * top / left.shape[1]
    if strength > 20:
        return None
    info = StreamInfo(left.shape[1], left.shape[0], Fraction(1, 25), Fraction(25), PixelFormat.RGB24)
    settings = ConvertSettings(
        synth="stereocrafter-zero", strength=strength, convergence=0.0, eyes="right", zero_window=FRAMES, zero_overlap=1,
        device="cpu", **options,
    )  # fmt: skip

    def clips():
        frames = np.repeat(left[None], FRAMES, 0)
        yield Clip(frames, np.arange(FRAMES), first=True, last=True), DepthMap(np.repeat(depth[None], FRAMES, 0))

    plain = next(iter(WarpSynthesizer(settings.model_copy(update={"synth": "warp"}))(clips())))
    drawn = next(iter(ZeroSynthesizer(settings, info, model)(clips())))
    holes = plain.holes_right[-1].copy()
    holes[:, -int(top) - 2 :] = False  # the border strip: no source, no background to agree with
    if not holes.any():
        return None
    errors = [np.mean((one.right[-1][holes].astype(float) - right[holes]) ** 2) for one in (plain, drawn)]
    return [round(float(10 * np.log10(255**2 / max(e, 1e-9))), 3) for e in errors]


def main(argv):
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench diffuse", description=__doc__, formatter_class=shape)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("STEREOCAST_SHARED", "../shared")) / "data")
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    model = checkpoints.load(options.weights)
    more = {"steps": options.steps, "restart_passes": 1, "restart_steps": 1, "cfg": 1.0, "last_warp": 1}
    rows = {}
    for folder in sorted((options.data / "depth_gt").iterdir()):
        found = score(folder, options.width, model, more)
        if found is not None:
            rows[folder.name] = found
            if not options.json:
                print(f"{folder.name:24s} classical {found[0]:6.2f}  by diffusion {found[1]:6.2f}", flush=True)
    mean = float(np.mean([made - fill for fill, made in rows.values()])) if rows else float("nan")
    print(json.dumps({"rows": rows, "mean_gain_db": round(mean, 3)}) if options.json else f"mean gain {mean:+.3f} dB")
    return 0 if rows else 1
