"""Private keys for DKIM and ARC: made, read, and the record that publishes each.

RSA of 2048 bits (RFC 8301 §3.2) and Ed25519 (RFC 8463). Errors and `repr` never show a key.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from enum import Enum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

RSA_BITS = 2048
_MIN_RSA_BITS, _MAX_RSA_BITS = 1024, 4096
_PADDING, _HASH = PKCS1v15(), SHA256()


class Algorithm(Enum):
    """a= of the signatures that are made and accepted."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"

    @property
    def key_type(self) -> str:
        """k= of the key's record."""
        return self.value.partition("-")[0]


class KeyUnusable(ValueError):
    """The text is no private key that may sign."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its place in DNS: the record `selector._domainkey.domain`."""

    domain: str
    selector: str
    algorithm: Algorithm
    private: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @property
    def name(self) -> str:
        """Where the record stands."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record to publish, one text (RFC 6376 §3.6.1, RFC 8463 §4)."""
        public = self.private.public_key()
        if self.algorithm is Algorithm.ED25519:
            data = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k={self.algorithm.key_type}; p={b64encode(data).decode('ascii')}"

    def sign(self, data: bytes) -> bytes:
        """The signature's octets. Half a millisecond for RSA: not for the event loop."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, _PADDING, _HASH)
        digest = Hash(_HASH)
        digest.update(data)
        return self.private.sign(digest.finalize())


def generate(algorithm: Algorithm) -> bytes:
    """A private key as PEM (PKCS #8, not encrypted). Slow for RSA: tenths of a second."""
    private: RSAPrivateKey | Ed25519PrivateKey
    if algorithm is Algorithm.RSA:
        private = generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    else:
        private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_signing_key(pem: bytes, domain: str, selector: str) -> SigningKey:
    """The key of a PEM text. `domain` and `selector` are A-labels. Raises KeyUnusable.

    Milliseconds, since the key is checked: load once and keep it.
    """
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable("not an unencrypted private key in PEM form") from None
    if isinstance(private, Ed25519PrivateKey):
        return SigningKey(domain, selector, Algorithm.ED25519, private)
    if not isinstance(private, RSAPrivateKey):
        raise KeyUnusable("neither an RSA nor an Ed25519 key")
    if not _MIN_RSA_BITS <= private.key_size <= _MAX_RSA_BITS:
        raise KeyUnusable(f"an RSA key of {private.key_size} bits; 1024 to 4096 are allowed")
    return SigningKey(domain, selector, Algorithm.RSA, private)
