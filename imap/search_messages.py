"""Rows, headers and whole messages of one mailbox for a search, a piece at a time.

Others run between pieces, and a message that has gone meanwhile reads as nothing.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from imap.sections import PIECE, Reader, Span
from imap.selected import Selected
from imap.session import Session
from message.meta import meta_fields, unpack_meta
from storage.errors import MessageMissing
from storage.values import MessageRow

_ROWS: Final = 250


class Messages:
    """Of the session's generation, by index."""

    __slots__ = ("_reader", "_selected", "_session")

    def __init__(self, session: Session, selected: Selected) -> None:
        self._session, self._selected = session, selected
        self._reader = Reader(session.store, selected.account, selected.mailbox)

    async def rows(self, among: Sequence[int]) -> AsyncIterator[tuple[int, MessageRow]]:
        """Rows of the messages that exist, with their indices, which ascend."""
        selected, breathe = self._selected, self._session.connection.breathe
        for start in range(0, len(among), _ROWS):
            self._session.progress(start, len(among))
            uids = [selected.uids[index] for index in among[start : start + _ROWS]]
            chunks = self._session.store.rows(selected.account, selected.mailbox, uids)
            async for chunk in chunks:
                for row in chunk:
                    yield selected.number(row.uid) - 1, row
            await breathe()

    async def header(self, row: MessageRow, whole: bool) -> bytes:
        """The kept fields, or the whole header where those are not enough."""
        if not whole:
            kept = meta_fields(row.meta)
            if kept is not None:
                return kept
        return await self._read(row, min(unpack_meta(row.meta).header_length, row.size))

    async def message(self, row: MessageRow) -> bytes:
        """All of it."""
        return await self._read(row, row.size)

    async def _read(self, row: MessageRow, length: int) -> bytes:
        pieces = []
        try:
            for offset in range(0, length, PIECE):
                piece = Span(offset, min(PIECE, length - offset))
                pieces.append(await self._reader.read(row, piece))
                await self._session.connection.breathe()
        except MessageMissing:
            return b""
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
