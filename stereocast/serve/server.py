"""Runs the application: address, certificate, token, QR code, cable. Loopback unless asked otherwise."""

import datetime
import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from starlette.applications import Starlette

from stereocast.errors import StereocastError
from stereocast.serve import push

log = logging.getLogger(__name__)


class ServeError(StereocastError):
    """The server can't start."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens and what people open."""

    host: str
    port: int
    https: bool = False
    token: str = ""

    @property
    def url(self) -> str:
        shown = lan_address() if self.host in ("0.0.0.0", "::") else "localhost"
        return (
            f"{'https' if self.https else 'http'}://{shown}:{self.port}/{f'?token={self.token}' if self.token else ''}"
        )


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(18)


def lan_address() -> str:
    """This machine's address in its network; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def certificate(folder: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    """A certificate and key of our own making for `names` (hosts or addresses), as PEM files; a year long."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stereocast")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = x509.SubjectAlternativeName([_general_name(x509, name) for name in names])
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].touch(0o600)
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def _general_name(x509: Any, name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def qr(url: str) -> str:
    """The address as a QR code for a terminal."""
    import io

    import segno

    out = io.StringIO()
    segno.make(url, error="l").terminal(out, compact=True)
    return out.getvalue()


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


def run(app: Starlette, address: Address, *, cable: bool = False, ready: Callable[[], None] = lambda: None) -> None:
    """Serves until interrupted. `cable` makes the port reachable as localhost on a headset; `ready` is
    called when port, certificate and cable are there. Raises ServeError."""
    with TemporaryDirectory(prefix="stereocast-tls-") as folder, _bound(address) as listening:
        files = (None, None)
        if address.https:
            files = certificate(Path(folder), ("localhost", "127.0.0.1", lan_address()))  # type: ignore[assignment]
        if cable:
            push.Adb.find().reverse(address.port)
        ready()
        config = uvicorn.Config(
            app, log_level="warning", ssl_certfile=files[0], ssl_keyfile=files[1], timeout_keep_alive=10,
            timeout_graceful_shutdown=2, limit_concurrency=500, h11_max_incomplete_event_size=32_768, ws="none",
            access_log=False, server_header=False,
        )  # fmt: skip
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            log.info("stopped")
