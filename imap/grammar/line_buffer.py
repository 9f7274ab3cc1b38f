"""The octets of a connection that were received but not used, cut into lines or counted pieces.

Invariants: no octet is searched twice, memory stays near the limit of a line, and how the octets
were divided on arrival changes nothing. Knows CRLF and nothing else of IMAP.
"""

from typing import Final

# Of an overlong line: its head tells the tag, its tail (CR included) a literal mark.
HEAD: Final = 512
TAIL: Final = 32


class LineBuffer:
    """Bytes in, lines out. After `cut`, `overlong` says that it gave only the end of a line."""

    _data: bytearray
    _start: int
    _scanned: int
    overlong: bool
    head: bytes
    dropped: int

    __slots__ = ("_data", "_scanned", "_start", "dropped", "head", "overlong")

    def __init__(self) -> None:
        self._data = bytearray()
        self._start = self._scanned = 0
        self.overlong = False
        self.head = b""
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._data) - self._start

    def receive(self, data: bytes) -> None:
        """Append what arrived."""
        if self._start:
            del self._data[: self._start]
            self._scanned -= self._start
            self._start = 0
        self._data += data

    def cut(self, limit: int) -> bytes | None:
        """The next line without CRLF, None when it is not complete.

        Of a line over the limit only its end comes; its beginning stands in `head`, the number of
        octets between in `dropped`. `resume` is to be called before the next line.
        """
        data, start = self._data, self._start
        end = data.find(b"\r\n", self._scanned)
        if end < 0:
            self._scanned = max(start, len(data) - 1)
            if len(data) - start > limit + 1:
                self._shorten(len(data) - 1, limit)
            return None
        if self.overlong or end - start > limit:
            self._shorten(end, limit)
        line = bytes(data[self._start : end])
        self._move(end + 2)
        return line

    def resume(self) -> None:
        """Forget that the last line was too long."""
        self.overlong = False
        self.head = b""
        self.dropped = 0

    def take(self, size: int) -> bytes:
        """The next octets, at most `size`."""
        end = min(len(self._data), self._start + size)
        data = bytes(self._data[self._start : end])
        self._move(end)
        return data

    def skip(self, size: int) -> int:
        """Drop at most `size` octets; how many it was."""
        step = min(len(self), size)
        self._move(self._start + step)
        return step

    def unread(self, data: bytes) -> None:
        """Put octets back in front."""
        self._data[: self._start] = data
        self._start = self._scanned = 0

    def clear(self) -> int:
        """Drop everything; how many octets it was."""
        return self.skip(len(self))

    def _move(self, position: int) -> None:
        if position == len(self._data):
            self._data.clear()
            position = 0
        self._start = self._scanned = position

    def _shorten(self, end: int, limit: int) -> None:
        if not self.overlong:
            self.overlong = True
            self.head = bytes(self._data[self._start : self._start + min(HEAD, limit)])
        keep = max(self._start, end - TAIL)
        self.dropped += keep - self._start
        self._start = keep
        self._scanned = max(self._scanned, keep)
