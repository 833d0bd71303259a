"""The web application: what it gives, and what it refuses."""

import contextlib
import json
import socket
import threading
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from stereocast.media import spatial
from stereocast.serve import app as web
from stereocast.serve.library import Library
from stereocast.types import Layout, StereoFormat
from tests.films import make_film
from tests.serve.running import ask, running

VTT = "1\n00:00:00,100 --> 00:00:00,500\nHello\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "films"
    root.mkdir()
    spatial.tag_file(
        make_film(root / "a_LRF_Full_SBS.mp4", frames=12, subtitles=["mov_text"]), StereoFormat(Layout.SBS)
    )
    (root / "a_LRF_Full_SBS.srt").write_text(VTT)
    (root / "broken.mp4").write_bytes(b"not a film")
    make_film(tmp_path / "secret.mp4", frames=3)
    with contextlib.suppress(OSError):  # Windows gives links to administrators only
        (root / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    return root


def listing(url: str) -> list[dict]:
    return json.loads(ask(url, "/api/library")[2])


def test_library_film_poster_and_subtitles(folder: Path) -> None:
    with running(web.build(Library(folder))) as url:
        (film,) = listing(url)
        assert film["title"] == "a_LRF_Full_SBS.mp4"
        assert film["views"] == {
            "layout": "left-right", "full": True, "swapped": False, "half_sphere": False, "projection": "flat", "source": "tags",
        }  # fmt: skip
        assert film["duration_s"] == pytest.approx(0.5, abs=0.05)
        whole = (folder / film["title"]).read_bytes()
        assert ask(url, f"/film/{film['id']}")[2] == whole
        status, headers, body = ask(url, f"/film/{film['id']}", headers={"Range": "bytes=100-199"})
        assert (status, body) == (206, whole[100:200])
        assert headers["content-range"] == f"bytes 100-199/{len(whole)}"
        assert ask(url, f"/film/{film['id']}", headers={"Range": "bytes=-10"})[2] == whole[-10:]
        assert ask(url, f"/poster/{film['id']}")[2][:2] == b"\xff\xd8"
        assert film["texts"] == ["a_LRF_Full_SBS.srt", "ger"]
        assert b"00:00:00.100 --> 00:00:00.500\nHello" in ask(url, f"/text/{film['id']}/0")[2]
        assert b"line 0" in ask(url, f"/text/{film['id']}/1")[2]
        assert ask(url, f"/text/{film['id']}/2")[0] == 404
        assert b"player/page.js" in ask(url, "/")[2]
        assert ask(url, "/player/page.js")[1]["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/film/../secret.mp4", "/film/..%2fsecret.mp4", "/film/%2e%2e/%2e%2e/etc/passwd", "/player/../app.py",
        "/player/..%2fapp.py", "/player/%2e%2e%2fapp.py", "/player//etc/passwd", "//etc/passwd", "/../../etc/passwd",
        "/film/" + "a" * 3000, "/film/%00", "/text/x/99999999999999999999", "/live/x/1/../../etc/passwd", "/poster/",
        "/film/C:%5cwindows%5cwin.ini",
    ],
)  # fmt: skip
def test_no_path_leads_outside(folder: Path, path: str) -> None:
    with running(web.build(Library(folder))) as url:
        status, _, body = ask(url, path)
        assert status in (400, 404)
        assert b"root:" not in body
        assert b"import" not in body


@pytest.mark.parametrize(
    "value",
    [
        "bytes=99999999999999999999-",
        "bytes=0-999999999999999999999999",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=-0",
        "bytes=" + "0-1," * 2000,
        "lines=1-2",
    ],
)
def test_strange_ranges_are_answered(folder: Path, value: str) -> None:
    with running(web.build(Library(folder))) as url:
        (film,) = listing(url)
        status, _, body = ask(url, f"/film/{film['id']}", headers={"Range": value})
        assert status in (200, 206, 400, 416)
        assert len(body) < 4 * film["size"] + 1_000_000
        assert ask(url, "/")[0] == 200


def test_fifty_clients_and_a_slow_one(folder: Path) -> None:
    big = folder / "big_LR.mp4"
    make_film(big, frames=24)
    with big.open("ab") as file:  # a free box of 8 MB
        file.write((8_000_000).to_bytes(4, "big") + b"free" + bytes(8_000_000 - 8))
    with running(web.build(Library(folder))) as url:
        film = next(f for f in listing(url) if f["title"] == "big_LR.mp4")
        host, port = url.removeprefix("http://").split(":")
        slow = socket.create_connection((host, int(port)))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET /film/{film['id']} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        half = socket.create_connection((host, int(port)))
        half.sendall(b"GET / HTTP/1.1\r\nHo")  # never ends its request
        results: list[int] = []

        def client() -> None:
            with urllib.request.urlopen(f"{url}/film/{film['id']}", timeout=300) as answer:
                results.append(len(answer.read()))

        before = threading.active_count()
        threads = [threading.Thread(target=client) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert results == [film["size"]] * 50
        assert slow.recv(15).startswith(b"HTTP/1.1 200")
        slow.close()
        half.close()
        assert ask(url, "/")[0] == 200
        time.sleep(0.2)
        assert threading.active_count() <= before + 45  # the pool of file readers, not one per client for ever
