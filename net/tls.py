"""Server certificates: read from files, re-read when they change, self-signed when none is given.

Keys stay in this module; errors name the file, never its content.
"""

import datetime
import ipaddress
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class CertificateError(Exception):
    """The certificate or key can't be used; the text says which file and why."""


class TlsContexts:
    """Hands out the server context; `refresh` loads changed files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._stamp = self._stat()
        self._context = self._load()

    @classmethod
    def create(
        cls, certificate: Path | None, key: Path | None, data_dir: Path, hostname: str
    ) -> "TlsContexts":
        """The configured pair, or a self-signed one kept in `data_dir`. Raises CertificateError."""
        if certificate is None or key is None:
            certificate, key = data_dir / "selfsigned.pem", data_dir / "selfsigned.key"
            if not (certificate.exists() and key.exists()):
                make_self_signed(certificate, key, hostname)
        return cls(certificate, key)

    @property
    def certificate(self) -> Path:
        """The file in use, for clients that want to pin it."""
        return self._certificate

    def server(self) -> ssl.SSLContext:
        """The context for one more server connection."""
        return self._context

    def refresh(self) -> bool:
        """Loads the files again if they changed: True if a new pair is in use."""
        stamp = self._stat()
        if stamp == self._stamp:
            return False
        # the chain of the one long-lived context is replaced, so listeners that hold it follow
        check_pair(self._certificate, self._key)
        self._context.load_cert_chain(self._certificate, self._key)
        self._stamp = stamp
        return True

    def _load(self) -> ssl.SSLContext:
        check_pair(self._certificate, self._key)
        return _server_context(self._certificate, self._key)

    def _stat(self) -> tuple[tuple[int, int], ...]:
        try:
            stats = [path.stat() for path in (self._certificate, self._key)]
        except OSError as error:
            raise CertificateError(f"{error.filename}: {error.strerror}") from None
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in stats)


def check_pair(certificate: Path, key: Path) -> None:
    """Raises CertificateError when the files can't be read, parsed or do not belong together."""
    try:
        _server_context(certificate, key)
    except ssl.SSLError as error:
        reason = error.reason or "not PEM"
        text = "the key does not belong to it" if "MISMATCH" in reason else f"unusable ({reason})"
        raise CertificateError(f"{certificate} with {key}: {text}") from None
    except OSError as error:
        raise CertificateError(f"{certificate} or {key}: {error.strerror}") from None


def _server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key, password=lambda: b"")
    return context


def make_self_signed(certificate: Path, key: Path, hostname: str) -> None:
    """Writes a new P-256 pair for `hostname` and localhost, good for ten years; the key is 0600."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(hostname), x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.parent.mkdir(parents=True, exist_ok=True)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_durably(key, pem, 0o600)
    _write_durably(certificate, built.public_bytes(serialization.Encoding.PEM), 0o644)


def _write_durably(path: Path, data: bytes, mode: int) -> None:
    """Beside, flushed, renamed: after a power loss there is the whole file or none."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
