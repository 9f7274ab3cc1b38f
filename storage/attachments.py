"""Attachments of stored mail, found by the offset table of each message and the headers of its
parts: no message is read whole.

An attachment is a part that says so, or one with a file name that does not say it is inline
(RFC 2183 §2).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select

from message.decoding import decode
from message.meta import bodystructures
from message.scan import scan_crlf
from message.section import Leaf, leaves
from storage.schema import blob, message
from storage.statements import Query
from storage.store import Store
from storage.values import AccountId, BlobId, MailboxId, System

PAGE: Final = 200
HEAD: Final = 8 * 1024
_MAX_HEADER: Final = 16 * 1024
_MAX_LEAVES: Final = 200
_TAIL: Final = 1100
_b, _m = blob.c, message.c
_OWN = (_b.account == _m.account) & (_b.id == _m.blob)
_COLUMNS = (_m.blob, _m.mailbox, _m.uid, _m.internaldate, _b.parts, _b.meta)
_META: Final = 5
_TELLING: Final = (b'"ATTACHMENT"', b'"FILENAME', b'"NAME')
_VISIBLE = _m.flags.op("&")(int(System.DELETED)) == 0
_BEFORE = Query(
    lambda _: (
        select(*_COLUMNS)
        .join_from(message, blob, _OWN)
        .where(_m.account == bindparam("account"), _m.blob < bindparam("before"), _VISIBLE)
        .order_by(_m.blob.desc(), _m.mailbox, _m.uid)
        .limit(bindparam("n"))
    )
)
_ONE = Query(
    lambda _: (
        select(*_COLUMNS)
        .join_from(message, blob, _OWN)
        .where(_m.account == bindparam("account"), _m.blob == bindparam("blob"), _VISIBLE)
    )
)
_LAST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Holder:
    """A message that may have attachments: a copy that may be read."""

    blob: BlobId
    mailbox: MailboxId
    uid: int
    received: float
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """`name` as it was sent, None without one; `size` of the decoded octets, exact for base64 in
    lines of one length; `head` are the first of them.
    """

    holder: Holder
    leaf: Leaf
    name: str | None
    size: int
    head: bytes

    @property
    def number(self) -> str:
        """As IMAP counts, "1.2"."""
        return self.leaf.number


class Attachments:
    """Of accounts of the store. Every call raises StoreError."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def page(
        self, account: AccountId, within: Collection[MailboxId], before: BlobId | None = None
    ) -> tuple[list[Holder], BlobId | None]:
        """The newest messages, or those before one, of these mailboxes; and the last that was
        looked at, None when there are no more.
        """
        start = _LAST if before is None else before
        rows, complete = await self.store.database.fetch_some(
            _BEFORE, _META, account=account, before=start, n=PAGE
        )
        more = not complete or len(rows) == PAGE
        if more and rows[0][0] == rows[-1][0]:  # one message in so many mailboxes
            return await self.holder(account, rows[0][0], within), rows[0][0]
        last = rows[-1][0] if more else None
        if last is not None:  # its copies may go on
            rows = [row for row in rows if row[0] != last]
            last = BlobId(rows[-1][0])
        return _holders(rows, within), last

    async def holder(
        self, account: AccountId, number: BlobId, within: Collection[MailboxId] | None
    ) -> list[Holder]:
        """The message, if it is there; `within` None for all mailboxes."""
        rows = await self.store.database.fetch(_ONE, account=account, blob=number)
        return _holders(rows, within)

    async def of(
        self, account: AccountId, holder: Holder, number: str | None = None
    ) -> list[Attachment]:
        """What the message has, or the one of that number. Raises MessageMissing."""
        found = []
        for leaf in holder.leaves[:_MAX_LEAVES]:
            if number is not None and leaf.number != number:
                continue
            if leaf.numbers == (1,) and len(holder.leaves) == 1 and leaf.header_offset == 0:
                continue  # all of the message
            one = await self._read(account, holder, leaf)
            if one is not None:
                found.append(one)
        return found

    async def _read(self, account: AccountId, holder: Holder, leaf: Leaf) -> Attachment | None:
        size = leaf.body_offset - leaf.header_offset
        if size <= 0 or size > _MAX_HEADER:
            return None
        data = await self.read(account, holder, leaf.header_offset, size)
        part = scan_crlf(data)
        said, name = part.disposition, part.filename
        kind = said[0] if said else b""
        if kind != b"attachment" and (name is None or kind == b"inline"):
            return None
        head = await self.read(account, holder, leaf.body_offset, min(leaf.length, HEAD))
        start = max(leaf.length - _TAIL, 0)
        tail = await self.read(account, holder, leaf.body_offset + start, leaf.length - start)
        octets = _size(leaf, head, tail)
        return Attachment(holder, leaf, name, octets, decode(head, leaf.encoding))

    async def read(self, account: AccountId, holder: Holder, offset: int, length: int) -> bytes:
        """Octets of the message's CRLF form. Raises MessageMissing."""
        if length <= 0:
            return b""
        return await self.store.read_body(
            account, holder.blob, holder.mailbox, holder.uid, offset, length
        )


def _holders(rows: Sequence[tuple[Any, ...]], within: Collection[MailboxId] | None) -> list[Holder]:
    """One for each message: its first copy that may be read."""
    found: dict[BlobId, Holder] = {}
    for number, box, uid, received, parts, meta in rows:
        if number in found or (within is not None and box not in within):
            continue
        (shape,) = bodystructures([bytes(meta)])
        inside = leaves(bytes(parts)) if any(one in shape for one in _TELLING) else ()
        found[number] = Holder(number, box, uid, received, tuple(inside))
    return list(found.values())


def _size(leaf: Leaf, head: bytes, tail: bytes) -> int:
    """Decoded octets as far as both ends tell."""
    if leaf.encoding != "base64":
        return leaf.length
    width = head.find(b"\r\n")
    stripped = tail.rstrip(b" \t\r\n")
    length = leaf.length - (len(tail) - len(stripped))
    padding = len(stripped) - len(stripped.rstrip(b"="))
    characters = length - 2 * (length // (width + 2)) if width > 0 else length
    return max(characters // 4 * 3 - min(padding, 2), 0)
