"""What became of a delivered message afterwards, read from the journal and the index, where it
stands already: moves, changes of flags, its end.

COPY and MOVE keep a message's blob, and a MOVE is one EXPUNGE and one APPEND of the same modseq
with its UIDs in the same order (storage/jobs_copy.py). Which flags were changed the journal does
not say: what they are is in the index.
"""

import asyncio
from array import array
from dataclasses import dataclass

from sqlalchemy import bindparam, select, text

from storage.database import Database
from storage.schema import CHANGED, ChangeKind, journal, message
from storage.statements import Query
from storage.values import AccountId, BlobId, MailboxId

STEPS = 200
"""Changes of one message that are told."""
ROWS = 100_000
"""Rows of the journal that are looked at."""
_PIECE = 2_000

_CHANGES = Query(
    lambda _: (
        select(journal.c.modseq, journal.c.kind, journal.c.uids, journal.c.at)
        .where(
            journal.c.account == bindparam("account"),
            journal.c.mailbox == bindparam("mailbox"),
            journal.c.modseq > bindparam("since"),
            text(CHANGED),
        )
        .order_by(journal.c.modseq, journal.c.part)
        .limit(bindparam("n"))
    )
)
_TOGETHER = Query(
    lambda _: (
        select(journal.c.mailbox, journal.c.uids)
        .where(
            journal.c.account == bindparam("account"),
            journal.c.modseq == bindparam("modseq"),
            journal.c.kind == int(ChangeKind.APPEND),
        )
        .order_by(journal.c.part)
    )
)
_ENDED = Query(
    lambda _: (
        select(journal.c.name)
        .where(
            journal.c.account == bindparam("account"),
            journal.c.mailbox == bindparam("mailbox"),
            journal.c.kind == int(ChangeKind.DELETE),
        )
        .limit(1)
    )
)
_BLOB = Query(
    lambda _: select(message.c.blob).where(
        message.c.account == bindparam("account"),
        message.c.mailbox == bindparam("mailbox"),
        message.c.uid == bindparam("uid"),
    )
)


@dataclass(frozen=True, slots=True)
class Step:
    """`kind`: FLAGS, EXPUNGE, or APPEND: it was moved there. `mailbox` and `uid` are where it was,
    for APPEND where it is then.
    """

    at: float
    kind: ChangeKind
    mailbox: MailboxId
    uid: int


@dataclass(frozen=True, slots=True)
class Trail:
    """`ended`: it is nowhere any more. `whole` is False where the journal was too long to be read
    to its end, or does not tell where the message went.
    """

    steps: tuple[Step, ...]
    mailbox: MailboxId
    uid: int
    ended: bool
    whole: bool


async def follow(
    database: Database,
    account: AccountId,
    blob: BlobId,
    place: tuple[MailboxId, int],
    since: int,
) -> Trail:
    """From where a message was delivered, with modseq `since`, to where it is."""
    mailbox, uid = place
    reader = _Reader(database, account, blob)
    steps: list[Step] = []
    while len(steps) < STEPS:
        found = await reader.next(mailbox, uid, since)
        if found is None:
            break
        modseq, step = found
        steps.append(step)
        since = modseq
        if step.kind is ChangeKind.APPEND:
            mailbox, uid = step.mailbox, step.uid
        elif step.kind is not ChangeKind.FLAGS:
            return Trail(tuple(steps), mailbox, uid, ended=True, whole=True)
    there = await reader.blob_at(mailbox, uid)
    whole = there == blob and reader.left > 0 and len(steps) < STEPS
    return Trail(tuple(steps), mailbox, uid, ended=there is None, whole=whole)


class _Reader:
    def __init__(self, database: Database, account: AccountId, blob: BlobId) -> None:
        self._database, self._account, self._blob = database, account, blob
        self.left = ROWS

    async def next(self, mailbox: MailboxId, uid: int, since: int) -> tuple[int, Step] | None:
        """The message's next change behind modseq `since`, with its own."""
        while self.left > 0:
            rows = await self._database.fetch(
                _CHANGES, account=self._account, mailbox=mailbox, since=since, n=_PIECE
            )
            self.left -= len(rows)
            for modseq, kind, packed, at in rows:
                uids = array("I", packed)
                if uid in uids:
                    return modseq, await self._step(mailbox, uid, modseq, kind, uids, at)
            if len(rows) < _PIECE:
                return None
            # parts of one modseq that are cut off here are of one kind: FLAGS of more messages
            since = rows[-1][0] - 1 if rows[0][0] != rows[-1][0] else rows[-1][0]
            await asyncio.sleep(0)
        return None

    async def _step(
        self, mailbox: MailboxId, uid: int, modseq: int, kind: int, uids: "array[int]", at: float
    ) -> Step:
        if kind == ChangeKind.EXPUNGE:
            there = await self._moved(modseq, uids, uid)
            if there is not None:
                return Step(at, ChangeKind.APPEND, *there)
        return Step(at, ChangeKind(kind), mailbox, uid)

    async def _moved(
        self, modseq: int, uids: "array[int]", uid: int
    ) -> tuple[MailboxId, int] | None:
        """Where a MOVE of this modseq took it; None when it was expunged, or replaced."""
        rows = await self._database.fetch(_TOGETHER, account=self._account, modseq=modseq)
        for box, packed in rows:
            target = array("I", packed)
            if len(target) != len(uids):
                continue
            place = MailboxId(box), target[uids.index(uid)]
            if await self.blob_at(*place) in (None, self._blob):
                return place
        return None

    async def blob_at(self, mailbox: MailboxId, uid: int) -> BlobId | None:
        rows = await self._database.fetch(_BLOB, account=self._account, mailbox=mailbox, uid=uid)
        return BlobId(rows[0][0]) if rows else None


async def former_name(database: Database, account: AccountId, mailbox: MailboxId) -> str | None:
    """Of a mailbox that was deleted, while the journal tells of it."""
    rows = await database.fetch(_ENDED, account=account, mailbox=mailbox)
    return str(rows[0][0]) if rows else None
