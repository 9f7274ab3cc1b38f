"""Sections of messages on the wire: whole responses, large sections in pieces (RFC 9051 §7.5.2).

What a section is stands in sections.py and binary.py. Invariant: once a length was announced, that
many octets follow or the connection ends.
"""

from collections.abc import Sequence

from imap import binary
from imap.fetch_plan import BinaryItem, BodyItem
from imap.replies import Closing
from imap.sections import PIECE, Reader, Span, plain
from imap.session import Session
from storage.errors import MessageMissing
from storage.values import PlacedRow


class SectionWriter:
    """Of one FETCH: counts the messages that were expunged meanwhile (`missing`), that can't be
    read (`lost`) and of which a part has an unknown encoding (`unknown`).
    """

    __slots__ = ("_items", "_reader", "_session", "lost", "missing", "unknown")

    def __init__(
        self, session: Session, reader: Reader, items: Sequence[BodyItem | BinaryItem]
    ) -> None:
        self._session, self._reader, self._items = session, reader, items
        self.missing = self.lost = self.unknown = 0

    async def send(self, row: PlacedRow, start: bytes) -> None:
        """One response with sections of the message; none when one of them can't be decoded."""
        for item in self._items:
            if isinstance(item, BinaryItem) and not binary.known(row, item):
                self.unknown += 1
                return
        out = [start]
        started = False
        try:
            for number, item in enumerate(self._items):
                if number:
                    out.append(b" ")
                started = await self._add(row, item, out) or started
        except MessageMissing:
            if started or self._session.connection.mid_literal:
                # The length was announced already: the client must not take what follows for it.
                self._session.connection.abort()
                raise Closing from None
            await self._count_missing(row.uid)
            return
        finally:
            self._session.connection.mid_literal = False
        out.append(b")\r\n")
        self._session.send(b"".join(out))
        await self._session.connection.breathe()

    async def _count_missing(self, uid: int) -> None:
        """A message without its file: expunged meanwhile, or lost when its row is still there."""
        selected = self._session.mailbox
        rows, _ = await self._session.store.placed_rows(selected.account, selected.mailbox, [uid])
        if rows:
            self.lost += 1
        else:
            self.missing += 1

    async def _add(self, row: PlacedRow, item: BodyItem | BinaryItem, out: list[bytes]) -> bool:
        """Adds a section to `out`; a large one is sent, with `out` before it: then True."""
        if isinstance(item, BinaryItem):
            return await self._add_binary(row, item, out)
        found = await self._reader.find(row, item)
        if found is None:
            out.append(item.label + b" NIL")
            return False
        if isinstance(found, Span):
            if found.length > PIECE:
                out.append(b"%s {%d}\r\n" % (item.label, found.length))
                await self._stream(row, found, out)
                return True
            found = await self._reader.read(row, found)
        out.append(b"%s {%d}\r\n%s" % (item.label, len(found), plain(found)))
        return False

    async def _add_binary(self, row: PlacedRow, item: BinaryItem, out: list[bytes]) -> bool:
        """As _add, of a part that is decoded."""
        offload, account = self._session.context.offload, self._session.mailbox.account
        part = binary.decoded(self._reader, offload, account, row, item)
        if part is None:
            out.append(item.label + (b" 0" if item.size_only else b" NIL"))
        elif item.size_only:
            size = (await part.measure()).size if part.large else len(await part.whole())
            out.append(b"%s %d" % (item.label, size))
        elif not part.large:
            data = await part.whole()
            offset, size = binary.window(len(data), item.partial)
            data = data[offset : offset + size]
            out += (binary.head(item, size, b"\0" in data), data)
        else:
            await self._stream_binary(part, item, out)
            return True
        return False

    async def _stream_binary(
        self, part: binary.Decoded, item: BinaryItem, out: list[bytes]
    ) -> None:
        connection = self._session.connection
        measure = await part.measure()
        offset, size = binary.window(measure.size, item.partial)
        connection.send(b"".join(out) + binary.head(item, size, measure.nul))
        out.clear()
        connection.mid_literal = True
        async for piece in part.window(offset, size):
            size -= len(piece)
            connection.send(piece)
            await connection.breathe()
        if size:
            raise MessageMissing("The message's file is shorter than it was")

    async def _stream(self, row: PlacedRow, span: Span, out: list[bytes]) -> None:
        """Sends a large section in pieces, as fast as the client takes them."""
        connection = self._session.connection
        first = await self._reader.read(row, Span(span.offset, PIECE))
        connection.send(b"".join(out))
        out.clear()
        connection.mid_literal = True
        connection.send(plain(first))
        for offset in range(PIECE, span.length, PIECE):
            await connection.breathe()
            length = min(PIECE, span.length - offset)
            connection.send(plain(await self._reader.read(row, Span(span.offset + offset, length))))
