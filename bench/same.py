"""Whether another checkout makes the same pictures: films by layouts, decoded and compared.

    python -m bench same --against DIR [--clips FILE...] [--duration 0.5] [--json]

The largest difference in code values and the share of samples that differ; exit code 1 where a layout differs by more
than it may: not at all, an anaglyph and the depth of rgbd by 1. The encoder is lossless H.264, so that what is
compared is what was packed.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np

from bench.convert import ROOT, SHARED, measured

CLIPS = ("tokyo_walk.mp4", "rollercoaster.mp4", "phone_rot90_3frames.mov", "goldeneye_vfr.mp4")
FORMATS: dict[str, list[str]] = {
    **{name: ["--format", name] for name in ("sbs", "half-sbs", "ou", "half-ou", "anaglyph", "rgbd", "row-interlaced")},
    "vr180": ["--preset", "youtube-vr180"],
    "best": ["--format", "sbs", "--fill", "best"],
}
ALLOWED = {"anaglyph": 1, "rgbd": 1}
LOSSLESS = """about = "lossless"
codec = "libx264"
family = "h264"
quality = 0
quality_option = "qp"
[options]
preset = "ultrafast"
"""


def _pictures(path: Path) -> Any:
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            yield frame.pts, frame.to_ndarray()


def compare(first: Path, second: Path) -> dict[str, Any]:
    """Frames, the largest difference and the share of samples that differ; -1 where times or counts do."""
    worst, differ, samples, count = 0, 0, 0, 0
    for (time, a), (other, b) in zip(_pictures(first), _pictures(second), strict=True):
        if time != other or a.shape != b.shape:
            return {"frames": count, "largest": -1, "share": 1.0}
        apart = np.abs(a.astype(np.int16) - b)
        worst, differ, samples = max(worst, int(apart.max())), differ + int((apart > 0).sum()), samples + a.size
        count += 1
    return {"frames": count, "largest": worst, "share": differ / max(samples, 1)}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench same", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, required=True, help="the other checkout")
    parser.add_argument("--clips", type=Path, nargs="*", help="films (default: four of ../shared)")
    parser.add_argument("--formats", nargs="*", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--duration", default="0.5", help="seconds of each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    rows, wrong = {}, False
    for clip in options.clips or [SHARED / "data/video" / name for name in CLIPS]:
        for name in options.formats:
            with tempfile.TemporaryDirectory() as folder:
                profile = Path(folder) / "lossless.toml"
                profile.write_text(LOSSLESS)
                films = [Path(folder) / "before.mp4", Path(folder) / "now.mp4"]
                for tree, film in zip((options.against.resolve(), ROOT), films, strict=True):
                    extra = [
                        "--encoder",
                        str(profile),
                        *FORMATS[name],
                        "--duration",
                        options.duration,
                        "--overwrite",
                        "-q",
                    ]
                    measured([sys.executable, "-m", "stereocast", "convert", str(clip), "-o", str(film), *extra], tree)
                row = compare(*films)
            wrong |= not 0 <= row["largest"] <= ALLOWED.get(name, 0)
            rows[f"{clip.name}, {name}"] = row
            if not options.json:
                print(f"{clip.name:>28} {name:>16}  {row}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))
    return int(wrong)
