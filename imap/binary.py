"""BINARY and BINARY.SIZE: parts without their transfer encoding, in pieces (RFC 3516 §4.2, §4.3).

A part is decoded as it is sent, a piece at a time, large pieces in a thread; of a part of several
pieces the length is counted first and kept for a while. Octets among which is a NUL go as literal8.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator
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
_KEPT: Final = 1000


class Measure(NamedTuple):
    """The length of a decoded part, and whether it holds a NUL."""

    size: int
    nul: bool


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
        return b"".join([piece async for piece in self._pieces()])

    async def measure(self) -> Measure:
        """Reads all of it, unless that was done before. Raises MessageMissing."""
        key = (self._account, self._row.blob, self._part)
        found = _measures.get(key)
        if found is None:
            size, nul = 0, False
            async for piece in self._pieces():
                size += len(piece)
                nul = nul or b"\0" in piece
            found = _measures[key] = Measure(size, nul)
            if len(_measures) > _KEPT:
                _measures.popitem(last=False)
        return found

    async def window(self, offset: int, size: int) -> AsyncIterator[bytes]:
        """The decoded octets from `offset` on, exactly `size` of them, in pieces."""
        async for piece in self._pieces():
            part = piece[offset : offset + size]
            offset = max(0, offset - len(piece))
            size -= len(part)
            if part:
                yield part
            if not size:
                return

    async def _pieces(self) -> AsyncIterator[bytes]:
        part = self._part
        undo = decoder(part.encoding, part.text)
        assert undo is not None
        for offset in range(0, part.length, PIECE):
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
