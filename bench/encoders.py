"""What encoder profiles cost at equal quality, on packed film.

    python -m bench encoders [--profiles x264:18,20,22 ...] [--seconds 2] [--size 1080] [--threads 0] [--slices]

Real film is converted to full SBS in memory; each profile encodes these pictures at several constant qualities.
CPU ms a frame, kB a frame and SSIM (FFmpeg's filter); then bits and time of each at the SSIM of the first profile's
default, between the qualities measured, logarithmic in bits.
"""

import argparse
import json
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from bench import film
from bench.convert import SHARED
from stereocast import catalog
from stereocast.media import priority
from stereocast.settings import ConvertSettings

PROFILES = ("x264:19,20,21", "x264-fast:17,19,21", "svtav1:26,32,38", "x265:20,23,26")


def packed(work: Path, size: int, seconds: int) -> list[Any]:
    """Full SBS pictures of real film, yuv420p."""
    from stereocast.jobs import assembly
    from stereocast.jobs.convert.prepare import prepare
    from stereocast.pipeline.chain import chain
    from stereocast.shots.clips import Clipper

    clip = film.make(film.sources(None, SHARED), work / "film.mp4", size, seconds)
    settings = ConvertSettings(overwrite=True)
    made, source = prepare(str(clip), work / "out.mp4", settings)
    stages = (
        assembly.estimator(settings, made.info),
        assembly.synthesizer(settings, made.info, made.preset.screen_fov_deg),
        assembly.packer(settings, made.info),
    )
    with chain(iter(source), Clipper(2), *stages) as clips:
        pictures = [picture.copy() for clip in clips for picture in clip.frames]
    source.close()
    return pictures


def encoded(
    pictures: list[Any], name: str, quality: int, more: dict[str, str], threads: int
) -> tuple[float, float, list[Any]]:
    """CPU ms and kB a frame, and the packets."""
    chosen = catalog.encoder(name)
    context: Any = av.CodecContext.create(chosen.codec, "w")
    context.height, context.width = pictures[0].shape[0] * 2 // 3, pictures[0].shape[1]
    context.pix_fmt, context.time_base = chosen.pixel_format.value, Fraction(1, film.RATE)
    context.framerate, context.gop_size, context.thread_count = Fraction(film.RATE), 2 * film.RATE, threads
    context.options = {**chosen.private(quality), **more}
    with priority.kept():
        context.open()
    begun, packets = time.process_time(), []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p").reformat(format=chosen.pixel_format.value)
        frame.pts, frame.time_base = number, Fraction(1, film.RATE)
        packets += context.encode(frame)
    packets += context.encode(None)
    spent = (time.process_time() - begun) / len(pictures) * 1000
    size = sum(packet.size for packet in packets) / len(pictures) / 1000
    decoder: Any = av.CodecContext.create({"libsvtav1": "libdav1d"}.get(chosen.codec, chosen.family), "r")
    shown = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return spent, size, shown


def ssim(pictures: list[Any], shown: list[Any]) -> float:
    """Mean SSIM of all planes, by FFmpeg's filter."""
    graph = av.filter.Graph()
    height, width = pictures[0].shape[0] * 2 // 3, pictures[0].shape[1]
    inputs = [
        graph.add_buffer(width=width, height=height, format=av.VideoFormat("yuv420p"), time_base=Fraction(1, film.RATE))
        for _ in range(2)
    ]
    measure, sink = graph.add("ssim"), graph.add("buffersink")
    for number, source in enumerate(inputs):
        source.link_to(measure, 0, number)
    measure.link_to(sink)
    graph.configure()
    values = []
    for number, (picture, frame) in enumerate(zip(pictures, shown, strict=True)):
        pair = frame.reformat(format="yuv420p"), av.VideoFrame.from_ndarray(picture, format="yuv420p")
        for source, one in zip(inputs, pair, strict=True):
            one.pts, one.time_base = number, Fraction(1, film.RATE)
            source.push(one)
        values.append(float(graph.pull().metadata["lavfi.ssim.All"]))
    return float(np.mean(values))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench encoders", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profiles", nargs="*", default=list(PROFILES), help="NAME:QUALITY,QUALITY,...")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--size", type=int, default=1080)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--slices", action="store_true", help="x264 with slice threads beside frame threads")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        pictures = packed(Path(folder), options.size, options.seconds)
    wanted, report = None, {}
    for entry in options.profiles:
        name, _, levels = entry.partition(":")
        ways = (
            {"": {}, " frame threads": {"x264-params": "sliced-threads=0"}}
            if options.slices and "x264" in name
            else {"": {}}
        )
        for way, more in ways.items():
            rows = []
            for quality in map(int, levels.split(",")):
                spent, size, shown = encoded(pictures, name, quality, more, options.threads)
                rows.append((quality, round(spent, 1), round(size, 1), round(ssim(pictures, shown), 5)))
                print(
                    json.dumps(
                        {
                            "profile": name + way,
                            "quality": quality,
                            "cpu_ms": rows[-1][1],
                            "kb": rows[-1][2],
                            "ssim": rows[-1][3],
                        }
                    ),
                    flush=True,
                )
            if wanted is None:
                default = catalog.encoder(name).quality
                wanted = next((row[3] for row in rows if row[0] == default), rows[len(rows) // 2][3])
            rows.sort(key=lambda row: row[3])
            quality_of = [row[3] for row in rows]
            report[name + way] = {
                "kb": round(float(np.exp(np.interp(wanted, quality_of, np.log([row[2] for row in rows])))), 1),
                "cpu_ms": round(float(np.interp(wanted, quality_of, [row[1] for row in rows])), 1),
                "within": bool(quality_of[0] <= wanted <= quality_of[-1]),
            }
    print(json.dumps({"ssim": wanted, **report}, indent=2))
    return 0
