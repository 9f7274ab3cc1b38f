"""What a server keeps of a password for SCRAM (RFC 5802 §3, RFC 7677), and its form as text.

Deriving keys takes some 50 ms of CPU: call it through net/threads (Pool.HASH). Nothing here leads
back to a password but guessing.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import new, pbkdf2_hmac
from typing import Final

from auth.sasl.prep import prepared

ITERATIONS: Final = 60_000
"""For all accounts alike, else the number would tell who is none. RFC 7677 §4 wants 4096 or more;
Cyrus SASL 2.1.28 (mbsync, mutt) takes 65,536 at most.
"""
SALT_OCTETS: Final = 16
HASHES: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}


@dataclass(frozen=True, slots=True)
class Keys:
    """StoredKey and ServerKey of one password (RFC 5802 §3)."""

    stored: bytes = field(repr=False)
    server: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyOffer:
    """What an exchange goes on with: a client that proves to know one of `keys` is the user."""

    salt: bytes
    iterations: int
    keys: tuple[Keys, ...]


def derive(password: str, mechanism: str, salt: bytes, iterations: int = ITERATIONS) -> Keys:
    """The keys of a password. `mechanism` is a name in HASHES."""
    name = HASHES[mechanism]
    salted = pbkdf2_hmac(name, normalized(password), salt, iterations)
    client = hmac.digest(salted, b"Client Key", name)
    return Keys(digest(client, name), hmac.digest(salted, b"Server Key", name))


def digest(octets: bytes, name: str) -> bytes:
    """H() of RFC 5802 §2.2; `name` as in HASHES."""
    return new(name, octets).digest()


def normalized(password: str) -> bytes:
    """Normalize() of RFC 5802 §2.2: SASLprep, letters younger than Unicode 3.2 as they are. What it
    refuses altogether is taken as it is, as other servers and clients do.
    """
    try:
        return prepared(password, query=True).encode()
    except ValueError:
        return password.encode("utf-8", "surrogatepass")


def pack(offers: Iterable[tuple[str, KeyOffer]]) -> str:
    """Mechanisms and keys in the form of RFC 5803, with a space between them."""
    return " ".join(
        f"{mechanism}${offer.iterations}:{_text(offer.salt)}"
        f"${_text(keys.stored)}:{_text(keys.server)}"
        for mechanism, offer in offers
        for keys in offer.keys
    )


def unpack(text: str, mechanism: str) -> KeyOffer | None:
    """The keys of a mechanism from what `pack` wrote; None when it holds none."""
    for word in text.split():
        name, *parts = word.split("$")
        if name == mechanism:
            (iterations, salt), (stored, server) = (part.split(":") for part in parts)
            keys = Keys(b64decode(stored), b64decode(server))
            return KeyOffer(b64decode(salt), int(iterations), (keys,))
    return None


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()
