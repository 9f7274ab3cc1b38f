"""dkimpy as the other side: what it signs and verifies, with an RSA and an Ed25519 key.

RSA of 1,024 bits, since dkimpy computes in plain Python.
"""

import base64
import logging
from collections.abc import Sequence

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from message.dkim_signing_key import Algorithm, SigningKey, load_signing_key
from tests.support.dkim_messages import DOMAIN, key

logging.getLogger("dkimpy").disabled = True
_PRIVATE = generate_private_key(public_exponent=65537, key_size=1024)
PEM = _PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
RSA = load_signing_key(PEM, DOMAIN, "rsa")
ED25519 = key(Algorithm.ED25519)
RECORD = RSA.record.encode()
RECORDS = {one.name: [one.record.encode()] for one in (RSA, ED25519)}


def dns(name: bytes, timeout: float = 5) -> bytes | None:
    """What dkimpy asks instead of DNS."""
    found = RECORDS.get(name.decode().rstrip("."))
    return found[0] if found else None


def peer_sign(
    message: bytes, signer: SigningKey, form: tuple[bytes, bytes], names: Sequence[bytes] | None
) -> bytes:
    """The message with dkimpy's signature by our key."""
    private: bytes = PEM
    if isinstance(signer.private, Ed25519PrivateKey):
        private = base64.b64encode(signer.private.private_bytes_raw())
    field = dkim.DKIM(message).sign(
        signer.selector.encode(),
        signer.domain.encode(),
        private,
        signature_algorithm=signer.algorithm.value.encode(),
        canonicalize=form,
        include_headers=names,
    )
    return bytes(field) + message


def peer_verifies(message: bytes, number: int = 0) -> bool:
    """Whether dkimpy lets the signature of that number pass; what it raises is a no."""
    try:
        return bool(dkim.DKIM(message).verify(number, dnsfunc=dns))
    except (dkim.DKIMException, ValueError):
        return False


def peer_chain(message: bytes, records: dict[str, list[bytes]]) -> str:
    """What dkimpy says of an ARC chain: none, pass or fail."""
    found = dkim.ARC(message).verify(
        dnsfunc=lambda name, timeout=5: next(iter(records.get(name.decode().rstrip("."), ())), None)
    )
    return (found[0] or b"fail").decode()
