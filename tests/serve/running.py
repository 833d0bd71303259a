"""A real server on a free port of the loopback, in a thread, and a client that tidies nothing."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from stereocast.serve.connections import Patient


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The address of a running server."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_level="warning",
            ws="none",
            timeout_graceful_shutdown=2,
            http=Patient,
            limit_concurrency=1000,
        )  # fmt: skip
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 300
    while not server.started:
        assert time.monotonic() < deadline, "the server doesn't start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(120)
        assert not thread.is_alive()


def ask(
    url: str, path: str, *, headers: dict[str, str] | None = None, method: str = "GET", body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """A request sent as it is written: nothing tidies the path. Status, headers (small letters), body."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
    given = dict(headers or {})
    connection.putrequest(method, path, skip_host="Host" in given)
    for name, value in given.items():
        connection.putheader(name, value)
    if body or method == "POST":
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, answer


def said(url: str, path: str, **more: Any) -> Any:
    """The JSON of an answer."""
    return json.loads(ask(url, path, **more)[2])


def post(url: str, path: str, value: Any = None) -> tuple[int, Any]:
    """Status and JSON of a POST with a JSON body."""
    data = b"" if value is None else json.dumps(value).encode()
    status, _, body = ask(url, path, method="POST", body=data, headers={"Content-Type": "application/json"})
    return status, json.loads(body) if body else None
