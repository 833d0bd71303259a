"""What the film's own motion adds to an estimator: `python -m bench depth`, part "motion".

Stereo pairs with truth are films of two frames; a clip with depth is scored frame by frame; other clips say how much the
correction changed and whether it flickers. Each shot is measured with `--motion off` and `auto`.
"""

from pathlib import Path

import av
import cv2
import numpy as np

from stereocast.settings import ConvertSettings
from stereocast.types import PixelFormat

KEYS = ("all", "row", "fit")


def both(estimate, frames, pixel_format, size, settings: ConvertSettings):
    """Depth [T, h, w] without and with motion, and CPU ms a frame of each."""
    out = []
    for choice in ("off", "auto"):
        depth, seconds = estimate(frames, pixel_format, size, settings.model_copy(update={"motion": choice}))
        out.append((depth, 1000 * seconds / len(frames)))
    return out


def compared(found, truths, measure) -> dict:
    """Means of the three figures over frames, without and with motion."""
    return {
        name: {key: float(np.nanmean([measure(d, t)[key] for d, t in zip(depth, truths, strict=False)])) for key in KEYS}
        for name, (depth, _) in zip(("off", "auto"), found, strict=True)
    }  # fmt: skip


def pairs(scenes, folder: Path, estimate, measure, even, settings) -> dict:
    """Stereo pairs as films of two frames; the left view is scored."""
    rows = {}
    for name, _, image, truth in scenes(folder):
        right = cv2.imread(str(folder / name / "right.png"))
        if right is None or right.shape != image.shape:
            continue
        frames = np.stack([even(image), even(right[..., ::-1])])
        found = both(estimate, frames, PixelFormat.RGB24, None, settings)
        rows[name] = compared(found, [truth], measure)
    return rows


def truth_beside(film: Path):
    """True inverse depth [T, h, w] of a film: gt.npz in its folder, or NAME_depth.mkv beside it; None without."""
    archive, drawn = film.parent / "gt.npz", film.with_name(f"{film.stem}_depth.mkv")
    if archive.exists():
        with np.load(archive, allow_pickle=False) as table:
            return table["disparity"].astype(np.float32)
    if drawn.exists():
        with av.open(str(drawn)) as container:
            return np.stack([f.to_ndarray(format="gray16le").astype(np.float32) for f in container.decode(video=0)])
    return None


def films(paths, bench, estimate, limit: int, settings) -> dict:
    """Every shot of these films: figures where truth is known, mean change, flicker and cost."""
    rows = {}
    for path in paths:
        try:
            frames, size = bench.read_film(path, limit)
        except (av.error.FFmpegError, ValueError, IndexError):
            continue
        truth = truth_beside(path)
        for part in bench.shots(frames):
            found = both(estimate, frames[part], PixelFormat.YUV420P, size, settings)
            (off, ms_off), (auto, ms_auto) = found
            row = {
                "changed": float(np.abs(auto - off).mean()),
                "flicker": {"off": bench.flicker(off, frames[part], size), "auto": bench.flicker(auto, frames[part], size)},
                "ms": {"off": ms_off, "auto": ms_auto},
            }  # fmt: skip
            if truth is not None:
                row |= compared(found, truth[part], bench.measure)
            rows[f"{path.parent.name}/{path.name}:{part.start}"] = row
    return rows


def worst(rows: dict) -> float:
    """The largest loss of either ordinal figure over all shots with truth; negative where all gain."""
    losses = [row["off"][key] - row["auto"][key] for row in rows.values() if "off" in row for key in ("all", "row")]
    return float(np.nanmax(losses)) if losses else float("nan")


def mean(rows: dict) -> dict:
    """Means over shots with truth."""
    known = [row for row in rows.values() if "off" in row]
    return (
        {n: {k: float(np.nanmean([row[n][k] for row in known])) for k in KEYS} for n in ("off", "auto")}
        if known
        else {}
    )


def measured(bench, data: Path, estimator: str, limit: int, settings: ConvertSettings, samples: Path) -> dict:
    """The part "motion" of the report."""

    def estimate(frames, pixel_format, size, chosen):
        return bench.estimate(estimator, frames, pixel_format, size, chosen)

    two = pairs(bench.scenes, data, estimate, bench.measure, bench.even, settings)
    drawn = [film for film in sorted(samples.glob("*.mp4")) if film.with_name(f"{film.stem}_depth.mkv").exists()]
    over_time = films([*drawn, *bench.films(data)], bench, estimate, limit, settings)
    return {
        "pairs": mean(two),
        "films": mean(over_time),
        "worst_loss": worst(two | over_time),
        "per_shot": two | over_time,
    }


def show(report: dict) -> str:
    """The report as text."""
    lines = []
    for title in ("pairs", "films"):
        if report[title]:
            off, auto = report[title]["off"], report[title]["auto"]
            lines.append(f"motion, {title}: " + ", ".join(f"{k} {off[k]:.3f} -> {auto[k]:.3f}" for k in KEYS))
    return "\n".join([*lines, f"largest loss of a shot {report['worst_loss']:.3f}"])
