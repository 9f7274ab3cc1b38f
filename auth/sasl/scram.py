"""SCRAM (RFC 5802, RFC 7677): the client proves to know the password, the server to know its keys.

`-PLUS` binds the exchange to the server's certificate (tls-server-end-point, RFC 5929 §4), so that
nobody can stand between the two. Invariants: a nonce is used once; an unknown user is found out in
no step; what the client signed is compared octet for octet with what was said.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Final

from auth.sasl.channel import Channel
from auth.sasl.exchange import (
    OTHER_USER,
    Challenge,
    Failure,
    NeedsKeys,
    Step,
    Unproved,
    Verified,
    decode,
    decode_initial,
    malformed,
)
from auth.sasl.keys import HASHES, KeyOffer, Keys, digest
from auth.sasl.prep import prepared

BINDING: Final = "tls-server-end-point"
# Optional extensions are passed over; `m` is none, and ends the exchange wherever it stands.
_EXTENSIONS = r"(?:,[A-Za-ln-z]=[^,\0]+)*"
_FIRST = re.compile(
    r"(?P<header>(?P<flag>n|y|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,\0]+))?,)"
    r"(?P<bare>(?P<mandatory>m=[^,]*,)?n=(?P<user>[^,\0]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)"
    rf"{_EXTENSIONS})"
)
_FINAL = re.compile(
    r"(?P<unsigned>c=(?P<channel>[A-Za-z0-9+/=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)"
    rf"{_EXTENSIONS}),p=(?P<proof>[A-Za-z0-9+/=]+)"
)


class Scram:
    """The exchange. `mechanism` is a name in keys.HASHES; `nonce` gives the server's part."""

    def __init__(
        self,
        mechanism: str,
        channel: Channel,
        *,
        plus: bool = False,
        nonce: Callable[[], str] = token_urlsafe,
    ) -> None:
        self._mechanism, self._channel, self._plus = mechanism, channel, plus
        self._make_nonce = nonce
        self._first: re.Match[str] | None = None
        self._user = self._nonce = self._server_first = ""
        self._keys: tuple[Keys, ...] = ()

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self._take_first(decode_initial(initial))

    def step(self, response: bytes) -> Step:
        if self._first is None:
            return self._take_first(decode(response))
        return self._take_final(decode(response), self._first)

    def _take_first(self, message: bytes | Failure) -> Step:
        """client-first-message (RFC 5802 §7)."""
        text = _text(message)
        if isinstance(text, Failure):
            return text
        first = _FIRST.fullmatch(text)
        if first is None:
            return malformed("This is no first message of SCRAM")
        if first["mandatory"]:
            return malformed("Extensions are not supported")
        user = _user_of(first["user"])
        if not user:
            return malformed("The user name is not encoded as RFC 5802 says")
        if first["authzid"] and (_user_of(first["authzid"]) or "").casefold() != user.casefold():
            return OTHER_USER
        if wrong := self._wrong_binding(first):
            return wrong
        self._first, self._user = first, user
        return NeedsKeys(user, self._mechanism, self._take_keys)

    def _wrong_binding(self, first: re.Match[str]) -> Step | None:
        """RFC 5802 §6: also, whether somebody took -PLUS out of what was announced."""
        if self._plus and not first["binding"]:
            return malformed("A -PLUS mechanism needs a channel binding")
        if not self._plus and first["binding"]:
            return malformed("Channel bindings need a -PLUS mechanism")
        if self._plus and first["binding"] != BINDING:
            return malformed(f"The only type of channel binding here is {BINDING}")
        if first["flag"] == "y" and self._channel.end_point:
            return malformed("This server does support channel binding: was it hidden from you?")
        return None

    def _take_keys(self, offer: KeyOffer) -> Step:
        """server-first-message."""
        assert self._first is not None
        self._keys = offer.keys
        self._nonce = self._first["nonce"] + self._make_nonce()
        salt = b64encode(offer.salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={offer.iterations}"
        return Challenge(self._server_first.encode())

    def _take_final(self, message: bytes | Failure, first: re.Match[str]) -> Step:
        """client-final-message; server-final-message is in what comes back."""
        text = _text(message)
        if isinstance(text, Failure):
            return text
        final = _FINAL.fullmatch(text)
        if final is None:
            return malformed("This is no final message of SCRAM")
        bound = first["header"].encode() + (self._channel.end_point if self._plus else b"")
        same = hmac.compare_digest(final["channel"].encode(), b64encode(bound))
        if not same or final["nonce"] != self._nonce:
            return Unproved(self._user, self._mechanism)
        try:
            proof = b64decode(final["proof"], validate=True)
        except ValueError:
            return malformed("The proof is not base64")
        said = f"{first['bare']},{self._server_first},{final['unsigned']}".encode()
        return self._judge(proof, said)

    def _judge(self, proof: bytes, said: bytes) -> Step:
        """RFC 5802 §3. All keys are tried, so that the time tells nothing."""
        name, right = HASHES[self._mechanism], None
        for keys in self._keys:
            signature = hmac.digest(keys.stored, said, name)
            client = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
            if hmac.compare_digest(digest(client, name), keys.stored):
                right = keys
        if right is None:
            return Unproved(self._user, self._mechanism)
        signature = hmac.digest(right.server, said, name)
        return Verified(self._user, self._mechanism, right, b"v=" + b64encode(signature))


def _text(message: bytes | Failure) -> str | Failure:
    if isinstance(message, Failure):
        return message
    try:
        return message.decode()
    except UnicodeDecodeError:
        return malformed("The message is not UTF-8")


def _user_of(saslname: str) -> str:
    """saslname (RFC 5802 §7) as text, prepared as a query; "" when it is not encoded as it should
    be.
    """
    plain = saslname.replace("=2C", ",").replace("=3D", "\0")
    if "=" in plain:
        return ""
    try:
        return prepared(plain.replace("\0", "="), query=True)
    except ValueError:
        return ""
