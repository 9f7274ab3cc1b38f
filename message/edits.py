"""Changes of a message at known places, applied in one pass; and the transfer encodings of a body
that such a change puts in. Pure.
"""

from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterable
from typing import Final, TypeAlias

Edit: TypeAlias = tuple[int, int, bytes]
"""From, to, and the octets that go there."""
_LINE: Final = 57
_PIECE: Final = 64 * 1024


def apply_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The message with each span replaced; spans don't overlap."""
    out: list[bytes] = []
    at = 0
    for start, end, octets in sorted(edits):
        out += (data[at:start], octets)
        at = end
    return b"".join((*out, data[at:]))


def base64_lines(octets: bytes) -> bytes:
    """Lines of 76 characters (RFC 2045 §6.8), the last without its end."""
    lines = [b64encode(octets[at : at + _LINE]) for at in range(0, len(octets), _LINE)]
    return b"\r\n".join(lines)


def quoted_printable(octets: bytes) -> bytes:
    """Text with CRLF (RFC 2045 §6.7), in pieces of whole lines, between which other threads have
    their turn.
    """
    out: list[bytes] = []
    at = 0
    while at < len(octets):
        end = octets.find(b"\n", at + _PIECE) + 1 or len(octets)
        made = b2a_qp(octets[at:end])
        out.append(made if b"\r\n" in made else made.replace(b"\n", b"\r\n"))
        at = end
    return b"".join(out)
