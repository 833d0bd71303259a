"""Who is let in: host, origin, token, cookie, PIN; what is kept between starts; requests that never end."""

import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

import uvicorn
from cryptography import x509

from stereocast.serve import access, connections, identity, server
from stereocast.serve import app as web
from stereocast.serve.library import Library
from tests.films import make_film
from tests.serve.running import ask, running

TOKEN, PIN = "a-token-that-is-right", "123456"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "films"
    root.mkdir()
    make_film(root / "a.mp4", frames=4)
    return root


def guarded(folder: Path, **more: Any) -> Any:
    return web.build(Library(folder), token=TOKEN, pin=PIN, **more)


def cookie_of(headers: dict[str, str]) -> dict[str, str]:
    return {"Cookie": headers["set-cookie"].split(";")[0]}


def test_a_token_is_asked_for_everywhere(folder: Path) -> None:
    with running(guarded(folder)) as url:
        remote = {"X-Forwarded-For": "203.0.113.9"}  # as from a proxy on this machine: not a person at it
        for path in ("/", "/api/library", "/player/page.js", "/?token=wrong", "/?token=", "/?token=%00%ff", "/film/x"):
            status, _, body = ask(url, path, headers=remote)
            assert status == 401, path
            assert TOKEN.encode() not in body
        assert ask(url, "/api/library", headers={"Cookie": "stereocast_token=wrong"})[0] == 401
        status, headers, _ = ask(url, f"/?token={TOKEN}", headers=remote)
        assert (status, headers["location"]) == (303, "/")
        assert "HttpOnly" in headers["set-cookie"]
        assert ask(url, "/api/library", headers=cookie_of(headers))[0] == 200
        # a player without cookies is served at once
        assert ask(url, f"/api/library?token={TOKEN}")[0] == 200


def test_a_link_from_another_page_finds_its_cookie(folder: Path) -> None:
    """A strict cookie isn't sent when another page leads here; a lax one is, on navigation and not on other requests."""
    with running(guarded(folder)) as url:
        _, headers, _ = ask(url, f"/?token={TOKEN}")
        words = headers["set-cookie"].lower()
        assert "samesite=lax" in words
        assert "max-age=31536000" in words


def test_at_this_machine_a_page_brings_its_cookie(folder: Path) -> None:
    with running(guarded(folder)) as url:
        assert ask(url, "/api/library")[0] == 401  # a page elsewhere, or a script, that goes straight for the list
        status, headers, _ = ask(url, "/")
        assert status == 200
        assert ask(url, "/api/library", headers=cookie_of(headers))[0] == 200
        for other in ({"Sec-Fetch-Mode": "no-cors"}, {"Host": "192.168.1.5"}, {"Forwarded": "for=1.2.3.4"}):
            status, headers, _ = ask(url, "/", headers=other)
            assert status == 401
            assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:8180", True), ("127.0.0.1", True), ("[::1]:8180", True), ("192.168.1.7:8180", True), ("LOCALHOST.", True),
        (socket.gethostname(), True), ("films.example.org", True), ("evil.example", False), ("localhost.evil.example", False),
        ("", False), ("127.0.0.1.evil.example:80", False), ("127.0.0.1@evil.example", False), ("a b", False),
    ],
)  # fmt: skip
def test_a_name_that_is_pointed_here_is_refused(folder: Path, host: str, known: bool) -> None:
    with running(web.build(Library(folder), names=("films.example.org",))) as url:
        status = ask(url, "/api/library", headers={"Host": host})[0]
        assert (status == 200) if known else (status in (400, 421))


def test_only_our_own_page_changes_anything(folder: Path) -> None:
    with running(web.build(Library(folder))) as url:
        path = "/live/0000000000000000?t=0"
        assert ask(url, path, method="POST")[0] == 404
        assert ask(url, path, method="POST", headers={"Origin": url})[0] == 404
        for stranger in ("http://evil.example", "null", "https" + url[4:], url + "0", "http://localhost:1"):
            assert ask(url, path, method="POST", headers={"Origin": stranger})[0] == 403, stranger
        assert ask(url, path, method="POST", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
        assert ask(url, path, method="DELETE", headers={"Origin": "http://evil.example"})[0] == 403


def test_the_pin_opens_and_guessing_is_slow(folder: Path) -> None:
    page = {"Accept": "text/html", "X-Forwarded-For": "203.0.113.9"}
    form = {"Content-Type": "application/x-www-form-urlencoded", **page}
    with running(guarded(folder)) as url:
        status, headers, body = ask(url, "/", headers=page)
        assert (status, headers["content-type"].split(";")[0]) == (401, "text/html")
        assert b'name="pin"' in body
        assert b'name="next" value="/watch/x"' in ask(url, "/watch/x", headers=page)[2]
        assert b'"/watch/"' not in ask(url, "/watch/%22%3E%3Cb%3E", headers=page)[2]
        assert ask(url, "/player/login.css")[0] == 200
        assert ask(url, "/player/page.css")[0] == 401
        form["Origin"] = url
        status, headers, _ = ask(url, "/login", method="POST", headers=form, body=b"pin=123+456&next=/watch/x")
        assert (status, headers["location"]) == (303, "/watch/x")
        assert ask(url, "/api/library", headers=cookie_of(headers))[0] == 200
        for goal in ("//evil.example", "https://evil.example", "/%5Cevil.example", "/a%0d%0ab"):
            _, headers, _ = ask(url, "/login", method="POST", headers=form, body=f"pin={PIN}&next={goal}".encode())
            assert headers["location"] == "/"
        as_json = {"Content-Type": "application/json"}
        assert ask(url, "/login", method="POST", headers=as_json, body=b'{"token": "%s"}' % TOKEN.encode())[0] == 204
        assert ask(url, "/login", method="POST", headers=as_json, body=b"[1]")[0] == 400
        assert ask(url, "/login", method="POST", headers=as_json, body=b"x" * 5000)[0] == 400
        answers = [ask(url, "/login", method="POST", headers=form, body=b"pin=000000&next=/watch/x") for _ in range(3)]
        assert b'value="/watch/x"' in answers[0][2]
        assert [status for status, *_ in answers] == [401, 401, 429]
        assert int(answers[-1][1]["retry-after"]) >= 1
        assert ask(url, "/login", method="POST", headers=form, body=f"pin={PIN}".encode())[0] == 429


def test_without_a_pin_an_empty_one_is_wrong(folder: Path) -> None:
    with running(web.build(Library(folder), token=TOKEN)) as url:
        assert ask(url, "/login", method="POST", body=b"pin=")[0] == 401


def test_waits_double_and_all_together_have_a_limit() -> None:
    now = [0.0]
    slow = access.Slowdown(lambda: now[0])
    waits = []
    for _ in range(14):
        slow.wrong("10.0.0.1")
        waits.append(slow.wait_s("10.0.0.1"))
        now[0] += waits[-1]
    assert waits[:6] == [0, 0, 1, 2, 4, 8]
    assert waits[-1] == 300
    assert slow.wait_s("10.0.0.2") == 0
    slow.wrong("2001:db8::1"), slow.wrong("2001:db8::2"), slow.wrong("2001:db8::3")
    assert slow.wait_s("2001:db8::ffff") > 0  # addresses of one network are one
    slow.right("10.0.0.1")
    assert slow.wait_s("10.0.0.1") == 0
    for n in range(30):
        slow.wrong(f"10.1.0.{n}")
    assert slow.wait_s("10.9.9.9") > 3000


def test_token_pin_and_certificate_are_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = identity.keep_secrets(state)
    assert len(first.token) >= 24
    assert len(first.pin) == 6
    assert identity.keep_secrets(state) == first
    second = identity.keep_secrets(state, anew=True)
    assert second.token != first.token
    assert identity.keep_secrets(state) == second
    (state / "token").write_text("damaged")
    assert len(identity.keep_secrets(state).token) >= 24

    files = identity.keep_certificate(state, ("localhost", "127.0.0.1"))
    before = files[0].read_bytes(), files[1].read_bytes()
    made = x509.load_pem_x509_certificate(before[0])
    assert made.not_valid_after_utc - made.not_valid_before_utc > datetime.timedelta(days=3650)
    identity.keep_certificate(state, ("127.0.0.1",))
    assert (files[0].read_bytes(), files[1].read_bytes()) == before
    identity.keep_certificate(state, ("localhost", "192.168.0.9"))  # another network: the old names stay, and the key
    names = x509.load_pem_x509_certificate(files[0].read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert {str(name.value) for name in names.value} == {"localhost", "127.0.0.1", "192.168.0.9"}
    assert files[1].read_bytes() == before[1]
    files[0].write_text("damaged")
    identity.keep_certificate(state, ("localhost",))
    x509.load_pem_x509_certificate(files[0].read_bytes())
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o077 == 0 for path in (state, *state.iterdir()))


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(identity.ServeError, match="STEREOCAST_HOME"):
        identity.keep_secrets(tmp_path / "file")


def test_the_certificate_is_accepted_for_its_names(tmp_path: Path, folder: Path) -> None:
    files = identity.keep_certificate(tmp_path / "state", ("localhost", "127.0.0.1"))
    config = uvicorn.Config(
        web.build(Library(folder)), port=0, ssl_certfile=files[0], ssl_keyfile=files[1], log_level="warning", ws="none"
    )
    made = uvicorn.Server(config)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    while not made.started:
        time.sleep(0.02)
    port = made.servers[0].sockets[0].getsockname()[1]
    context = ssl.create_default_context(cafile=files[0])
    with urllib.request.urlopen(f"https://localhost:{port}/", context=context, timeout=120) as answer:
        assert answer.status == 200
    made.should_exit = True
    thread.join(120)


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
def test_a_restart_keeps_the_bookmark_and_a_signal_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {**os.environ, "STEREOCAST_HOME": str(tmp_path / "home"), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seen = []
    for _ in range(2):
        command = [sys.executable, "-m", "stereocast", "serve", str(folder), "--https", "--port", str(port)]
        running = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert running.stdout is not None
            assert f"https://localhost:{port}/" in running.stdout.readline()
            context = ssl.create_default_context(cafile=tmp_path / "home/serve/certificate.pem")
            token = (tmp_path / "home/serve/token").read_text().split()[0]
            address = f"https://localhost:{port}/api/library?token={token}"
            deadline = time.monotonic() + 300
            while True:
                try:
                    with urllib.request.urlopen(address, context=context, timeout=60) as answer:
                        assert answer.status == 200
                    break
                except (ConnectionError, urllib.error.URLError):
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            seen.append(((tmp_path / "home/serve/certificate.pem").read_bytes(), token))
            news = f"https://localhost:{port}/api/changes?token={token}"
            waits = False
            while not waits:  # until the folder has been read there are news at once
                with urllib.request.urlopen(news, context=context, timeout=60) as answer:
                    since = json.loads(answer.read())["version"]
                page = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
                page.sendall(
                    f"GET /api/changes?since={since}&token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                )
                page.settimeout(0.5)
                try:
                    page.recv(1)
                    page.close()
                except TimeoutError:
                    waits = True
        finally:
            running.send_signal(signal.SIGTERM)
            _, said = running.communicate(timeout=300)
        page.close()
        assert "Traceback" not in said and "ancel" not in said
        assert [path for path in temporary.rglob("*") if path.suffix == ".pem"] == []
    assert seen[0] == seen[1]


def test_half_a_request_is_let_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 2.0)
    with running(web.build(Library(folder))) as url:
        host, port = url.removeprefix("http://").split(":")
        silent, half, second = (socket.create_connection((host, int(port)), timeout=60) for _ in range(3))
        half.sendall(b"GET / HTTP/1.1\r\nHo")
        second.sendall(f"GET /api/library HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert second.recv(12) == b"HTTP/1.1 200"
        time.sleep(0.2)
        second.sendall(b"GET /api")  # a second request on a kept connection that never ends
        started = time.monotonic()
        half.sendall(b"s")  # another byte doesn't restart the timer
        for each in (silent, half, second):
            try:
                while each.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            each.close()
        assert time.monotonic() - started < 120
        assert ask(url, "/")[0] == 200


def test_many_half_requests_leave_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HALF_OPEN", 20)
    with running(web.build(Library(folder))) as url:
        host, port = url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port)), timeout=60) for _ in range(60)]
        for each in slow:
            try:
                each.sendall(b"GET / HTTP/1.1\r\nHo")
            except OSError:
                pass
        assert ask(url, "/")[0] == 200
        for each in slow:
            each.close()


def test_address_and_qr() -> None:
    assert server.Address("127.0.0.1", 8180).url == "http://localhost:8180/"
    url = server.Address("0.0.0.0", 8443, True, TOKEN).url
    assert url.startswith("https://")
    assert url.endswith(f"?token={TOKEN}")
    assert len(server.qr(url).splitlines()) > 10
