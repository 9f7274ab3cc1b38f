"""Sections of a message for FETCH: found by the table of parts, read as a range of the file.

Of an internationalised message ASCII sessions see the surrogate, made for the command.

A section is ready bytes, a Span of the message, or None for one that does not exist. Nothing here
reads more of a file than was asked for, but for the header lists, which need their header whole.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from imap.fetch_plan import BodyItem
from imap.grammar.fetch_item import Section, SectionKind
from imap.grammar.values import Partial
from message.headers import cached, header_fields
from message.kept_fields import picked
from message.meta import has_surrogate, meta_kept
from message.render import surrogate
from message.section import Specifier, locate
from net.threads import Offload
from storage.errors import MessageMissing
from storage.store import Store
from storage.values import AccountId, BlobId, MailboxId, MessageRow, PlacedRow

Row: TypeAlias = MessageRow | PlacedRow
PIECE: Final = 256 * 1024
# A header longer than this is cut before fields are picked from it.
_HEADER: Final = 4 * 1024 * 1024
_SPECIFIERS: Final = {
    None: Specifier.ALL,
    SectionKind.HEADER: Specifier.HEADER,
    SectionKind.HEADER_FIELDS: Specifier.HEADER,
    SectionKind.HEADER_FIELDS_NOT: Specifier.HEADER,
    SectionKind.TEXT: Specifier.TEXT,
    SectionKind.MIME: Specifier.MIME,
}
_LISTS: Final = frozenset({SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT})


@dataclass(frozen=True, slots=True)
class Span:
    """Octets of the message in its CRLF form."""

    offset: int
    length: int


class Reader:
    """Reads sections of the messages of one mailbox."""

    __slots__ = ("_account", "_made", "_mailbox", "_offload", "_store")

    def __init__(
        self,
        store: Store,
        account: AccountId,
        mailbox: MailboxId,
        surrogates: Offload | None = None,
    ) -> None:
        """With `surrogates`, `find` shows them where there are any, and makes them there."""
        self._store, self._account, self._mailbox = store, account, mailbox
        self._offload = surrogates
        self._made: tuple[BlobId, bytes, bytes] | None = None

    async def find(self, row: Row, item: BodyItem) -> bytes | Span | None:
        """What an item names, its partial applied. Raises MessageMissing."""
        if self._offload is not None and has_surrogate(row.meta):
            return await self._of_surrogate(self._offload, row, item)
        if item.section.kind in _LISTS:
            fields = await self._fields(row, item)
            return None if fields is None else _cut(fields, item.partial)
        span = _locate(row, item.section)
        if span is None or item.partial is None:
            return span
        start = min(item.partial.offset, span.length)
        return Span(span.offset + start, min(item.partial.size, span.length - start))

    async def read(self, row: Row, span: Span) -> bytes:
        """The octets of a span of at most PIECE octets. Raises MessageMissing."""
        if not span.length:
            return b""
        data = await self._store.read_message(
            self._account, self._mailbox, row, span.offset, span.length
        )
        if len(data) != span.length:
            raise MessageMissing("The message's file is shorter than it was")
        return data

    async def whole(self, row: Row) -> bytes:
        """The message. Raises MessageMissing."""
        spans = [Span(at, min(PIECE, row.size - at)) for at in range(0, row.size, PIECE)]
        return b"".join([await self.read(row, span) for span in spans])

    async def _of_surrogate(self, offload: Offload, row: Row, item: BodyItem) -> bytes | None:
        section, invert = item.section, item.section.kind is SectionKind.HEADER_FIELDS_NOT
        kept = meta_kept(row.meta)
        if section.headers and not section.parts and cached(item.headers, invert) and kept:
            return _cut(picked(kept, item.headers), item.partial)
        if self._made is None or self._made[0] != row.blob:
            data = await self.whole(row)
            self._made = (row.blob, *await offload.process(surrogate, data))
        _, shown, parts = self._made
        if not section.parts and section.kind is None:
            return _cut(shown, item.partial)
        found = locate(parts, section.parts, _SPECIFIERS[section.kind])
        if found is None:
            return None
        octets = shown[found[0] : found[0] + found[1]]
        if section.kind in _LISTS:
            octets = header_fields(octets, item.headers, invert)
        return _cut(octets, item.partial)

    async def _fields(self, row: Row, item: BodyItem) -> bytes | None:
        invert = item.section.kind is SectionKind.HEADER_FIELDS_NOT
        if not item.section.parts and cached(item.headers, invert):
            kept = meta_kept(row.meta)
            if kept is not None and not has_surrogate(row.meta):
                return picked(kept, item.headers)
        span = _locate(row, Section(item.section.parts, SectionKind.HEADER))
        if span is None:
            return None
        pieces = []
        for offset in range(0, min(span.length, _HEADER), PIECE):
            length = min(PIECE, span.length - offset)
            pieces.append(await self.read(row, Span(span.offset + offset, length)))
        return header_fields(b"".join(pieces), item.headers, invert)


def plain(octets: bytes) -> bytes:
    """Octets for a literal, in which no NUL may stand: each goes as octet 128, as other servers do
    it. BINARY sends them as they are.
    """
    return octets.replace(b"\0", b"\x80") if b"\0" in octets else octets


def _locate(row: Row, section: Section) -> Span | None:
    if not section.parts and section.kind is None:
        return Span(0, row.size)
    found = locate(row.parts, section.parts, _SPECIFIERS[section.kind])
    return None if found is None else Span(*found)


def _cut(data: bytes, partial: Partial | None) -> bytes:
    if partial is None:
        return data
    return data[partial.offset : partial.offset + partial.size]
