"""BINARY and BINARY.SIZE: parts without their transfer encoding, in pieces (RFC 3516 §4.2, §4.3).

A part is decoded as it is sent, a piece at a time, large pieces in a thread. A part of several
pieces is read once to count its octets; the count is kept for a while, with places from which
decoding can go on, so that a client may ask for one window after the other. Octets among which is a
NUL go as literal8.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Final, NamedTuple

from imap.fetch_plan import BinaryItem
from imap.grammar.encode import literal_head
from imap.grammar.values import Partial
from imap.sections import PIECE, Reader, Row, Span
from message.decoding import Decoder, decoder
from message.section import BinaryPart, binary_part
from net.threads import Offload
from storage.values import AccountId, BlobId

# A piece up to this size is decoded in the loop, in well below 2 ms.
_INLINE: Final = 64 * 1024
_KEPT: Final = 200
_STEP: Final = 4
_LIGHT: Final = 1024


class Mark(NamedTuple):
    """Behind `raw` octets of the part, `decoded` ones are out; `undo` goes on from there."""

    raw: int
    decoded: int
    undo: Decoder


class Measure(NamedTuple):
    """The length of a decoded part, whether it holds a NUL, and marks some pieces apart."""

    size: int
    nul: bool
    marks: tuple[Mark, ...]


# Lengths of large parts; a blob never changes, and its number is never given again.
_Measures = OrderedDict[tuple[AccountId, BlobId, BinaryPart], Measure]
_measures: _Measures = OrderedDict()


class Decoded:
    """A part of one message."""

    __slots__ = ("_account", "_offload", "_part", "_reader", "_row")

    def __init__(
        self, reader: Reader, offload: Offload, account: AccountId, row: Row, part: BinaryPart
    ) -> None:
        self._reader, self._offload, self._account = reader, offload, account
        self._row, self._part = row, part

    @property
    def large(self) -> bool:
        """Whether it takes more than one piece."""
        return self._part.length > PIECE

    async def whole(self) -> bytes:
        """A part that is not large."""
        return b"".join([piece async for piece in self._pieces(self._start())])

    async def measure(self) -> Measure:
        """Reads all of it, unless that was done before. Raises MessageMissing."""
        found = _measures.get(self._key)
        if found is None:
            found = _measures[self._key] = await self._measured()
            if len(_measures) > _KEPT:
                _measures.popitem(last=False)
        return found

    async def _measured(self) -> Measure:
        start = self._start()
        size, nul, count, marks = 0, False, 0, [deepcopy(start)]
        async for piece in self._pieces(start):
            size += len(piece)
            nul = nul or b"\0" in piece
            count += 1
            raw = count * PIECE
            if count % _STEP == 0 and raw < self._part.length and start.undo.held <= _LIGHT:
                marks.append(Mark(raw, size, deepcopy(start.undo)))
        return Measure(size, nul, tuple(marks))

    async def window(self, offset: int, size: int) -> AsyncIterator[bytes]:
        """The decoded octets from `offset` on, exactly `size` of them, in pieces."""
        known = _measures.get(self._key)
        start = self._start()
        if known is not None:
            place = bisect_right(known.marks, offset, key=lambda mark: mark.decoded)
            start = deepcopy(known.marks[max(0, place - 1)])
        offset -= start.decoded
        async for piece in self._pieces(start):
            part = piece[offset : offset + size]
            offset = max(0, offset - len(piece))
            size -= len(part)
            if part:
                yield part
            if not size:
                return

    @property
    def _key(self) -> tuple[AccountId, BlobId, BinaryPart]:
        return self._account, self._row.blob, self._part

    def _start(self) -> Mark:
        undo = decoder(self._part.encoding, self._part.text)
        assert undo is not None
        return Mark(0, 0, undo)

    async def _pieces(self, start: Mark) -> AsyncIterator[bytes]:
        part, undo = self._part, start.undo
        for offset in range(start.raw, part.length, PIECE):
            length = min(PIECE, part.length - offset)
            data = await self._reader.read(self._row, Span(part.offset + offset, length))
            yield await self._decoded(undo, data)
        yield undo.finish()

    async def _decoded(self, undo: Decoder, data: bytes) -> bytes:
        if len(data) <= _INLINE:
            return undo.feed(data)
        return await self._offload.disk(undo.feed, data)


def known(row: Row, item: BinaryItem) -> bool:
    """Whether the encoding of the part can be undone; a part that does not exist has none."""
    part = binary_part(row.parts, item.parts)
    return part is None or decoder(part.encoding) is not None


def decoded(
    reader: Reader, offload: Offload, account: AccountId, row: Row, item: BinaryItem
) -> Decoded | None:
    """The part of an item, None when there is no such part."""
    part = binary_part(row.parts, item.parts)
    return None if part is None else Decoded(reader, offload, account, row, part)


def window(size: int, partial: Partial | None) -> tuple[int, int]:
    """Offset and length of what a partial takes of `size` octets."""
    if partial is None:
        return 0, size
    offset = min(partial.offset, size)
    return offset, min(partial.size, size - offset)


def head(item: BinaryItem, size: int, nul: bool) -> bytes:
    """What stands before the octets."""
    return item.label + b" " + literal_head(size, binary=nul)
