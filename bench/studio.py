"""The studio's look: how long a changed slider takes until the new picture is there.

    python -m bench studio [--film FILE] [--size 1920x1080] [--width 960] [--repeats 7] [--json]

Without --film a film of moving texture is made. Each row is one change; decoding and depth are kept where they may be.
`ms` is the median of wall time from the wish to the JPEG, on all cores; `cpu ms` what all threads worked.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from stereocast.jobs.preview.moments import Warm
from stereocast.settings import ConvertSettings
from stereocast.studio.looks import look

CHANGES = {  # what a hand does: option and the values it passes through
    "strength": [1.5 + 0.1 * n for n in range(40)],
    "convergence": [0.3 + 0.01 * n for n in range(40)],
    "pop_out": [0.1 + 0.02 * n for n in range(40)],
    "edge_dilation": [0, 1, 2, 3, 4, 5, 6, 7, 8],
    "format": ["half-sbs", "ou", "half-ou", "cross-eyed", "sbs"],
    "preset": ["quest2", "quest3", "quest-pro", "cardboard"],
    "depth": ["embedded", "auto"],
}
KINDS = ("source", "depth", "anaglyph", "views", "packed", "filled")


def made(folder: Path, width: int, height: int) -> Path:
    """A film of a few frames with things at several depths."""
    import av
    import cv2
    import numpy as np

    rng = np.random.default_rng(1)
    ground = cv2.resize(
        rng.integers(0, 255, (90, 160, 3), np.uint8), (width + 200, height), interpolation=cv2.INTER_CUBIC
    )
    path = folder / "texture.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "ultrafast", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(36):
            image = np.ascontiguousarray(ground[:, 2 * n : 2 * n + width])
            cv2.circle(image, (width // 3 + 5 * n, height // 2), height // 5, (200, 60, 40), -1)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--width", type=int, default=960, help="of the picture on the page")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    width, height = map(int, given.size.split("x"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        film = given.film or made(Path(folder), width, height)
        warm = Warm()
        at = Fraction(1, 2)

        def draw(kind="anaglyph", *, draft=False, at=at, **options):
            return look(warm, str(film), at, ConvertSettings(**options), kind, given.width, draft=draft)

        draw()  # compiles, loads

        def note(name, wish, values):
            spent = [timed(lambda value=value: wish(value)) for value in values]
            walls, cpus = zip(*spent, strict=True)
            rows.append(
                {"change": name, "ms": round(statistics.median(walls), 1), "cpu_ms": round(statistics.median(cpus), 1)}
            )

        for option, values in CHANGES.items():
            passed = itertools.islice(itertools.cycle(values), given.repeats)
            kind = "packed" if option == "format" else "anaglyph"
            note(option, lambda value, o=option, k=kind: draw(k, **{o: value}), passed)
        fills = [1.5 + 0.1 * n for n in range(given.repeats)]
        note(
            "strength, fill best, while it moves",
            lambda value: draw(draft=True, fill="best", strength=value + 0.05),
            fills,
        )
        note("strength, fill best, when it rests", lambda value: draw(fill="best", strength=value), fills)
        for kind in KINDS:
            note(f"kind {kind}", lambda value, k=kind: draw(k, strength=value), fills)
        note("another moment", lambda n: draw(at=Fraction(n, 10)), range(1, 1 + given.repeats))
    card = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "size": given.size,
    }
    if given.json:
        print(json.dumps({**card, "width": given.width, "rows": rows}, indent=2))
        return 0
    print(f"{given.size}, shown {given.width} wide, {card['cores']} cores")
    for row in rows:
        print(f"{row['change']:<40} {row['ms']:>8.1f} ms {row['cpu_ms']:>8.1f} cpu ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
