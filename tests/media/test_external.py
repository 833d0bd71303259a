"""Encoding through a system ffmpeg, where one is on the PATH."""

import io
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from stereocast.media import external
from stereocast.types import PixelFormat, StreamInfo
from tests.films import make_film, read_film
from tests.support.contents import left_numbers
from tests.support.conversion import convert


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("cat >/dev/null; echo stream", ""),
        ("cat >/dev/null", "ffmpeg exited with code 0"),
        ("cat >/dev/null; echo stream; echo first >&2; echo last >&2; exit 3", "last"),
        ("cat >/dev/null; exit 4", "ffmpeg exited with code 4"),
    ],
)
def test_why_an_encoder_cannot_be_used(script: str, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["sh", "-c", script], stdin=PIPE, stdout=PIPE, stderr=PIPE)

    monkeypatch.setattr(external, "_start", start)
    assert external.probe(SimpleNamespace(pixel_format=PixelFormat.YUV420P)) == error  # type: ignore[arg-type]


PROFILE = """
about = "H.264 through a system ffmpeg"
via = "ffmpeg"
codec = "libx264"
family = "h264"
quality = 18

[options]
preset = "ultrafast"
"""


pytestmark = pytest.mark.usefixtures("small_stages")


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_frames_and_times_survive_the_detour(tmp_path: Path, container: str) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on the PATH")
    pytest.importorskip("ffmpeg", reason="needs the ffmpeg extra")
    (tmp_path / "own.toml").write_text(PROFILE)
    source = make_film(
        tmp_path / "in.mp4", pts=[0, 40, 90, 100, 300, 340, 380, 500], audio=["aac"], time_base=Fraction(1, 1000)
    )
    after = read_film(
        convert(source, tmp_path / f"out.{container}", encoder=str(tmp_path / "own.toml")).plan.outputs[0]
    )
    assert left_numbers(after) == list(range(8))
    assert after["times"] == read_film(source)["times"]
    assert len(after["audio"]) == 1


def profile(**more: Any) -> Any:
    return SimpleNamespace(
        codec="libx264",
        pixel_format=PixelFormat.YUV420P,
        private=lambda quality: {"input:hw": "1", "qp": quality},
        **more,
    )


@pytest.mark.parametrize(("rate", "gop"), [(Fraction(25), "50"), (Fraction(24000, 1001), "48"), (Fraction(1, 8), "1")])
def test_what_ffmpeg_is_asked_for(rate: Fraction, gop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw pictures in, NUT without B-frames out, a key frame every two seconds; the profile's options on their side."""
    started: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **given: started.append((words, given)))
    external._start(profile(), 64, 48, rate, 21)
    ((words, given),) = started
    before, after = words[: words.index("-i")], words[words.index("-i") :]
    options = dict(zip(before[1::2], before[2::2], strict=False))
    assert options == {"-f": "rawvideo", "-hw": "1", "-pix_fmt": "yuv420p", "-r": str(rate), "-s": "64x48"}
    assert after[1] == "pipe:" and after[-1] == "-nostdin" and "error" in after
    wanted = {"-f": "nut", "-vcodec": "libx264", "-g": gop, "-bf": "0", "-qp": "21"}
    assert {name: after[after.index(name) + 1] for name in wanted} == wanted
    assert (given["stdin"], given["stdout"], given["stderr"]) == (PIPE, PIPE, PIPE)


class Process:
    """An ffmpeg that has read its pictures already; the stream it gives has three."""

    def __init__(self, code: int = 0, said: bytes = b"") -> None:
        made = io.BytesIO()
        with av.open(made, "w", format="nut") as out:
            stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(3):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((72, 64), 90, np.uint8), format="yuv420p")))
            out.mux(stream.encode(None))
        self.made, self.said, self.code, self.returncode = made.getvalue(), said, code, 0
        self.stdin, self.stdout, self.stderr, self.killed = Given(), io.BytesIO(self.made), io.BytesIO(said), False

    def communicate(self, data: bytes = b"", timeout: float = 0) -> tuple[bytes, bytes]:
        assert len(data) == 3 * 72 * 64
        return self.made, b""

    def wait(self) -> int:
        return self.code

    def poll(self) -> int | None:
        return None if not self.killed else -9

    def kill(self) -> None:
        self.killed = True


class Given(io.BytesIO):
    """Remembers what was written when it is closed."""

    whole = b""

    def close(self) -> None:
        if not self.closed:
            self.whole = self.getvalue()
        super().close()


@pytest.mark.parametrize(
    ("code", "said", "reason"), [(0, b"", ""), (1, b" out of memory\n", "out of memory"), (1, b"", "ffmpeg failed")]
)
def test_packets_get_the_times_of_their_pictures(
    code: int, said: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Process] = []
    monkeypatch.setattr(external, "_start", lambda *_: started.append(Process(code, said)) or started[-1])
    with av.open(io.BytesIO(), "w", format="mp4") as output:
        info = StreamInfo(64, 48, Fraction(1, 1000), Fraction(25))
        encoder = external.ExternalEncoder(output, info, profile(), None)
        assert not encoder.used
        pictures = [np.full((72, 64), 40 * n, np.uint8) for n in range(3)]
        encoder._reader.join()  # all packets are there before the first picture's time would be asked for
        held, encoder._packets = encoder._packets, []
        for picture, (pts, duration) in zip(pictures, ((5, 40), (47, 3), (50, 41)), strict=True):
            assert encoder.encode(picture, pts, duration) == []
        encoder._packets = held
        assert encoder.used
        if reason:
            with pytest.raises(OSError, match=reason):
                encoder.flush()
        else:
            made = encoder.flush()
            assert [(p.pts, p.dts, p.duration, p.time_base) for p in made] == [
                (pts, pts, duration, Fraction(1, 1000)) for pts, duration in ((5, 40), (47, 3), (50, 41))
            ]
            assert all(packet.stream is encoder.stream for packet in made)
        assert started[-1].stdin.whole == b"".join(picture.tobytes() for picture in pictures)
        encoder.close()
        assert started[-1].killed and started[-1].stdout.closed and started[-1].stderr.closed


def test_an_ffmpeg_that_does_not_respond_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        killed = 0

        def communicate(self, data: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
            if timeout is not None:
                raise subprocess.TimeoutExpired("ffmpeg", timeout)
            assert self.killed
            return b"", b""

        def kill(self) -> None:
            self.killed += 1

    silent = Silent()
    monkeypatch.setattr(external, "_start", lambda *_: silent)
    assert external.probe(profile()) == "ffmpeg doesn't respond"
    assert silent.killed == 1
    with pytest.raises(OSError, match="doesn't respond"):
        external.ExternalEncoder(None, StreamInfo(64, 48, Fraction(1, 25), None), profile(), None)
