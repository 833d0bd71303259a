"""Stereo synthesis: speed, quality on real stereo pairs, and calm over time.

    python -m bench stereo [--data DIR] [--against STORED.json] [--part speed|quality|time] [--json]

DIR holds depth_gt/*/ (rgb.png, right.png, gt.npz, meta.json), video/*.mp4 and stereo_video/*/left.mp4.
speed    the exact warp against the paper's vectorised algorithm (Appendix B, our own implementation here) and nested
         loops; both eyes of a 1080p frame, warp and fill, as a multiple of a memcpy of the two views.
quality  PSNR / SSIM by the rules of bench/score_views.py, with its simple baselines, exact and soft disparity.
time     flicker: the change of invented pixels along the background's motion, against the change of real ones.
CPU seconds are counted, not wall time, on one thread.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from bench import score_views
from stereocast.kernels import cpu_exact, reference
from stereocast.settings import StereoSettings
from stereocast.stereo import edges
from stereocast.stereo.plates import motion, small_luma
from stereocast.stereo.synthesizer import WarpSynthesizer
from stereocast.stereo.warp import Look, Workspace, render_view
from stereocast.types import Clip, DepthMap, PixelFormat

MASKS = ("dis", "edge", "border", "vis", "all")


def cpu_ms(work, repeats=5):
    """Least CPU time of a call in milliseconds; the first call is a warm-up."""
    work()
    best = float("inf")
    for _ in range(repeats):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best * 1e3


# ---------------------------------------------------------------- speed
def vectorised(source, depth, scale_percent):
    """The paper's Appendix B: all destinations at once; valid ones reversed, unique keeps the first of each."""
    channels, height, width = source.shape
    offset = reference.exact_offsets(depth, scale_percent).astype(np.int64)
    columns = np.arange(width) if scale_percent >= 0 else np.arange(width - 1, -1, -1)
    rows = np.repeat(np.arange(height), width)
    cols = np.tile(columns, height)
    landing = cols + offset[rows, cols]
    valid = (landing >= 0) & (landing < width)
    rows, cols, landing = rows[valid][::-1], cols[valid][::-1], landing[valid][::-1]
    target, first = np.unique(rows * width + landing, return_index=True)
    out = np.zeros_like(source)
    out.reshape(channels, -1)[:, target] = source[:, rows[first], cols[first]]
    blank = np.ones(height * width, bool)
    blank[target] = False
    return out, blank.reshape(height, width)


def nested(source, depth, scale_percent):
    """The paper's baseline: loops over rows and columns."""
    _, height, width = source.shape
    offset = reference.exact_offsets(depth, scale_percent).astype(int)
    out, blank = np.zeros_like(source), np.ones((height, width), bool)
    for y in range(height):
        for i in range(width):
            x = i if scale_percent >= 0 else width - 1 - i
            t = x + offset[y, x]
            if 0 <= t < width:
                out[:, y, t] = source[:, y, x]
                blank[y, t] = False
    return out, blank


def scene(height, width, seed=0):
    """A sloping wall with discs before it: depth float32 [H, W] in 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = 0.2 + 0.1 * np.sin(x / width * 5) + 0.08 * np.cos(y / height * 4)
    for _ in range(25):
        cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.03, 0.14) * height
        depth[(y - cy) ** 2 + (x - cx) ** 2 < r * r] += rng.uniform(0.15, 0.5)
    return ((depth - depth.min()) / (depth.max() - depth.min())).astype(np.float32)


def film_ms(texture, depth, effort, count=16):
    """CPU ms per frame of the whole stage: map to size, both eyes, motion and memory, over a film that pans."""
    settings = StereoSettings(strength=2.0, fill=effort)
    frames = np.stack([np.roll(texture, 2 * t, axis=1) for t in range(count)])
    maps = np.stack([np.roll(depth, t * depth.shape[1] * 2 // texture.shape[1], axis=1) for t in range(count)])
    maps = (maps - maps.min()) / np.ptp(maps)

    def clips():
        for t in range(0, count, 2):
            ends = {"first": t == 0, "last": t + 2 == count}
            yield Clip(frames[t : t + 2], np.arange(t, t + 2), PixelFormat.YUV420P, **ends), DepthMap(maps[t : t + 2])

    def run():
        for _ in WarpSynthesizer(settings, threads=1)(clips()):
            pass

    return cpu_ms(run, 2) / count


def speed():
    found = {"exact": {}}
    rng = np.random.default_rng(0)
    for name, height, width in (("128", 128, 128), ("512", 512, 512), ("1080p", 1080, 1920)):
        source = rng.integers(0, 255, (3, height, width)).astype(np.uint8)
        depth = scene(height, width)
        want = vectorised(source, depth, 4.0)
        got = cpu_exact.warp_exact(source, depth, 4.0)
        assert all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))
        row = {
            "ours_ms": cpu_ms(lambda source=source, depth=depth: cpu_exact.warp_exact(source, depth, 4.0)),
            "vectorised_ms": cpu_ms(lambda source=source, depth=depth: vectorised(source, depth, 4.0), 3),
        }
        if name != "1080p":
            begun = time.process_time()
            nested(source, depth, 4.0)
            row["nested_ms"] = (time.process_time() - begun) * 1e3
        row["times_faster"] = row["vectorised_ms"] / row["ours_ms"]
        found["exact"][name] = row
    height, width = 1080, 1920
    texture = cv2.GaussianBlur(rng.integers(0, 255, (height * 3 // 2, width)).astype(np.uint8), (0, 0), 2)
    space, out = Workspace.of(height, width), np.empty_like(texture)
    holes = np.empty((height, width), bool)
    disparity = (scene(height, width) - 0.75) * np.float32(0.02 * width)
    small = cv2.resize(disparity, (256, 144), interpolation=cv2.INTER_AREA)
    softness = edges.working_softness(small, height, width)

    def both(effort):
        for mirror in (False, True):
            look = Look(0.5, PixelFormat.YUV420P, effort)
            render_view(texture, disparity, look, out, holes, space, mirror=mirror, halved=mirror)

    copy = cpu_ms(lambda: (np.copyto(out, texture), np.copyto(out, texture)), 20)
    found["both_eyes_1080p"] = {
        "fast_ms": cpu_ms(lambda: both("fast"), 10),
        "best_ms": cpu_ms(lambda: both("best"), 3),
        "depth_to_size_ms": cpu_ms(lambda: edges.enlarge(small, height, width, space.disparity, softness), 10),
        "memcpy_ms": copy,
        "holes_share": float(holes.mean()),
    }
    for effort in ("fast", "best"):
        found["both_eyes_1080p"][f"film_{effort}_ms"] = film_ms(texture, small, effort)
    found["both_eyes_1080p"]["fast_in_memcpys"] = found["both_eyes_1080p"]["fast_ms"] / copy
    return found


# ---------------------------------------------------------------- quality
def right_view(left, disparity, fill):
    """The right view of a BGR picture through the stage itself, as `--disparity ... --eyes right` makes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.npy"
        np.save(path, disparity.astype(np.float32))
        stage = WarpSynthesizer(StereoSettings(disparity=path, eyes="right", fill=fill), threads=1)
        clip = Clip(np.ascontiguousarray(left[None, ..., ::-1]), np.zeros(1, np.int64))
        depth = DepthMap(np.zeros((1, *left.shape[:2]), np.float32))
        return np.ascontiguousarray(next(iter(stage(iter([(clip, depth)])))).right[0, ..., ::-1])


def softened(disparity, factor=3):
    """The map at a third of its size and back."""
    height, width = disparity.shape
    small = cv2.resize(disparity, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def unsnapped(left, disparity):
    """As `right_view`, with the disparity as it is."""
    space, out = Workspace.of(*disparity.shape), np.empty_like(left)
    holes = np.empty(disparity.shape, bool)
    render_view(left, np.ascontiguousarray(disparity, np.float32), Look(1.0, PixelFormat.RGB24), out, holes, space)
    return out


def quality(folder, against):
    results, dense = {}, []
    for _, name, path in score_views.find_scenes([str(folder / "depth_gt")]):
        left, right, disparity = score_views.load(path)
        prepared = score_views.prepare(left, right, disparity)
        if prepared["known"] < score_views.DENSE:
            continue
        dense.append(name)
        flat = prepared["F"]
        views = {
            "ours fast": right_view(left, flat, "fast"),
            "ours best": right_view(left, flat, "best"),
            "ours fast, soft map": right_view(left, softened(flat), "fast"),
            "no snap, soft map": unsnapped(left, softened(flat)),
            **score_views.baselines(left, prepared),
        }
        for method, view in views.items():
            results.setdefault(method, {})[name] = score_views.score(view, right, prepared)
    stored = json.loads(Path(against).read_text("utf-8"))["methods"] if against else {}
    for method, scores in stored.items():
        if not method.startswith(("own ", "bound")) and all(name in scores for name in dense):
            results["stored: " + method] = {name: scores[name] for name in dense}

    def mean(scores, mask):
        known = [scores[name][mask] for name in dense if scores[name].get(mask)]
        return [round(float(np.mean([k[figure] for k in known])), 4) for figure in ("psnr", "ssim")]

    means = {method: {mask: mean(scores, mask) for mask in MASKS} for method, scores in results.items()}
    soft, plain = means["ours fast, soft map"], means["no snap, soft map"]
    gain = {mask: round(soft[mask][0] - plain[mask][0], 3) for mask in MASKS}
    return {"scenes": dense, "means": means, "snap_gain_db": gain, "by_scene": results}


# ---------------------------------------------------------------- time
def frames_of(path, count):
    import av

    with av.open(str(path)) as film:
        for number, frame in enumerate(film.decode(video=0)):
            if number >= count:
                return
            width, height = frame.width // 2 * 2, frame.height // 2 * 2
            yield frame.reformat(width, height, "yuv420p").to_ndarray()


def drawn_depth(count, height, width):
    """A near disc that stays before the picture: the film moves behind its edge. Depth float32 [T, H, W]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (0.25 * height) ** 2
    return np.repeat(disc[None].astype(np.float32), count, 0)


def flicker(frames, depth, fill):
    """Mean change of luma along the motion, inside holes and outside, in code values."""
    settings = StereoSettings(eyes="right", fill=fill, strength=3.0, convergence=0.0)
    clip = Clip(frames, np.arange(len(frames)), PixelFormat.YUV420P)
    out = next(iter(WarpSynthesizer(settings, threads=1)(iter([(clip, DepthMap(depth))]))))
    height, width = clip.height, clip.width
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    inside, outside = [], []
    for t in range(1, len(frames)):
        lumas = [small_luma(frames[i], PixelFormat.YUV420P) for i in (t, t - 1)]
        flow = cv2.resize(motion(*lumas, width).transpose(1, 2, 0), (width, height))
        before = out.right[t - 1, :height].astype(np.float32)
        moved = cv2.remap(before, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        change = np.abs(moved - out.right[t, :height])
        both = out.holes_right[t] & out.holes_right[t - 1]
        if both.any():
            inside.append(float(change[both].mean()))
        outside.append(float(change[~out.holes_right[t]].mean()))
    return {"holes": round(float(np.mean(inside)), 3), "elsewhere": round(float(np.mean(outside)), 3)}


def calm(folder, count=12):
    clips = sorted((folder / "stereo_video").glob("*/left.mp4")) + sorted((folder / "video").glob("*.mp4"))
    found = {}
    for path in clips:
        try:
            frames = list(frames_of(path, count))
        except OSError:  # audio only, or damaged on purpose
            continue
        except IndexError:
            continue
        if len(frames) < count or frames[0].shape[1] > 1300:
            continue
        pictures = np.stack(frames)
        height, width = pictures.shape[1] * 2 // 3, pictures.shape[2]
        depth = drawn_depth(count, height, width)
        name = path.parent.name if path.name == "left.mp4" else path.stem
        found[name] = {fill: flicker(pictures, depth, fill) for fill in ("fast", "best")}
    return found


def main(argv):
    parser = argparse.ArgumentParser(prog="python -m bench stereo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("STEREOCAST_SHARED", "../shared")) / "data")
    parser.add_argument("--against", help="scores of other programs, as score_views.py --json writes them")
    parser.add_argument("--part", action="append", choices=("speed", "quality", "time"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    parts = options.part or ["speed", "quality", "time"]
    cv2.setNumThreads(1)
    result = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
    if "speed" in parts:
        result["speed"] = speed()
    for part, run in (
        ("quality", lambda: quality(options.data, options.against)),
        ("time", lambda: calm(options.data)),
    ):
        if part in parts:
            if not options.data.is_dir():
                print(f"{part}: no folder {options.data}; give --data DIR", file=sys.stderr)
                return 1
            result[part] = run()
    if options.json:
        print(json.dumps(result))
        return 0
    for name, row in result.get("speed", {}).get("exact", {}).items():
        print(f"exact warp {name:6s}", "  ".join(f"{key} {value:.2f}" for key, value in row.items()))
    if "speed" in result:
        print("both eyes 1080p", "  ".join(f"{k} {v:.2f}" for k, v in result["speed"]["both_eyes_1080p"].items()))
    if "quality" in result:
        print(f"{'PSNR / SSIM':48s}" + "".join(f"{mask:>16s}" for mask in MASKS))
        for method, row in result["quality"]["means"].items():
            print(f"{method[:48]:48s}" + "".join(f"{row[mask][0]:9.2f} {row[mask][1]:.4f}" for mask in MASKS))
        print("snap of a soft map, dB:", result["quality"]["snap_gain_db"])
    for name, row in result.get("time", {}).items():
        print(f"flicker {name:28s}", row)
    return 0
