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

SELF_SIGNED = "selfsigned.pem"
"""The certificate in the data folder where the configuration names none."""


class CertificateError(Exception):
    """The certificate or key can't be used; the text says which file and why."""


class TlsContexts:
    """Hands out the server context; `refresh` loads changed files, `use` other ones.

    Listeners keep the one context that `server` gives for as long as they live; after a change each
    handshake is handed on to the context of the pair in use. (Loading a pair into the same context
    again would keep the former one beside it where their kinds of key differ.)
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._stamp = _stamp_of(certificate, key)
        self._handed_out = self._current = self._load(certificate, key)

    @classmethod
    def create(
        cls, certificate: Path | None, key: Path | None, data_dir: Path, hostname: str
    ) -> "TlsContexts":
        """The configured pair, or a self-signed one kept in `data_dir`. Raises CertificateError."""
        return cls(*_pair(certificate, key, data_dir, hostname))

    @property
    def certificate(self) -> Path:
        """The file in use, for clients that want to pin it."""
        return self._certificate

    def server(self) -> ssl.SSLContext:
        """The context for server connections; always the same one."""
        return self._handed_out

    def refresh(self) -> bool:
        """Loads the files again if they changed: True if a new pair is in use."""
        return self._follow(self._certificate, self._key)

    def use(
        self, certificate: Path | None, key: Path | None, data_dir: Path, hostname: str
    ) -> bool:
        """As `create`, for the connections to come; as `refresh` where the files are the same."""
        return self._follow(*_pair(certificate, key, data_dir, hostname))

    def _follow(self, certificate: Path, key: Path) -> bool:
        stamp = _stamp_of(certificate, key)
        if (certificate, key, stamp) == (self._certificate, self._key, self._stamp):
            return False
        self._current = self._load(certificate, key)
        self._handed_out.sni_callback = self._hand_on
        self._certificate, self._key, self._stamp = certificate, key, stamp
        return True

    def _load(self, certificate: Path, key: Path) -> ssl.SSLContext:
        check_pair(certificate, key)
        return _server_context(certificate, key)

    def _hand_on(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        """Called in every handshake, also without a server name."""
        connection.context = self._current


def _pair(
    certificate: Path | None, key: Path | None, data_dir: Path, hostname: str
) -> tuple[Path, Path]:
    if certificate is not None and key is not None:
        return certificate, key
    certificate, key = data_dir / SELF_SIGNED, data_dir / "selfsigned.key"
    if not (certificate.exists() and key.exists()):
        make_self_signed(certificate, key, hostname)
    return certificate, key


def _stamp_of(certificate: Path, key: Path) -> tuple[tuple[int, int], ...]:
    try:
        stats = [path.stat() for path in (certificate, key)]
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
