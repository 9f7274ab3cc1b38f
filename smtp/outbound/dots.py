"""Message data on its way out: dot-stuffing and the end of data (RFC 5321 §4.5.2). Pure.

A bare LF becomes CRLF here: a next hop that takes it for a line end would else see another message.
"""

from message.crlf import to_crlf


class DotStuffer:
    """Feed it the message in pieces of any size, then take `end`."""

    def __init__(self) -> None:
        self._tail = b"\r\n"

    def feed(self, piece: bytes) -> bytes:
        """The piece as it goes over the wire."""
        joined = self._tail + piece
        if joined.count(b"\n") != joined.count(b"\r\n"):
            joined = to_crlf(joined)
        stuffed = joined.replace(b"\r\n.", b"\r\n..")[len(self._tail) :]
        self._tail = next((end for end in (b"\r\n", b"\r") if joined.endswith(end)), b"")
        return stuffed

    def end(self) -> bytes:
        """What ends the data, with a line end if the message has none."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"
