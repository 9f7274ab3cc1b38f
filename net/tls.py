"""Server certificates: read from files, re-read when they change, self-signed when none is given.

Keys stay in this module; errors name the file, never its content.
"""

import datetime
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SELF_SIGNED = "selfsigned.pem"
"""The certificate in the data folder where the configuration names none."""


class CertificateError(Exception):
    """The certificate or key can't be used; the text says which file and why."""


class ServerContext(ssl.SSLContext):
    """`end_point` is what tls-server-end-point (RFC 5929 §4) is with its certificate, b"" for a
    certificate that has none.
    """

    end_point: bytes = b""


class TlsContexts:
    """Hands out the server context; `refresh` loads changed files, `use` other ones. Where users
    log in, `for_users` asks for a client certificate, if there is a CA to judge it.

    Listeners keep the one context that they are given for as long as they live; after a change each
    handshake is handed on to the context of the pair in use. (Loading a pair into the same context
    again would keep the former one beside it where their kinds of key differ.)
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._stamp = _stamp_of(certificate, key, client_ca)
        self._handed_out = self._current = _Loaded.of(certificate, key, client_ca)

    @classmethod
    def create(
        cls,
        certificate: Path | None,
        key: Path | None,
        data_dir: Path,
        hostname: str,
        client_ca: Path | None = None,
    ) -> "TlsContexts":
        """The configured pair, or a self-signed one kept in `data_dir`. Raises CertificateError."""
        return cls(*_pair(certificate, key, data_dir, hostname), client_ca)

    @property
    def certificate(self) -> Path:
        """The file in use, for clients that want to pin it."""
        return self._certificate

    def server(self) -> ssl.SSLContext:
        """The context for server connections; always the same one."""
        return self._handed_out.plain

    def for_users(self) -> ssl.SSLContext:
        """As `server`, where users log in: asks for a certificate that the CA for clients signed.
        Not for other mail servers, whose own certificates it would refuse.
        """
        return self._handed_out.users

    def refresh(self) -> bool:
        """Loads the files again if they changed: True if a new pair is in use."""
        return self._follow(self._certificate, self._key)

    def use(
        self, certificate: Path | None, key: Path | None, data_dir: Path, hostname: str
    ) -> bool:
        """As `create`, for the connections to come; as `refresh` where the files are the same."""
        return self._follow(*_pair(certificate, key, data_dir, hostname))

    def _follow(self, certificate: Path, key: Path) -> bool:
        stamp = _stamp_of(certificate, key, self._client_ca)
        if (certificate, key, stamp) == (self._certificate, self._key, self._stamp):
            return False
        self._current = _Loaded.of(certificate, key, self._client_ca)
        self._handed_out.plain.sni_callback = self._hand_on
        if self._handed_out.users is not self._handed_out.plain:
            self._handed_out.users.sni_callback = self._hand_on_user
        self._certificate, self._key, self._stamp = certificate, key, stamp
        return True

    def _hand_on(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        """Called in every handshake, also without a server name."""
        connection.context = self._current.plain

    def _hand_on_user(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        connection.context = self._current.users


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The contexts of one pair of files; the same twice without a CA for clients."""

    plain: ServerContext
    users: ServerContext

    @classmethod
    def of(cls, certificate: Path, key: Path, client_ca: Path | None) -> "_Loaded":
        """Raises CertificateError."""
        check_pair(certificate, key)
        plain = _server_context(certificate, key)
        if client_ca is None:
            return cls(plain, plain)
        users = _server_context(certificate, key)
        try:
            users.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError):
            raise CertificateError(f"{client_ca}: no certificates in PEM") from None
        users.verify_mode = ssl.CERT_OPTIONAL
        return cls(plain, users)


def end_point_of(tls: ssl.SSLObject) -> bytes:
    """tls-server-end-point (RFC 5929 §4) of a connection that this server took, b"" for none."""
    return tls.context.end_point if isinstance(tls.context, ServerContext) else b""


def client_names(tls: ssl.SSLObject) -> tuple[str, ...]:
    """The mail addresses (rfc822Name, RFC 5280 §4.2.1.6) of the client's verified certificate."""
    if tls.context.verify_mode is ssl.CERT_NONE:
        return ()
    names: Any = (tls.getpeercert() or {}).get("subjectAltName", ())
    return tuple(value for kind, value in names if kind == "email")


def _pair(
    certificate: Path | None, key: Path | None, data_dir: Path, hostname: str
) -> tuple[Path, Path]:
    if certificate is not None and key is not None:
        return certificate, key
    certificate, key = data_dir / SELF_SIGNED, data_dir / "selfsigned.key"
    if not (certificate.exists() and key.exists()):
        make_self_signed(certificate, key, hostname)
    return certificate, key


def _stamp_of(*paths: Path | None) -> tuple[tuple[int, int], ...]:
    try:
        stats = [path.stat() for path in paths if path is not None]
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


def _server_context(certificate: Path, key: Path) -> ServerContext:
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key, password=lambda: b"")
    context.end_point = _end_point(certificate.read_bytes())
    return context


def _end_point(pem: bytes) -> bytes:
    """The hash of the certificate's own signature, SHA-256 for MD5 and SHA-1; none (Ed25519), none
    (RFC 5929 §4.1).
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        used = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return b""
    if used is None:
        return b""
    weak = isinstance(used, hashes.MD5 | hashes.SHA1)
    return certificate.fingerprint(hashes.SHA256() if weak else used)


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
