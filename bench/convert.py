"""Speed and memory of the main job against what nobody can do without: decoding and encoding.

    python -m bench convert [--part speed,memory,start,table,packing,workers] [--clip FILE] [--size 1080]
                            [--against DIR] [--json]

floor: FFmpeg decodes the film, lays each picture beside itself and encodes that with the same profile. ceiling: the
encoder alone, fed with such pictures from memory. speed: both, the conversion, and CPU of each stage. memory: peak RSS
of 3 s (one encoder), 10 s (after its first restart) and 60 s. start: seconds to the first frame that went to the
encoder, with an empty cache of kernels and with a full one. table: every layout that matters. packing: that stage
alone. workers: a small film of five minutes in one process and with `--workers 2`. `--against` runs another checkout
on the same film in the same run. Every measurement runs in a separate process.
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
from typing import Any

import av

from bench import film
from stereocast import catalog
from stereocast.catalog import EncoderProfile
from stereocast.media import priority

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("STEREOCAST_SHARED", ROOT.parent / "shared"))
TABLE = (  # what, height of the film, options
    ("SBS", 1080, ["--format", "sbs"]),
    ("half SBS", 1080, ["--format", "half-sbs"]),
    ("OU", 1080, ["--format", "ou"]),
    ("anaglyph", 1080, ["--format", "anaglyph"]),
    ("VR180", 1080, ["--preset", "youtube-vr180"]),
    ("720p SBS", 720, ["--format", "sbs"]),
    ("4K half SBS", 2160, ["--format", "half-sbs"]),
)
_FIRST = """
import json, os, sys, time
from stereocast.jobs.convert import job
from stereocast.settings import ConvertSettings
def tell(progress):
    if progress.done:
        used = os.times()
        cpu = used.user + used.system, used.children_user + used.children_system
        print(json.dumps([time.time() - float(sys.argv[3]), *cpu]), flush=True)
        os._exit(0)
job.convert(*job.prepare(sys.argv[1], sys.argv[2], ConvertSettings(overwrite=True)), tell)
"""


def measured(
    command: list[str], tree: Path = ROOT, environment: dict[str, str] | None = None
) -> tuple[str, dict[str, float]]:
    """What a process printed, and its wall and CPU seconds, peak RSS and page faults. Raises SystemExit if it fails."""
    paths = {**os.environ, "PYTHONPATH": str(tree), **(environment or {})}
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=tree, env=paths, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return text, {
        "wall_s": time.monotonic() - begun,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss / 1024,
        "page_faults": usage.ru_minflt,
    }


def convert(clip: Path, output: Path, extra: list[str], tree: Path = ROOT) -> dict[str, Any]:
    """One conversion: CPU ms, page faults and frames a second over all its frames, start included."""
    command = [sys.executable, "-m", "stereocast", "convert", str(clip), "-o", str(output), "--overwrite", "--json"]
    text, used = measured([*command, *extra], tree)
    told = json.loads(text)
    return {**_row(used, told["frames"]), "stage_wall_ms": told["stage_ms_per_frame"], "picture": told["picture"]}


def _row(used: dict[str, float], frames: int) -> dict[str, Any]:
    return {
        "frames": frames,
        "fps": round(frames / used["wall_s"], 2),
        "cpu_ms": round(used["cpu_s"] / frames * 1000, 1),
        "busy_cores": round(used["cpu_s"] / used["wall_s"], 2),
        "faults": round(used["page_faults"] / frames),
        "peak_rss_mb": round(used["peak_rss_mb"]),
    }


def _encoder(encoder: EncoderProfile, height: int, width: int) -> Any:
    context: Any = av.CodecContext.create(encoder.codec, "w")
    context.height, context.width = height, width
    context.pix_fmt, context.time_base = encoder.pixel_format.value, Fraction(1, film.RATE)
    context.framerate, context.gop_size = Fraction(film.RATE), 2 * film.RATE
    context.options = encoder.private()
    with priority.kept():
        context.open()
    return context


def _doubled(clip: Path) -> Any:
    """Decoded pictures, each beside itself, by FFmpeg's own filters."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        graph = av.filter.Graph()
        source = graph.add_buffer(template=stream)
        twice, beside, sink = graph.add("split", "2"), graph.add("hstack", "2"), graph.add("buffersink")
        source.link_to(twice)
        twice.link_to(beside, 0, 0)
        twice.link_to(beside, 1, 1)
        beside.link_to(sink)
        graph.configure()
        for frame in container.decode(stream):
            graph.push(frame)
            yield graph.pull()


def floor(clip: Path, output: Path, encoder: str) -> int:
    """Decode, hstack, encode, in this process; how many frames."""
    chosen, context, count = catalog.encoder(encoder), None, 0
    with output.open("wb") as file:
        for count, frame in enumerate(_doubled(clip), 1):
            context = context or _encoder(chosen, frame.height, frame.width)
            frame = frame.reformat(format=chosen.pixel_format.value)
            frame.pts, frame.time_base, frame.pict_type = count - 1, Fraction(1, film.RATE), 0
            file.writelines(bytes(packet) for packet in context.encode(frame))
        file.writelines(bytes(packet) for packet in context.encode(None))
    return count


def ceiling(clip: Path, encoder: str, count: int) -> dict[str, Any]:
    """The encoder alone on `count` pictures laid beside themselves; decoded before the clock runs."""
    chosen = catalog.encoder(encoder)
    ready = [frame.reformat(format=chosen.pixel_format.value) for frame in islice(_doubled(clip), 96)]
    context = _encoder(chosen, ready[0].height, ready[0].width)
    wall, cpu = time.perf_counter(), time.process_time()
    for number, frame in enumerate(islice(cycle([*ready, *ready[-2:0:-1]]), count)):  # to and fro: no cut at the seam
        frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, film.RATE), 0
        context.encode(frame)
    context.encode(None)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"fps": round(count / wall, 2), "cpu_ms": round(cpu / count * 1000, 1)}


def stages(clip: Path, encoder: str, extra: list[str]) -> dict[str, float]:
    """CPU ms a frame of each stage: the chain is run as far as each of them, and what comes on top is its share."""
    from stereocast.jobs import assembly
    from stereocast.jobs.convert.prepare import prepare
    from stereocast.jobs.plan import clip_frames
    from stereocast.pipeline.chain import chain
    from stereocast.settings import ConvertSettings
    from stereocast.shots.clips import Clipper

    parser = argparse.ArgumentParser()
    parser.add_argument("--format")
    parser.add_argument("--preset")
    flags = {name: value for name, value in vars(parser.parse_args(extra)).items() if value}
    settings = catalog.settle(ConvertSettings, {**flags, "encoder": encoder, "overwrite": True})
    output, spent = clip.with_suffix(".staged.mp4"), {}
    names = ("reading", "depth", "synthesis", "packing")
    before = 0.0
    for last in range(len(names)):
        made, source = prepare(str(clip), output, settings)
        line: list[Any] = [
            assembly.estimator(settings, made.info),
            assembly.synthesizer(settings, made.info, made.preset.screen_fov_deg),
            assembly.packer(settings, made.info),
        ][:last]
        begun, count = time.process_time(), 0
        with chain(iter(source), Clipper(clip_frames(made.info, made.packed)), *line) as items:
            for item in items:
                count += len(item[0] if isinstance(item, tuple) else item)
        source.close()
        whole = (time.process_time() - begun) / count * 1000
        spent[names[last]], before = round(whole - before, 1), whole
    return spent


def packing() -> dict[str, float]:
    """CPU ms a frame of packing alone, one thread, two 1080p views of noise."""
    import cv2
    import numpy as np

    from stereocast.pack.packer import FlatPacker
    from stereocast.pack.projection import SpherePacker
    from stereocast.types import Layout, PixelFormat, Projection, StereoClip, StereoFormat

    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    left, right = (random.integers(16, 235, (2, 1620, 1920)).astype(np.uint8) for _ in range(2))
    clip = StereoClip(left, right, np.arange(2), PixelFormat.YUV420P)
    flat = (Layout.SBS, Layout.HALF_SBS, Layout.OU, Layout.HALF_OU, Layout.ANAGLYPH, Layout.ROW_INTERLACED)
    packers: dict[str, Any] = {layout.value: FlatPacker(StereoFormat(layout)) for layout in flat}
    packers["vr180"] = SpherePacker(StereoFormat(Layout.VR180, Projection.EQUIRECT_180, fov_deg=180.0), 2880)
    report = {}
    for name, packer in packers.items():
        packer.pack(clip)
        begun = time.process_time()
        for _ in range(3):
            packer.pack(clip)
        report[name] = round((time.process_time() - begun) / 6 * 1000, 1)
    return report


def _child(what: str, *given: str) -> tuple[Any, dict[str, float]]:
    """A function of this module in a separate process."""
    text, used = measured([sys.executable, "-m", "bench", "convert", "--child", what, *given])
    return json.loads(text), used


def speed(clip: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Floor, ceiling and conversion of one film, with the ratios that matter."""
    frames, used = _child("floor", str(clip), str(work / "floor.h264"), options.encoder)
    report: dict[str, Any] = {"floor": _row(used, frames)}
    report["ceiling"], _ = _child("ceiling", str(clip), options.encoder, str(frames))
    extra = ["--encoder", options.encoder, *options.extra]
    for name, tree in options.trees.items():
        row = convert(clip, work / "out.mp4", extra, tree)
        row["cpu_to_floor"] = round(row["cpu_ms"] / report["floor"]["cpu_ms"], 2)
        row["fps_to_ceiling"] = round(row["fps"] / report["ceiling"]["fps"], 2)
        report[name] = row
    report["stage_cpu_ms"], _ = _child("stages", str(clip), options.encoder, *options.extra)
    return report


def memory(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Peak RSS in MB by length."""
    report: dict[str, Any] = {}
    for seconds in options.seconds:
        clip = film.make(options.films, work / f"{seconds}.mp4", options.size, seconds)
        for name, tree in options.trees.items():
            row = convert(clip, work / "out.mp4", ["--encoder", options.encoder, *options.extra], tree)
            report[f"{name}, {seconds} s"] = row["peak_rss_mb"]
    return report


def workers(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """CPU of a small film of five minutes by the number of workers, and whether the packets are the same."""
    clip = film.make(options.films, work / "small.mp4", 360, 300)
    report: dict[str, Any] = {}
    packets = []
    for count in (1, 2):
        output = work / f"workers{count}.mp4"
        report[f"{count}"] = convert(clip, output, ["--workers", str(count), "--encoder", options.encoder])
        with av.open(str(output)) as made:
            packets.append([(packet.pts, bytes(packet)) for packet in made.demux(video=0)])
    report["cpu_ratio"] = round(report["2"]["cpu_ms"] / report["1"]["cpu_ms"], 3)
    report["same_packets"] = packets[0] == packets[1]
    return report


def start(clip: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds from the start of the process to the first frames that the encoder took: wall time, CPU of the
    process, CPU of the helpers that compiled in parallel. On an idle machine with spare cores the wall time is about
    the larger of the two; the table of layouts and the ratios need no idle machine, this does."""
    report: dict[str, Any] = {}
    for name, tree in options.trees.items():
        measured([sys.executable, "-m", "compileall", "-q", "stereocast"], tree)  # as pip does
        kept = {"NUMBA_CACHE_DIR": str(work / f"kernels of {name}")}
        for state in ("fresh install", "later"):
            arguments = [str(clip), str(work / "start.mp4"), str(time.time())]
            text, _ = measured([sys.executable, "-c", _FIRST, *arguments], tree, kept)
            wall, own, helpers = json.loads(text)
            report[f"{name}, {state}"] = {
                "wall_s": round(wall, 2),
                "cpu_s": round(own, 2),
                "helpers_s": round(helpers, 2),
            }
    return report


def table(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """CPU, speed and memory of every layout."""
    report: dict[str, Any] = {}
    for what, height, extra in TABLE:
        if options.rows and what not in options.rows:
            continue
        clip = film.make(options.films, work / f"{height}.mp4", height, options.short)
        for name, tree in options.trees.items():
            report[f"{what}, {name}"] = convert(clip, work / "out.mp4", ["--encoder", options.encoder, *extra], tree)
    return report


def main(argv: list[str]) -> int:
    if argv[:1] == ["--child"]:
        what, *given = argv[1:]
        work = {"floor": lambda: floor(Path(given[0]), Path(given[1]), given[2]),
                "ceiling": lambda: ceiling(Path(given[0]), given[1], int(given[2])),
                "stages": lambda: stages(Path(given[0]), given[1], given[2:])}[what]  # fmt: skip
        print(json.dumps(work()))
        return 0
    parser = argparse.ArgumentParser(
        prog="bench convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", default="speed,memory", help="speed, memory, start, table, packing, workers")
    parser.add_argument(
        "--clip", type=Path, help="film to repeat (default: footage in ../shared, else a generated film)"
    )
    parser.add_argument("--size", type=int, default=1080, help="height of the source")
    parser.add_argument("--encoder", default="x264")
    parser.add_argument("--short", type=int, default=10, help="seconds of film for speed and table")
    parser.add_argument("--seconds", type=int, nargs="*", default=[3, 10, 60], help="lengths for memory")
    parser.add_argument("--rows", nargs="*", help="rows of the table (default: all)")
    parser.add_argument("--against", type=Path, help="another checkout, measured beside this one")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("extra", nargs="*", help="further options of convert, after --")
    options = parser.parse_args(argv)
    options.films = film.sources(options.clip, SHARED)
    options.trees = {**({"before": options.against.resolve()} if options.against else {}), "now": ROOT}
    parts, report = options.part.split(","), {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for tree in (
            options.trees.values() if parts != ["packing"] else ()
        ):  # compiles the kernels, outside of what is measured
            warm = film.make(options.films, work / "warm.mp4", 360, 1)
            for extra in ([], ["--format", "anaglyph"], ["--preset", "youtube-vr180"]) if "table" in parts else ([],):
                convert(warm, work / "warm_out.mp4", [*extra, *options.extra], tree)
        if "packing" in parts:
            report["packing"] = packing()
        if "speed" in parts or "start" in parts:
            clip = film.make(options.films, work / "short.mp4", options.size, options.short)
        if "speed" in parts:
            report["speed"] = speed(clip, work, options)
        if "memory" in parts:
            report["memory"] = memory(work, options)
        if "workers" in parts:
            report["workers"] = workers(work, options)
        if "start" in parts:
            report["start"] = start(clip, work, options)
        if "table" in parts:
            report["table"] = table(work, options)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for part, rows in report.items():
            print(part)
            for key, value in rows.items():
                print(f"  {key:>22}  {value}")
    return 0
