"""Messages to push services: encrypted for the client (RFC 8291 over RFC 8188), and signed by the
server (VAPID, RFC 8292). Pure but for the keys and salts that are drawn.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from storage.push_subscriptions import Keys

RECORD: Final = 4096
"""Octets of the one record, as much as push services have to take (RFC 8291 §4)."""
POINT: Final = 65
AUTH: Final = 16
_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class BadKeys(ValueError):
    """No keys of RFC 8291."""


def keys_of(p256dh: str, auth: str) -> Keys:
    """Of their base64url. Raises BadKeys."""
    try:
        found = Keys(decoded(p256dh), decoded(auth))
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, found.p256dh)
    except ValueError:
        raise BadKeys("p256dh: a point of P-256 in base64url is needed") from None
    if len(found.p256dh) != POINT or len(found.auth) != AUTH:
        raise BadKeys("auth: 16 octets in base64url are needed")
    return found


def encrypted(
    data: bytes,
    keys: Keys,
    private: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """A body of the content coding aes128gcm; `private` and `salt` are drawn but in tests."""
    private = private or ec.generate_private_key(_CURVE)
    salt = salt or secrets.token_bytes(16)
    public = point_of(private)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, keys.p256dh)
    shared = _hmac(keys.auth, private.exchange(ec.ECDH(), theirs))
    secret = _hmac(shared, b"WebPush: info\0" + keys.p256dh + public + b"\1")
    pseudo = _hmac(salt, secret)
    key = _hmac(pseudo, b"Content-Encoding: aes128gcm\0\1")[:16]
    nonce = _hmac(pseudo, b"Content-Encoding: nonce\0\1")[:12]
    head = salt + RECORD.to_bytes(4, "big") + bytes([len(public)]) + public
    return head + AESGCM(key).encrypt(nonce, data + b"\2", None)


def signing_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The server's own, of a secret of 32 octets."""
    return ec.derive_private_key(int.from_bytes(secret, "big") % (_ORDER - 1) + 1, _CURVE)


def point_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key, uncompressed."""
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def authorization(
    private: ec.EllipticCurvePrivateKey, audience: str, subject: str, until: int
) -> str:
    """The field Authorization of RFC 8292 §3, good for one push service until a time."""
    head = encoded(orjson.dumps({"typ": "JWT", "alg": "ES256"}))
    claims = encoded(orjson.dumps({"aud": audience, "exp": until, "sub": subject}))
    signed = f"{head}.{claims}"
    r, s = decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(SHA256())))
    signature = encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={signed}.{signature}, k={encoded(point_of(private))}"


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The same back, with or without padding. Raises ValueError."""
    plain = text.rstrip("=").encode("ascii")
    found = urlsafe_b64decode(plain + b"=" * (-len(plain) % 4))
    if encoded(found).encode() != plain:
        raise ValueError("no base64url")
    return found


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
