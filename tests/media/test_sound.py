"""Sound of every codec into every container: it arrives, as it is or transcoded, and never ends the film."""

import errno
import io
import logging
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from stereocast.errors import SinkError
from stereocast.media import sound, timing
from stereocast.media.interleave import Interleaver
from stereocast.media.writer import VideoSink
from tests.media.small import convert, flash_film, packets

pytestmark = pytest.mark.usefixtures("small_stages")

# codec, container it comes in, sampling rate
SOURCES = [
    ("aac", "mpegts", 48000), ("aac", "matroska", 44100), ("ac3", "mpegts", 48000), ("eac3", "mpegts", 48000),
    ("mp2", "mpegts", 48000), ("libmp3lame", "matroska", 11025), ("libmp3lame", "matroska", 8000),
    ("libmp3lame", "mpegts", 48000), ("flac", "matroska", 48000), ("libopus", "mpegts", 48000),
    ("libvorbis", "matroska", 44100), ("dca", "mpegts", 48000), ("truehd", "matroska", 48000),
    ("mlp", "matroska", 48000), ("alac", "mov", 44100), ("wavpack", "matroska", 44100), ("tta", "matroska", 44100),
    ("wmav2", "matroska", 44100), ("adpcm_ms", "avi", 22050), ("pcm_s16be", "mov", 48000),
    ("pcm_s24le", "matroska", 192000), ("pcm_s16le", "matroska", 5512), ("pcm_alaw", "mov", 8000), ("s302m", "mpegts", 48000),
]  # fmt: skip


def sounding(path: Path, codec: str, muxer: str, rate: int, options: dict[str, str] | None = None) -> Path:
    """A second of mpeg4 pictures and a tone."""
    with av.open(str(path), "w", format=muxer, options=options or {}) as out:
        video = out.add_stream("mpeg4" if muxer != "mpegts" else "mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = out.add_stream(codec, rate=rate, options={"strict": "-2"})
        context = audio.codec_context
        context.layout = "stereo"
        context.format = context.codec.audio_formats[0].name
        context.open()
        made: list[Any] = []
        for k in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 100 + k, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            made += video.encode(frame)
        made += video.encode(None)
        size = context.frame_size or 1024
        resampler = av.AudioResampler(format=context.format, layout="stereo", rate=rate)
        for start in range(0, rate - size % rate + 1, size):
            tone = 0.3 * np.sin(np.arange(start, start + size) * (2764 / rate)).astype(np.float32)
            wave = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
            wave.sample_rate, wave.pts, wave.time_base = rate, start, Fraction(1, rate)
            for ready in resampler.resample(wave):
                ready.pts = start
                made += audio.encode(ready)
        made += audio.encode(None)
        for packet in sorted(made, key=lambda packet: float(packet.dts * packet.time_base)):
            out.mux(packet)
    return path


def loudness(path: Path) -> tuple[float, float]:
    """Seconds of sound, and its RMS."""
    with av.open(str(path)) as film:
        resampler = av.AudioResampler(format="fltp")
        frames = [part for frame in film.decode(audio=0) for part in resampler.resample(frame)]
        wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return len(wave) / frames[0].sample_rate, float(np.sqrt((wave**2).mean()))


@pytest.mark.parametrize("container", ["mp4", "mkv", "fmp4", "hls"])
@pytest.mark.parametrize(("codec", "muxer", "rate"), SOURCES)
def test_every_codec_reaches_every_container(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, codec: str, muxer: str, rate: int, container: str
) -> None:
    try:
        source = sounding(tmp_path / "in.bin", codec, muxer, rate)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg doesn't write {codec} in {muxer}: {error}")
    target = tmp_path / ("out" if container == "hls" else "out.mkv" if container == "mkv" else "out.mp4")
    with caplog.at_level(logging.WARNING):
        output = convert(source, target, out_format=container).plan.outputs[0]
    seconds, level = loudness(output / "index.m3u8" if container == "hls" else output)
    assert 0.85 < seconds < 1.2
    assert 0.15 < level < 0.25, "the tone is 0.3 / sqrt 2"
    assert len([r for r in caplog.records if "audio track" in r.message]) <= 1


def test_adts_loses_its_headers_in_mp4(tmp_path: Path) -> None:
    source = flash_film(tmp_path / "in.ts", sound="aac")
    with av.open(str(source)) as film:
        before = [bytes(p) for p in film.demux(audio=0) if p.size]
        assert film.streams.audio[0].codec_context.extradata is None
    output = convert(source, tmp_path / "out.mp4").plan.outputs[0]
    with av.open(str(output)) as film:
        after = [bytes(p) for p in film.demux(audio=0) if p.size]
        assert film.streams.audio[0].codec_context.extradata
    assert after == [body[7:] for body in before]


def test_latm_keeps_its_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = sounding(tmp_path / "in.ts", "aac", "mpegts", 48000, {"mpegts_flags": "latm"})
    with av.open(str(source)) as film:
        assert film.streams.audio[0].codec_context.name == "aac_latm"
    with caplog.at_level(logging.WARNING):
        output = convert(source, tmp_path / "out.mp4").plan.outputs[0]
    assert "(aac_latm) isn't supported in mp4 and is transcoded" in caplog.text
    times = [pts for _, pts in packets(output)["audio"]]
    assert abs(times[0]) < 0.1
    assert abs(times[-1] - 1) < 0.1


@pytest.mark.parametrize(
    ("rate", "want"),
    [(5512, 8000), (8000, 8000), (11024, 11025), (37800, 44100), (44100, 44100), (96000, 96000), (176400, 44100), (192000, 48000)],
)  # fmt: skip
def test_rates_that_aac_knows(rate: int, want: int) -> None:
    assert sound.aac_rate(rate) == want


@pytest.mark.parametrize(
    ("rate", "layout", "bits"),
    [(48000, "mono", 96_000), (48000, "stereo", 192_000), (48000, "5.1", 576_000), (8000, "mono", 48_000), (8000, "stereo", 96_000)],
)  # fmt: skip
def test_bits_for_aac(rate: int, layout: str, bits: int) -> None:
    context = av.CodecContext.create("aac", "w")
    sound._configure(context, rate, layout)
    assert (context.bit_rate, context.sample_rate, context.layout.name, context.format.name) == (
        bits,
        rate,
        layout,
        "fltp",
    )


def test_the_warning_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = sounding(tmp_path / "in.mkv", "libmp3lame", "matroska", 11025)
    with caplog.at_level(logging.WARNING):
        convert(source, tmp_path / "out.mp4")
    assert "mp4 refuses it at 11025 Hz" in caplog.text


def test_a_packet_that_the_muxer_refuses_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing:
        def __init__(self) -> None:
            self.taken: list[int] = []

        def mux(self, packet: Any) -> None:
            if packet.pts == 3:
                raise av.error.InvalidDataError(1, "Refused")
            if packet.pts == 9:
                raise av.error.OSError(errno.ENOSPC, "No space left on device")
            self.taken.append(packet.pts)

    with av.open(io.BytesIO(), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000)
    output = Refusing()
    lanes = Interleaver(output, timing.DecodingTimes(0, 1), timing.Durations(None, Fraction(1)), matroska=False)

    def send(pts: int) -> None:
        packet = av.Packet(b"x")
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, pts, pts, Fraction(1)
        lanes.mux(packet)

    for pts in (1, 3, 4):
        send(pts)
    lanes.finish()
    assert output.taken == [1, 4]
    assert "can't be written and is left out: refused" in caplog.text
    send(9)
    with pytest.raises(OSError, match="No space"):
        lanes.finish()


def test_ffmpegs_error_numbers_are_not_the_file_systems(tmp_path: Path) -> None:
    """The muxer's are told as it tells them; those of our own files come from the system."""
    sink = VideoSink.__new__(VideoSink)
    sink.path, sink._opener, sink._feed, sink._part = tmp_path / "out.mp4", None, None, None
    assert "permission denied" not in str(
        sink._failure(av.error.PermissionError(1, "Operation not permitted", "muxer"))
    )
    assert "permission denied" in str(sink._failure(PermissionError(13, "Permission denied")))
    with pytest.raises(SinkError, match="no such folder"):
        raise sink._failure(FileNotFoundError(2, "No such file or directory"))


def test_gaps_stay_gaps_when_sound_is_transcoded() -> None:
    with av.open(io.BytesIO(), "w", format="mp4") as out:
        target = out.add_stream("aac", rate=48000)
        sound._configure(target.codec_context, 48000, "stereo")
        transcoder = sound.Transcoder(None, target)
        times = []
        for start in [*range(0, 9600, 960), *range(96000, 105600, 960)]:
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 960), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            times += [packet.pts for packet in transcoder._take(frame)]
        times += [packet.pts for packet in target.encode(None)]
    assert times == sorted(times)
    steps = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert max(steps) > 80000
    assert min(abs(time - 96000) for time in times) <= 1024


@pytest.mark.parametrize(
    ("strictly", "given", "want"),
    [
        (True, [(0, 0), (0, 0), (0, 0)], [(0, 0), (1, 1), (2, 2)]),
        (False, [(0, 0), (0, 0), (0, 0)], [(0, 0), (0, 0), (0, 0)]),
        (True, [(10, 10), (5, 5), (12, 12)], [(10, 10), (11, 11), (12, 12)]),
        (False, [(10, 10), (5, 5), (12, 12)], [(10, 10), (10, 10), (12, 12)]),
        (True, [(10, 10), (10, 20)], [(10, 10), (11, 20)]),
        (True, [(10, 10), (11, 10)], [(10, 10), (11, 10)]),
        (True, [(None, 7), (None, 7)], [(7, 7), (8, 8)]),
        (True, [(3, None), (3, None)], [(3, None), (4, 4)]),
    ],
)
def test_decoding_times_rise(strictly: bool, given: list[Any], want: list[Any]) -> None:
    rising = sound.Rising(strictly=strictly)
    other = SimpleNamespace(stream=SimpleNamespace(index=1), dts=99, pts=99, time_base=Fraction(1, 1000))
    found = []
    for dts, pts in given:
        rising(other)
        made = rising(SimpleNamespace(stream=SimpleNamespace(index=0), dts=dts, pts=pts, time_base=Fraction(1, 1000)))
        found.append((made.dts, made.pts))
    assert found == want


def test_times_of_another_base_are_not_compared() -> None:
    rising = sound.Rising()
    for base, ticks in ((1000, 500), (10, 5)):
        made = rising(
            SimpleNamespace(stream=SimpleNamespace(index=0), dts=ticks, pts=ticks, time_base=Fraction(1, base))
        )
        assert (made.dts, made.pts) == (ticks, ticks)


def transcoded(starts: list[tuple[int | None, int]], rate: int = 48000) -> list[Any]:
    """The packets of AAC for frames that begin at these samples (None: unknown) with that many samples."""
    with av.open(io.BytesIO(), "w", format="mp4") as out:
        target = out.add_stream("aac", rate=48000)
        sound._configure(target.codec_context, 48000, "mono")
        source = SimpleNamespace(codec_context=SimpleNamespace(decode=lambda _: []))
        transcoder = sound.Transcoder(source, target)
        made: list[Any] = []
        for start, size in starts:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, size), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = start
            made += transcoder._take(frame)
        return made + list(transcoder.finish())


@pytest.mark.parametrize(
    ("starts", "first", "end"),
    [
        ([(0, 1000), (1000, 1000)], 0, 2000),
        ([(480, 1000), (1480, 1000)], 480, 2480),
        ([(None, 1024), (None, 1024)], 0, 2048),
        ([(0, 4096), (4096 + 4800, 1024)], 0, 5120),  # a gap of 0.1 s is closed
        ([(0, 4096), (4096 + 4801, 1024)], 0, 4096 + 4801 + 1024),
        ([(0, 4000), (4000 + 9600, 1024)], 0, 4000 + 9600 + 1024),
        ([(0, 4096), (None, 1024), (4096 + 1024, 1024)], 0, 6144),
    ],
)
def test_sound_keeps_its_place_when_it_is_transcoded(starts: list[Any], first: int, end: int) -> None:
    """The encoder begins 1024 samples early, and ends with a whole frame."""
    found = transcoded(starts)
    times = [packet.pts for packet in found]
    assert times == sorted(set(times))
    assert times[0] == first - 1024
    assert end - 1024 <= times[-1] < end + 1024
