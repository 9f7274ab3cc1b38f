"""What of an account's journal may say which mail is spam: messages that came into a mailbox, and
flags that changed, as they are by the time of reading.

A message that is gone by then is left out: who put it elsewhere is told by its row there.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from sqlalchemy import BindParameter, bindparam, select

from message.meta import envelopes
from storage.changes import Change
from storage.database import Database
from storage.rendering import render_bytes
from storage.schema import ChangeKind, Origin, blob, keyword_set, message
from storage.schema import account as accounts
from storage.statements import Query
from storage.values import AccountId, BlobId, MailboxId, System

PIECE: Final = 250
KEY_SIZE: Final = 16
_ACCOUNT: BindParameter[int] = bindparam("account")
_m, _k, _b = message.c, keyword_set.c, blob.c
_NARROW = Query(
    lambda among: (
        select(_m.uid, _m.blob, _m.flags, _k.words)
        .select_from(message)
        .outerjoin(keyword_set, (_k.account == _m.account) & (_k.number == _m.keywords))
        .where(_m.account == _ACCOUNT, _m.mailbox == bindparam("mailbox"), among(_m.uid, "uids"))
        .order_by(_m.uid)
    )
)
_META = Query(
    lambda among: select(_b.id, _b.meta).where(_b.account == _ACCOUNT, among(_b.id, "blobs"))
)
_PAGE = Query(
    lambda _: (
        select(_m.uid)
        .where(
            _m.account == _ACCOUNT,
            _m.mailbox == bindparam("mailbox"),
            _m.uid > bindparam("after"),
        )
        .order_by(_m.uid)
        .limit(PIECE)
    )
)
_REACH = Query(
    lambda _: select(accounts.c.modseq, accounts.c.floor).where(accounts.c.id == _ACCOUNT)
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message as a change left it. `came`: it is new in its mailbox, brought by `origin`; else
    its flags changed. `words` are its keywords, in lower case; those that it was delivered with.
    """

    mailbox: MailboxId
    uid: int
    blob: BlobId
    words: frozenset[str]
    answered: bool
    came: bool
    origin: Origin = Origin.CLIENT


async def reach(database: Database, account: AccountId) -> tuple[int, int] | None:
    """The account's modseq, and the lowest that its journal answers from; None without it."""
    rows = await database.fetch(_REACH, account=account)
    return (rows[0][0], rows[0][1]) if rows else None


async def sightings(
    database: Database, account: AccountId, change: Change
) -> AsyncIterator[list[Sighting]]:
    """What messages came or had their flags changed by a change of one of these kinds, in pieces
    in order of UID.
    """
    came = change.kind is ChangeKind.APPEND
    origin = Origin(change.name) if came else Origin.CLIENT
    given = delivered_words(change)
    for start in range(0, len(change.uids), PIECE):
        uids = change.uids[start : start + PIECE]
        rows = await _narrow(database, account, change.mailbox, uids)
        yield [
            Sighting(change.mailbox, uid, blob, given or words, answered, came, origin)
            for uid, blob, words, answered in rows
        ]


def delivered_words(change: Change) -> frozenset[str]:
    """The keywords that mail was delivered with, in lower case."""
    is_delivery = change.kind is ChangeKind.APPEND and change.name == Origin.DELIVERY
    return frozenset(change.old.casefold().split()) if is_delivery else frozenset()


def copied_from(change: Change) -> MailboxId | None:
    """The mailbox that a client's COPY took messages from."""
    is_copy = change.kind is ChangeKind.APPEND and change.name == Origin.CLIENT and change.old
    return MailboxId(int(change.old)) if is_copy else None


async def present(
    database: Database, account: AccountId, mailbox: MailboxId
) -> AsyncIterator[list[Sighting]]:
    """All messages of a mailbox, as if they had been delivered there."""
    after = 0
    while page := await database.fetch(_PAGE, account=account, mailbox=mailbox, after=after):
        uids = [uid for (uid,) in page]
        after = uids[-1]
        rows = await _narrow(database, account, mailbox, uids)
        yield [Sighting(mailbox, *row, came=True, origin=Origin.DELIVERY) for row in rows]


async def keys(
    database: Database, account: AccountId, blobs: Sequence[BlobId]
) -> dict[BlobId, bytes]:
    """What tells messages apart, by at most PIECE contents: a hash of their ENVELOPE, which a copy
    made by a client keeps though its bytes may differ (mbsync adds X-TUID).
    """
    rows = await database.fetch(_META, account=account, blobs=database.ids(sorted(set(blobs))))
    made = _keys([meta for _, meta in rows])
    return {BlobId(row[0]): key for row, key in zip(rows, made, strict=True)}


def key_of(data: bytes) -> bytes:
    """The same of a message that is not in the store. Pure, and no small work for a large one."""
    return _keys([render_bytes(data).meta])[0]


def _keys(metas: Sequence[bytes]) -> list[bytes]:
    return [blake2b(one, digest_size=KEY_SIZE).digest() for one in envelopes(metas)]


_Row = tuple[int, BlobId, frozenset[str], bool]


async def _narrow(
    database: Database, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
) -> list[_Row]:
    rows = await database.fetch(
        _NARROW, account=account, mailbox=mailbox, uids=database.ids(list(uids))
    )
    return [
        (uid, BlobId(found), _words(words), bool(flags & System.ANSWERED))
        for uid, found, flags, words in rows
    ]


def _words(stored: str | None) -> frozenset[str]:
    return frozenset(stored.casefold().split(" ")) if stored else frozenset()
