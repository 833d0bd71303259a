"""Runs the application: address, QR code, cable. Loopback by default."""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from stereocast.serve import push
from stereocast.serve.connections import Patient
from stereocast.serve.identity import ServeError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens and what people open."""

    host: str
    port: int
    https: bool = False
    token: str = ""

    @property
    def plain_url(self) -> str:
        """Without the token."""
        shown = lan_address() if self.host in ("0.0.0.0", "::") else "localhost"
        return f"{'https' if self.https else 'http'}://{shown}:{self.port}/"

    @property
    def url(self) -> str:
        """With the token, where there is one."""
        return self.plain_url + (f"?token={self.token}" if self.token else "")


def lan_address() -> str:
    """This machine's address in its network; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def qr(url: str) -> str:
    """The address as a QR code for a terminal."""
    import io

    import segno

    out = io.StringIO()
    segno.make(url, error="l").terminal(out, compact=True)
    return out.getvalue()


class _QuietEnd(logging.Filter):
    """Ctrl-C cuts off whoever is still reading a film; that is not a server error."""

    def __init__(self, server: uvicorn.Server) -> None:
        super().__init__()
        self._server = server

    def filter(self, record: logging.LogRecord) -> bool:
        return not self._server.should_exit


@contextmanager
def _bound(address: Address) -> Iterator[socket.socket]:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((address.host, address.port))
    except OSError as error:
        made.close()
        raise ServeError(
            f"port {address.port} on {address.host} can't be used: {error.strerror}; choose another with --port"
        ) from error
    with made:
        yield made


def run(
    app: Starlette,
    address: Address,
    *,
    files: tuple[Path, Path] | None = None,
    cable: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serves until interrupted. `files` are certificate and key; `cable` makes the port reachable as localhost on a
    headset; `ready` is called when port and cable are there. Raises ServeError, PushError."""
    certificate, key = files or (None, None)
    config = uvicorn.Config(
        app, log_level="warning", ssl_certfile=certificate, ssl_keyfile=key, timeout_keep_alive=10, http=Patient,
        timeout_graceful_shutdown=2, limit_concurrency=1000, h11_max_incomplete_event_size=32_768, ws="none",
        access_log=False, server_header=False,
    )  # fmt: skip
    with _bound(address) as listening:
        if cable:
            push.Adb.find().reverse(address.port)
        ready()
        server = uvicorn.Server(config)
        app.state.ends = lambda: server.should_exit
        errors = logging.getLogger("uvicorn.error")
        quiet = _QuietEnd(server)
        errors.addFilter(quiet)
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            log.info("stopped")
        finally:
            errors.removeFilter(quiet)
