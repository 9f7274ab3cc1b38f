"""An authenticator in software: makes passkeys and signs with them, rightly or as a thief would."""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encoded(data: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One passkey for the site `rp`, as pages of `origin` reach it. `step` is what its counter goes
    on by; 0 for one that has none.
    """

    rp: str = "mx.example.test"
    origin: str = "https://mx.example.test"
    verifies: bool = True
    step: int = 1
    count: int = 0
    handle: bytes = b""
    id: bytes = field(default_factory=lambda: os.urandom(32))
    framed: bool = False

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def make(self, options: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """RegistrationResponseJSON for creation options."""
        self.handle = decoded(options["user"]["id"])
        numbers = self._key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(cose)
        data = self._data(ATTESTED) + attested
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"], changes)
        response = {
            "clientDataJSON": encoded(client),
            "attestationObject": encoded(statement),
            "transports": ["usb", "internal", "carrier pigeon"],
        }
        return self._answer(response)

    def sign(self, options: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """AuthenticationResponseJSON for request options; `changes` are members of the client's
        data that are others.
        """
        self.count += self.step
        data = self._data(0)
        client = self._client("webauthn.get", options["challenge"], changes)
        signature = self._key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": encoded(client),
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
            "userHandle": encoded(self.handle),
        }
        return self._answer(response)

    def _data(self, more: int) -> bytes:
        flags = PRESENT | more | (VERIFIED if self.verifies else 0)
        return sha256(self.rp.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _client(self, kind: str, challenge: str, changes: Mapping[str, Any]) -> bytes:
        client = {
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": self.framed,
        }
        return json.dumps(client | dict(changes)).encode()

    def _answer(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": encoded(self.id),
            "rawId": encoded(self.id),
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }
