"""Public keys: the records of DNS (RFC 6376 §3.6.1, RFC 8463 §4) and what they verify.

A key's size is judged before any arithmetic is done with it, and read keys are kept, the last few
hundred of them. RSA from 1024 (RFC 8301 §3.2) to 4096 bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import load_der_public_key

from message.dkim_signing_key import Algorithm
from message.dkim_tags import (
    DkimFault,
    Status,
    TagError,
    colon_list,
    decode_base64,
    parse_tags,
)

MIN_RSA_BITS, MAX_RSA_BITS = 1024, 4096
MAX_RECORD = 4096
MAX_RECORDS = 5
# A 4096-bit key with a common exponent is 550 octets; one of 16,384 bits 2,086.
_MAX_KEY = 640
_MAX_EXPONENT = 2**64
_KEPT = 512
_PADDING, _HASH = PKCS1v15(), SHA256()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may verify mail. `testing` and `strict` are the flags y and s of t=."""

    key: RSAPublicKey | Ed25519PublicKey
    testing: bool = False
    strict: bool = False

    def verifies(self, algorithm: Algorithm, value: bytes, data: bytes) -> bool:
        """True when `value` is this key's signature of `data`. Raises DkimFault when the key is
        not one of the algorithm.
        """
        try:
            if isinstance(self.key, RSAPublicKey):
                _expect(algorithm, Algorithm.RSA)
                self.key.verify(value, data, _PADDING, _HASH)
            else:
                _expect(algorithm, Algorithm.ED25519)
                digest = Hash(_HASH)
                digest.update(data)
                self.key.verify(value, digest.finalize())
        except InvalidSignature:
            return False
        return True


def key_of(records: Sequence[bytes]) -> PublicKey:
    """The key of the TXT records at a selector's name: the first that is one, since a wildcard may
    put other texts beside it. Raises DkimFault.
    """
    if not records:
        raise DkimFault(Status.PERMERROR, "no key in DNS")
    faults = []
    for record in records[:MAX_RECORDS]:
        try:
            return parse_key(record)
        except DkimFault as fault:
            faults.append(fault)
    try:
        raise faults[0]
    finally:
        del faults  # else they refer to themselves by way of this frame


def parse_key(record: bytes) -> PublicKey:
    """One record's key. Raises DkimFault, always PERMERROR."""
    if len(record) > MAX_RECORD:
        raise DkimFault(Status.PERMERROR, "the key record is too long")
    return _parse(record)


@lru_cache(maxsize=_KEPT)
def _parse(record: bytes) -> PublicKey:
    try:
        tags = parse_tags(record)
    except TagError:
        raise DkimFault(Status.PERMERROR, "the key record is no tag list") from None
    if tags.get(b"v", b"DKIM1") != b"DKIM1" or (b"v" in tags and next(iter(tags)) != b"v"):
        raise DkimFault(Status.PERMERROR, "the key record is not of DKIM1")
    if b"sha256" not in colon_list(tags.get(b"h", b"sha256")):
        raise DkimFault(Status.PERMERROR, "the key is not for sha256")
    if not {b"*", b"email"}.intersection(colon_list(tags.get(b"s", b"*"))):
        raise DkimFault(Status.PERMERROR, "the key is not for mail")
    flags = colon_list(tags.get(b"t", b""))
    return PublicKey(_public(tags), b"y" in flags, b"s" in flags)


def _public(tags: dict[bytes, bytes]) -> RSAPublicKey | Ed25519PublicKey:
    if b"p" not in tags:
        raise DkimFault(Status.PERMERROR, "the key record has no key")
    if not tags[b"p"]:
        raise DkimFault(Status.PERMERROR, "the key is revoked")
    try:
        data = decode_base64(tags[b"p"])
    except TagError:
        raise DkimFault(Status.PERMERROR, "the key is not base64") from None
    kind = tags.get(b"k", b"rsa")
    if kind == b"rsa":
        return _rsa(data)
    if kind != b"ed25519":
        raise DkimFault(Status.PERMERROR, "unknown type of key")
    try:
        return Ed25519PublicKey.from_public_bytes(data)
    except ValueError:
        raise DkimFault(Status.PERMERROR, "the key is no Ed25519 key") from None


def _rsa(data: bytes) -> RSAPublicKey:
    """A SubjectPublicKeyInfo, or the bare RSAPublicKey that RFC 6376 names."""
    if len(data) > _MAX_KEY:
        raise DkimFault(Status.PERMERROR, f"RSA key of more than {MAX_RSA_BITS} bits")
    try:
        key = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise DkimFault(Status.PERMERROR, "the key is no RSA key") from None
    if not isinstance(key, RSAPublicKey):
        raise DkimFault(Status.PERMERROR, "the key is no RSA key")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise DkimFault(Status.PERMERROR, f"RSA key of {key.key_size} bits")
    if key.public_numbers().e >= _MAX_EXPONENT:
        raise DkimFault(Status.PERMERROR, "RSA key with a huge exponent")
    return key


def _expect(algorithm: Algorithm, wanted: Algorithm) -> None:
    if algorithm is not wanted:
        raise DkimFault(Status.PERMERROR, "the key is of another type than the signature")
