"""A message put together from texts and from what URLs name: APPEND with CATENATE (RFC 4469).

Octets are copied as they are, piece by piece, into a spool of the connection's Upload; nothing is
decoded and no flag is set where they come from.
"""

from collections.abc import AsyncIterator
from typing import Final

from imap.fetch_plan import BodyItem
from imap.grammar.append_commands import Catenate, CatenatePart, CatenateUrl
from imap.grammar.url import MessageUrl, badurl_code, parse_url
from imap.mailboxes import resolve
from imap.replies import CommandError, No
from imap.sections import PIECE, Reader, Span
from imap.session import Session
from imap.upload import Upload
from storage.errors import MessageMissing, StoreError
from storage.spool import Spool
from storage.values import AccountId, Mailbox, MailboxId, PlacedRow

_FAILED: Final = "CATENATE append has failed"


async def catenate(session: Session, upload: Upload, message: Catenate) -> Spool:
    """The whole message. Raises No with BADURL or TOOBIG."""
    limit = session.context.settings.limits.message_size
    whole, size = upload.another(), 0
    for part in message.parts:
        async for piece in _octets(session, upload, part):
            size += len(piece)
            if size > limit:
                raise No(f"{_FAILED}: message larger than {limit} octets", b"TOOBIG")
            await whole.add(piece)
            await session.connection.breathe()
    return whole


async def _octets(session: Session, upload: Upload, part: CatenatePart) -> AsyncIterator[bytes]:
    if isinstance(part, CatenateUrl):
        async for piece in _named(session, part.url):
            yield piece
        return
    number = part.literal.stream
    if number is None:
        raise No("The message did not arrive whole", b"UNAVAILABLE")
    async for piece in upload.pieces(number):
        yield piece


async def _named(session: Session, text: str) -> AsyncIterator[bytes]:
    """What a URL names."""
    url = parse_url(text)
    if url is None:
        raise _bad(text, "not the URL of a message here")
    account, box = await _mailbox(session, url, text)
    reader = Reader(session.store, account, box)
    row = await _row(session, account, box, url.uid)
    if row is None:
        raise _bad(text, "no such message")
    headers = tuple(name.encode() for name in url.section.headers)
    try:
        found = await reader.find(row, BodyItem(b"", url.section, url.partial, headers))
        if found is None:
            raise _bad(text, "no such section")
        if not isinstance(found, Span):
            yield found
            return
        for offset in range(0, found.length, PIECE):
            span = Span(found.offset + offset, min(PIECE, found.length - offset))
            yield await reader.read(row, span)
    except MessageMissing:
        raise _bad(text, "the message was expunged") from None


async def _mailbox(session: Session, url: MessageUrl, text: str) -> tuple[AccountId, MailboxId]:
    selected = session.selected
    if url.mailbox is None:
        if selected is None or not _same(url, selected.view.uidvalidity):
            raise _bad(text, "no such mailbox")
        return selected.account, selected.mailbox
    try:
        place = await resolve(session, url.mailbox)
        box: Mailbox = place.need("r")
    except (CommandError, StoreError):
        raise _bad(text, "no such mailbox") from None
    if not _same(url, box.uidvalidity):
        raise _bad(text, "the UIDVALIDITY is another")
    return place.account, box.id


def _same(url: MessageUrl, uidvalidity: int) -> bool:
    return url.uidvalidity in (0, uidvalidity)


async def _row(session: Session, account: AccountId, box: MailboxId, uid: int) -> PlacedRow | None:
    rows, _ = await session.store.placed_rows(account, box, [uid])
    return rows[0] if rows else None


def _bad(text: str, why: str) -> No:
    return No(f"{_FAILED}: {why}", badurl_code(text))
