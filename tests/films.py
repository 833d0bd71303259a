"""Films that the suite makes for itself. Each frame carries its number in a strip of blocks, readable after encoding."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stereocast.media import priority

BITS = 12


def picture(number: int, height: int, width: int, scene: int = 0) -> np.ndarray:
    """RGB uint8: a moving texture, with `number` as black and white blocks along the top."""
    rows, moved = np.arange(height)[:, None], np.arange(width)[None] + 2 * number
    red = 90 + 60 * np.sin(moved / (9 + 3 * scene)) * np.cos(rows / 11)
    green = 110 + 50 * np.sin((rows + 13 * scene) / 7 + moved / 23)
    blue = 80 + 100 * ((moved // 16 + rows // 16 + scene) % 2)
    image = np.stack([red, green, blue], -1) + (60 * (scene % 3) - 60 if scene else 0)
    block = width // BITS
    for bit in range(BITS):
        image[: height // 8, bit * block : (bit + 1) * block] = 255 if number >> bit & 1 else 0
    return np.clip(image, 0, 255).astype(np.uint8)


def number_of(luma: np.ndarray) -> int:
    """The number that `picture` wrote, read from the luma of one view."""
    height, width = luma.shape
    block = width // BITS
    strip = luma[height // 32 : height // 8 - height // 32]
    return sum(
        1 << bit
        for bit in range(BITS)
        if strip[:, bit * block + block // 4 : (bit + 1) * block - block // 4].mean() > 110
    )


@priority.kept()
def make_film(
    path: Path,
    *,
    frames: int = 24,
    size: tuple[int, int] = (96, 192),
    rate: Fraction = Fraction(24),
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    audio: Sequence[str] = (),
    subtitles: Sequence[str] = (),
    cuts: Sequence[int] = (),
    rotation: int = 0,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    chapters: bool = False,
    metadata: dict[str, str] | None = None,
    colour: tuple[int, int, int] | None = None,
    interlaced: bool = False,
) -> Path:
    """Writes a film. `pts` are ticks of `time_base` (default 1/rate); `audio` names encoders, one track each."""
    height, width = size
    base = time_base or 1 / rate
    ticks = list(pts) if pts is not None else [round(n / rate / base) for n in range(frames)]
    with av.open(
        str(path),
        "w",
        options={"video_track_timescale": str(base.denominator)} if path.suffix in (".mp4", ".mov") else {},
    ) as out:
        video = out.add_stream(
            codec, options=options or ({"preset": "ultrafast", "crf": "12"} if codec == "libx264" else {})
        )
        context = video.codec_context
        context.width, context.height, context.pix_fmt = width, height, pixel_format
        context.time_base = video.time_base = base
        context.framerate = rate
        if interlaced:
            context.options = {**(options or {}), "x264-params": "interlaced=1"}
        if aspect:
            context.sample_aspect_ratio = aspect
        if colour:
            context.color_primaries, context.color_trc, context.colorspace = colour
            context.color_range = 1
        if rotation:
            video.set_display_rotation(rotation)
        out.metadata.update(metadata or {})
        tracks = [_sound(out, name, number) for number, name in enumerate(audio)]
        texts = [out.add_stream(name) for name in subtitles]
        for number, text in enumerate(texts):
            text.codec_context.subtitle_header = _ass()
            text.metadata["language"] = ("ger", "fre")[number % 2]
        if chapters:
            half = ticks[-1] // 2
            out.set_chapters(
                [
                    {"id": 1, "start": 0, "end": half, "time_base": base, "metadata": {"title": "One"}},
                    {"id": 2, "start": half, "end": ticks[-1], "time_base": base, "metadata": {"title": "Two"}},
                ]
            )
        for number, tick in enumerate(ticks):
            scene = sum(number >= cut for cut in cuts)
            frame = av.VideoFrame.from_ndarray(picture(number, height, width, scene), format="rgb24").reformat(
                format=pixel_format
            )
            frame.pts, frame.time_base = tick, base
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        seconds = float(ticks[-1] * base) + 1 / float(rate)
        for track in tracks:
            out.mux(packet for frame in _tone(track, seconds) for packet in track.encode(frame))
            out.mux(track.encode(None))
        for text in texts:
            _write_text(out, text, seconds)
    return path


def _sound(out: Any, name: str, number: int) -> Any:
    track = out.add_stream(name, rate=48000)
    track.codec_context.layout = "5.1" if number % 2 else "stereo"
    track.metadata["language"] = ("eng", "jpn")[number % 2]
    return track


def _tone(track: Any, seconds: float) -> Iterator[Any]:
    context = track.codec_context
    size, channels = context.frame_size or 1024, context.layout.nb_channels
    wave = (0.2 * np.sin(np.arange(int(seconds * 48000)) * 0.05)).astype(np.float32)
    planar = context.format.is_planar
    for start in range(0, len(wave), size):
        piece = np.repeat(wave[None, start : start + size], channels, 0)
        kind = context.format.name
        if kind.startswith("s16"):
            piece = (piece * 32767).astype(np.int16)
        data = piece if planar else np.ascontiguousarray(piece.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(data, format=kind, layout=context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield frame


def _ass() -> bytes:
    from stereocast.media.passthrough import _ASS_HEADER

    return _ASS_HEADER


def _write_text(out: Any, stream: Any, seconds: float) -> None:
    for number, start in enumerate(np.arange(0.1, seconds - 0.2, 0.3)):
        body = f"line {number}".encode()
        if stream.codec_context.name == "mov_text":
            body = len(body).to_bytes(2, "big") + body
        packet = av.Packet(body)
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = int(start * 1000)
        packet.duration = 200
        packet.stream = stream
        out.mux(packet)


def read_film(path: Path | str) -> dict[str, Any]:
    """What a test compares: ticks in seconds, lumas, packets of the other streams, tags."""
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        frames, packets = [], {s.index: [] for s in film.streams}
        for packet in film.demux([s for s in film.streams if s.type in ("video", "audio", "subtitle")]):
            if packet.stream.type == "video":
                if packet.stream is video:
                    try:
                        frames += packet.decode()
                    except av.error.FFmpegError:
                        continue
            elif packet.dts is not None:
                packets[packet.stream_index].append(packet)
        return {
            "times": [frame.pts * Fraction(frame.time_base) for frame in frames],
            "ticks": [frame.pts for frame in frames],
            "time_base": Fraction(video.time_base),
            "frames": frames,
            "size": (frames[0].height, frames[0].width),
            "audio": [
                [(bytes(p), p.pts * Fraction(p.time_base)) for p in packets[s.index]] for s in film.streams.audio
            ],
            "subtitles": [
                [(_text(bytes(p), s.codec_context.name), p.pts * Fraction(p.time_base)) for p in packets[s.index]]
                for s in film.streams.subtitles
            ],
            "languages": [s.metadata.get("language") for s in (*film.streams.audio, *film.streams.subtitles)],
            "chapters": [(c["metadata"].get("title"), c["start"] * Fraction(c["time_base"])) for c in film.chapters()],
            "metadata": dict(film.metadata),
            "stream_metadata": dict(video.metadata),
            "tag": str(video.codec_context.codec_tag),
            "codec": video.codec_context.name,
            "aspect": Fraction(video.sample_aspect_ratio or 1),
            "colour": (int(frames[0].color_primaries), int(frames[0].color_trc), int(frames[0].colorspace)),
            "pixel_format": frames[0].format.name,
        }


def _text(body: bytes, codec: str) -> str:
    if codec == "mov_text":
        return body[2 : 2 + int.from_bytes(body[:2], "big")].decode()
    return body.decode().strip()


def long_last(path: Path, output: Path, ticks: int) -> Path:
    """A copy of a film whose last picture lasts `ticks`."""
    with av.open(str(path)) as source, av.open(str(output), "w") as out:
        stream = source.streams.video[0]
        target = out.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        last = max(packets, key=lambda packet: packet.pts)
        last.duration = round(ticks * Fraction(1, 1000) / last.time_base)
        for packet in packets:
            packet.stream = target
            out.mux(packet)
    return output
