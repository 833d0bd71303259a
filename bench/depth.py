"""Accuracy, calm and cost of a depth estimator on real ground truth.

    python -m bench depth --data DIR [--estimator embedded] [--json] [--sheet FILE.png]

DIR is a folder of scenes (`rgb.png`, `gt.npz`, `meta.json`); films for flicker and cost are looked for beside it
(`rgbd_video`, `stereo_video`, `video`). Ordinal accuracy: 60,000 random pairs of known pixels per scene (seed 0), counted
when the truth differs by more than 5 % of its p5..p95 range, ties half, mean over scenes; `row` counts pairs whose heights
differ by at most 2 % of the picture. `fit` is the mean error after the best scale and shift, in shares of that range.
Flicker is mean |D_t(p) - D_t-1(p + flow)| over pixels whose forward and backward flow agree within 1 px, divided by the
shot's p2..p98 range, cuts left out. On dense scenes with a right picture, `edges` has the PSNR (dB) of the right view that
the estimate gives in the truth's range, in the band about depth edges (edge), in what comes into view (dis) and overall,
and the share of the truth's steps (over 10 % of its range) that the estimate takes by half within 3 px.
Films, and stereo pairs as films of two frames, are also measured with and without
`--motion` (part "motion" of the report). `ramp` is the plain vertical ramp, bottom nearest, measured in the same way.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from bench import depth_edges, depth_motion, score_views
from stereocast import registry
from stereocast.settings import ConvertSettings
from stereocast.types import Clip, PixelFormat, StreamInfo

PAIRS, APART, SAME_ROW = 60_000, 0.05, 0.02


def ordinal(depth, truth, same_row: bool, seed: int = 0) -> float:
    """Share of pairs in the right order. depth, truth [H, W]; truth is nan where unknown. nan if no pair counts."""
    rng = np.random.default_rng(seed)
    rows, columns = np.nonzero(np.isfinite(truth))
    values, guess = truth[rows, columns], depth[rows, columns]
    low, high = np.percentile(values, (5, 95))
    first = rng.integers(0, len(values), PAIRS)
    if same_row:
        # partners within the band of rows: known pixels come in row order
        band = SAME_ROW * truth.shape[0]
        starts, ends = (
            np.searchsorted(rows, rows[first] - band, "left"),
            np.searchsorted(rows, rows[first] + band, "right"),
        )
        second = starts + (rng.random(PAIRS) * (ends - starts)).astype(int)
    else:
        second = rng.integers(0, len(values), PAIRS)
    difference = values[first] - values[second]
    counted = np.abs(difference) > APART * (high - low)
    if not counted.any():
        return float("nan")
    order = np.sign(guess[first] - guess[second])[counted] * np.sign(difference[counted])
    return float(np.mean(np.where(order == 0, 0.5, order > 0)))


def fit_error(depth, truth) -> float:
    """Mean error after least squares of scale and shift, in shares of the truth's p5..p95 range."""
    known = np.isfinite(truth)
    d, t = depth[known].astype(np.float64), truth[known].astype(np.float64)
    low, high = np.percentile(t, (5, 95))
    design = np.stack([d, np.ones_like(d)], 1)
    return float(np.mean(np.abs(design @ np.linalg.lstsq(design, t, rcond=None)[0] - t)) / (high - low))


def family(meta: dict) -> str:
    """rooms, driving or table-tops, from the scene's description."""
    if "family" in meta:
        return str(meta["family"])
    if meta.get("scene_type") == "outdoor":
        return "driving"
    text = f"{meta.get('scene', '')} {meta.get('dataset', '')}".lower()
    return "table-tops" if any(word in text for word in ("middlebury", "mb20", "bin")) else "rooms"


def estimate(estimator: str, frames, pixel_format=PixelFormat.RGB24, size=None, settings=None):
    """Depth float32 [T, h, w] and CPU seconds of one shot, frames [T, ...] as in Clip."""
    height, width = size or frames.shape[1:3]
    info = StreamInfo(width, height, Fraction(1, 25), Fraction(25), pixel_format)
    chosen = (settings or ConvertSettings()).model_copy(update={"depth": estimator})
    stage = registry.load(registry.DEPTH, "depth estimator", estimator)(chosen, info)

    def clips(length: int = 12) -> Iterator[Clip]:
        for start in range(0, len(frames), length):
            part = frames[start : start + length]
            yield Clip(
                part,
                np.arange(start, start + len(part)),
                pixel_format,
                first=start == 0,
                last=start + length >= len(frames),
            )

    began = time.process_time()
    depth = np.concatenate([d.values for _, d in stage(clips())])
    return depth, time.process_time() - began


def even(image):
    """The picture with even sides, as the reader hands it on."""
    return np.ascontiguousarray(np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge"))


def scenes(folder: Path) -> Iterator[tuple[str, dict, np.ndarray, np.ndarray]]:
    """Name, meta, RGB [H, W, 3], truth [H, W] of every scene of a folder."""
    for path in sorted(folder.iterdir()):
        if not (path / "gt.npz").exists():
            continue
        with np.load(path / "gt.npz", allow_pickle=False) as archive:
            truth = archive["disparity"].astype(np.float32)
        meta = json.loads((path / "meta.json").read_text("utf-8")) if (path / "meta.json").exists() else {}
        yield path.name, meta, cv2.imread(str(path / "rgb.png"))[..., ::-1].copy(), truth


def measure(depth, truth) -> dict[str, float]:
    """The three figures of one map."""
    depth = (
        cv2.resize(depth, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) if depth.shape != truth.shape else depth
    )
    return {"all": ordinal(depth, truth, False), "row": ordinal(depth, truth, True), "fit": fit_error(depth, truth)}


def read_film(path: Path, limit: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The first frames of a film as yuv420p planes at its own (even) size."""
    out = []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            w, h = frame.width // 2 * 2, frame.height // 2 * 2
            out.append(frame.reformat(w, h, "yuv420p").to_ndarray())
            if len(out) == limit:
                break
    return np.stack(out), (h, w)


def shots(frames) -> list[slice]:
    """Runs of frames without a cut, by the change of a small luma picture."""
    small = np.stack(
        [
            cv2.resize(f[: f.shape[0] * 2 // 3], (48, 27), interpolation=cv2.INTER_AREA).astype(np.float32)
            for f in frames
        ]
    )
    change = np.abs(np.diff(small, axis=0)).mean((1, 2))
    cuts = [0, *(np.flatnonzero(change > 25) + 1).tolist(), len(frames)]
    return [slice(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b - a > 2]


def flicker(depth, frames, size: tuple[int, int]) -> float:
    """Mean change of depth along the flow of one shot, in shares of its p2..p98 range. depth [T, h, w]."""
    height = size[0]
    rows, columns = depth.shape[1:]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.resize(f[:height], (columns, rows), interpolation=cv2.INTER_AREA) for f in frames]
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    low, high = np.percentile(depth, (2, 98))
    changes = []
    for t in range(1, len(depth)):
        back, forth = flow.calc(greys[t], greys[t - 1], None), flow.calc(greys[t - 1], greys[t], None)
        px, py = x + back[..., 0], y + back[..., 1]
        returned = cv2.remap(forth, px, py, cv2.INTER_LINEAR)
        inside = (px >= 0) & (px <= columns - 1) & (py >= 0) & (py <= rows - 1)
        agree = (np.hypot(*(np.moveaxis(back + returned, -1, 0))) <= 1) & inside
        if agree.any():
            before = cv2.remap(depth[t - 1], px, py, cv2.INTER_LINEAR)
            changes.append(float(np.abs(depth[t] - before)[agree].mean()))
    return float(np.mean(changes) / max(high - low, 1e-6)) if changes else float("nan")


def films(data: Path) -> list[Path]:
    """Films beside the scenes, those with depth first."""
    found = [
        p
        for pattern in ("rgbd_video/*/rgb.mp4", "stereo_video/*/left.mp4", "video/*.mp4")
        for p in sorted(data.parent.glob(pattern))
    ]
    return [p for p in found if "audio_only" not in p.name and "corrupt" not in p.name]


def bench(data: Path, estimator: str, limit: int, sheet: Path | None = None, settings=None) -> dict:
    """All figures of one estimator over the folder `data`."""
    per_scene, tiles = {}, []
    for name, meta, image, truth in scenes(data):
        small = estimate(estimator, even(image)[None], settings=settings)[0][0]
        depth = cv2.resize(small, truth.shape[::-1], interpolation=cv2.INTER_LINEAR)
        ramp = np.repeat(np.linspace(0, 1, truth.shape[0], dtype=np.float32)[:, None], truth.shape[1], 1)
        per_scene[name] = {"family": family(meta), **measure(depth, truth), "ramp": measure(ramp, truth)}
        right = data / name / "right.png"
        if right.exists() and np.isfinite(truth).mean() >= score_views.DENSE:
            pair = (image[..., ::-1].copy(), cv2.imread(str(right)))
            per_scene[name]["edges"] = depth_edges.views(*pair, truth, small)
        if sheet:
            tiles.append(tile(name, image, truth, depth, per_scene[name]))
    result: dict = {"estimator": estimator, "scenes": len(per_scene)}
    if per_scene:
        result |= summary(list(per_scene.values()))
        result["ramp"] = summary([s["ramp"] for s in per_scene.values()])
        result["families"] = {
            kind: {**summary(part), "ramp": summary([s["ramp"] for s in part]), "scenes": len(part)}
            for kind in sorted({s["family"] for s in per_scene.values()})
            if (part := [s for s in per_scene.values() if s["family"] == kind])
        }
        sharp = [s["edges"] for s in per_scene.values() if "edges" in s]
        if sharp:
            keys = sorted({key for row in sharp for key in row})
            result["edges"] = {key: float(np.nanmean([row.get(key, np.nan) for row in sharp])) for key in keys}
            result["edges"]["scenes"] = len(sharp)
        result["per_scene"] = per_scene
    if sheet and tiles:
        cv2.imwrite(str(sheet), join(tiles))
    if limit:
        result |= over_time(data, estimator, limit, settings)
        samples = Path(__file__).parent.parent / "samples"
        this = sys.modules[__name__]
        result["motion"] = depth_motion.measured(this, data, estimator, limit, settings or ConvertSettings(), samples)
    return result


def over_time(data: Path, estimator: str, limit: int, settings=None) -> dict:
    """Flicker, accuracy of films with depth, and the cost of a 1080p film."""
    changes, films_done, ms = {}, {}, None
    for path in films(data):
        try:
            frames, size = read_film(path, limit)
        except (av.error.FFmpegError, ValueError, IndexError):
            continue
        parts = []
        for part in shots(frames):
            depth, _ = estimate(estimator, frames[part], PixelFormat.YUV420P, size, settings)
            parts.append(flicker(depth, frames[part], size))
            truth_file = path.parent / "gt.npz"
            if truth_file.exists() and part.start == 0:
                with np.load(truth_file, allow_pickle=False) as archive:
                    truth = archive["disparity"].astype(np.float32)
                scored = [measure(d, t) for d, t in zip(depth, truth, strict=False)]
                films_done[path.parent.name] = {**summary(scored), "flicker": parts[0]}
        if parts:
            changes[f"{path.parent.name}/{path.name}"] = float(np.nanmean(parts))
        if ms is None and len(frames) >= 24 and parts:
            large = [cv2.resize(f[: size[0]], (1920, 1080), interpolation=cv2.INTER_LINEAR) for f in frames[:48]]
            chroma = np.full((540, 1920), 128, np.uint8)
            film = np.stack([np.concatenate([y, chroma]) for y in large])
            _, seconds = estimate(estimator, film, PixelFormat.YUV420P, (1080, 1920), settings)
            ms = 1000 * seconds / len(film)
    from stereocast.depth import embedded

    return {
        "flicker": float(np.mean(list(changes.values()))) if changes else None,
        "flicker_films": changes,
        "rgbd_video": films_done,
        "ms": ms,
        "k": embedded.EVERY if estimator == "embedded" else 1,
    }


def summary(rows: list[dict]) -> dict[str, float]:
    """Means over scenes under the names of the report."""
    return {
        "ordinal_all": float(np.nanmean([r["all"] for r in rows])),
        "ordinal_row": float(np.nanmean([r["row"] for r in rows])),
        "fit": float(np.nanmean([r["fit"] for r in rows])),
    }


def tile(name, image, truth, depth, score):
    """Picture, truth and estimate side by side."""
    known = np.isfinite(truth)
    low, high = np.percentile(truth[known], (2, 98))
    shown = np.where(known, np.clip((truth - low) / (high - low), 0, 1), 0)
    maps = [cv2.applyColorMap((m * 255).astype(np.uint8), cv2.COLORMAP_INFERNO) for m in (shown, np.clip(depth, 0, 1))]
    if known.mean() < 0.3:
        maps[0] = cv2.dilate(maps[0], np.ones((5, 5), np.uint8))
    row = np.hstack([cv2.resize(p, (220, 150), interpolation=cv2.INTER_AREA) for p in (image[..., ::-1], *maps)])
    return cv2.putText(
        row, f"{name} {score['all']:.3f} {score['row']:.3f}", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 255, 0), 1
    )


def join(tiles, across: int = 3):
    """Tiles as one picture."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % across)
    return np.vstack([np.hstack(tiles[i : i + across]) for i in range(0, len(tiles), across)])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench depth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/depth_gt"))
    parser.add_argument("--estimator", default="embedded", help="a name, or 'all' that can run on this machine")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=PATH", help="as for convert")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--depth-size", type=int, help="as for convert")
    parser.add_argument("--frames", type=int, default=48, help="frames of each film (0: stills only)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sheet", type=Path, help="also a picture: source, truth, estimate")
    options = parser.parse_args(argv)
    data = options.data / "depth_gt" if (options.data / "depth_gt").is_dir() else options.data
    settings = ConvertSettings(weights=tuple(options.weights), device=options.device, depth_size=options.depth_size)
    names = runnable(settings) if options.estimator == "all" else [options.estimator]
    results = [bench(data, name, options.frames, options.sheet, settings) for name in names]
    if options.json:
        print(json.dumps(results if options.estimator == "all" else results[0], indent=2))
        return 0
    for result in results:
        show(result)
    return 0


def runnable(settings: ConvertSettings) -> list[str]:
    """The estimators whose packages and weights are on this machine."""
    from stereocast.depth import choice
    from stereocast.models import shelf

    given = choice.store(settings, None)
    return [
        name
        for name, backend in registry.DEPTH.items()
        if name != "file" and backend.installed and (name not in shelf.SHELF or given.has(name))
    ]


def show(result: dict) -> None:
    """One estimator's figures as text."""
    print(result["estimator"])
    print(f"{'':12} ordinal_all ordinal_row fit         | ramp")
    for name, row in [("all", result), *result.get("families", {}).items()]:
        ramp = row["ramp"]
        figures = " ".join(f"{row[key]:<11.3f}" for key in ("ordinal_all", "ordinal_row", "fit"))
        print(f"{name:12} {figures} | {ramp['ordinal_all']:.3f} {ramp['ordinal_row']:.3f} {ramp['fit']:.3f}")
    if "edges" in result:
        print("right views", "  ".join(f"{key} {value:.3f}" for key, value in result["edges"].items()))
    if result.get("ms") is not None:
        cost = f"{result['ms']:.1f} ms of CPU per 1080p frame, network on every {result['k']}. frame"
        print(f"flicker {result['flicker']:.4f}, {cost}")
    if "motion" in result:
        print(depth_motion.show(result["motion"]))
