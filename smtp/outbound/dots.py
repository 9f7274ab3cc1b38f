"""Message data on its way out: line ends, dot-stuffing and the end of data (RFC 5321 §4.5.2). Pure.

A bare LF becomes CRLF here: a next hop that takes it for a line end would else see another message.
"""

from message.crlf import to_crlf


class LineEnds:
    """Message data for BDAT. Feed it the message in pieces of any size, then take `end`."""

    def __init__(self) -> None:
        self._tail = b"\r\n"

    def feed(self, piece: bytes) -> bytes:
        """The piece as it goes over the wire."""
        joined = self._tail + piece
        if joined.count(b"\n") != joined.count(b"\r\n"):
            joined = to_crlf(joined)
        made = self._made(joined)[len(self._tail) :]
        self._tail = next((end for end in (b"\r\n", b"\r") if joined.endswith(end)), b"")
        return made

    def end(self) -> bytes:
        """A line end if the message has none."""
        return b"" if self._tail == b"\r\n" else b"\r\n"

    def _made(self, joined: bytes) -> bytes:
        return joined


class DotStuffer(LineEnds):
    """The same for DATA."""

    def end(self) -> bytes:
        """What ends the data, with a line end if the message has none."""
        return super().end() + b".\r\n"

    def _made(self, joined: bytes) -> bytes:
        return joined.replace(b"\r\n.", b"\r\n..")
