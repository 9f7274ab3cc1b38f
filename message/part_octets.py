"""Ranges of a part's decoded octets as ranges of the encoded ones, so that a piece from the middle
of an attachment costs what the piece costs (RFC 2045 §6.8). Pure.

Base64 as every mail program writes it, all lines of one length but the last, is counted; whether a
part is so is found while it is read through once (`Examiner`), which gives its size too. What is
written otherwise is decoded from its beginning.
"""

from dataclasses import dataclass
from typing import Final

from message.decoding import decoder

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_MAX_LINE: Final = 998


@dataclass(frozen=True, slots=True)
class Encoded:
    """How a part lies in its message: `offset` and `length` of its body in the CRLF form, `width`
    the characters of a line of base64, 0 where they differ, and decoded `size`; all octets.
    """

    offset: int
    length: int
    encoding: str
    size: int
    width: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether octet n of the part is octet n of its body."""
        return self.encoding in ("7bit", "8bit", "binary")


@dataclass(frozen=True, slots=True)
class Raw:
    """Where decoded octets come from: `start` and `length` in the part's body; of what they decode
    to the first `skip` octets are not wanted.
    """

    start: int
    length: int
    skip: int


def raw_range(part: Encoded, start: int, end: int) -> Raw:
    """For decoded octets from `start` up to `end`, which lie within the part."""
    if part.is_plain:
        return Raw(start, end - start, 0)
    if part.encoding != "base64" or not part.width:
        return Raw(0, part.length, start)
    first, last = start // 3 * 4, -(-end // 3) * 4
    begin = _with_line_ends(first, part.width)
    return Raw(begin, _with_line_ends(last, part.width) - begin, start % 3)


def _with_line_ends(characters: int, width: int) -> int:
    return characters + 2 * (characters // width)


class Examiner:
    """Reads a part's encoded octets once, in order, and says how they are written."""

    __slots__ = ("_closed", "_decoder", "_line", "_regular", "_width", "encoding", "size")

    def __init__(self, encoding: str) -> None:
        found = decoder(encoding)
        self.encoding = encoding if found is not None else "binary"
        self._decoder = found if found is not None else decoder("binary")
        self._line, self._width, self._closed = b"", 0, False
        self._regular = encoding == "base64"
        self.size = 0

    def feed(self, data: bytes) -> bytes:
        """What the octets decode to."""
        if self._regular:
            self._look(data)
        assert self._decoder is not None
        found = self._decoder.feed(data)
        self.size += len(found)
        return found

    def finish(self) -> bytes:
        """What was held back. `width` is known then."""
        assert self._decoder is not None
        found = self._decoder.finish()
        self.size += len(found)
        if self._regular and self._line:
            self._end_line(self._line)
        return found

    @property
    def width(self) -> int:
        """Characters of every line of base64 but the last, 0 where they differ."""
        return self._width if self._regular else 0

    def _look(self, data: bytes) -> None:
        data = self._line + data
        *lines, self._line = data[self._alike(data) :].split(b"\r\n")
        if len(self._line) > _MAX_LINE + 1:
            self._regular = False
        for line in lines:
            if not self._regular:
                return
            self._end_line(line)

    def _alike(self, data: bytes) -> int:
        """Octets of whole lines at the beginning that are as those before, looked at together."""
        width, block = self._width, self._width + 2
        count = len(data) // block
        if not width or self._closed or not count:
            return 0
        cut = data[: count * block]
        ends = cut[width::block] == b"\r" * count and cut[width + 1 :: block] == b"\n" * count
        if not ends or len(cut.translate(None, _ALPHABET)) != 2 * count:
            return 0
        return len(cut)

    def _end_line(self, line: bytes) -> None:
        """Regular lines have one width, a multiple of four; a shorter or padded one is the last,
        and nothing but empty ones comes behind it.
        """
        line = line.removesuffix(b"\r")
        if self._closed:
            self._regular = not line
            return
        padded = line.rstrip(b"=")
        if not self._width:
            self._width = len(line)
        full = len(line) == self._width == len(padded)
        good = 0 < len(line) <= self._width and len(line) % 4 == 0
        good = good and len(line) - len(padded) <= 2 and not padded.translate(None, _ALPHABET)
        self._closed = not full
        self._regular = good if line else self._closed
