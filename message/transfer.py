"""Bodies on their way into a message (RFC 2045 §2.7 to §2.9, §6): whether octets may stand as they
are, and base64 in lines, while they come in pieces. Pure.
"""

from base64 import b64encode
from typing import Final

MAX_LINE: Final = 998
_ENCODED_LINE: Final = 57


class Identity:
    """Whether octets that come in pieces are 7bit, 8bit or binary (RFC 2045 §2.7 to §2.9)."""

    def __init__(self) -> None:
        self._line = b""
        self._widest = "7bit"

    def feed(self, octets: bytes) -> None:
        """The next piece."""
        if self._widest == "binary":
            return
        whole, newline, self._line = (self._line + octets).rpartition(b"\n")
        lines = whole + newline
        if _is_binary(lines) or len(self._line) > MAX_LINE + 2:
            self._widest, self._line = "binary", b""
        elif not lines.isascii():
            self._widest = "8bit"

    @property
    def encoding(self) -> str:
        """Of all that came."""
        if _is_binary(self._line):
            return "binary"
        return self._widest if self._line.isascii() or self._widest == "binary" else "8bit"


def identity(data: bytes) -> str:
    """As Identity, of octets in one."""
    found = Identity()
    found.feed(data)
    return found.encoding


def _is_binary(data: bytes) -> bool:
    return b"\0" in data or is_odd(data) or _is_long(data)


def is_odd(data: bytes) -> bool:
    """Whether a CR stands alone, which quoted-printable text does not keep."""
    return b"\r" in data.replace(b"\r\n", b"")


def _is_long(data: bytes) -> bool:
    at = 0
    while at < len(data):
        end = data.rfind(b"\n", at, at + MAX_LINE + 2)
        if end < 0:
            return len(data) - at > MAX_LINE
        at = end + 1
    return False


class Base64Lines:
    """The body of a Stream while its octets come: lines of 76 characters with CRLF."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        """What can be told so far."""
        data = self._rest + octets
        whole = len(data) - len(data) % _ENCODED_LINE
        self._rest = data[whole:]
        return encoded_lines(data[:whole])

    def end(self) -> bytes:
        """The rest."""
        rest, self._rest = self._rest, b""
        return encoded_lines(rest)


def base64_size(size: int) -> int:
    """Octets of so many, encoded, with line ends."""
    return -(-size // 3) * 4 + 2 * -(-size // _ENCODED_LINE)


def encoded_lines(octets: bytes) -> bytes:
    """Octets in base64, in lines of 76 characters."""
    return b"".join(
        b64encode(octets[at : at + _ENCODED_LINE]) + b"\r\n"
        for at in range(0, len(octets), _ENCODED_LINE)
    )
