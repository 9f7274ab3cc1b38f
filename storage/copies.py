"""Where the copies of a message are: the same content in several mailboxes of an account."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.schema import message
from storage.statements import Query
from storage.values import AccountId, BlobId, MailboxId

_PIECE: Final = 500
_m = message.c
_ACCOUNT = _m.account == bindparam("account")
_OF_BLOBS = Query(
    lambda among: select(_m.blob, _m.mailbox, _m.uid).where(_ACCOUNT, among(_m.blob, "blobs"))
)
_PAGE = Query(
    lambda _: (
        select(_m.uid, _m.blob)
        .where(_ACCOUNT, _m.mailbox == bindparam("mailbox"), _m.uid > bindparam("after"))
        .order_by(_m.uid)
        .limit(_PIECE)
    )
)
_HERE = Query(
    lambda among: select(_m.uid, _m.blob).where(
        _ACCOUNT, _m.mailbox == bindparam("mailbox"), among(_m.uid, "uids")
    )
)

Copy = tuple[BlobId, MailboxId, int]


async def copies_of(database: Database, account: AccountId, blobs: Sequence[BlobId]) -> list[Copy]:
    """Every copy of these contents: content, mailbox and UID."""
    found: list[Copy] = []
    wanted = sorted(set(blobs))
    for start in range(0, len(wanted), _PIECE):
        piece = database.ids(wanted[start : start + _PIECE])
        rows = await database.fetch(_OF_BLOBS, account=account, blobs=piece)
        found += [(BlobId(blob), MailboxId(box), uid) for blob, box, uid in rows]
        await asyncio.sleep(0)
    return found


async def contents(
    database: Database, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
) -> dict[int, BlobId]:
    """The contents of messages by UID; vanished ones are left out."""
    found: dict[int, BlobId] = {}
    for start in range(0, len(uids), _PIECE):
        piece = database.ids(list(uids[start : start + _PIECE]))
        rows = await database.fetch(_HERE, account=account, mailbox=mailbox, uids=piece)
        found |= {uid: BlobId(blob) for uid, blob in rows}
        await asyncio.sleep(0)
    return found


async def shared(
    database: Database, account: AccountId, here: MailboxId, there: MailboxId
) -> list[int]:
    """The UIDs in one mailbox of the messages that have a copy in another, ascending."""
    after, found = 0, set[int]()
    while page := await database.fetch(_PAGE, account=account, mailbox=there, after=after):
        after = page[-1][0]
        blobs = [BlobId(blob) for _, blob in page]
        found |= {uid for _, box, uid in await copies_of(database, account, blobs) if box == here}
    return sorted(found)
