"""Messages by content, as JMAP sees them: an Email is a blob with all of its copies in an account.

Copies with \\Deleted are left out, and with the last of them the Email (RFC 8621 §4.1.1).
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.images import Images
from storage.schema import KEYWORD_SHIFT, message
from storage.statements import Query
from storage.values import AccountId, BlobId, Flags, MailboxId, System

_PIECE: Final = 500
_m = message.c
_COLUMNS = (
    _m.blob,
    _m.mailbox,
    _m.uid,
    _m.flags + _m.keywords * (1 << KEYWORD_SHIFT),
    _m.internaldate,
    _m.size,
    _m.thread,
)
# By the index that has what is asked for and the key, then by the key: SQLite takes an index that
# lacks a column for dearer than all messages of the account. A left join keeps the order.
_here = message.alias("here")
_HERE = _here.c.account == bindparam("account")
_FOUND = _here.outerjoin(
    message,
    (_m.account == _here.c.account) & (_m.mailbox == _here.c.mailbox) & (_m.uid == _here.c.uid),
)
_OF_BLOBS = Query(
    lambda among: select(*_COLUMNS).select_from(_FOUND).where(_HERE, among(_here.c.blob, "blobs"))
)
_OF_THREADS = Query(
    lambda among: (
        select(_m.thread, _m.blob, _m.internaldate, _m.flags)
        .select_from(_FOUND)
        .where(_HERE, among(_here.c.thread, "threads"))
        .order_by(_m.internaldate, _m.blob)
    )
)
_BOXES_OF_THREADS = Query(
    lambda among: select(_here.c.mailbox).where(_HERE, among(_here.c.thread, "threads")).distinct()
)


@dataclass(frozen=True, slots=True)
class StoredEmail:
    """`places` are its visible copies; `flags` what one of them has; `received` the earliest
    INTERNALDATE.
    """

    blob: BlobId
    places: tuple[tuple[MailboxId, int], ...]
    flags: Flags
    received: float
    size: int
    thread: int | None


def by_mailbox(emails: Iterable[StoredEmail]) -> dict[MailboxId, list[int]]:
    """The UIDs of all copies."""
    found: dict[MailboxId, list[int]] = {}
    for one in emails:
        for box, uid in one.places:
            found.setdefault(box, []).append(uid)
    return found


async def emails_of(
    database: Database,
    images: Images,
    account: AccountId,
    blobs: Sequence[BlobId],
    within: Collection[MailboxId] | None = None,
) -> dict[BlobId, StoredEmail]:
    """Those that there are; copies elsewhere than `within` are not looked at."""
    table = await images.keywords(account)
    found: dict[BlobId, StoredEmail] = {}
    wanted = sorted(set(blobs))
    for start in range(0, len(wanted), _PIECE):
        piece = database.ids(wanted[start : start + _PIECE])
        for blob, box, uid, field, date, size, thread in await database.fetch(
            _OF_BLOBS, account=account, blobs=piece
        ):
            flags = table.flags(field)
            if flags.system & System.DELETED or (within is not None and box not in within):
                continue
            email = StoredEmail(BlobId(blob), ((MailboxId(box), uid),), flags, date, size, thread)
            found[email.blob] = _united(found.get(email.blob), email)
        await asyncio.sleep(0)
    return found


async def threads_of(database: Database, account: AccountId, blobs: Sequence[BlobId]) -> set[int]:
    """Those known, of copies with \\Deleted too."""
    found: set[int] = set()
    for start in range(0, len(blobs), _PIECE):
        piece = database.ids(sorted(blobs[start : start + _PIECE]))
        rows = await database.fetch(_OF_BLOBS, account=account, blobs=piece)
        found.update(row[-1] for row in rows if row[-1] is not None)
    return found


async def mailboxes_of(
    database: Database, account: AccountId, threads: Sequence[int]
) -> set[MailboxId]:
    """Those with messages of threads."""
    found: set[MailboxId] = set()
    for start in range(0, len(threads), _PIECE):
        piece = database.ids(sorted(threads[start : start + _PIECE]))
        rows = await database.fetch(_BOXES_OF_THREADS, account=account, threads=piece)
        found.update(MailboxId(box) for (box,) in rows)
    return found


async def thread_emails(
    database: Database, account: AccountId, threads: Sequence[int]
) -> dict[int, list[BlobId]]:
    """The Emails of threads, the oldest first."""
    found: dict[int, dict[BlobId, None]] = {}
    for start in range(0, len(threads), _PIECE):
        piece = database.ids(sorted(threads[start : start + _PIECE]))
        for thread, blob, _, flags in await database.fetch(
            _OF_THREADS, account=account, threads=piece
        ):
            if not flags & System.DELETED:
                found.setdefault(thread, {})[BlobId(blob)] = None
        await asyncio.sleep(0)
    return {thread: list(blobs) for thread, blobs in found.items()}


def _united(one: StoredEmail | None, other: StoredEmail) -> StoredEmail:
    if one is None:
        return other
    flags = Flags(one.flags.system | other.flags.system, one.flags.keywords | other.flags.keywords)
    return StoredEmail(
        one.blob,
        one.places + other.places,
        flags,
        min(one.received, other.received),
        one.size,
        one.thread or other.thread,
    )
