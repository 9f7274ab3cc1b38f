"""Content-Transfer-Encodings undone piece by piece: what FETCH BINARY sends (RFC 2045 §6.7, §6.8).

Memory is that of a piece, whatever the part holds. Broken input never raises and gives what can be
read of it: base64 ends at its padding, octets outside its alphabet are passed over, and a "=" that
encodes nothing in quoted-printable stands for itself.
"""

import re
from binascii import a2b_base64
from typing import Final, Protocol

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_FOREIGN: Final = bytes(set(range(256)) - set(_ALPHABET))
_TRAILING: Final = re.compile(rb"[ \t]+(?=\r\n)")
_SOFT: Final = re.compile(rb"=\r\n")
_OCTET: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_OPEN: Final = re.compile(rb"(?:=[0-9A-Fa-f]?|=?[ \t]{0,1000}\r?)\Z")
_LONG: Final = 64 * 1024
_IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})


class Decoder(Protocol):
    """Takes the encoded octets in order, in pieces of any size."""

    def feed(self, data: bytes) -> bytes:
        """What can be told of the octets so far."""

    def finish(self) -> bytes:
        """What was held back."""

    @property
    def held(self) -> int:
        """How many octets are held back."""


class Identity:
    """The octets as they are."""

    held = 0

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class Base64:
    """Base64 up to its padding."""

    __slots__ = ("_over", "_rest")

    def __init__(self) -> None:
        self._rest, self._over = b"", False

    @property
    def held(self) -> int:
        return len(self._rest)

    def feed(self, data: bytes) -> bytes:
        if self._over:
            return b""
        data = self._rest + data.translate(None, _FOREIGN)
        end = data.find(b"=")
        if end >= 0:
            self._rest, self._over = data[:end], True
            return self._last()
        cut = len(data) & ~3
        self._rest = data[cut:]
        return a2b_base64(data[:cut])

    def finish(self) -> bytes:
        return self._last()

    def _last(self) -> bytes:
        rest, self._rest = self._rest, b""
        if len(rest) % 4 == 1:
            rest = rest[:-1]
        return a2b_base64(rest + b"=" * (-len(rest) % 4))


class QuotedPrintable:
    """Quoted-printable by whole lines; of a line that goes on and on, what is certain."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def held(self) -> int:
        return len(self._rest)

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data
        cut = data.rfind(b"\r\n") + 2
        if cut < 2:
            cut = 0
        if len(data) - cut > _LONG:
            found = _OPEN.search(data, max(cut, len(data) - 1002))
            cut = len(data) if found is None else found.start()
        self._rest = data[cut:]
        return _quoted(data[:cut])

    def finish(self) -> bytes:
        rest, self._rest = self._rest, b""
        return _quoted(rest.rstrip(b" \t").removesuffix(b"="))


class Lines:
    """Text behind another decoder: its bare LF become CRLF (RFC 3516 §4.3)."""

    __slots__ = ("_inner", "_last")

    def __init__(self, inner: Decoder) -> None:
        self._inner, self._last = inner, 0

    @property
    def held(self) -> int:
        return self._inner.held

    def feed(self, data: bytes) -> bytes:
        return self._crlf(self._inner.feed(data))

    def finish(self) -> bytes:
        return self._crlf(self._inner.finish())

    def _crlf(self, data: bytes) -> bytes:
        if not data:
            return data
        split = self._last == 13 and data.startswith(b"\n")
        self._last = data[-1]
        if data.count(b"\n") == data.count(b"\r\n") + split:
            return data
        rest = data[1:] if split else data
        rest = rest.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return b"\n" + rest if split else rest


def decoder(encoding: str, text: bool = False) -> Decoder | None:
    """A fresh decoder of an encoding in lower case, None for one that is unknown."""
    if encoding in _IDENTITY:
        return Identity()
    found: Decoder
    if encoding == "base64":
        found = Base64()
    elif encoding == "quoted-printable":
        found = QuotedPrintable()
    else:
        return None
    return Lines(found) if text else found


def decode(data: bytes, encoding: str, text: bool = False) -> bytes:
    """All of a part at once; one of an unknown encoding as it is."""
    found = decoder(encoding, text)
    return data if found is None else found.feed(data) + found.finish()


def _quoted(data: bytes) -> bytes:
    if b" \r\n" in data or b"\t\r\n" in data:
        data = _TRAILING.sub(b"", data)
    if b"=" not in data:
        return data
    return _OCTET.sub(lambda found: bytes.fromhex(found[1].decode()), _SOFT.sub(b"", data))
