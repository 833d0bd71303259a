"""Servers that stall, pipes that can't be sought in, playlists that reach for files."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stereocast.errors import SourceError
from stereocast.jobs.convert.prepare import prepare
from stereocast.media import probe, reader, standard_input
from tests.media.small import convert, flash_film, numbered_film, packets, settings
from tests.support.system import needs_signals

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def server(body: bytes, stall_after: int | None = None, kind: str = "video/mp2t") -> Iterator[str]:
    """A web server on this machine that sends `body`, and stops in the middle of it where told."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if stall_after is None else body[:stall_after])
            self.wfile.flush()
            if stall_after is not None:
                done.wait(120)

        def log_message(self, *_: object) -> None: ...

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{web.server_address[1]}/film"
    finally:
        done.set()
        web.shutdown()
        web.server_close()


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SILENCE_S", 1)
    with server(b"x" * 1000, stall_after=0) as url:
        begun = time.monotonic()
        with pytest.raises(SourceError, match="the server sent nothing for 1 s"):
            probe.open_input(url)
    assert time.monotonic() - begun < 5


@pytest.mark.usefixtures("small_stages")
def test_a_server_that_stalls_ends_the_film_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SILENCE_S", 2)
    body = numbered_film(tmp_path / "in.ts", 400, gop=10).read_bytes()
    with server(body, stall_after=len(body) * 3 // 4) as url, pytest.raises(SourceError, match="sent nothing"):
        convert(url, tmp_path / "out.mp4")
    assert packets(tmp_path / "out.part.mp4")["video"]


@needs_signals
@pytest.mark.parametrize("stall_share", [0.0, 0.75])
def test_ctrl_c_works_while_a_server_stalls(tmp_path: Path, stall_share: float) -> None:
    body = numbered_film(tmp_path / "in.ts", 400, gop=10).read_bytes()
    with server(body, stall_after=int(len(body) * stall_share)) as url:
        program = (
            "from stereocast import registry\n"
            "from stereocast.media import probe\n"
            "probe.SILENCE_S = 300\n"
            "registry.SYNTH = {'warp': registry.Backend('tests.fakes:ShiftSynthesizer')}\n"
            "registry.DEPTH = {'embedded': registry.Backend('tests.fakes:RampDepth')}\n"
            "from stereocast.cli import main\nmain()\n"
        )
        command = [sys.executable, "-c", program, "convert", url, "-o", str(tmp_path / "out.mp4"), "-q"]
        run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
        part = tmp_path / "out.part.mp4"
        begun = time.monotonic()
        while time.monotonic() - begun < 60 and not (part.exists() if stall_share else time.monotonic() - begun > 3):
            time.sleep(0.1)
        time.sleep(2)
        asked = time.monotonic()
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=20)
    assert time.monotonic() - asked < 8
    assert run.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("inner", ["file:///etc/passwd", "file:{path}", "{path}"])
def test_a_remote_playlist_never_reads_files(tmp_path: Path, inner: str) -> None:
    secret = flash_film(tmp_path / "secret.ts")
    line = inner.format(path=secret)
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{line}\n#EXT-X-ENDLIST\n"
    with server(text.encode(), kind="application/vnd.apple.mpegurl") as url, pytest.raises(SourceError):
        reader.VideoSource(f"{url}.m3u8").close()


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


class Input:
    def __init__(self, body: bytes) -> None:
        self.buffer = Pipe(body)


def mp4(path: Path, *, first: bool) -> bytes:
    film = numbered_film(path, 12, format="mp4")
    body = film.read_bytes()
    assert standard_input.index_at_end(body[:65536]) is True
    if not first:
        return body
    at = body.index(b"moov") - 4
    return body[:24] + body[at:] + body[24:at]


def test_an_index_at_the_end_of_a_pipe_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Input(mp4(tmp_path / "in.mp4", first=False)))
    with pytest.raises(SourceError, match=r"index at the end.*--spool"):
        prepare("-", tmp_path / "out.mp4", settings())


@pytest.mark.usefixtures("small_stages")
def test_a_pipe_cannot_be_searched_for_bars_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Input(numbered_film(tmp_path / "in.mkv", 12).read_bytes()))
    assert (
        "a pipe can't be searched for bars; nothing is cropped"
        in convert("-", tmp_path / "out.mp4", crop="auto").plan.notes
    )


@pytest.mark.usefixtures("small_stages")
def test_spool_puts_the_pipe_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Input(mp4(tmp_path / "in.mp4", first=False)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = convert("-", tmp_path / "out.mp4", spool=True)
    assert result.frames == 12
    del result


@pytest.mark.parametrize(
    ("head", "want"),
    [
        (b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08free" + b"\0\0\1\0mdat", True),
        (b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\1\0moov", False),
        (b"\x1aE\xdf\xa3" + b"\0" * 60, False),
        (b"", False),
        (b"\0\0\0\x01ftyp", False),
        (b"\0\0\1\0mdat", True),
    ],
)
def test_where_the_index_is(head: bytes, want: bool) -> None:
    assert standard_input.index_at_end(head) is want


def test_a_live_connection_that_closes_is_no_stall(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(SourceError, match="can't be opened"):
        probe.open_input(f"http://127.0.0.1:{port}/film.ts")
