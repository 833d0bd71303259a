"""What a server keeps between starts: certificate, token and PIN, in the user's state folder.

A headset's bookmark, its cookie and the accepted certificate stay valid after a restart.
"""

import contextlib
import datetime
import ipaddress
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from stereocast.errors import StereocastError

log = logging.getLogger(__name__)

YEARS = 10
_RENEW = datetime.timedelta(days=30)


class ServeError(StereocastError):
    """The server can't start."""


def state_folder() -> Path:
    """Where a server keeps what it is known by: `STEREOCAST_HOME`, else the user's folder for state."""
    own = os.environ.get("STEREOCAST_HOME")
    return Path(own) / "serve" if own else platformdirs.user_state_path("stereocast", appauthor=False) / "serve"


def cache_folder() -> Path:
    """Where it keeps what can be made again: the index of a library, thumbnails."""
    own = os.environ.get("STEREOCAST_HOME")
    return Path(own) / "cache" if own else platformdirs.user_cache_path("stereocast", appauthor=False) / "serve"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The token in the address, and the PIN to type without it."""

    token: str
    pin: str


def keep_secrets(folder: Path, *, anew: bool = False) -> Secrets:
    """Token and PIN of an earlier start, or new ones. Raises ServeError where the folder can't be written."""
    path = folder / "token"
    if not anew:
        with contextlib.suppress(OSError, ValueError):
            token, pin = path.read_text("ascii").split()
            if len(token) >= 16 and pin.isdigit():
                return Secrets(token, pin)
    made = Secrets(secrets.token_urlsafe(18), f"{secrets.randbelow(10**6):06d}")
    _write(path, f"{made.token} {made.pin}\n".encode("ascii"))
    return made


def _write(path: Path, data: bytes) -> None:
    """A file that its owner alone reads; it is whole or not there."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        os.replace(part, path)
    except OSError as error:
        raise ServeError(
            f"{path.parent} can't be written ({error.strerror}); set STEREOCAST_HOME to a folder"
        ) from error


def keep_certificate(folder: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    """(certificate, key) as PEM files: those of an earlier start, or new ones where a name is new or it runs out.

    The key stays; names that were known stay, too. Raises ServeError.
    """
    paths = folder / "certificate.pem", folder / "key.pem"
    known = _names(paths[0])
    if known is not None and paths[1].is_file() and set(names) <= set(known):
        return paths
    wanted = tuple(dict.fromkeys((*(known or ()), *names)))
    certificate, key = _made(wanted, paths[1])
    _write(paths[1], key)
    _write(paths[0], certificate)
    return paths


def _names(path: Path) -> list[str] | None:
    """The names in a certificate; None where it is damaged or runs out."""
    from cryptography import x509

    try:
        made = x509.load_pem_x509_certificate(path.read_bytes())
        if made.not_valid_after_utc - _RENEW < datetime.datetime.now(datetime.UTC):
            return None
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    return [str(name.value) for name in names]


def _made(names: tuple[str, ...], key_path: Path) -> tuple[bytes, bytes]:
    """A self-signed certificate for hosts or addresses, and its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key: Any = None
    with contextlib.suppress(OSError, ValueError, TypeError):
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stereocast")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS + 3))
        .add_extension(x509.SubjectAlternativeName([_general_name(x509, name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem), private


def _general_name(x509: Any, name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
