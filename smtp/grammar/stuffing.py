"""Message data as DATA carries it: its end, dot-stuffing, and what may not stand in it.

RFC 5321 §4.5.2 and §2.3.8. Invariants: only CRLF.CRLF ends the data; no piece is cut inside CRLF.
"""

import re

from smtp.grammar import replies
from smtp.grammar.reply import Reply

# Each begins with an octet that is rare and that the search engine skips to: half the time of
# bytes.find, replace and count.
_END = re.compile(rb"\r\n\.\r\n")
_DOT = re.compile(rb"\n\.")
_BARE = (re.compile(rb"\n(?<!\r\n)"), re.compile(rb"\r(?!\n)"))


def unstuff(piece: bytes, line_start: bool) -> bytes:
    """The piece without the first dot of each line."""
    if line_start and piece[:1] == b".":
        piece = piece[1:]
    return piece.replace(b"\r\n.", b"\r\n") if _DOT.search(piece) else piece


def fault_of(piece: bytes) -> Reply | None:
    """Why the piece may not be in a message: NUL, or a CR or LF without its other half.

    With either of the latter a next hop could see another message (SMTP smuggling).
    """
    if b"\0" in piece:
        return replies.NUL_IN_MESSAGE
    if _BARE[0].search(piece) or _BARE[1].search(piece):
        return replies.BARE_LINE_END
    return None


def cut_of(buffer: bytearray) -> tuple[int, bool]:
    """How much of a buffer without an end may be taken, and whether a line starts behind it."""
    line = buffer.rfind(b"\r\n")
    if line >= 0:
        return line + 2, True
    # a line longer than the buffer; its CR, if it is there, waits for what follows
    return len(buffer) - buffer.endswith(b"\r"), False


def find_end(buffer: bytearray, start: int, line_start: bool) -> int:
    """Where the message stops: the index of the dot that ends it, -1 when it is not there yet."""
    if line_start and buffer.startswith(b".\r\n"):
        return 0
    found = _END.search(buffer, start)
    return found.start() + 2 if found is not None else -1
