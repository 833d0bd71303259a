"""Tiny films and a conversion with small stages, for the tests of files as people bring them."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stereocast.catalog import settle
from stereocast.jobs.convert import job
from stereocast.media.boxes import Box
from stereocast.settings import ConvertSettings
from tests.films import number_of, picture

SIZE = (96, 192)


def convert(source: Path | str, output: Path | str | None = None, **flags: object) -> job.Converted:
    made, reader = job.prepare(str(source), output, settings(**flags))
    return job.convert(made, reader)


def track(kind: bytes, stsd: Box, *before: Box) -> Box:
    """A track of an mp4 of that kind (vide, soun): boxes `before` its media, and its sample description."""
    handler = Box(b"hdlr", bytes(8) + kind + bytes(13))
    media = Box(b"mdia", children=[handler, Box(b"minf", children=[Box(b"stbl", children=[stsd])])])
    return Box(b"trak", children=[*before, media])


def pictures(path: Path, flags: list[int]) -> Path:
    """A film with a video stream of one picture for each of `flags`, which are FFmpeg's dispositions."""
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("ffv1", rate=25) for _ in flags]
        for stream, disposition in zip(streams, flags, strict=True):
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.disposition = disposition
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 90, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


def numbers(path: Path) -> list[int]:
    """The numbers in the left view of a side-by-side film."""
    with av.open(str(path)) as film:
        lumas = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    return [number_of(luma[:, : luma.shape[1] // 2]) for luma in lumas]


def packets(path: Path) -> dict[str, list[Any]]:
    """(dts, pts) in seconds of all packets of a kind of stream, in file order, and 'order': (kind, dts)."""
    found: dict[str, list[Any]] = {"video": [], "audio": [], "subtitle": [], "order": []}
    with av.open(str(path)) as film:
        for packet in film.demux():
            if packet.pts is not None and packet.size:
                base = Fraction(packet.time_base)
                dts = (packet.dts if packet.dts is not None else packet.pts) * base
                found[packet.stream.type].append((dts, packet.pts * base))
                found["order"].append((packet.stream.type, dts))
    return found


def beeps(path: Path, rate: int = 8000) -> list[float]:
    """The seconds at which the sound of a film becomes loud."""
    loud, before = [], False
    with av.open(str(path)) as film:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        for frame in film.decode(audio=0):
            begin = float(frame.pts * frame.time_base)
            wave = np.concatenate([part.to_ndarray()[0] for part in resampler.resample(frame)] or [np.zeros(0)])
            for k in range(0, len(wave), 80):
                now = float(np.abs(wave[k : k + 80]).max(initial=0)) > 0.1
                if now and not before:
                    loud.append(begin + k / rate)
                before = now
    return loud


def flashes(path: Path) -> list[float]:
    """The seconds at which the picture becomes bright."""
    found, before = [], False
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            now = float(frame.to_ndarray(format="gray").mean()) > 120
            if now and not before:
                found.append(float(frame.pts * frame.time_base))
            before = now
    return found


def flash_film(
    path: Path, *, seconds: float = 2, at: float = 1, start: float = 0, codec: str = "libx264", sound: str = "ac3",
    gop: int = 25, rate: int = 25,
) -> Path:  # fmt: skip
    """A grey film whose picture flashes, and whose sound beeps, at `at` for 0.2 s; its clock begins at `start`."""
    options = {"g": str(gop), **({"preset": "ultrafast"} if codec == "libx264" else {})}
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream(codec, rate=rate, options=options), out.add_stream(sound, rate=48000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio.codec_context.layout = "stereo"
        audio.codec_context.format = audio.codec_context.codec.audio_formats[0].name
        made = list(_pictures(video, rate, seconds, at)) + list(_wave(audio, 48000, seconds, at))
        made.sort(key=lambda packet: float(packet.dts * packet.time_base))
        for packet in made:
            packet.pts += round(start / packet.time_base)
            packet.dts += round(start / packet.time_base)
            out.mux(packet)
    return path


def _pictures(video: Any, rate: int, seconds: float, at: float) -> Iterable[Any]:
    for k in range(round(seconds * rate)):
        value = 235 if at <= k / rate < at + 0.19 else 40
        frame = av.VideoFrame.from_ndarray(np.full((72, 64), value, np.uint8), format="yuv420p")
        for plane in frame.planes[1:]:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = k, Fraction(1, rate)
        yield from video.encode(frame)
    yield from video.encode(None)


def _wave(audio: Any, rate: int, seconds: float, at: float) -> Iterable[Any]:
    audio.codec_context.open()
    size = audio.codec_context.frame_size or 1024
    resampler = av.AudioResampler(format=audio.codec_context.format, layout="stereo", rate=rate)
    for start in range(0, round(seconds * rate), size):
        time = np.arange(start, start + size) / rate
        tone = np.where((time >= at) & (time < at + 0.2), 0.5 * np.sin(time * 6000), 0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for ready in resampler.resample(frame):
            ready.pts = start
            yield from audio.encode(ready)
    yield from audio.encode(None)


def numbered_film(
    path: Path, frames: int, *, codec: str = "libx264", gop: int = 25, format: str | None = None, **options: str
) -> Path:
    """A film of 25 fps whose frames carry their numbers."""
    given = {"g": str(gop), **({"preset": "ultrafast", "crf": "12"} if codec == "libx264" else {}), **options}
    with av.open(str(path), "w", format=format) as out:
        video = out.add_stream(codec, rate=25, options=given)
        video.width, video.height, video.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(k, *SIZE), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def settings(**flags: object) -> Any:
    """Settings of `convert`, as its flags give them."""
    return settle(ConvertSettings, flags)
