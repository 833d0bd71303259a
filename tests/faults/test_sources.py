"""Sources that fail while they are read, and eight conversions at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest

from stereocast.errors import StereocastError
from tests.faults.crowd import Worker
from tests.films import make_film
from tests.support.contents import packets
from tests.support.conversion import convert

pytestmark = pytest.mark.usefixtures("nothing_is_left", "small_stages")
FLAGS = {"encoder": "x264", "overwrite": True}


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_connection_that_breaks(tmp_path: Path, share: float) -> None:
    """What arrived comes out, or one line says that nothing could be read."""
    data = make_film(tmp_path / "in.mkv", frames=120, size=(96, 192), audio=["aac"]).read_bytes()

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: int(len(data) * share)])

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        result = convert(f"http://127.0.0.1:{server.server_port}/in.mkv", tmp_path / "out.mp4", **FLAGS)
    except StereocastError as error:
        assert share < 0.1
        assert "\n" not in str(error)
    else:
        assert 0 < result.frames < 120
        with av.open(str(tmp_path / "out.mp4")) as box:
            assert sum(1 for _ in box.decode(video=0)) == result.frames
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_source_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.ts", frames=200, size=(96, 192), codec="mpeg2video")
    size = source.stat().st_size
    with source.open("r+b") as file:
        cutter = threading.Timer(0.05, lambda: file.truncate(size // 2))
        cutter.start()
        result = convert(source, tmp_path / "out.mp4", **FLAGS)
        cutter.join()
    assert 0 < result.frames <= 200


def test_eight_at_once(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", frames=60, audio=["aac"], cuts=[20])
    workers = [Worker(tmp_path / f"tmp{k}") for k in range(8)]
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda k: workers[k].run(source, tmp_path / f"out{k}.mp4", **FLAGS), range(8)))
    finally:
        for worker in workers:
            worker.close()
    assert [answer["ended"] for answer in answers] == ["done"] * 8
    first = packets(tmp_path / "out0.mp4")
    assert all(packets(tmp_path / f"out{k}.mp4") == first for k in range(1, 8))
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left == {"in.mp4", *(f"out{k}.mp4" for k in range(8))}
