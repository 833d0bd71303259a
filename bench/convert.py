"""Speed and memory of the main job, against the encoder fed with ready pictures (the ceiling), in one run.

    python -m bench convert [--clip FILE] [--size 1080] [--encoder x264] [--json]

The clip is looped to 10 s and 60 s. Each conversion is a process of its own, so peak RSS is its own; the ceiling encodes
the very pictures that the conversion made, as yuv420p, with the same options and threads.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np

from stereocast import catalog

ROOT = Path(__file__).resolve().parent.parent
RATE = 24


def make_clip(source: Path | None, path: Path, height: int, seconds: int) -> Path:
    """`seconds` of film at that height: `source` looped, or a moving texture."""
    width = height * 16 // 9 // 2 * 2
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, image in enumerate(islice(pictures(source, height, width), seconds * RATE)):
            frame = av.VideoFrame.from_ndarray(image, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def pictures(source: Path | None, height: int, width: int):
    if source is None:
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        number = 0
        while True:
            luma = (
                120
                + 60 * np.sin((columns + 3 * number) / 37) * np.cos(rows / 29)
                + 25 * np.sin((columns * rows) / 9000)
            )
            yield np.concatenate([luma, np.full((height // 2, width), 128)]).astype(np.uint8)
            number += 1
    while True:
        with av.open(str(source)) as film:
            for frame in film.decode(video=0):
                yield frame.reformat(width, height, "yuv420p").to_ndarray()


def convert(clip: Path, output: Path, extra: list[str]) -> dict:
    """One conversion in its own process: its JSON, plus cpu seconds and peak RSS."""
    command = [
        sys.executable,
        "-m",
        "stereocast",
        "convert",
        str(clip),
        "-o",
        str(output),
        "--overwrite",
        "--json",
        *extra,
    ]
    before = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"convert failed: {' '.join(command)}")
    return {
        **json.loads(text),
        "wall_s": round(time.monotonic() - before, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_rss_mb": round(usage.ru_maxrss / 1024, 1),
    }


def ceiling(output: Path, encoder: str, count: int) -> dict:
    """Frames per second of the encoder alone on the pictures of `output`, looped to `count`."""
    profile = catalog.encoder(encoder)
    with av.open(str(output)) as film:
        ready = [frame.to_ndarray() for frame in islice(film.decode(video=0), 48)]
    context = av.CodecContext.create(profile.codec, "w")
    context.height, context.width = ready[0].shape[0] * 2 // 3, ready[0].shape[1]
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, RATE), Fraction(RATE)
    context.gop_size, context.options = 2 * RATE, profile.private()
    wall, cpu = time.perf_counter(), time.process_time()
    for number, image in enumerate(islice(cycle(ready), count)):
        frame = av.VideoFrame.from_ndarray(image, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        context.encode(frame)
    context.encode(None)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"fps": round(count / wall, 2), "cpu_ms_per_frame": round(cpu / count * 1000, 1)}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, help="film to loop (default: samples/street.mp4, else a texture)")
    parser.add_argument("--size", type=int, default=1080, help="height of the source")
    parser.add_argument("--encoder", default="x264")
    parser.add_argument("--short", type=int, default=10, help="seconds")
    parser.add_argument("--long", type=int, default=60, help="seconds; 0 leaves the memory comparison out")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("extra", nargs="*", help="further options of convert, after --")
    options = parser.parse_args(argv)
    sample = ROOT / "samples/street.mp4"
    source = options.clip or (sample if sample.exists() else None)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        extra = ["--encoder", options.encoder, *options.extra]
        warm = make_clip(source, work / "warm.mp4", 360, 1)
        convert(warm, work / "warm_out.mp4", extra)  # compiles the kernels, outside of what is measured
        clip = make_clip(source, work / "short.mp4", options.size, options.short)
        runs = [convert(clip, work / "short_out.mp4", extra)]
        frames = runs[0]["frames"]
        top = ceiling(work / "short_out.mp4", options.encoder, frames)
        runs.append(convert(clip, work / "short_out.mp4", extra))
        best = max(run["fps"] for run in runs)
        report = {
            "picture": runs[0]["picture"],
            "frames": frames,
            "fps": best,
            "ceiling_fps": top["fps"],
            "ratio_to_ceiling": round(best / top["fps"], 3),
            "cpu_ms_per_frame": round(min(run["cpu_s"] for run in runs) / frames * 1000, 1),
            "ceiling_cpu_ms_per_frame": top["cpu_ms_per_frame"],
            "stage_ms_per_frame": runs[-1]["stage_ms_per_frame"],
            "peak_rss_mb": {f"{options.short} s": max(run["peak_rss_mb"] for run in runs)},
        }
        if options.long:
            long_clip = make_clip(source, work / "long.mp4", options.size, options.long)
            run = convert(long_clip, work / "long_out.mp4", extra)
            report["peak_rss_mb"][f"{options.long} s"] = run["peak_rss_mb"]
            report["rss_growth"] = round(run["peak_rss_mb"] / report["peak_rss_mb"][f"{options.short} s"], 3)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for key, value in report.items():
            print(f"{key:>26}  {value}")
    return 0
