"""Hashes of what conversions make, to be kept before a change and compared after it.

    python -m bench hashes -o before.json [--motion off] [--twice]
    python -m bench hashes --against before.json

Ten films of ../shared side by side, and one of them in six other ways: 16 outputs. What is hashed are the decoded
frames and their times; the encoder is lossless. `--twice` makes each of them two times. Exit code 1 where hashes
differ. To hash another checkout, run this file with that checkout as PYTHONPATH.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import av

from bench.convert import SHARED
from bench.same import LOSSLESS

CLIPS = (
    "tokyo_walk.mp4", "rollercoaster.mp4", "dog_eating.mp4", "marathon_static.mp4", "bunny_animation_51audio.mp4",
    "phone_rot90_3frames.mov", "phone_rot180_3frames.mov", "goldeneye_vfr.mp4", "cockatoo_444_mp3.mp4", "bonfire_paper.mp4",
)  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "half-sbs": {"format": "half-sbs"},
    "ou": {"format": "ou"},
    "anaglyph": {"format": "anaglyph"},
    "rgbd": {"format": "rgbd"},
    "vr180": {"preset": "youtube-vr180"},
    "best": {"fill": "best"},
}


def digest(path: Path) -> str:
    """Of all frames and their times."""
    found = hashlib.sha256()
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            found.update(str(frame.pts * frame.time_base).encode())
            found.update(frame.to_ndarray())
    return found.hexdigest()[:16]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench hashes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="where the hashes go (default: standard output)")
    parser.add_argument("--against", type=Path, help="hashes to compare with")
    parser.add_argument("--motion", default="auto", choices=["auto", "off"])
    parser.add_argument("--duration", default="0.3", help="seconds of each film")
    parser.add_argument("--twice", action="store_true", help="make each output twice and compare")
    options = parser.parse_args(argv)
    from stereocast import api

    jobs = [(clip, "sbs", {"format": "sbs"}) for clip in CLIPS] + [(CLIPS[0], name, way) for name, way in WAYS.items()]
    table, wrong = {}, []
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "lossless.toml"
        profile.write_text(LOSSLESS)
        for clip, name, way in jobs:
            found = []
            for _ in range(2 if options.twice else 1):
                made = Path(folder) / "made.mp4"
                common = {"encoder": str(profile), "depth": "embedded", "overwrite": True, "motion": options.motion}
                api.convert(SHARED / "data/video" / clip, made, duration=options.duration, **common, **way)
                found.append(digest(made))
            table[f"{clip} {name}"] = found[0]
            wrong += [f"{clip} {name}: not the same twice"] * (len(set(found)) > 1)
            print(f"{clip:>28} {name:>10} {found[0]}", file=sys.stderr, flush=True)
    if options.output:
        options.output.write_text(json.dumps(table, indent=2) + "\n")
    elif not options.against:
        print(json.dumps(table, indent=2))
    if options.against:
        before = json.loads(options.against.read_text())
        wrong += [
            f"{key}: {before.get(key)} before, {value} now" for key, value in table.items() if before.get(key) != value
        ]
    print("\n".join(wrong) or f"{len(table)} outputs as expected", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
