"""What the word index reads of the index database: blobs of messages, their files, who is alive."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import BindParameter, bindparam, select

from storage.database import Database
from storage.schema import account, blob, folder, mailbox, message, place
from storage.statements import Query
from storage.values import AccountId, MailboxId

PAGE: Final = 1_000
CHUNK: Final = 250
_ACCOUNT: BindParameter[int] = bindparam("account")
_m, _p, _f, _b = message.c, place.c, folder.c, blob.c
_NUMBERS = Query(
    lambda _: select(account.c.modseq, account.c.floor, account.c.used_messages).where(
        account.c.id == _ACCOUNT
    )
)
_BOXES = Query(
    lambda _: select(mailbox.c.id).where(mailbox.c.account == _ACCOUNT, mailbox.c.messages > 0)
)
_PAGE = Query(
    lambda _: (
        select(_m.uid, _m.blob)
        .where(
            _m.account == _ACCOUNT,
            _m.mailbox == bindparam("mailbox"),
            _m.uid > bindparam("after"),
        )
        .order_by(_m.uid)
        .limit(bindparam("most"))
    )
)
_OF_UIDS = Query(
    lambda among: select(_m.blob).where(
        _m.account == _ACCOUNT, _m.mailbox == bindparam("mailbox"), among(_m.uid, "uids")
    )
)
_ALIVE = Query(
    lambda among: select(_m.blob).where(_m.account == _ACCOUNT, among(_m.blob, "blobs")).distinct()
)
_FILES = Query(
    lambda among: (
        select(_p.blob, _f.path, _p.path, _b.size)
        .join_from(place, folder, (_f.account == _p.account) & (_f.mailbox == _p.mailbox))
        .join(blob, (_b.account == _p.account) & (_b.id == _p.blob))
        .where(_p.account == _ACCOUNT, among(_p.blob, "blobs"))
    )
)


class Numbers(NamedTuple):
    """Of an account: its modseq, the lowest that its journal answers from, its messages."""

    modseq: int
    floor: int
    messages: int


class File(NamedTuple):
    """A name of a blob below the account's Maildir, and its size."""

    path: str
    size: int


async def numbers(database: Database, number: AccountId) -> Numbers | None:
    """None when there is no such account."""
    rows = await database.fetch(_NUMBERS, account=number)
    return Numbers(*rows[0]) if rows else None


async def boxes(database: Database, number: AccountId) -> list[MailboxId]:
    """Mailboxes with messages."""
    return [MailboxId(box) for (box,) in await database.fetch(_BOXES, account=number)]


async def page(
    database: Database, number: AccountId, box: MailboxId, after: int
) -> list[tuple[int, int]]:
    """UIDs above `after` with their blobs; fewer than PAGE are the last ones."""
    rows = await database.fetch(_PAGE, account=number, mailbox=box, after=after, most=PAGE)
    return [(uid, found) for uid, found in rows]


async def blobs_of(
    database: Database, number: AccountId, box: MailboxId, uids: Sequence[int]
) -> list[int]:
    """Blobs of those of at most CHUNK messages that exist."""
    ids = database.ids(uids)
    return [row[0] for row in await database.fetch(_OF_UIDS, account=number, mailbox=box, uids=ids)]


async def alive(database: Database, number: AccountId, blobs: Sequence[int]) -> set[int]:
    """Those of at most CHUNK blobs that a message has."""
    ids = database.ids(blobs)
    return {row[0] for row in await database.fetch(_ALIVE, account=number, blobs=ids)}


async def files(database: Database, number: AccountId, blobs: Sequence[int]) -> dict[int, File]:
    """A name of each of at most CHUNK blobs that has one."""
    rows = await database.fetch(_FILES, account=number, blobs=database.ids(blobs))
    return {row[0]: File(f"{row[1]}/{row[2]}" if row[1] else row[2], row[3]) for row in rows}
